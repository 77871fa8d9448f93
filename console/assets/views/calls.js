// The table of calls: live ones, which count, and those that ended last.

import { askToEndCall } from "../dialogs.js";
import { clock } from "../format.js";
import { count, still } from "../ticker.js";
import { h, icon, KeyedRows, pill, setAttr, setPill, setText } from "../dom.js";
import { panel } from "./panel.js";
import { segment } from "../api.js";
import { t, word } from "../strings.js";

const COLUMNS = ["state", "from", "to", "queue", "agent", "started", "duration", "action"];

/** The panel of calls. */
export function callsView({ api, model }) {
  let which = "live";
  const tabs = ["live", "recent"].map((name) =>
    h("button", {
      data: { name },
      "aria-pressed": String(name === which),
      on: { click: () => choose(name) },
      text: t(`calls.${name}`),
    }));
  const switcher = h("div", { class: "segments", role: "group", "aria-label": t("calls.which") },
    tabs);
  const body = h("tbody", { role: "rowgroup" });
  const head = COLUMNS.map((name) =>
    h("th", { scope: "col", role: "columnheader", class: name },
      h("span", { class: name === "action" ? "unseen" : "", text: t(`calls.${name}`) })));
  const empty = h("p", { class: "empty", text: t("loading") });
  // The style sheet takes the table's layout away for speed: the roles say that it still is one.
  const table = h("table", { class: "calls-table", role: "table", hidden: true },
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, head)), body);
  const element = panel("calls", t("calls.title"), switcher,
    h("div", { class: "scroll" }, table, empty));
  const rows = new KeyedRows(body, (id) => row(api, model, id),
    (element, call) => fill(element, call, model));

  function choose(name) {
    which = name;
    for (const tab of tabs) setAttr(tab, "aria-pressed", String(tab.dataset.name === name));
    draw(null);
  }

  function render(changed) {
    const keys = changed.get(which === "live" ? "calls" : "recent");
    if (keys !== undefined) draw(which === "live" ? keys : null);
  }

  function draw(keys) {
    rows.sync(entries(), keys);
    const none = rows.rows.size === 0;
    table.hidden = none;
    empty.hidden = !none;
    setText(empty, t(which === "live" ? "calls.none_live" : "calls.none_recent"));
  }

  function entries() {
    if (which === "recent") return model.recent.map((call) => [call.id, call]);
    const calls = [...model.calls.values()];
    calls.sort((a, b) => (b.startedAt ?? 0) - (a.startedAt ?? 0));
    return calls.map((call) => [call.id, call]);
  }

  return { element, render };
}

function row(api, model, id) {
  const cells = {
    state: h("td", { role: "cell", class: "state" }, pill("", "")),
    from: h("td", { role: "cell", class: "from" },
      h("a", { href: `#/calls/${segment(id)}` }), h("span", { class: "rec", hidden: true })),
    action: h("td", { role: "cell", class: "action" }),
  };
  for (const name of ["to", "queue", "agent", "started", "duration"]) {
    cells[name] = h("td", { role: "cell", class: name, data: { label: t(`calls.${name}`) } });
  }
  const end = h("button", { class: "quiet end" }, icon("hangup"),
    h("span", { text: t("calls.end") }));
  end.addEventListener("click", () => {
    const call = model.calls.get(id);
    if (call !== undefined) askToEndCall(api, call);
  });
  cells.action.append(end);
  const element = h("tr", { role: "row" }, COLUMNS.map((name) => cells[name]));
  element.parts = cells;
  return element;
}

function fill(element, call, model) {
  const { state, from, to, queue, agent, started, duration, action } = element.parts;
  const caller = call.from ?? t("calls.anonymous");
  const ended = call.state === "ended";
  setPill(state.firstChild, ended ? `cause-${call.cause}` : call.state, ended
    ? word("cause", call.cause ?? "normal")
    : word("state", call.state));
  setText(from.firstChild, caller);
  setAttr(from.firstChild, "aria-label", t("calls.open", { from: caller, to: call.to }));
  const recorded = from.lastChild;
  recorded.hidden = call.recording === null;
  setAttr(recorded, "title", t("calls.recorded"));
  setAttr(recorded, "role", "img");
  setAttr(recorded, "aria-label", t("calls.recorded"));
  setText(to, call.to ?? t("none"));
  setText(queue, model.queueName(call.queue) ?? t("none"));
  setText(agent, model.agentName(call.agent) ?? t("none"));
  setText(started, clock(call.startedAt));
  if (ended) still(duration, call.duration);
  else count(duration, call.startedAt);
  const button = action.firstChild;
  button.hidden = ended;
  setAttr(button, "aria-label", t("calls.end_label", { from: caller }));
}
