// What the console knows: calls, agents, queues and the last events. Fed by the API's lists and
// then by each event; views hear in one go which keys changed.

import { Figures } from "./floor/figures.js";
import { agentOf, agentState, callOf, causeOf, eventOf, pick, queueOf, seconds } from "./shape.js";
import { midnight, millis, now } from "./format.js";

const MOST_RECENT = 100;
const MOST_EVENTS = 300;
const PAGE = 500;
const MOST_PAGES = 25;
const REFRESH_MS = 15_000;
const RETRY_MS = 4000;
/** Views are drawn at once, but then no more often: a busy floor has 50 events a second. */
const STEP_MS = 30;

/** The API's words for calls that are up. */
const LIVE_STATES = ["setup", "flow", "queued", "ringing", "connected"];

const CALL_STATE_OF_EVENT = {
  "call.started": "setup",
  "call.answered": "answered",
  "call.prompt_started": "greeting",
  "call.queued": "queued",
  "call.left_queue": "greeting",
  "call.offered": "offered",
  "call.ringing": "offered",
  "call.attempt_failed": "queued",
  "call.connected": "connected",
  "call.held": "held",
  "call.resumed": "connected",
};

/** The state of the whole page. */
export class Model {
  calls = new Map();
  agents = new Map();
  queues = new Map();
  /** What becomes of each queue's calls. */
  figures = new Figures();
  recent = [];
  events = [];
  /** Hears how each load of the lists went: `null`, or the error. */
  onLoad = () => {};

  #api;
  #dirty = new Map();
  #views = new Set();
  #followers = new Set();
  #drawing = false;
  #drawnAt = 0;
  #loading = null;
  #held = [];
  #loadedAt = 0;
  #timer = 0;
  #closed = false;

  /** `tenant` is whose all this is. */
  constructor(api, tenant = null) {
    this.#api = api;
    this.tenant = tenant;
  }

  /** Calls `view(changed)` after changes; `changed` is a Map of topic to a Set of keys. */
  subscribe(view) {
    this.#views.add(view);
    return () => this.#views.delete(view);
  }

  /** Calls `follower(event)` at each event of the stream, at once. */
  follow(follower) {
    this.#followers.add(follower);
    return () => this.#followers.delete(follower);
  }

  /** All topics as changed as can be: what a view that was away draws itself from. */
  everything() {
    const keys = (topic) => new Set(["*", ...(this[topic].keys?.() ?? [])]);
    const topics = ["calls", "agents", "queues", "recent", "events"];
    const all = new Map(topics.map((topic) => [topic, keys(topic)]));
    return all.set("figures", new Set(["*", ...this.figures.queues.keys()]));
  }

  /** Loads everything, and again now and then, in case anything was missed. Never throws. */
  load() {
    if (this.#closed) return null;
    clearTimeout(this.#timer);
    this.#loading ??= this.#fetchAll().then(() => null, (error) => error).then((error) => {
      this.#loading = null;
      if (this.#closed) return;
      this.onLoad(error);
      this.#timer = setTimeout(() => this.load(), error === null ? REFRESH_MS : RETRY_MS);
    });
    return this.#loading;
  }

  /** Stops the timers. */
  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#views.clear();
    this.#followers.clear();
  }

