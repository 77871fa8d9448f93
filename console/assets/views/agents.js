// The agents, by name, with their state and how long they have been in it; a thousand of them is
// no trouble: rows off screen are not laid out (content-visibility), only changed rows are written.

import { askForAgentState } from "../dialogs.js";
import { count as number } from "../format.js";
import { count } from "../ticker.js";
import { h, KeyedRows, pill, setAttr, setPill, setText } from "../dom.js";
import { panel } from "./panel.js";
import { t, word } from "../strings.js";

const STATES = ["available", "ringing", "busy", "wrap_up", "break", "offline"];

/** The panel of agents, with a chip for each state and a search field. */
export function agentsView({ api, model }) {
  let state = "all";
  let search = "";
  const chips = new Map(["all", ...STATES].map((name) => [name, chip(name, () => choose(name))]));
  const field = h("input", {
    type: "search",
    class: "search",
    placeholder: t("agents.search"),
    "aria-label": t("agents.search"),
    autocomplete: "off",
    on: { input: () => seek(field.value) },
  });
  const list = h("ul", { class: "agents-list scroll", "aria-labelledby": "agents-title" });
  const empty = h("p", { class: "empty", text: t("loading") });
  const element = panel("agents", t("agents.title"), field,
    h("div", { class: "chips", role: "group", "aria-label": t("agents.filter") },
      [...chips.values()]),
    list, empty);
  const rows = new KeyedRows(list, (id) => row(api, model, id), fill);
  let order = [];

  function choose(name) {
    state = name;
    for (const [each, button] of chips) setAttr(button, "aria-pressed", String(each === name));
    sift();
  }

  function seek(text) {
    search = text.trim().toLowerCase();
    sift();
  }

  function render(changed) {
    const keys = changed.get("agents");
    if (keys === undefined) return;
    if (keys.has("*") || order.length !== model.agents.size) {
      order = [...model.agents.values()].sort((a, b) => a.name.localeCompare(b.name));
      rows.sync(order.map((agent) => [agent.id, agent]), null);
      sift();
    } else {
      for (const id of keys) touch(id);
      tell();
    }
  }

  function touch(id) {
    const agent = model.agents.get(id);
    const element = rows.rows.get(id);
    if (agent === undefined || element === undefined) return;
    fill(element, agent);
    element.hidden = !fits(agent);
  }

  function fits(agent) {
    if (state !== "all" && agent.state !== state) return false;
    return search === "" || agent.name.toLowerCase().includes(search) || agent.id.includes(search);
  }

  function sift() {
    for (const agent of order) rows.rows.get(agent.id).hidden = !fits(agent);
    tell();
  }

  function tell() {
    const counts = { all: model.agents.size };
    for (const agent of model.agents.values()) counts[agent.state] = (counts[agent.state] ?? 0) + 1;
    for (const [name, button] of chips) setText(button.lastChild, number(counts[name] ?? 0));
    const shown = order.some(fits);
    empty.hidden = shown;
    list.hidden = !shown;
    setText(empty, t(model.agents.size === 0 ? "agents.none" : "agents.none_match"));
  }

  return { element, render };
}

function chip(name, onClick) {
  const label = t(name === "all" ? "agents.all" : `agent.${name}`);
  return h("button", {
    class: "chip",
    data: { kind: name },
    "aria-pressed": String(name === "all"),
    on: { click: onClick },
  }, h("span", { text: label }), " ", h("span", { class: "chip-count", text: "0" }));
}

function row(api, model, id) {
  const parts = {
    name: h("span", { class: "agent-name" }),
    skills: h("span", { class: "agent-skills" }),
    state: pill("offline", ""),
    since: h("span", { class: "agent-since" }),
    change: h("button", { class: "quiet", text: t("agents.change") }),
  };
  parts.change.addEventListener("click", () => {
    const agent = model.agents.get(id);
    if (agent !== undefined) askForAgentState(api, agent);
  });
  const who = h("span", { class: "agent-who" }, parts.name, parts.skills);
  const element = h("li", { class: "agent-row" }, who, parts.state, parts.since, parts.change);
  element.parts = parts;
  return element;
}

function fill(element, agent) {
  const { name, skills, state, since, change } = element.parts;
  setText(name, agent.name);
  setText(skills, subline(agent));
  setAttr(skills, "title", subline(agent));
  setPill(state, agent.state, word("agent", agent.state));
  count(since, agent.since);
  setAttr(change, "aria-label", t("agents.change_label", { agent: agent.name }));
}

/** What matters most under the name: no phone, the reason of the state, or else the skills. */
function subline(agent) {
  if (agent.reachable === false && agent.state !== "offline") return t("agents.unregistered");
  return agent.reason ?? agent.skills.join(", ");
}
