// One call on one page: facts, recording, quality over time, timeline, routing reasons, SIP
// ladder and notes. While the call lives, its page follows it.

import { askToEndCall } from "../dialogs.js";
import { callOf, pick } from "../shape.js";
import { count, still } from "../ticker.js";
import { dateAndClock } from "../format.js";
import { announce } from "../announce.js";
import { download } from "../download.js";
import { h, icon, pill } from "../dom.js";
import { ladderSaves, ladderView } from "./ladder.js";
import { notesView } from "../explorer/notes.js";
import { panel } from "./panel.js";
import { qualityView } from "./quality.js";
import { recordingKey, recordingView } from "./recording.js";
import { segment } from "../api.js";
import { t, word } from "../strings.js";
import { timelineView } from "./timeline.js";
import { whyView } from "./why.js";

/** Events of a call come in bursts: one reload after the burst is enough. */
const SETTLE_MS = 700;

/** The page of the call `id`. */
export function callView({ api, model, id }) {
  const path = `/calls/${segment(id)}`;
  const heading = h("h1", { tabindex: "-1", text: t("call.loading") });
  const end = h("button", { class: "danger", hidden: true }, icon("hangup"),
    h("span", { text: t("end.confirm") }));
  const save = h("button", { on: { click: saveAll } }, icon("save"),
    h("span", { text: t("call.export") }));
  const state = h("span", { class: "call-state" });
  const facts = h("dl", { class: "facts" });
  const notes = notesView({ api, path });
  const sections = {
    recording: section("recording"),
    timeline: section("timeline"),
    why: section("why"),
    ladder: section("ladder", h("span", { class: "panel-tools" }, ladderSaves({ api, path, id }))),
    quality: section("quality"),
  };
  const problem = h("div", { class: "problem-block", role: "alert", hidden: true });
  const body = h("div", { class: "call-grid" },
    h("div", { class: "call-side" },
      panel("facts-panel", t("call.facts"), null, facts),
      panel("notes", t("notes.title"), null, notes.element),
      sections.timeline.panel),
    h("div", { class: "call-main" },
      sections.recording.panel, sections.quality.panel, sections.why.panel,
      sections.ladder.panel));
  const element = h("div", { class: "call-page" },
    h("a", { class: "back", href: "#/calls" }, icon("back"), h("span", { text: t("call.back") })),
    h("div", { class: "call-head" }, heading, state, h("span", { class: "spacer" }), save, end),
    problem, body);
  let call = null;
  let timer = 0;
  let closed = false;
  let player = null;
  let nameless = model.agents.size === 0;
  let seen = model.events.at(-1)?.sequence ?? -1;

  end.addEventListener("click", () => call !== null && askToEndCall(api, call));

  async function load() {
    await Promise.all([
      loadCall(),
      part("timeline", `${path}/events?per_page=1000`, (events) => timelineView(events, model)),
      part("why", `${path}/why`, (why) => whyView(why, model)),
      part("ladder", `${path}/ladder`, (ladder) => ladderView(ladder)),
      notes.load(),
    ]);
  }

  async function loadCall() {
    try {
      const [row, histories] = await Promise.all([
        api.get(path), api.get(`${path}/quality`).catch(() => []),
      ]);
      if (closed) return;
      call = callOf({ id, ...row });
      problem.hidden = true;
      body.hidden = false;
      showCall();
      sections.quality.fill(qualityView(pick(row, "legs", "quality") ?? [], call, histories));
      showRecording();
    } catch (error) {
      if (closed) return;
      fail(error);
    }
  }

  async function saveAll() {
    save.disabled = true;
    await download(api, `${path}/export`, `${id}.json`).catch((error) =>
      announce(t("error.action", { message: error.message }), "bad"));
    save.disabled = false;
  }

  function fail(error) {
    const known = call !== null;
    const again = h("button", { text: t("retry"), on: { click: load } });
    const sentence = error.status === 404
      ? t("error.not_found")
      : t("error.load", { message: error.message });
    problem.replaceChildren(h("p", { text: sentence }), error.status === 404 ? "" : again);
    problem.hidden = false;
    body.hidden = !known;
    if (!known) heading.textContent = t("call.id");
  }

  function showCall() {
    const from = call.from ?? t("calls.anonymous");
    const title = t("call.title", { from, to: call.to });
    heading.textContent = title;
    document.title = `${title} · ${t("app.name")}`;
    const ended = call.state === "ended";
    end.hidden = ended;
    state.replaceChildren(pill(call.state, word("state", call.state)));
    facts.replaceChildren(...factRows(call, ended, model));
  }

  function showRecording() {
    // A player in use is left alone: a reload must not stop what someone listens to.
    if (player?.key === recordingKey(call)) return;
    player?.close();
    player = recordingView({ api, call });
    sections.recording.fill(player.element);
  }

  async function part(name, address, draw) {
    try {
      const content = await api.get(address);
      if (!closed) sections[name].fill(draw(content));
    } catch (error) {
      if (closed) return;
      const sentence = t("error.load", { message: error.message });
      sections[name].fill(h("p", { class: "empty", text: sentence }));
    }
  }

  const unsubscribe = model.subscribe((changed) => {
    // Opened by its address, the page may come before the names of agents and queues.
    if (nameless && model.agents.size > 0) {
      nameless = false;
      load();
    }
    if (!changed.has("events")) return;
    const ours = model.events.some((event) => event.sequence > seen && event.call === id);
    seen = model.events.at(-1)?.sequence ?? seen;
    if (!ours) return;
    clearTimeout(timer);
    timer = setTimeout(load, SETTLE_MS);
  });
  load();

  return {
    element,
    title: t("call.id"),
    heading,
    close() {
      closed = true;
      clearTimeout(timer);
      unsubscribe();
      player?.close();
    },
  };
}

