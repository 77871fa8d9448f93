// What a search asks for, as fields on the page and as words in the address, so that it can be
// shared.

import { h } from "../dom.js";
import { t, word } from "../strings.js";

const STATES = ["setup", "flow", "queued", "ringing", "connected", "ended"];
const DIRECTIONS = ["inbound", "outbound", "internal"];
const CAUSES = [
  "normal", "caller_abandoned", "no_answer", "busy", "rejected", "queue_timeout", "transferred",
  "picked_up", "api_request", "no_route", "forbidden", "suspended", "tenant_limit", "rate_limit",
  "unavailable", "incompatible_media", "bad_request", "media_failed", "transport_failed",
  "media_timeout", "timeout", "drained", "engine_restart", "internal_error",
];
const CODECS = ["opus", "g722", "pcma", "pcmu"];
const MOS = ["4.0", "3.6", "3.1", "2.6"];
const PERIODS = { hour: 1, day: 24, week: 7 * 24, month: 30 * 24 };
/** These stand in the second row, which opens by itself when one of them is asked for. */
const MORE = ["direction", "cause", "recorded", "min_duration_s", "max_duration_s", "codec",
  "mos_below"];
const TYPING_MS = 300;

/** The form; `onChange()` is called when something else is asked for. */
export function filtersView({ model, onChange }) {
  let timer = 0;
  const fields = new Map();
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(onChange, TYPING_MS);
  };
  const now = () => {
    clearTimeout(timer);
    onChange();
  };

  function input(name, props) {
    const control = h("input", { id: `find-${name}`, autocomplete: "off", ...props,
      on: { input: soon, change: now } });
    fields.set(name, control);
    return labelled(name, control);
  }

  function select(name, options) {
    const control = h("select", { id: `find-${name}`, class: "select", on: { change: now } },
      h("option", { value: "", text: t("explorer.any") }),
      options.map(([value, text]) => h("option", { value, text })));
    fields.set(name, control);
    return labelled(name, control);
  }

  const span = (name) => input(name, { type: "datetime-local", step: "60" });
  const period = select("period", [...Object.keys(PERIODS), "own"].map((name) =>
    [name, t(`explorer.period.${name}`)]));
  const own = h("div", { class: "find-own", hidden: true }, span("from"), span("to"));
  const first = h("div", { class: "find-row" },
    input("number", { type: "search", placeholder: t("explorer.number_hint"), maxlength: "64" }),
    period, select("queue", []), select("agent", []),
    select("state", STATES.map((state) => [state, t(`explorer.state.${state}`)])));
  const second = h("div", { class: "find-row", id: "find-more", hidden: true },
    select("direction", DIRECTIONS.map((way) => [way, t(`explorer.direction.${way}`)])),
    select("cause", CAUSES.map((cause) => [cause, word("cause", cause)])),
    select("recorded", ["true", "false"].map((yes) => [yes, t(`explorer.recorded.${yes}`)])),
    input("min_duration_s", { type: "number", min: "0", step: "1", inputmode: "numeric" }),
    input("max_duration_s", { type: "number", min: "0", step: "1", inputmode: "numeric" }),
    select("codec", CODECS.map((codec) => [codec, codec.toUpperCase()])),
    select("mos_below", MOS.map((mos) => [mos, t("explorer.below", { mos })])));
  const more = h("button", { type: "button", class: "quiet", "aria-expanded": "false",
    "aria-controls": "find-more", text: t("explorer.more"),
    on: { click: () => open(second.hidden) } });
  const clear = h("button", { type: "button", class: "quiet", text: t("explorer.clear"), on: {
    click: () => {
      show(new URLSearchParams());
      onChange();
      fields.get("number").focus();
    } } });
  const element = h("form", { class: "find", role: "search", "aria-label": t("explorer.find"), on: {
    submit: (event) => {
      event.preventDefault();
      now();
    } } }, first, own, second, h("div", { class: "find-tools" }, more, clear));

  function open(yes) {
    second.hidden = !yes;
    more.setAttribute("aria-expanded", String(yes));
  }

  function arrange() {
    own.hidden = fields.get("period").value !== "own";
    clear.disabled = asked().toString() === "";
  }

  /** What is asked for, as the address says it. */
  function asked() {
    const query = new URLSearchParams();
    const is_own = fields.get("period").value === "own";
    for (const [name, { value }] of fields) {
      const is_span = name === "from" || name === "to";
      if (value.trim() !== "" && (!is_span || is_own)) query.set(name, value.trim());
    }
    return query;
  }

  /** Takes what an address asks for. */
  function show(query) {
    for (const [name, control] of fields) {
      const value = query.get(name) ?? "";
      // A queue or agent that is no more, or not known yet, can be asked for all the same.
      if (control.tagName === "SELECT" && ![...control.options].some((o) => o.value === value)) {
        control.append(h("option", { value, text: value }));
      }
      control.value = value;
    }
    if (MORE.some((name) => query.has(name))) open(true);
    arrange();
  }

  function names() {
    for (const [name, map] of [["queue", model.queues], ["agent", model.agents]]) {
      const control = fields.get(name);
      const { value } = control;
      const known = [...map.values()].sort((a, b) => a.name.localeCompare(b.name));
      if (known.length === control.options.length - 1 && value === "") continue;
      control.replaceChildren(h("option", { value: "", text: t("explorer.any") }),
        ...known.map((one) => h("option", { value: one.id, text: one.name })));
      if (value !== "" && !known.some(({ id }) => id === value)) {
        control.append(h("option", { value, text: value }));
      }
      control.value = value;
    }
  }

  names();
  arrange();
  return { element, asked, show, names, arrange, focus: () => fields.get("number").focus() };
}

function labelled(name, control) {
  return h("div", { class: `find-field find-${name}` },
    h("label", { for: control.id, text: t(`explorer.field.${name}`) }), control);
}

/** What the API is asked for, of what the address says: its times are of this machine's clock. */
export function forApi(query) {
  const asked = {};
  for (const [name, value] of query) {
    if (name === "period") {
      const hours = PERIODS[value];
      if (hours !== undefined) asked.from = iso(Date.now() - hours * 3_600_000);
    } else if (name === "from" || name === "to") {
      const at = Date.parse(value);
      if (!Number.isNaN(at)) asked[name] = iso(at);
    } else {
      asked[name] = value;
    }
  }
  return asked;
}

function iso(ms) {
  return new Date(ms).toISOString();
}
