// The supervisor's calls: who waits, the longest first, then who talks; and what can be done.

import { announce } from "../announce.js";
import { ask, askToEndCall } from "../dialogs.js";
import { count as since } from "../ticker.js";
import { count as number } from "../format.js";
import { h, pill, setAttr, setPill, setText } from "../dom.js";
import { MODES } from "./floor-supervise.js";
import { segment } from "../api.js";
import { panel } from "./panel.js";
import { t, word } from "../strings.js";
import { VirtualRows } from "./virtual.js";

const HEIGHT = 52;
const SHOWN = ["all", "waiting", "talking"];
/** What a call is raised to, by name; 255 goes before 0. */
const PRIORITIES = { first: 200, high: 100, normal: 0 };

/** The panel of calls. */
export function callsPanel({ api, model, supervisor }) {
  let shown = "all";
  let queue = "";
  const chips = new Map(SHOWN.map((name) => [name, h("button", {
    class: "chip",
    "aria-pressed": String(name === shown),
    on: { click: () => choose(name) },
  }, h("span", { text: t(`floor.calls.${name}`) }), " ",
    h("span", { class: "chip-count", text: "0" }))]));
  const ofQueue = h("select", { class: "select", "aria-label": t("floor.filter.queue"),
    on: { change: () => { queue = ofQueue.value; draw(null); } } });
  const rows = new VirtualRows({
    height: HEIGHT,
    label: t("calls.title"),
    create: (id) => row({ api, model, supervisor, id }),
    update: (element, { call }) => fill(element, call, model, supervisor),
  });
  const empty = h("p", { class: "empty", text: t("loading") });
  const element = panel("floor-calls", t("calls.title"), ofQueue,
    h("div", { class: "chips", role: "group", "aria-label": t("calls.which") },
      [...chips.values()]), rows.element, empty);
  const unlisten = supervisor.listen(() => draw(null));

  function choose(name) {
    shown = name;
    for (const [each, chip] of chips) setAttr(chip, "aria-pressed", String(each === name));
    draw(null);
  }

  function render(changed) {
    if (changed.has("queues")) showQueues(ofQueue, model);
    const keys = changed.get("calls");
    if (keys === undefined && !changed.has("figures")) return;
    draw(changed.has("figures") ? null : keys);
  }

  function draw(changed) {
    const waiting = [];
    const talking = [];
    for (const call of model.calls.values()) {
      if (queue !== "" && call.queue !== queue) continue;
      if (model.figures.waiting.has(call.id)) waiting.push(call);
      else talking.push(call);
    }
    waiting.sort((a, b) => rank(model, b) - rank(model, a) || queued(model, a) - queued(model, b));
    talking.sort((a, b) => (a.startedAt ?? 0) - (b.startedAt ?? 0));
    const all = { all: [...waiting, ...talking], waiting, talking };
    for (const [name, chip] of chips) setText(chip.lastChild, number(all[name].length));
    rows.set(all[shown].map((call) => ({ key: call.id, call })), changed);
    rows.element.hidden = all[shown].length === 0;
    empty.hidden = all[shown].length > 0;
    setText(empty, t("floor.calls.none"));
  }

  return {
    element,
    render,
    close() {
      rows.close();
      unlisten();
    },
  };
}

/** The queues to choose from; what was chosen stays. */
export function showQueues(select, model) {
  const queues = [...model.queues.values()].sort((a, b) => a.name.localeCompare(b.name));
  if (select.options.length === queues.length + 1) return;
  const chosen = select.value;
  select.replaceChildren(h("option", { value: "", text: t("floor.filter.queues") }),
    ...queues.map(({ id, name }) =>
      h("option", { value: id, text: name, selected: id === chosen })));
}

function rank(model, call) {
  return model.figures.waiting.get(call.id)?.priority ?? 0;
}

function queued(model, call) {
  return model.figures.waiting.get(call.id)?.since ?? 0;
}

