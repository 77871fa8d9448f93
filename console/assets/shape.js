// What the API sends, made into what the console shows. The only place that knows field names, and
// tolerant on purpose: a field that is missing is null, never a broken page.

import { millis, now } from "./format.js";
import { snake } from "./strings.js";

/** The first of `names` that `source` has. */
export function pick(source, ...names) {
  for (const name of names) {
    const value = source?.[name];
    if (value !== undefined && value !== null && value !== "") return value;
  }
  return null;
}

/** A name, whether the API sends it bare or as an object with `id` or `name`. */
function named(value) {
  if (value === null || typeof value !== "object") return value === null ? null : String(value);
  const name = pick(value, "id", "name");
  return name === null ? null : String(name);
}

/** The API's words for where a call stands, and those of its events, as the console tells them. */
const CALL_STATES = {
  started: "setup",
  routing: "setup",
  flow: "greeting",
  playing: "greeting",
  waiting: "queued",
  ringing: "offered",
  talking: "connected",
};

/** A call's state in our words; an unknown one stays itself. */
export function callState(value) {
  const state = snake(value ?? "setup");
  return CALL_STATES[state] ?? state;
}

/** A row of `/calls` or the value of `/calls/{id}`. */
export function callOf(row) {
  const ended = millis(pick(row, "ended_at"));
  return {
    id: String(pick(row, "id", "call", "call_id")),
    state: ended !== null ? "ended" : callState(pick(row, "state", "status")),
    from: pick(row, "from", "caller"),
    to: pick(row, "to", "number", "called"),
    trunk: named(pick(row, "trunk", "trunk_id")),
    queue: named(pick(row, "queue", "queue_id")),
    agent: named(pick(row, "agent", "agent_id")),
    startedAt: millis(pick(row, "started_at", "created_at")),
    connectedAt: millis(pick(row, "connected_at")),
    queuedAt: millis(pick(row, "queued_at", "waiting_since")),
    endedAt: ended,
    duration: seconds(row, "duration"),
    wait: seconds(row, "wait"),
    talk: seconds(row, "talk"),
    cause: causeOf(pick(row, "cause")),
    endedBy: pick(row, "ended_by"),
    recording: named(pick(row, "recording_id", "recording")),
    recordings: pick(row, "recording_ids") ?? [],
    direction: pick(row, "direction"),
    fromName: pick(row, "from_name"),
    legs: pick(row, "legs") ?? [],
    /** Who supervises it and how, as far as events have told: `[{agent, mode}]`. */
    supervisors: [],
  };
}

/** `name_s`, `name_ms` or `name` as seconds. */
export function seconds(row, name) {
  const ms = pick(row, `${name}_ms`);
  if (ms !== null) return Number(ms) / 1000;
  const value = pick(row, `${name}_s`, `${name}_seconds`, name);
  if (value !== null && typeof value === "object") return Number(value.secs ?? 0);
  return value === null ? null : Number(value);
}

/** A cause as one word, whether it comes as a word or as `{word: detail}` or `{kind: word}`. */
export function causeOf(value) {
  if (value === null || value === undefined) return null;
  if (typeof value !== "object") return snake(value);
  const kind = pick(value, "kind", "name", "cause", "code") ?? Object.keys(value)[0];
  return kind === undefined ? null : snake(kind);
}

/** An agent's state as `{state, reason}`; a break may carry its reason inside. */
export function agentState(value, reason = null) {
  if (value !== null && typeof value === "object") {
    const kind = pick(value, "kind", "state", "name") ?? Object.keys(value)[0] ?? "offline";
    const inner = value[kind];
    return {
      state: agentWord(kind),
      reason: pick(value, "reason") ?? pick(inner, "reason") ?? reason,
    };
  }
  return { state: agentWord(value ?? "offline"), reason };
}

const AGENT_STATES = { on_call: "busy", talking: "busy", wrapup: "wrap_up", on_break: "break" };

function agentWord(value) {
  const state = snake(value);
  return AGENT_STATES[state] ?? state;
}

/** A row of `/agents`. */
export function agentOf(row) {
  const { state, reason } = agentState(pick(row, "state"), pick(row, "reason"));
  const id = String(pick(row, "id", "agent", "agent_id", "name"));
  return {
    id,
    name: String(pick(row, "name", "display_name") ?? id),
    state,
    reason,
    since: millis(pick(row, "since", "state_since", "changed_at")) ?? elapsedStart(row),
    skills: (pick(row, "skills") ?? []).map(named),
    queues: (pick(row, "queues") ?? []).map(named),
    quiet: pick(row, "do_not_disturb") === true,
    supervises: pick(row, "supervises") === true,
    calls: [pick(row, "call_id"), ...(pick(row, "direct_call_ids") ?? [])].filter(Boolean),
    reachable: pick(row, "reachable", "registered"),
  };
}

/** The start of a state of which only the age is told. */
function elapsedStart(row) {
  const age = seconds(row, "state");
  return age === null || Number.isNaN(age) ? null : now() - age * 1000;
}

/** A row of `/queues`, or the data of a `queue.stats` event. */
export function queueOf(row) {
  const id = String(pick(row, "id", "queue", "queue_id", "name"));
  return {
    id,
    name: String(pick(row, "name") ?? id),
    free: pick(row, "agents_free", "available"),
    abandoned: pick(row, "abandoned"),
    serviceLevel: pick(row, "service_level_percent", "service_level"),
    serviceLevelS: pick(row, "service_level_s"),
    alarms: pick(row, "alarms")?.map(alarmOf) ?? null,
    limits: pick(row, "alarm_limits"),
  };
}

/** An alarm of a queue that is raised. */
function alarmOf({ alarm, limit, raised_ms: raised }) {
  return { alarm, limit: limit ?? null, since: now() - raised };
}

/** A CloudEvent. `subject` is the call, where there is one. */
export function eventOf(event) {
  const body = pick(event, "data") ?? {};
  const subject = pick(event, "subject") ?? pick(body, "call", "call_id");
  return {
    id: String(pick(event, "id") ?? event.sequence),
    type: String(pick(event, "type", "kind") ?? ""),
    tenant: tenantOf(pick(event, "source", "tenant")),
    call: subject === null ? null : String(subject).replace(/^.*\//, ""),
    at: millis(pick(event, "time", "at")),
    sequence: Number(event.sequence),
    body,
  };
}

/** The tenant of a CloudEvent's `source`, which may be a path that ends in it. */
function tenantOf(source) {
  if (source === null) return null;
  const parts = String(source).split(/[/:]/).filter((part) => part !== "");
  return parts.at(-1) ?? null;
}
