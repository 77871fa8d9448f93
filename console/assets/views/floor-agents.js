// The supervisor's agents: thousands of them stay fast, because only the rows in sight exist.

import { announce } from "../announce.js";
import { ask } from "../dialogs.js";
import { count as since } from "../ticker.js";
import { count as number } from "../format.js";
import { h, pill, setAttr, setPill, setText } from "../dom.js";
import { MODES } from "./floor-supervise.js";
import { panel } from "./panel.js";
import { segment } from "../api.js";
import { showQueues } from "./floor-calls.js";
import { t, word } from "../strings.js";
import { VirtualRows } from "./virtual.js";

const HEIGHT = 52;
const STATES = ["available", "ringing", "busy", "wrap_up", "break", "offline"];
const SETTABLE = ["available", "break", "offline"];
const REASONS = ["lunch", "pause", "meeting", "training", "technical"];

/** The panel of agents, by state, queue and name. */
export function agentsPanel({ api, model, supervisor }) {
  const wanted = { state: "all", queue: "", name: "" };
  const chips = new Map(["all", ...STATES].map((name) => [name, chip(name)]));
  const ofQueue = h("select", { class: "select", "aria-label": t("floor.filter.queue"),
    on: { change: () => sift({ queue: ofQueue.value }) } });
  const field = h("input", { type: "search", class: "search", autocomplete: "off",
    placeholder: t("agents.search"), "aria-label": t("agents.search"),
    on: { input: () => sift({ name: field.value.trim().toLowerCase() }) } });
  const rows = new VirtualRows({
    height: HEIGHT,
    label: t("agents.title"),
    create: (id) => row(() => open(id)),
    update: (element, { agent }) => fill(element, agent, model),
  });
  const empty = h("p", { class: "empty", text: t("loading") });
  const controls = h("div", { class: "panel-controls" }, ofQueue, field);
  const element = panel("floor-agents", t("agents.title"), controls,
    h("div", { class: "chips", role: "group", "aria-label": t("agents.filter") },
      [...chips.values()]), rows.element, empty);
  let order = [];

  function chip(name) {
    const label = t(name === "all" ? "agents.all" : `agent.${name}`);
    return h("button", {
      class: "chip",
      data: { kind: name },
      "aria-pressed": String(name === "all"),
      on: { click: () => sift({ state: name }) },
    }, h("span", { text: label }), " ", h("span", { class: "chip-count", text: "0" }));
  }

  function sift(changed) {
    Object.assign(wanted, changed);
    for (const [name, one] of chips) setAttr(one, "aria-pressed", String(name === wanted.state));
    draw(true);
  }

  function render(changed) {
    if (changed.has("queues")) showQueues(ofQueue, model);
    const keys = changed.get("agents");
    if (keys === undefined) return;
    if (keys.has("*") || order.length !== model.agents.size) {
      order = [...model.agents.values()].sort((a, b) => a.name.localeCompare(b.name));
      draw(null);
    } else {
      draw(keys);
    }
  }

  /** One pass over all of them: who fits, and how many are in which state. */
  function draw(changed) {
    const counts = { all: 0 };
    const items = [];
    for (const agent of order) {
      if (!belongs(agent)) continue;
      counts.all += 1;
      counts[agent.state] = (counts[agent.state] ?? 0) + 1;
      if (wanted.state === "all" || agent.state === wanted.state) {
        items.push({ key: agent.id, agent });
      }
    }
    for (const [name, one] of chips) setText(one.lastChild, number(counts[name] ?? 0));
    rows.set(items, changed === true ? null : changed);
    rows.element.hidden = items.length === 0;
    empty.hidden = items.length > 0;
    setText(empty, t(model.agents.size === 0 ? "agents.none" : "agents.none_match"));
  }

  function belongs({ name, id, queues }) {
    if (wanted.queue !== "" && !queues.includes(wanted.queue)) return false;
    return wanted.name === "" || name.toLowerCase().includes(wanted.name)
      || id.includes(wanted.name);
  }

  function open(id) {
    const agent = model.agents.get(id);
    if (agent !== undefined) askAboutAgent({ api, model, supervisor, agent });
  }

  return { element, render, close: () => rows.close() };
}

