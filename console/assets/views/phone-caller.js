// Who the agent talks with: what came with the call, what was pressed and told, and who called
// before.

import { dateAndClock, duration, millis } from "../format.js";
import { h, setText } from "../dom.js";
import { t, word } from "../strings.js";
import { panel } from "./panel.js";

/** The two panels; `show(known, names)` fills them, null empties them. */
export function callerView({ model }) {
  const facts = h("dl", { class: "desk-facts" });
  const none = h("p", { class: "empty", text: t("desk.nobody") });
  const before = h("ol", { class: "desk-history" });
  const noneBefore = h("p", { class: "empty", text: t("desk.no_history") });
  const caller = panel("desk-caller-panel", t("desk.caller"), null,
    h("div", { class: "desk-caller-body" }, facts, none));
  const history = panel("desk-before-panel", t("desk.history"), null,
    h("div", { class: "desk-history-body scroll" }, before, noneBefore));
  let shownFacts = "";
  let shownHistory = "";

  function show(known) {
    const rows = known?.row ? factsOf(known, model) : [];
    const text = JSON.stringify(rows);
    if (text !== shownFacts) {
      shownFacts = text;
      facts.replaceChildren(...rows.map(([name, value, kind = ""]) =>
        h("div", { class: "desk-fact", data: { kind } },
          h("dt", { text: name }), h("dd", { text: value }))));
    }
    facts.hidden = rows.length === 0;
    none.hidden = rows.length > 0;
    showHistory(known?.history ?? null, known?.row?.direction === "internal");
  }

  function showHistory(told, isInside) {
    const calls = told?.calls ?? [];
    const text = JSON.stringify(calls);
    noneBefore.hidden = calls.length > 0;
    setText(noneBefore, t(told === null ? "desk.history_waits"
      : isInside ? "desk.history_inside"
        : told.number === null ? "desk.history_hidden" : "desk.no_history"));
    if (text === shownHistory) return;
    shownHistory = text;
    before.replaceChildren(...calls.map((call) => pastCall(call, model)));
  }

  return { caller, history, show };
}

/** `[name, value, kind]` of all that is worth a line. */
function factsOf({ row, told }, model) {
  const out = row.direction === "outbound";
  const number = out ? row.to : row.from;
  const rows = [];
  if (!out && row.from_name) rows.push([t("desk.name"), row.from_name, "name"]);
  rows.push([t("desk.number"), number, "number"]);
  const proof = proven(row);
  if (!out && proof !== null) rows.push([t("desk.proof"), ...proof]);
  if (row.queue) rows.push([t("desk.queue"), model.queueName(row.queue)]);
  if (!out && row.to) rows.push([t("desk.dialled"), row.to]);
  if (row.queue && row.wait_s !== null) rows.push([t("desk.waited"), duration(row.wait_s)]);
  const sent = (row.diversions ?? []).map(({ by }) => by).join(", ");
  if (sent !== "") rows.push([t("desk.sent_by"), sent]);
  for (const { name, value } of told.keys) rows.push([name ?? t("desk.choice"), value, "key"]);
  for (const { name, value } of told.facts) rows.push([name, value, "fact"]);
  return rows;
}

/** What the signature of the number is worth, in words. */
function proven({ verstat, attestation }) {
  if (verstat === "TN-Validation-Passed") {
    const level = ["A", "B", "C"].includes(attestation) ? attestation.toLowerCase() : "b";
    return [t(`desk.proof_${level}`), level === "a" ? "good" : ""];
  }
  if (verstat === "TN-Validation-Failed") return [t("desk.proof_failed"), "bad"];
  if (verstat === "No-TN-Validation") return [t("desk.proof_none"), ""];
  return null;
}

function pastCall(call, model) {
  const way = t(`desk.way_${call.direction === "outbound" ? "out" : "in"}`);
  const who = call.agent === null ? word("cause", call.cause) : model.agentName(call.agent);
  const where = call.queue === null ? "" : model.queueName(call.queue);
  const talk = call.talk_s === null ? "" : duration(call.talk_s);
  const line = [way, where, who, talk].filter((part) => part !== "").join(" · ");
  return h("li", { class: "desk-past" },
    h("p", { class: "desk-past-when", text: dateAndClock(millis(call.started_at)) }),
    h("p", { class: "note", text: line }),
    call.wrap_ups.map(({ name, notes }) => h("div", { class: "desk-past-said" },
      name === null ? null : h("span", { class: "desk-code", text: name }),
      notes === null ? null : h("p", { class: "desk-notes", text: notes }))));
}