function section(name, controls = null) {
  const content = h("div", { class: "section-body" },
    h("p", { class: "empty", text: t("loading") }));
  return {
    panel: panel(name, t(`${name}.title`), controls, content),
    fill: (view) => refill(content, view),
  };
}

/** Replaces what is shown; what the reader had opened, and where the focus was, stay so. */
function refill(content, view) {
  const places = [...content.querySelectorAll("details")];
  const focused = places.findIndex((place) => place.contains(document.activeElement));
  content.replaceChildren(view);
  const now = content.querySelectorAll("details");
  places.forEach((place, at) => {
    if (now[at] !== undefined) now[at].open = place.open;
  });
  now[focused]?.querySelector("summary").focus({ preventScroll: true });
}

function factRows(call, ended, model) {
  const rows = [
    ["name", call.fromName],
    ["direction", call.direction === null ? null : word("explorer.direction", call.direction)],
    ["started", dateAndClock(call.startedAt)],
    ["duration", counting(ended, call.duration, call.startedAt)],
    ["queue", model.queueName(call.queue)],
    ["agent", model.agentName(call.agent)],
    ["trunk", call.trunk],
    ["wait", call.wait === null ? null : counting(true, call.wait)],
    ["talk", talkOf(call, ended)],
    ["cause", ended ? word("cause", call.cause) : null],
    ["ended_by", call.endedBy === null ? null : word("by", call.endedBy)],
    ["id", h("code", { text: call.id })],
  ];
  return rows
    .filter(([, value]) => value !== null)
    .map(([name, value]) => h("div", {}, h("dt", { text: t(`call.${name}`) }), h("dd", {}, value)));
}

function talkOf(call, ended) {
  if (ended) return call.talk === null ? null : counting(true, call.talk);
  return call.connectedAt === null ? null : counting(false, null, call.connectedAt);
}

function counting(fixed, seconds, from = null) {
  const span = h("span", { class: "number" });
  if (fixed) still(span, seconds);
  else count(span, from);
  return span;
}