  async #fetchAll() {
    const startedAt = now();
    try {
      const [calls, agents, queues, figures] = await Promise.all([
        this.#liveAndRecent(),
        this.#all("/agents"),
        this.#all("/queues"),
        this.#page("/queues/statistics", null, { since: midnight() }),
      ]);
      this.#takeFigures(figures.data);
      this.#takeCalls(calls.map(callOf));
      this.#replace("agents", agents.map(agentOf));
      this.#replace("queues", queues.map((row) => this.#queue(row)));
      this.#loadedAt = startedAt;
    } finally {
      const held = this.#held;
      this.#held = [];
      for (const event of held) this.#apply(event);
    }
  }

  /** The newest calls, and every live one, however old. */
  async #liveAndRecent() {
    const newest = await this.#page("/calls", 1);
    if (!(newest.last_page > 1)) return newest.data;
    const live = await Promise.all(LIVE_STATES.map((state) => this.#all("/calls", { state })));
    return [...new Map([newest.data, live].flat(2).map((row) => [row.id, row])).values()];
  }

  /** All pages of a list. */
  async #all(path, query = {}) {
    const rows = [];
    for (let page = 1; page <= MOST_PAGES; page += 1) {
      const answer = await this.#page(path, page, query);
      const data = Array.isArray(answer.data) ? answer.data : [];
      rows.push(...data);
      if (data.length === 0 || !(page < (answer.last_page ?? 1))) break;
    }
    return rows;
  }

  #takeFigures(data) {
    if (Array.isArray(data)) return;
    this.figures.begin(data);
    for (const id of this.figures.queues.keys()) this.#mark("figures", id);
    this.#mark("figures", "*");
  }

  /** A page of a list (null: it has none); a list that the key's role may not see is empty. */
  async #page(path, page, query = {}) {
    try {
      const paging = page === null ? {} : { page, per_page: PAGE };
      return await this.#api.page(path, { ...query, ...paging });
    } catch (error) {
      if (error.status === 403) return { data: [] };
      throw error;
    }
  }

  #takeCalls(calls) {
    const live = calls.filter((call) => call.state !== "ended");
    for (const call of live) {
      const known = this.calls.get(call.id);
      call.queuedAt ??= this.figures.waiting.get(call.id)?.since ?? known?.queuedAt
        ?? (call.state === "queued" ? call.startedAt : null);
      call.supervisors = known?.supervisors ?? [];
    }
    this.#replace("calls", live);
    this.recent = calls.filter((call) => call.state === "ended").slice(0, MOST_RECENT);
    this.#mark("recent", "*");
  }

  #replace(topic, items) {
    const map = this[topic];
    const gone = new Set(map.keys());
    for (const item of items) {
      gone.delete(item.id);
      map.set(item.id, item);
      this.#mark(topic, item.id);
    }
    for (const id of gone) {
      map.delete(id);
      this.#mark(topic, id);
    }
    this.#mark(topic, "*");
  }

  /** What people call an agent. */
  agentName(id) {
    return id === null ? null : (this.agents.get(String(id))?.name ?? String(id));
  }

  /** What people call a queue. */
  queueName(id) {
    return id === null ? null : (this.queues.get(String(id))?.name ?? String(id));
  }

  /** Takes one CloudEvent of the stream. */
  take(cloudEvent) {
    const event = eventOf(cloudEvent);
    this.events.push(event);
    if (this.events.length > MOST_EVENTS) this.events.shift();
    this.#mark("events", event.id);
    for (const id of this.figures.take(event)) this.#mark("figures", id);
    for (const follower of this.#followers) follower(event);
    // While lists are on their way events wait, or an older list would undo them.
    if (this.#loading !== null) this.#held.push(event);
    else this.#apply(event);
  }

  #apply(event) {
    // A replayed event is older than the lists: they know better.
    if (event.at !== null && event.at < this.#loadedAt - 5000) return;
    if (event.type.startsWith("agent.")) this.#applyAgent(event);
    else if (event.type === "queue.stats") this.#applyQueue(event);
    else if (event.type.startsWith("alarm.")) this.#applyAlarm(event);
    else if (event.call !== null) this.#applyCall(event);
  }

  #applyAgent({ type, at, body }) {
    const agent = this.agents.get(String(pick(body, "agent", "agent_id", "id") ?? ""));
    if (agent === undefined) return;
    if (type === "agent.registered") agent.reachable = true;
    if (type === "agent.unregistered") agent.reachable = false;
    if (type === "agent.do_not_disturb_changed") agent.quiet = body.on === true;
    if (type === "agent.state_changed") {
      Object.assign(agent, agentState(pick(body, "state", "to"), pick(body, "reason")));
      agent.since = millis(pick(body, "since")) ?? at;
    }
    this.#mark("agents", agent.id);
  }

  #applyQueue({ body }) {
    const queue = this.#queue(body);
    this.queues.set(queue.id, queue);
    this.#mark("queues", queue.id);
  }

  #applyAlarm({ type, at, body }) {
    const queue = this.queues.get(String(body.queue));
    if (queue === undefined) return;
    const others = (queue.alarms ?? []).filter(({ alarm }) => alarm !== body.alarm);
    const raised = { alarm: body.alarm, limit: body.limit ?? null, since: at };
    queue.alarms = type === "alarm.raised" ? [...others, raised] : others;
    this.#mark("queues", queue.id);
  }

  /** A queue; a figure that this source does not tell stays as it was. */
  #queue(row) {
    const queue = queueOf(row);
    const known = this.queues.get(queue.id) ?? {};
    for (const name of Object.keys(queue)) queue[name] ??= known[name] ?? null;
    return queue;
  }

  #applyCall({ type, call: id, at, body }) {
    if (type === "call.ended") {
      this.#end(id, at, body);
      return;
    }
    let call = this.calls.get(id);
    if (call === undefined) {
      if (type !== "call.started") return;
      call = callOf({ id, ...body, started_at: body.started_at ?? at });
      this.calls.set(id, call);
      this.#mark("calls", "*");
    }
    const before = call.queue;
    call.state = CALL_STATE_OF_EVENT[type] ?? call.state;
    call.queue = pick(body, "queue", "queue_id") ?? call.queue;
    call.agent = pick(body, "agent", "agent_id") ?? call.agent;
    if (type === "call.queued") call.queuedAt = at;
    if (type.startsWith("call.supervis")) call.supervisors = supervisors(call, type, body);
    if (type === "call.attempt_failed") call.agent = null;
    if (type === "call.connected") call.connectedAt = at;
    if (type.startsWith("recording.")) {
      call.recording = pick(body, "recording_id", "recording", "id") ?? call.recording;
    }
    this.#mark("calls", id);
    for (const queue of [before, call.queue]) if (queue !== null) this.#mark("queues", queue);
  }

  #end(id, at, body) {
    const call = this.calls.get(id);
    if (call === undefined) return;
    call.state = "ended";
    call.endedAt = at;
    call.cause = causeOf(pick(body, "cause"));
    call.duration = seconds(body, "duration") ?? (at - (call.startedAt ?? at)) / 1000;
    call.recording = pick(body, "recording", "recording_id") ?? call.recording;
    this.calls.delete(id);
    this.recent = [call, ...this.recent.filter((other) => other.id !== id)].slice(0, MOST_RECENT);
    this.#mark("calls", id);
    this.#mark("calls", "*");
    this.#mark("recent", "*");
    if (call.queue !== null) this.#mark("queues", call.queue);
  }

  #mark(topic, key) {
    let keys = this.#dirty.get(topic);
    if (keys === undefined) this.#dirty.set(topic, (keys = new Set()));
    keys.add(key);
    if (this.#drawing) return;
    this.#drawing = true;
    const wait = Math.max(0, this.#drawnAt + STEP_MS - performance.now());
    setTimeout(() => requestAnimationFrame(() => this.#flush()), wait);
  }

  #flush() {
    this.#drawing = false;
    this.#drawnAt = performance.now();
    const changed = this.#dirty;
    this.#dirty = new Map();
    for (const view of this.#views) view(changed);
  }
}

/** Who supervises a call after an event about it. */
function supervisors({ supervisors: before }, type, { agent, mode }) {
  const others = before.filter((one) => one.agent !== agent);
  const is_there = type === "call.supervised" || type === "call.supervision_changed";
  return is_there ? [...others, { agent, mode }] : others;
}
