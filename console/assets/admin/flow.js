// The page of one flow: its steps as forms or as JSON, checked and saved by the API. What is not
// saved yet stays while other pages are looked at.

import { announce } from "../announce.js";
import { controlOf } from "./controls.js";
import { freshStep, inWords, KINDS, knownOf, missing, titleOf } from "./flow-kinds.js";
import { h } from "../dom.js";
import { leadsTo } from "./flow-sources.js";
import { segment } from "../api.js";
import { StepList } from "./flow-steps.js";
import { t } from "../strings.js";

/** The address of a flow that is not there yet: no flow can be called so. */
export const NEW_FLOW = "+new";

const MOST_UNDONE = 50;
const drafts = new Map();

/** The editor of the flow `thing`. */
export function flowArea({ api, provisioned, load, tools, thing }) {
  const { tenant } = provisioned;
  const is_new = thing === NEW_FLOW;
  const saved = is_new ? { id: "", steps: [] }
    : (tenant.flows ?? []).find(({ id }) => id === thing);
  if (saved === undefined) {
    tools.replaceChildren();
    return { element: h("p", { class: "empty", text: t("flow.unknown", { flow: thing }) }) };
  }
  const draft = `${tenant.id} ${thing}`;
  const flow = drafts.get(draft) ?? structuredClone(saved);
  const known = knownOf(provisioned);
  const done = [];
  let last_field = "";
  let is_json = false;

  const name = controlOf({ name: "id", type: "text", label: t("admin.field.id"),
    hint: t("admin.hint.id") }, flow.id, "flow");
  name.control.addEventListener("input", () => {
    flow.id = name.read();
    name.clear();
    changed();
  });
  const faults = h("ul", { class: "faults", role: "alert" });
  const state = h("p", { class: "flow-state", role: "status" });
  const json = controlOf({ name: "json", type: "json", label: t("flow.json"),
    hint: t("admin.hint.steps") }, flow.steps, "flow");
  const list = new StepList({ known, steps: () => flow.steps, before, changed,
    leave: () => kind.focus() });
  const kind = h("select", { class: "select", id: "flow-add-kind" },
    KINDS.map((id) => h("option", { value: id, text: t(`flow.kind.${id}`) })));
  const place = h("select", { class: "select", id: "flow-add-place" });
  const add = h("div", { class: "flow-add" },
    h("label", { for: "flow-add-kind", text: t("flow.add.kind") }), kind,
    h("label", { for: "flow-add-place", text: t("flow.add.place") }), place,
    h("button", { type: "button", text: t("flow.add"), id: "flow-add", on: { click: addStep } }));
  const end = h("p", { class: "flow-end", text: t("flow.end") });
  const by_steps = h("div", {}, list.element, end, add);
  const by_json = h("div", { class: "flow-json", hidden: true }, json.element);
  const views = h("div", { class: "segments", role: "group", "aria-label": t("flow.view") },
    view("steps", false), view("json", true));
  const undo = button("undo", "quiet", () => {
    flow.steps = JSON.parse(done.pop());
    last_field = "";
    show();
    changed();
  });
  const discard = button("discard", "quiet", () => {
    Object.assign(flow, structuredClone(saved));
    done.length = 0;
    show();
    changed();
  });
  const check = button("check", "", () => submit(true));
  const save = button("save", "primary", () => submit(false));
  const all = h("a", { class: "button quiet", href: "#/admin/flows", text: t("flow.all") });
  tools.replaceChildren(all, check, save);

  function button(what, looks, act) {
    return h("button", { type: "button", class: looks, id: `flow-${what}`, text: t(`flow.${what}`),
      on: { click: act } });
  }

  function view(what, of_json) {
    return h("button", { type: "button", "aria-pressed": String(!of_json), id: `flow-as-${what}`,
      text: t(`flow.view.${what}`), on: { click: () => look(of_json) } });
  }

  /** Before a change; `field` is told again and again while somebody types in it. */
  function before(field) {
    if (field !== "" && field === last_field) return;
    last_field = field;
    done.push(JSON.stringify(flow.steps));
    if (done.length > MOST_UNDONE) done.shift();
  }

  function changed() {
    const is_dirty = JSON.stringify(flow) !== JSON.stringify(saved);
    if (is_dirty) drafts.set(draft, flow);
    else drafts.delete(draft);
    state.textContent = is_dirty ? t("flow.dirty") : "";
    discard.hidden = !is_dirty;
    undo.disabled = done.length === 0 || is_json;
    drawPlaces();
  }

  /** Where a new step may go; usually before a step that ends the call. */
  function drawPlaces() {
    const at = flow.steps.at(-1)?.do === "hangup" ? flow.steps.length - 1 : flow.steps.length;
    const words = (step) => `${titleOf(step)} ${inWords(step, known)}`;
    const before_step = (step, nth) => h("option", { value: String(nth), selected: nth === at,
      text: t("flow.add.before", { place: nth + 1, step: words(step) }) });
    place.replaceChildren(...flow.steps.map(before_step),
      h("option", { value: String(flow.steps.length), text: t("flow.add.end"),
        selected: at === flow.steps.length }));
  }

  function addStep() {
    before("");
    const step = freshStep(kind.value, known);
    flow.steps.splice(Number(place.value), 0, step);
    changed();
    list.enter(step);
  }

  function show() {
    if (!Array.isArray(flow.steps)) flow.steps = [];
    by_steps.hidden = is_json;
    by_json.hidden = !is_json;
    for (const [nth, one] of [...views.children].entries()) {
      one.setAttribute("aria-pressed", String(is_json === (nth === 1)));
    }
    if (is_json) json.control.value = JSON.stringify(flow.steps, null, 2);
    else list.draw();
  }

  /** The other view; JSON that cannot be read stays where it is. */
  function look(of_json) {
    clear();
    if (!takeJson()) return;
    is_json = of_json;
    show();
    changed();
  }

  function takeJson() {
    if (!is_json) return true;
    try {
      const said = json.read();
      if (!Array.isArray(said)) throw new Error(t("flow.no_list"));
      if (JSON.stringify(said) !== JSON.stringify(flow.steps)) before("");
      flow.steps = said;
      return true;
    } catch (error) {
      json.tell(error.message);
      json.control.focus();
      return false;
    }
  }

  function clear() {
    faults.replaceChildren();
    for (const field of [name, json, list]) field.clear();
  }

  async function submit(is_trial) {
    clear();
    if (!takeJson()) return;
    const empty = is_json ? [] : missing(flow.steps, known);
    if (empty.length > 0) return tell(empty);
    check.disabled = save.disabled = true;
    const id = String(flow.id).replace(/[^\w.-]/g, "") || "-";
    try {
      const path = `/provisioning/flows/${segment(id)}`;
      await api.put(`${path}${is_trial ? "?check=true" : ""}`, flow);
      if (is_trial) state.textContent = t("admin.right");
      else live();
    } catch (error) {
      tell(error.details?.problems ?? [{ path: "", problem: error.message }]);
    }
    check.disabled = save.disabled = false;
  }

  function live() {
    drafts.delete(draft);
    announce(t("admin.live"));
    if (is_new) location.replace(`#/admin/flows/${segment(flow.id)}`);
    else load().then(() => document.getElementById("flow-save")?.focus());
  }

  /** Each problem where its path points; what has no place stands above. */
  function tell(problems) {
    let first = null;
    for (const { path, problem, cure } of problems) {
      const sentence = [problem, cure].filter((part) => part).join(" – ");
      const at = /(?:^|\.steps)((?:\[\d+\]|\.[a-z_]+)+)$/.exec(path ?? "")?.[1] ?? "";
      let control = null;
      if (is_new && /\.id$/.test(path ?? "")) {
        name.tell(sentence);
        control = name.control;
      } else if (at !== "" && !is_json) {
        control = list.tell(at, sentence);
      }
      if (control === null) {
        faults.append(h("li", { text: [path, sentence].filter((part) => part).join(": ") }));
      }
      first ??= control;
    }
    (first ?? save).focus();
  }

  function warn(event) {
    if (drafts.has(draft)) event.preventDefault();
  }
  addEventListener("beforeunload", warn);
  show();
  changed();
  return {
    element: h("div", { class: "flow" }, faults,
      h("div", { class: "flow-bar" }, is_new ? name.element : leadsTo(tenant, thing),
        h("span", { class: "spacer" }), state, undo, discard, views),
      by_steps, by_json),
    close: () => removeEventListener("beforeunload", warn),
  };
}
