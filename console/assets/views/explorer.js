// The call explorer: every call there is, found by what is known of it. What is asked for stands
// in the address; calls come by a hundred at a time, as fast for the last of a million as for the
// first.

import { announce } from "../announce.js";
import { callOf, pick } from "../shape.js";
import { clock, count as number, day, duration } from "../format.js";
import { download } from "../download.js";
import { filtersView, forApi } from "../explorer/filters.js";
import { h, icon, pill, setText } from "../dom.js";
import { segment } from "../api.js";
import { t, word } from "../strings.js";

const COLUMNS = ["started", "from", "to", "queue", "agent", "result", "duration", "quality"];
const PAGE = 100;
/** ITU-T G.107 Annex B: satisfied from 4.03, many users dissatisfied below 3.60. */
const GOOD = 4.03;
const FAIR = 3.6;

/** The page; it stays, with what was found, while one of its calls is looked at. */
export function explorerView({ api, model, query }) {
  let turn = 0;
  let next = null;
  let asked = null;
  let scrolled = 0;
  let fresh = 0;
  let seen = model.events.at(-1)?.sequence ?? -1;

  const heading = h("h1", { tabindex: "-1", text: t("explorer.title") });
  const filters = filtersView({ model, onChange: changed });
  const total = h("p", { class: "found-total", role: "status", "aria-live": "polite" });
  const renew = h("button", { class: "quiet found-new", text: "", on: { click: () => search() } });
  renew.hidden = true;
  const saves = ["csv", "json"].map((format) => h("button", {
    class: "quiet", "aria-label": t("explorer.save_label", { format: format.toUpperCase() }),
    on: { click: () => save(format) },
  }, icon("save"), h("span", { text: format.toUpperCase() })));
  const body = h("tbody");
  const table = h("table", { class: "found" },
    h("caption", { class: "unseen", text: t("explorer.title") }),
    h("thead", {}, h("tr", {}, COLUMNS.map((name) =>
      h("th", { scope: "col", class: name, text: t(`explorer.${name}`) })))), body);
  const empty = h("p", { class: "empty", text: t("loading") });
  const older = h("button", { class: "found-older", hidden: true, text: t("explorer.older"),
    on: { click: () => load() } });
  const element = h("div", { class: "explorer" },
    heading, h("section", { class: "panel finds" }, filters.element),
    h("section", { class: "panel founds", "aria-label": t("explorer.found") },
      h("div", { class: "panel-head" }, total, renew, h("span", { class: "spacer" }),
        h("span", { class: "note", text: t("explorer.save") }), saves),
      table, empty, older));

  /** Something else is asked for: it stands in the address at once. */
  function changed() {
    const words = filters.asked().toString();
    filters.arrange();
    if (words === asked) return;
    history.replaceState(null, "", words === "" ? "#/calls" : `#/calls?${words}`);
    search();
  }

  function search() {
    asked = filters.asked().toString();
    next = null;
    fresh = 0;
    renew.hidden = true;
    return load(true);
  }

  async function load(is_first = false) {
    turn += 1;
    const own = turn;
    table.setAttribute("aria-busy", "true");
    older.disabled = true;
    const wanted = { ...forApi(new URLSearchParams(asked)), limit: PAGE };
    if (!is_first) wanted.before = next;
    try {
      const found = await api.page("/calls/search", wanted);
      // Somebody has asked for something else meanwhile.
      if (own === turn) show(found, is_first);
    } catch (error) {
      if (own === turn) fail(error, is_first);
    }
    if (own === turn) table.setAttribute("aria-busy", "false");
  }

  function show(found, is_first) {
    const rows = found.data.map((row) => rowOf(row, model));
    if (is_first) {
      body.replaceChildren(...rows);
      setText(total, totalText(found));
    } else {
      body.append(...rows);
      announce(t("explorer.more_shown", { count: number(rows.length) }));
      rows[0]?.querySelector("a").focus();
    }
    next = found.next;
    older.hidden = next === null;
    older.disabled = false;
    table.hidden = body.childElementCount === 0;
    empty.hidden = !table.hidden;
    setText(empty, t(asked === "" ? "explorer.none_yet" : "explorer.none"));
  }

  function fail(error, is_first) {
    older.disabled = false;
    const parameter = pick(error.details ?? {}, "parameter");
    const sentence = t("error.load", { message: error.message });
    if (!is_first) return announce(sentence, "bad");
    body.replaceChildren();
    table.hidden = true;
    older.hidden = true;
    empty.hidden = false;
    setText(empty, sentence);
    setText(total, "");
    document.getElementById(`find-${parameter}`)?.setAttribute("aria-invalid", "true");
    return undefined;
  }

  async function save(format) {
    const wanted = new URLSearchParams({ ...forApi(new URLSearchParams(asked)), format });
    for (const button of saves) button.disabled = true;
    try {
      await download(api, `/calls/export?${wanted}`, `calls.${format}`);
      announce(t("explorer.saved", { name: `calls.${format}` }));
    } catch (error) {
      announce(t("error.action", { message: error.message }), "bad");
    }
    for (const button of saves) button.disabled = false;
  }

  const unsubscribe = model.subscribe((what) => {
    if (what.has("queues") || what.has("agents")) filters.names();
    if (!what.has("events")) return;
    // New calls are told, not put in: nothing moves under the eye of whoever reads.
    const started = model.events.filter(({ sequence, type }) =>
      sequence > seen && type === "call.started").length;
    seen = model.events.at(-1)?.sequence ?? seen;
    if (started === 0) return;
    fresh += started;
    renew.hidden = false;
    setText(renew, t("explorer.fresh", { count: number(fresh) }));
  });

  function follow({ query: words }) {
    if (words.toString() === "" && asked !== null && asked !== "") {
      // Back by the navigation: to what was looked at.
      history.replaceState(null, "", `#/calls?${asked}`);
      return;
    }
    if (words.toString() === asked) return;
    filters.show(words);
    search();
  }

  filters.show(query ?? new URLSearchParams());
  search();
  return {
    element,
    title: t("explorer.title"),
    heading,
    follow,
    shown({ query: words }) {
      follow({ query: words });
      const main = element.closest("main");
      requestAnimationFrame(() => {
        if (main !== null) main.scrollTop = scrolled;
      });
    },
    left() {
      scrolled = element.closest("main")?.scrollTop ?? 0;
    },
    close: unsubscribe,
  };
}

