// Building DOM without markup: values only ever become text nodes or attributes.

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element. `props`: `class`, `text`, `on: {event: listener}`, `data: {..}`, and attributes
 * (`true` sets an empty one, `false`, `null` and `undefined` leave it out).
 */
export function h(tag, props = {}, ...children) {
  return furnish(document.createElement(tag), props, children);
}

/** An SVG element, with the same props. */
export function svg(tag, props = {}, ...children) {
  return furnish(document.createElementNS(SVG, tag), props, children);
}

function furnish(element, props, children) {
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "text") element.textContent = value;
    else if (name === "on") listen(element, value);
    else if (name === "data") Object.assign(element.dataset, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

function listen(element, listeners) {
  for (const [type, listener] of Object.entries(listeners)) {
    element.addEventListener(type, listener);
  }
}

/** Sets text only when it differs: an equal write would still invalidate layout. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Sets or removes an attribute only when it differs. */
export function setAttr(element, name, value) {
  if (value === null || value === undefined || value === false) element.removeAttribute(name);
  else if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/** What may be wider than its place; by keys too, under that name for who does not see it. */
export function scrolls(name, ...content) {
  return h("div", { class: "scroll-x", tabindex: "0", role: "region", "aria-label": name },
    content);
}

/** A state as dot and word: never by colour alone. */
export function pill(kind, text) {
  return h("span", { class: "pill", data: { kind } }, h("span", { class: "pill-text", text }));
}

/** Changes a pill in place. */
export function setPill(element, kind, text) {
  if (element.dataset.kind !== kind) element.dataset.kind = kind;
  setText(element.firstChild, text);
}

/** A small line icon; always decoration, its button carries the label. */
export function icon(name) {
  const path = svg("path", { d: ICONS[name] });
  return svg("svg", { class: "icon", viewBox: "0 0 20 20", "aria-hidden": "true" }, path);
}

const ICONS = {
  bell: "M5 14v-4a5 5 0 0 1 10 0v4l1.500 1.500h-13zM8.500 17.500a1.700 1.700 0 0 0 3 0",
  wide: "M3 8V3h5M12 3h5v5M17 12v5h-5M8 17H3v-5",
  back: "M12 4l-6 6 6 6",
  theme: "M10 3a7 7 0 1 0 7 7 5.5 5.5 0 0 1-7-7z",
  exit: "M8 4H4v12h4M12 6l4 4-4 4M16 10H8",
  hangup: "M3 12c4-4.6 10-4.6 14 0l-2.2 2-2.6-1.6v-2.2c-1.500-.5-2.900-.5-4.400 0v2.2L5.200 14z",
  pause: "M7 5v10M13 5v10",
  play: "M7 4.500l8 5.500-8 5.500z",
  save: "M10 3v9M6 9l4 4 4-4M4 16h12",
  up: "M10 16V5M5 9.500l5-5 5 5",
  down: "M10 4v11M5 10.500l5 5 5-5",
  remove: "M5 5l10 10M15 5L5 15",
  mark: "M3 4h4.500l5 6H17M3 10h4.500M3 16h4.500l5-6",
};

/**
 * A list of rows by key: rows keep their element (and focus), only changed rows are updated, and
 * only rows out of place move.
 */
export class KeyedRows {
  /** `create(key)` makes a row's element; `update(element, item, key)` fills it. */
  constructor(parent, create, update) {
    this.parent = parent;
    this.create = create;
    this.update = update;
    this.rows = new Map();
  }

  /** Shows `entries` (`[key, item]`, in order); `changed` (a Set, or null: all) were changed. */
  sync(entries, changed = null) {
    const wanted = new Set();
    let cursor = this.parent.firstElementChild;
    for (const [key, item] of entries) {
      wanted.add(key);
      let row = this.rows.get(key);
      const fresh = row === undefined;
      if (fresh) this.rows.set(key, (row = this.create(key)));
      if (fresh || changed === null || changed.has(key)) this.update(row, item, key);
      if (row === cursor) cursor = cursor.nextElementSibling;
      else this.parent.insertBefore(row, cursor);
    }
    for (const [key, row] of this.rows) {
      if (wanted.has(key)) continue;
      row.remove();
      this.rows.delete(key);
    }
  }
}
