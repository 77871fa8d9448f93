// The steps of a flow as a list: each opens into its form, can be moved and taken away by keys, and
// shows indented what it branches to.

import { announce } from "../announce.js";
import { branchesOf } from "./flow-branches.js";
import { choicesOf } from "./flow-choices.js";
import { controlOf } from "./controls.js";
import { fieldsOf, inWords, titleOf } from "./flow-kinds.js";
import { h, icon } from "../dom.js";
import { put, valueAt } from "./paths.js";
import { t } from "../strings.js";

/**
 * The list. `steps()` gives the steps, which are changed in place; `before(what)` is told before a
 * change (`what` names the field, or nothing), `changed()` after it.
 */
export class StepList {
  element = h("ol", { class: "flow-steps" });

  #open = new WeakSet();
  #rows = new Map();
  #places = new Map();
  #given;
  #number = 0;

  constructor(given) {
    this.#given = given;
  }

  /** Draws all of it anew. */
  draw() {
    this.#rows.clear();
    this.#places.clear();
    this.element.replaceChildren(...this.#given.steps().map((step, at) => this.#row(step, at)));
  }

  /** Opens a step and goes to its first field. */
  enter(step) {
    this.#open.add(step);
    this.draw();
    const row = this.#rows.get(step);
    const first = row?.body.querySelector("input:not([type=hidden]), select, textarea");
    (first ?? row?.title)?.focus();
  }

  /** Nothing is wrong any more. */
  clear() {
    for (const { clear } of this.#places.values()) clear();
  }

  /** Says a problem where its path points (`[2].choices[0].queue`): its control, or null. */
  tell(path, sentence) {
    const place = this.#place(path);
    if (place === null) return null;
    const { step, row } = place;
    if (step !== undefined && !this.#open.has(step)) this.#toggle(step);
    row?.querySelectorAll?.("details").forEach((more) => {
      if (more.contains(place.control)) more.open = true;
    });
    place.tell(sentence);
    return place.control;
  }

  /** The nearest place that is there. */
  #place(path) {
    for (let rest = path; rest !== ""; rest = rest.replace(/(\.\w+|\[\d+\])$/, "")) {
      const place = this.#places.get(rest);
      if (place !== undefined) return place;
    }
    return null;
  }

  #row(step, at) {
    const { known } = this.#given;
    const is_open = this.#open.has(step);
    const id = `step-${(this.#number += 1)}`;
    const words = h("span", { class: "flow-words", text: inWords(step, known) });
    const title = h("button", { type: "button", class: "flow-title", id: `${id}-title`,
      "aria-expanded": String(is_open), "aria-controls": `${id}-form`,
      on: { click: () => this.#toggle(step), keydown: (event) => this.#press(event, step) } },
    h("strong", { text: titleOf(step) }), words);
    const fault = h("p", { class: "field-fault" });
    const branches = h("div", { class: "flow-branches" }, branchesOf(step, known));
    const body = h("div", { class: "flow-form", id: `${id}-form`, hidden: !is_open });
    const element = h("li", { class: "flow-step" },
      h("div", { class: "flow-head" },
        h("span", { class: "step-mark", text: String(at + 1) }), title, this.#tools(step, at)),
      fault, body, branches);
    const row = { element, title, body, branches, words };
    this.#rows.set(step, row);
    this.#places.set(`[${at}]`, { step, row: element, control: title,
      tell: (sentence) => (fault.textContent = sentence), clear: () => (fault.textContent = "") });
    body.append(...this.#fields(step, at, id, row));
    branches.hidden = is_open && step.do === "menu";
    return element;
  }

  #fields(step, at, id, row) {
    const { known } = this.#given;
    const redraw = () => {
      row.words.textContent = inWords(step, known);
      row.branches.replaceChildren(...branchesOf(step, known));
    };
    const wrap = (field) => {
      const { shown = (value) => value, said = (value) => value } = field;
      const control = controlOf(field, shown(valueAt(step, field.name)), id);
      control.element.addEventListener("input", () => {
        this.#given.before(`${id} ${field.name}`);
        const wish = said(control.read());
        // What is not ticked is as if it were not there.
        put(step, field.name, wish === false ? undefined : wish);
        control.clear();
        redraw();
        this.#given.changed();
      });
      this.#places.set(`[${at}].${field.name}`, { ...control, step, row: row.element });
      return { field, control };
    };
    const all = fieldsOf(step, known).map(wrap);
    const plain = all.filter(({ field }) => !field.more).map(({ control }) => control.element);
    const more = all.filter(({ field }) => field.more);
    const is_set = more.some(({ field }) => valueAt(step, field.name) !== undefined);
    const choices = step.do !== "menu" ? [] : [choicesOf({ ...this.#given, step, id, redraw,
      place: (path, place) => this.#places.set(`[${at}].choices${path}`,
        { ...place, step, row: row.element }) })];
    if (all.length === 0 && choices.length === 0) {
      return [h("p", { class: "hint", text: t("flow.by_json") })];
    }
    return [
      h("div", { class: "form-fields" }, plain),
      ...choices,
      more.length === 0 ? "" : h("details", { class: "flow-more", open: is_set },
        h("summary", { text: t("flow.more") }),
        h("div", { class: "form-fields" }, more.map(({ control }) => control.element))),
    ];
  }

  #tools(step, at) {
    const name = `${at + 1}, ${titleOf(step)}`;
    const last = this.#given.steps().length - 1;
    const tool = (what, is_off, act) => h("button", { type: "button", class: "quiet icon-only",
      "aria-label": t(`flow.${what}`, { step: name }), title: t(`flow.${what}`, { step: name }),
      disabled: is_off, data: { tool: what }, on: { click: act } }, icon(what));
    return h("span", { class: "flow-tools" },
      tool("up", at === 0, () => this.#move(step, -1, "up")),
      tool("down", at === last, () => this.#move(step, 1, "down")),
      tool("remove", false, () => this.#remove(step)));
  }

  #toggle(step) {
    const { title, body, branches } = this.#rows.get(step);
    const is_open = !this.#open.has(step);
    if (is_open) this.#open.add(step);
    else this.#open.delete(step);
    body.hidden = !is_open;
    branches.hidden = is_open && step.do === "menu";
    title.setAttribute("aria-expanded", String(is_open));
  }

  /** Alt with an arrow moves the step, Delete takes it away. */
  #press(event, step) {
    const way = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (way !== undefined && event.altKey) this.#move(step, way, null);
    else if (event.key === "Delete") this.#remove(step);
    else return;
    event.preventDefault();
  }

  #move(step, by, tool) {
    const steps = this.#given.steps();
    const at = steps.indexOf(step);
    const to = at + by;
    if (to < 0 || to >= steps.length) return;
    this.#given.before("");
    steps.splice(at, 1);
    steps.splice(to, 0, step);
    this.#given.changed();
    this.draw();
    const { element, title } = this.#rows.get(step);
    const pressed = element.querySelector(`[data-tool="${tool}"]:not(:disabled)`);
    (pressed ?? title).focus();
    announce(t("flow.moved", { step: titleOf(step), place: to + 1 }));
  }

  #remove(step) {
    const steps = this.#given.steps();
    const at = steps.indexOf(step);
    this.#given.before("");
    steps.splice(at, 1);
    this.#given.changed();
    this.draw();
    const next = steps[Math.min(at, steps.length - 1)];
    if (next === undefined) this.#given.leave();
    else this.#rows.get(next).title.focus();
    announce(t("flow.removed", { step: titleOf(step) }));
  }
}