function row(onOpen) {
  const parts = {
    name: h("span", { class: "agent-name" }),
    line: h("span", { class: "agent-skills" }),
    state: pill("offline", ""),
    time: h("span", { class: "agent-since number" }),
  };
  const main = h("button", { class: "row-main agent-main", on: { click: onOpen } },
    h("span", { class: "agent-who" }, parts.name, parts.line), parts.state, parts.time);
  const element = h("li", { class: "floor-agent" }, main);
  element.parts = parts;
  return element;
}

function fill(element, agent, model) {
  const { name, line, state, time } = element.parts;
  setText(name, agent.name);
  setText(line, subline(agent, model));
  setPill(state, agent.state, word("agent", agent.state));
  since(time, agent.since);
}

/** What matters most under the name: wants no calls, no phone, why the state, or the queues. */
function subline(agent, model) {
  if (agent.quiet) return t("floor.agent.quiet");
  if (agent.reachable === false && agent.state !== "offline") return t("agents.unregistered");
  if (agent.reason !== null) return word("floor.reason", agent.reason);
  return agent.queues.map((queue) => model.queueName(queue)).join(", ");
}

/** All that a supervisor does about an agent: the state, no calls at all, and their call. */
function askAboutAgent({ api, model, supervisor, agent }) {
  const current = SETTABLE.includes(agent.state) ? agent.state : "";
  const choices = SETTABLE.map((state) => h("label", { class: "choice" },
    h("input", { type: "radio", name: "state", value: state, checked: state === current,
      autofocus: state === current }),
    h("span", { text: t(`floor.agent.${state}`) })));
  const group = h("fieldset", { class: "choices choices-row" },
    h("legend", { text: t("set.state") }), choices);
  const reason = h("input", { type: "text", maxlength: "120", autocomplete: "off",
    list: "reasons", value: agent.state === "break" ? (agent.reason ?? "") : "" });
  const quiet = h("input", { type: "checkbox", role: "switch", checked: agent.quiet });
  const call = [...model.calls.values()].find((one) =>
    one.agent === agent.id && one.state === "connected");
  const dialog = ask({
    title: agent.name,
    body: [
      h("p", { class: "lead", text: `${word("agent", agent.state)} · ${subline(agent, model)}` }),
      call === undefined ? null : conversation(call),
      group,
      h("label", { class: "field" }, h("span", { text: t("set.reason") }), reason),
      h("datalist", { id: "reasons" }, REASONS.map((name) =>
        h("option", { value: t(`floor.reason.${name}`) }))),
      h("label", { class: "choice" }, quiet, h("span", { text: t("floor.agent.want_quiet") })),
    ],
    confirm: t("set.confirm"),
    cancel: t("set.cancel"),
    act,
  });

  function conversation(call) {
    const listen = (mode) => () => {
      dialog.close();
      supervisor.begin(call, mode);
    };
    return h("div", { class: "agent-call" },
      h("p", { text: t("floor.agent.talks", { from: call.from ?? t("calls.anonymous") }) }),
      h("div", { class: "agent-acts" }, MODES.map((mode) => h("button", {
        type: "button", title: t(`floor.mode.${mode}.hint`), text: t(`floor.mode.${mode}`),
        on: { click: listen(mode) },
      }))));
  }

  async function act() {
    const path = `/agents/${segment(agent.id)}`;
    if (quiet.checked !== agent.quiet) {
      await api.put(`${path}/do-not-disturb`, { on: quiet.checked });
      announce(t(quiet.checked ? "floor.agent.is_quiet" : "floor.agent.not_quiet",
        { agent: agent.name }));
    }
    const state = group.querySelector(":checked")?.value ?? "";
    const why = reason.value.trim();
    if (state === "" || (state === agent.state && why === (agent.reason ?? ""))) return;
    await api.put(`${path}/state`, why === "" ? { state } : { state, reason: why });
    announce(t("set.done", { agent: agent.name, state: t(`agent.${state}`) }));
  }
}
