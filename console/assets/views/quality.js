// How each leg sounded: over time as a chart, then in figures and one plain word.

import { chartView } from "../explorer/chart.js";
import { count } from "../format.js";
import { h, pill, scrolls } from "../dom.js";
import { pick } from "../shape.js";
import { has, t } from "../strings.js";

const COLUMNS = ["leg", "codec", "sent", "received", "lost", "jitter", "mos"];
/** ITU-T G.107 Annex B: satisfied from 4.03, many users dissatisfied below 3.60. */
const GOOD = 4.03;
const FAIR = 3.6;

/** The chart of what `/quality` tells, and the table of a call's legs. */
export function qualityView(legs, call, histories) {
  const named = histories.map((leg) => ({ ...leg, name: legName(leg, call) }));
  const chart = chartView(named, call.state === "ended" ? call.duration : null);
  return h("div", { class: "quality-body" }, chart, tableView(legs, call));
}

function tableView(legs, call) {
  const measured = legs.map((leg) => ({ leg, stats: pick(leg, "stats", "quality") ?? leg }))
    .filter(({ stats }) => pick(stats, "packets_sent", "packets_received") !== null);
  if (measured.length === 0) return h("p", { class: "empty", text: t("quality.none") });
  return scrolls(t("quality.legs"), h("table", { class: "quality-table" },
    h("thead", {}, h("tr", {}, COLUMNS.map((name) =>
      h("th", { scope: "col", class: name, text: t(`quality.${name}`) })))),
    h("tbody", {}, measured.map(({ leg, stats }) => legRow(leg, stats, call)))));
}

function legRow(leg, stats, call) {
  const values = [
    String(pick(leg, "codec") ?? pick(stats, "codec") ?? t("none")).toUpperCase(),
    count(pick(stats, "packets_sent")),
    count(pick(stats, "packets_received")),
    count(pick(stats, "packets_lost")),
    jitterOf(stats),
  ];
  return h("tr", {}, h("th", { scope: "row", text: legName(leg, call) }),
    values.map((text, at) => h("td", { class: COLUMNS[at + 1], text })),
    h("td", { class: "mos" }, mosOf(stats)));
}

function legName(leg, call) {
  const kind = pick(leg, "kind", "role") ?? "caller";
  const who = kind === "agent" ? (pick(leg, "agent") ?? call.agent) : pick(leg, "agent");
  const name = has(`quality.${kind}`) ? t(`quality.${kind}`) : kind;
  return who === null ? name : `${name} ${who}`;
}

function jitterOf(stats) {
  const us = pick(stats, "jitter_us");
  const ms = us === null ? pick(stats, "jitter_ms") : Number(us) / 1000;
  return ms === null ? t("none") : t("quality.ms", { ms: Number(ms).toFixed(1) });
}

function mosOf(stats) {
  const centi = pick(stats, "mos_centi");
  const mos = centi === null ? pick(stats, "mos") : Number(centi) / 100;
  if (mos === null || Number(mos) === 0) return t("none");
  const kind = mos >= GOOD ? "good" : mos >= FAIR ? "fair" : "poor";
  return pill(`quality-${kind}`, `${Number(mos).toFixed(2)} ${t(`quality.${kind}`)}`);
}
