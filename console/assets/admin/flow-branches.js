// What a step branches to, indented below it, to read: a menu's choices, and the first steps of the
// flows that a call goes on in.

import { choiceInWords, inWords, titleOf } from "./flow-kinds.js";
import { h } from "../dom.js";
import { segment } from "../api.js";
import { t } from "../strings.js";

/** Flows within flows are shown so far down; the next is a link alone. */
const DEEPEST = 3;

/** The elements that show it; none for a step that goes on with the next one. */
export function branchesOf(step, known, path = []) {
  if (step.do === "branch" && step.flow) return [flowOf(step.flow, known, path)];
  if (step.do !== "menu") return [];
  const choices = (step.choices ?? []).map((choice) => h("li", {},
    h("kbd", { text: choice.digits || "–" }),
    h("span", { class: "flow-arrow", "aria-hidden": "true", text: "→" }),
    h("span", { text: choiceInWords(choice, known) }),
    choice.flow ? flowOf(choice.flow, known, path) : null));
  return choices.length === 0 ? [] : [h("ul", { class: "flow-choices-read" }, choices)];
}

/** Another flow: its name as a link, and its steps. */
export function flowOf(id, known, path = []) {
  const steps = known.steps.get(id);
  const link = h("a", { href: `#/admin/flows/${segment(id)}`, text: t("flow.open", { flow: id }) });
  if (steps === undefined || path.includes(id) || path.length >= DEEPEST) {
    return h("div", { class: "flow-other" }, link);
  }
  const inner = [...path, id];
  return h("div", { class: "flow-other" }, link, h("ol", {}, steps.map((step) => h("li", {},
    h("strong", { text: titleOf(step) }), " ", h("span", { text: inWords(step, known) }),
    branchesOf(step, known, inner)))));
}
