// The SIP ladder: one lane per party, one arrow per message; each row opens to the message itself.
// Rows are <details>, so the keyboard and a screen reader get the same as the eye.

import { announce } from "../announce.js";
import { clockMillis, millis } from "../format.js";
import { download } from "../download.js";
import { h, icon } from "../dom.js";
import { pick } from "../shape.js";
import { t } from "../strings.js";

const ENGINE = "engine";

/** Buttons that save the ladder of the call at `path`, as a capture file and as text. */
export function ladderSaves({ api, path, id }) {
  return [["pcap", "pcap"], ["text", "txt"]].map(([format, ending]) => h("button", {
    class: "quiet", on: { click: async ({ currentTarget }) => {
      currentTarget.disabled = true;
      await download(api, `${path}/ladder?format=${format}`, `${id}.${ending}`).catch((error) =>
        announce(t("error.action", { message: error.message }), "bad"));
      currentTarget.disabled = false;
    } },
  }, icon("save"), h("span", { text: t(`ladder.save_${format}`) })));
}

/** The ladder of a call. */
export function ladderView(ladder) {
  const entries = Array.isArray(ladder) ? ladder : (pick(ladder, "entries", "messages") ?? []);
  const messages = entries.map(messageOf);
  if (messages.length === 0) return h("p", { class: "empty", text: t("ladder.none") });
  const lanes = lanesOf(messages);
  const names = new Map(lanes.map((lane) => [lane.key, lane.name]));
  const head = h("div", { class: "ladder-head", "aria-hidden": "true" },
    h("span", { class: "ladder-time" }),
    place(h("div", { class: "lanes" }, lanes.map((lane, at) =>
      column(h("div", { class: "lane-name" },
        h("strong", { text: lane.name }), h("small", { text: lane.address })), at))), lanes));
  const list = h("ol", { class: "ladder-list" }, messages.map((message) =>
    h("li", {}, rowView(message, lanes, names))));
  return h("div", { class: "ladder-wrap" }, h("p", { class: "lead", text: t("ladder.lead") }),
    h("div", { class: "ladder-scroll" }, head, list));
}

/** One message: from and to are lane keys, `ENGINE` or the far end's address. */
function messageOf(entry) {
  const flow = pick(entry, "flow") ?? {};
  const remote = String(pick(entry, "remote", "peer") ?? pick(flow, "remote") ?? t("ladder.far"));
  const local = String(pick(entry, "local") ?? pick(flow, "local") ?? "");
  const sent = pick(entry, "sent") ?? /^(out|sent)/i.test(pick(entry, "direction") ?? "in");
  const text = messageText(pick(entry, "message", "text", "bytes", "raw"));
  const firstLine = text.split(/\r?\n/, 1)[0];
  return {
    at: millis(pick(entry, "at", "time")),
    from: sent ? ENGINE : remote,
    to: sent ? remote : ENGINE,
    remote,
    local,
    party: pick(entry, "party", "leg_kind", "kind"),
    agent: pick(entry, "agent"),
    transport: pick(entry, "transport") ?? pick(flow, "transport"),
    summary: String(pick(entry, "summary", "first_line", "label") ?? summaryOf(firstLine)),
    text,
  };
}

/** The text of a message that comes as a string or as an array of byte values. */
function messageText(value) {
  if (Array.isArray(value)) return new TextDecoder().decode(Uint8Array.from(value));
  return value === null ? "" : String(value);
}

/** `INVITE`, `200 OK`: what matters of a first line. */
function summaryOf(firstLine) {
  const status = /^SIP\/2\.0 (\d{3} .*)$/.exec(firstLine);
  if (status !== null) return status[1];
  return firstLine.split(" ", 1)[0] || t("none");
}

/** The lanes: whoever called first, the engine, then the others as they appear. */
function lanesOf(messages) {
  const far = [];
  for (const message of messages) {
    const known = far.find((lane) => lane.key === message.remote);
    if (known === undefined) {
      far.push({ key: message.remote, address: addressOf(message), name: laneName(message, far) });
    }
  }
  const engine = { key: ENGINE, address: messages[0].local, name: t("ladder.engine") };
  return [far[0], engine, ...far.slice(1)];
}

function addressOf(message) {
  const transport = message.transport;
  if (transport === null) return message.remote;
  return `${message.remote} ${String(transport).toUpperCase()}`;
}

function laneName(message, before) {
  if (message.agent !== null) return t("ladder.agent_named", { agent: message.agent });
  if (before.length === 0) return t("ladder.caller");
  // The far end of an INVITE that we send is an agent, and its address of record says which.
  const user = /^INVITE sips?:([^@;>\s]+)@/.exec(message.text)?.[1];
  if (message.from === ENGINE && user !== undefined) {
    return t("ladder.agent_named", { agent: user });
  }
  return t("ladder.agent");
}

function rowView(message, lanes, names) {
  const from = lanes.findIndex((lane) => lane.key === message.from);
  const to = lanes.findIndex((lane) => lane.key === message.to);
  const way = t("ladder.way", { from: names.get(message.from), to: names.get(message.to) });
  const arrow = h("div", {
    class: "arrow",
    data: { way: from < to ? "right" : "left", kind: kindOf(message.summary) },
  }, h("span", { class: "arrow-label", text: message.summary }));
  arrow.style.gridColumn = `${Math.min(from, to) * 2 + 2} / ${Math.max(from, to) * 2 + 2}`;
  const lines = lanes.map((_, at) => column(h("i", { class: "lifeline" }), at));
  const summary = h("summary", {},
    h("span", { class: "ladder-time", text: clockMillis(message.at) },
      h("span", { class: "unseen", text: ` ${way}: ` })),
    place(h("div", { class: "lanes" }, lines, arrow), lanes));
  const text = message.text === "" ? t("ladder.no_text") : message.text;
  return h("details", {}, summary, h("pre", { tabindex: "0", text }));
}

/** Two grid columns per lane, so that a lane's line is in the middle and arrows end on it. */
function place(element, lanes) {
  element.style.gridTemplateColumns = `repeat(${lanes.length * 2}, minmax(0, 1fr))`;
  return element;
}

function column(element, at) {
  element.style.gridColumn = `${at * 2 + 1} / span 2`;
  return element;
}

/** Requests, provisional, successful and failed answers are drawn differently. */
function kindOf(summary) {
  const status = Number(/^(\d)\d\d/.exec(summary)?.[1] ?? 0);
  if (status === 0) return "request";
  if (status === 1) return "provisional";
  return status === 2 ? "success" : "failure";
}