function row({ api, model, supervisor, id }) {
  const act = (what) => () => {
    const call = model.calls.get(id);
    if (call !== undefined) what(call);
  };
  const button = (name, what, part) => h("button", { class: `quiet act act-${name}`,
    on: { click: act(what) } }, part ?? h("span", { text: t(`floor.act.${name}`) }));
  const parts = {
    state: pill("", ""),
    raised: h("span", { class: "raised" }),
    from: h("a", { class: "row-main call-from", href: `#/calls/${segment(id)}` }),
    where: h("span", { class: "call-where" }),
    time: h("span", { class: "number call-time" }),
    raise: button("raise", (call) => askForPriority(api, model, call)),
    move: button("move", (call) => askToMove(api, model, call)),
    end: button("end", (call) => askToEndCall(api, call)),
  };
  for (const mode of MODES) {
    parts[mode] = button(mode, (call) => supervisor.begin(call, mode),
      h("span", { text: t(`floor.mode.${mode}`) }));
  }
  const element = h("li", { class: "call-row" },
    h("span", { class: "call-state" }, parts.state, parts.raised),
    h("span", { class: "call-who" }, parts.from, parts.where), parts.time,
    h("span", { class: "call-acts" }, MODES.map((mode) => parts[mode]),
      parts.raise, parts.move, parts.end));
  element.parts = parts;
  return element;
}

function fill(element, call, model, supervisor) {
  const { parts } = element;
  const waits = model.figures.waiting.get(call.id);
  const caller = call.from ?? t("calls.anonymous");
  const talks = call.state === "connected" || call.state === "held";
  setPill(parts.state, call.state, word("state", call.state));
  setText(parts.raised, raisedTo(waits?.priority ?? 0));
  setText(parts.from, caller);
  setAttr(parts.from, "aria-label", t("calls.open", { from: caller, to: call.to }));
  const where = [model.queueName(call.queue), model.agentName(call.agent)].filter(Boolean);
  setText(parts.where, where.length === 0 ? (call.to ?? "") : where.join(" · "));
  since(parts.time, waits?.since ?? call.connectedAt ?? call.startedAt);
  parts.raise.hidden = waits === undefined;
  for (const mode of MODES) {
    parts[mode].hidden = !talks || call.agent === null;
    const is_on = supervisor.current?.call === call.id && supervisor.current.mode === mode;
    setAttr(parts[mode], "aria-pressed", String(is_on));
    const label = t("floor.act.supervise_label", { mode: t(`floor.mode.${mode}`), from: caller });
    setAttr(parts[mode], "aria-label", label);
  }
  for (const name of ["raise", "move", "end"]) {
    setAttr(parts[name], "aria-label", t(`floor.act.${name}_label`, { from: caller }));
  }
  setAttr(element, "data-kind", waits === undefined ? null : "waits");
}

function raisedTo(priority) {
  if (priority >= PRIORITIES.first) return t("floor.priority.first");
  return priority > 0 ? t("floor.priority.high") : "";
}

/** Where a caller who waits is to stand. */
function askForPriority(api, model, call) {
  const now = model.figures.waiting.get(call.id)?.priority ?? 0;
  const choices = Object.entries(PRIORITIES).map(([name, value]) => h("label", { class: "choice" },
    h("input", { type: "radio", name: "priority", value: String(value), checked: value === now,
      autofocus: value === now }),
    h("span", { text: t(`floor.priority.${name}_long`) })));
  const group = h("fieldset", { class: "choices" },
    h("legend", { text: t("floor.priority.legend") }), choices);
  ask({
    title: t("floor.priority.title", { from: call.from ?? t("calls.anonymous") }),
    body: [group],
    confirm: t("floor.priority.confirm"),
    cancel: t("set.cancel"),
    act: async () => {
      const priority = Number(group.querySelector(":checked")?.value ?? now);
      await api.patch(`/calls/${segment(call.id)}`, { priority });
      announce(t("floor.priority.done"));
    },
  });
}

/** Where a caller is to go: a queue, an agent, or a number. */
function askToMove(api, model, call) {
  const known = (map, kind) => [...map.values()].map(({ id, name }) =>
    h("option", { value: id, label: t(`floor.move.${kind}`, { name }) }));
  const target = h("input", { type: "text", list: "move-targets", autocomplete: "off",
    required: true, maxlength: "255" });
  const from = call.from ?? t("calls.anonymous");
  ask({
    title: t("floor.move.title", { from }),
    body: [
      h("p", { class: "lead", text: t("floor.move.lead") }),
      h("label", { class: "field" }, h("span", { text: t("floor.move.to") }), target),
      h("datalist", { id: "move-targets" },
        known(model.queues, "queue"), known(model.agents, "agent")),
    ],
    confirm: t("floor.move.confirm"),
    cancel: t("set.cancel"),
    act: async () => {
      const to = target.value.trim();
      await api.post(`/calls/${segment(call.id)}/transfer`, { to });
      announce(t("floor.move.done", { from, to }));
    },
  });
}