function totalText({ total, total_is_exact: exact }) {
  if (total === null || total === undefined) return "";
  if (total === 1 && exact) return t("explorer.one");
  const count = number(exact ? total : total - 1);
  return t(exact ? "explorer.total" : "explorer.total_over", { count });
}

function rowOf(row, model) {
  const call = callOf(row);
  const caller = call.from ?? t("calls.anonymous");
  const name = pick(row, "from_name");
  const ended = call.state === "ended";
  const recorded = call.recording === null ? null
    : h("span", { class: "rec", role: "img", title: t("calls.recorded"),
      "aria-label": t("calls.recorded") });
  const cells = {
    started: [h("span", { class: "number", text: clock(call.startedAt) }),
      h("span", { class: "found-day", text: day(call.startedAt) })],
    from: [h("a", { href: `#/calls/${segment(call.id)}`, text: caller,
      "aria-label": t("calls.open", { from: caller, to: call.to }) }), recorded,
    name === null ? null : h("span", { class: "found-name", text: name })],
    to: [call.to ?? t("none")],
    queue: [model.queueName(call.queue) ?? t("none")],
    agent: [model.agentName(call.agent) ?? t("none")],
    result: [ended
      ? pill(`cause-${call.cause}`, word("cause", call.cause))
      : pill(call.state, word("state", call.state))],
    duration: [duration(ended ? call.duration : null)],
    quality: [qualityOf(call)],
  };
  return h("tr", { data: { way: pick(row, "direction") ?? "inbound" } }, COLUMNS.map((column) =>
    h("td", { class: column, data: { label: t(`explorer.${column}`) } }, cells[column])));
}

/** The worst leg's estimated quality. */
function qualityOf(call) {
  const all = call.legs.map((leg) => pick(leg, "mos")).filter((mos) => mos !== null);
  if (all.length === 0) return t("none");
  const mos = Math.min(...all);
  const kind = mos >= GOOD ? "good" : mos >= FAIR ? "fair" : "poor";
  const shown = pill(`quality-${kind}`, mos.toFixed(2));
  shown.title = t(`quality.${kind}`);
  return shown;
}
