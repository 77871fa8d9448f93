// The choices of a menu: what is pressed, and where it leads; added, moved and taken away by keys.

import { announce } from "../announce.js";
import { choiceInWords, targetOf } from "./flow-kinds.js";
import { controlOf } from "./controls.js";
import { flowOf } from "./flow-branches.js";
import { h, icon } from "../dom.js";
import { t } from "../strings.js";

const KEYS = "1234567890*#";

/**
 * The choices of `step`. `place(path, place)` keeps where a problem is told (`[0].digits`);
 * `redraw()` is called when the step is another one in words.
 */
export function choicesOf({ step, id, known, before, changed, redraw, place }) {
  const list = h("ol", { class: "flow-choices" });
  const add = h("button", { type: "button", class: "quiet", text: t("flow.choice.add"), on: {
    click() {
      edit("", () => {
        const used = new Set((step.choices ?? []).map(({ digits }) => digits));
        const digits = [...KEYS].find((key) => !used.has(key)) ?? "";
        step.choices = [...(step.choices ?? []), { digits }];
      });
      draw();
      list.lastElementChild.querySelector("input").focus();
    },
  } });

  function edit(what, change) {
    before(what);
    change();
    redraw();
    changed();
  }

  function draw() {
    list.replaceChildren(...(step.choices ?? []).map(row));
  }

  function row(choice, at) {
    const prefix = `${id}-choice-${at}`;
    const fault = h("p", { class: "field-fault" });
    const box = h("span", { class: "flow-target" });
    const other = h("div", { class: "flow-branches" });
    const element = h("li", { class: "flow-choice", "aria-label": t("flow.choice.name",
      { digits: choice.digits }) });
    place(`[${at}]`, { control: box, tell: (sentence) => (fault.textContent = sentence),
      clear: () => (fault.textContent = "") });

    function control(field, value, take) {
      const made = controlOf(field, value, prefix);
      made.element.addEventListener("input", () => {
        edit(`${prefix} ${field.name}`, () => take(made.read()));
        made.clear();
      });
      place(`[${at}].${field.name}`, made);
      return made.element;
    }

    function drawTarget() {
      const target = targetOf(choice);
      other.replaceChildren(...(choice.flow ? [flowOf(choice.flow, known)] : []));
      if (target === null) return box.replaceChildren();
      const options = { queue: known.queues, flow: known.flows, dial: known.people }[target];
      const type = target === "dial" ? "suggested" : "choice";
      return box.replaceChildren(control(
        { name: target, type, options, unchosen: true, label: t(`flow.target.${target}`) },
        choice[target], (value) => {
          choice[target] = value ?? "";
          other.replaceChildren(...(choice.flow ? [flowOf(choice.flow, known)] : []));
        }));
    }

    const targets = ["queue", "flow", "dial"].map((kind) =>
      ({ id: kind, name: t(`flow.target.${kind}`) }));
    const kind = { name: "leads", type: "choice", options: targets, label: t("flow.choice.leads"),
      optional: t("flow.target.next") };
    element.append(
      control({ name: "digits", type: "text", label: t("flow.choice.digits") }, choice.digits,
        (value) => (choice.digits = value.trim())),
      control(kind, targetOf(choice) ?? "", (chosen) => {
        for (const name of ["queue", "flow", "dial"]) delete choice[name];
        if (chosen !== undefined) choice[chosen] = "";
        drawTarget();
      }),
      box, tools(choice, at), fault, other);
    drawTarget();
    return element;
  }

  function tools(choice, at) {
    const name = { digits: choice.digits || "–", leads: choiceInWords(choice, known) };
    const tool = (what, is_off, act) => h("button", { type: "button", class: "quiet icon-only",
      "aria-label": t(`flow.choice.${what}`, name), title: t(`flow.choice.${what}`, name),
      disabled: is_off, data: { tool: what }, on: { click: act } }, icon(what));
    return h("span", { class: "flow-tools" },
      tool("up", at === 0, () => move(at, -1, "up")),
      tool("down", at === step.choices.length - 1, () => move(at, 1, "down")),
      tool("remove", false, () => remove(at)));
  }

  function move(at, by, what) {
    edit("", () => step.choices.splice(at + by, 0, ...step.choices.splice(at, 1)));
    draw();
    const moved = list.children[at + by];
    (moved.querySelector(`[data-tool="${what}"]:not(:disabled)`)
      ?? moved.querySelector("input")).focus();
  }

  function remove(at) {
    edit("", () => step.choices.splice(at, 1));
    draw();
    const next = list.children[Math.min(at, step.choices.length - 1)];
    (next?.querySelector("[data-tool=remove]") ?? add).focus();
    announce(t("flow.choice.removed"));
  }

  draw();
  const label = `${id}-choices`;
  list.setAttribute("aria-labelledby", label);
  return h("div", { class: "flow-choices-box" },
    h("h3", { id: label, text: t("flow.choice.title") }), list, add);
}
