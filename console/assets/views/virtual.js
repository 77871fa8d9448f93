// A list of any length of which only the rows in sight exist: rows have one height, are kept in the
// list's order, and arrow keys go from row to row.

import { h, setAttr } from "../dom.js";

const BEYOND = 6;

/**
 * Rows in a scrolling region. `height` of a row in pixels as the style sheet has it;
 * `create(key)` makes a row's element (`li`), `update(element, item)` fills it; `label` names the
 * list. A row's control with the class `row-main` is where arrow keys lead.
 */
export class VirtualRows {
  #items = [];
  #rows = new Map();
  #drawn = false;

  constructor({ height, label, create, update }) {
    this.height = height;
    this.create = create;
    this.update = update;
    this.list = h("ul", { class: "virtual-list", "aria-label": label });
    this.element = h("div", {
      class: "virtual scroll",
      on: { scroll: () => this.#later(), keydown: (event) => this.#key(event) },
    }, this.list);
    this.observer = new ResizeObserver(() => this.#later());
    this.observer.observe(this.element);
  }

  /** Shows `items` (`{key, ...}`, in order); rows of `changed` keys (null: all) are filled anew. */
  set(items, changed = null) {
    this.#items = items;
    const height = `${items.length * this.height}px`;
    if (this.list.style.height !== height) this.list.style.height = height;
    this.#draw(changed ?? true);
  }

  close() {
    this.observer.disconnect();
  }

  #later() {
    if (this.#drawn) return;
    this.#drawn = true;
    requestAnimationFrame(() => {
      this.#drawn = false;
      this.#draw(null);
    });
  }

  /** `changed`: `true` all, `null` none, or a set of keys. */
  #draw(changed) {
    const { scrollTop, clientHeight } = this.element;
    const count = this.#items.length;
    const from = Math.max(0, Math.floor(scrollTop / this.height) - BEYOND);
    const to = Math.min(count, Math.ceil((scrollTop + clientHeight) / this.height) + BEYOND);
    const wanted = new Map();
    for (let at = from; at < to; at += 1) wanted.set(this.#items[at].key, at);
    this.#keepFocused(wanted);
    for (const [key, row] of this.#rows) {
      if (wanted.has(key)) continue;
      row.remove();
      this.#rows.delete(key);
    }
    let cursor = this.list.firstElementChild;
    for (const [key, at] of [...wanted].sort((a, b) => a[1] - b[1])) {
      let row = this.#rows.get(key);
      const fresh = row === undefined;
      if (fresh) this.#rows.set(key, (row = this.create(key)));
      if (fresh || changed === true || changed?.has(key)) this.update(row, this.#items[at]);
      this.#place(row, at, count);
      if (row === cursor) cursor = cursor.nextElementSibling;
      else this.list.insertBefore(row, cursor);
    }
  }

  /** The row that has the focus stays, wherever it was scrolled to. */
  #keepFocused(wanted) {
    for (const [key, row] of this.#rows) {
      if (wanted.has(key) || !row.contains(document.activeElement)) continue;
      const at = this.#items.findIndex((item) => item.key === key);
      if (at >= 0) wanted.set(key, at);
    }
  }

  #place(row, at, count) {
    if (row.at !== at) {
      row.at = at;
      row.style.transform = `translateY(${at * this.height}px)`;
    }
    setAttr(row, "aria-posinset", String(at + 1));
    setAttr(row, "aria-setsize", String(count));
  }

  #key(event) {
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -1e9, End: 1e9 };
    const step = steps[event.key];
    const row = event.target.closest?.("li");
    if (step === undefined || !event.target.classList.contains("row-main") || row === null) return;
    event.preventDefault();
    const at = Math.max(0, Math.min(this.#items.length - 1, row.at + step));
    this.#reveal(at);
    this.#draw(null);
    this.#rows.get(this.#items[at].key)?.querySelector(".row-main")?.focus({ preventScroll: true });
  }

  #reveal(at) {
    const { scrollTop, clientHeight } = this.element;
    const top = at * this.height;
    if (top < scrollTop) this.element.scrollTop = top;
    const bottom = top + this.height;
    if (bottom > scrollTop + clientHeight) this.element.scrollTop = bottom - clientHeight;
  }
}
