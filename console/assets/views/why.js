// Why the call went where it went: each decision as a sentence, with every agent considered.

import { clock, count, duration, millis } from "../format.js";
import { h, pill } from "../dom.js";
import { pick, seconds } from "../shape.js";
import { has, snake, t, word } from "../strings.js";

/** A call's decisions, in order. */
export function whyView(why, model) {
  const entries = Array.isArray(why) ? why : (pick(why, "decisions", "entries") ?? []);
  if (entries.length === 0) return h("p", { class: "empty", text: t("why.none") });
  return h("ol", { class: "why-list" }, entries.map((entry) => entryView(flat(entry), model)));
}

/** An entry with what the API may nest (its detail, an attempt's outcome) on one level. */
function flat(entry) {
  const whole = { ...pick(entry, "detail"), ...entry };
  return typeof whole.outcome === "object" ? { ...whole, ...whole.outcome } : whole;
}

function entryView(entry, model) {
  const at = millis(pick(entry, "at", "time"));
  const decision = pick(entry, "decision");
  const reasons = [pick(entry, "reasons") ?? [], pick(entry, "reason") ?? []].flat();
  return h("li", { class: "decision" },
    h("div", { class: "decision-head" },
      h("h3", { text: sentence(entry, model) }),
      at === null ? null : h("time", { text: clock(at) })),
    reasons.map((reason) => h("p", { text: String(reason) })),
    decision === null ? null : decisionParts(decision, model));
}

/** What was decided, as the heading says it. */
function sentence(entry, model) {
  const kind = snake(pick(entry, "decided", "kind") ?? "");
  const words = {
    flow: pick(entry, "flow"),
    queue: model.queueName(pick(entry, "queue")),
    agent: model.agentName(pick(entry, "agent")),
    position: pick(entry, "position"),
    status: pick(entry, "status"),
    why: word("cause", pick(entry, "why")),
    cause: word("cause", pick(entry, "cause")),
    by: word("by", pick(entry, "ended_by")),
  };
  if (kind === "agent") return t("why.agent_chosen", words);
  if (kind === "attempt") {
    const outcome = snake(pick(entry, "outcome") ?? "failed");
    const withStatus = outcome === "failed" && words.status !== null;
    return t(withStatus ? "why.failed_status" : `why.${outcome}`, words);
  }
  if (has(`why.${kind}`)) return t(`why.${kind}`, words);
  return pick(entry, "summary") ?? kind.replaceAll("_", " ");
}

function decisionParts(decision, model) {
  const needs = pick(decision, "needs") ?? [];
  const considered = pick(decision, "considered") ?? [];
  const more = Number(pick(decision, "not_listed") ?? 0);
  const head = ["agent", "verdict"].map((name) =>
    h("th", { scope: "col", text: t(`why.${name}`) }));
  return [
    h("p", { class: "rule", text: t("why.rule", { rule: pick(decision, "rule") }) }),
    needs.length === 0
      ? null
      : h("p", { class: "rule", text: t("why.needs", { skills: needs.join(", ") }) }),
    considered.length === 0 ? null : h("table", { class: "considered" },
      h("thead", {}, h("tr", {}, head)),
      h("tbody", {}, considered.map((each) => candidateRow(each, model)))),
    more === 0 ? null : h("p", { class: "rule", text: t("why.more", { count: count(more) }) }),
  ];
}

function candidateRow(candidate, model) {
  const found = pick(candidate, "verdict");
  const tagged = found !== null && typeof found === "object";
  const verdict = tagged ? found : { ...candidate, verdict: found ?? "" };
  const kind = snake(verdict.verdict ?? "");
  const text = verdictText(kind, verdict);
  return h("tr", {},
    h("th", { scope: "row", text: model.agentName(pick(candidate, "agent")) ?? "" }),
    h("td", {}, kind === "chosen" ? pill("available", text) : text));
}

function verdictText(kind, verdict) {
  const idle = seconds(verdict, "idle");
  const words = {
    idle: duration(idle),
    skill: pick(verdict, "skill"),
    state: word("agent", pick(verdict, "state")),
    reason: pick(verdict, "reason"),
    why: word("cause", pick(verdict, "why")),
  };
  if (kind === "state" && words.reason !== null) return t("verdict.state_reason", words);
  if (idle !== null && has(`verdict.${kind}_idle`)) return t(`verdict.${kind}_idle`, words);
  return has(`verdict.${kind}`) ? t(`verdict.${kind}`, words) : kind.replaceAll("_", " ");
}
