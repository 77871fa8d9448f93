// Alarms: when a queue is over one of its thresholds, a trunk is down or a recording has failed.
// Thresholds are this person's own, kept in this browser; an alarm stays until its reason is gone.

import { level } from "./figures.js";
import { now } from "../format.js";

const KEPT = "strowger.alarms";
/** A figure that comes back within this time is the same alarm still. */
const LINGERS_MS = 5000;
const EVERY_MS = 1000;
const MOST = 200;

/** What is watched of a queue, unless its thresholds say otherwise; null is not watched. */
export const USUAL = { wait: 120, waiting: null, level: null, nobody: true };

/** Watches for as long as somebody is signed in. */
export class Alarms {
  /** By name: `{name, kind, queue, trunk, limit, since, seen}`. */
  active = new Map();

  #model;
  #name;
  #thresholds;
  #listeners = new Set();
  #quietSince = new Map();

  /** `name` is whose thresholds they are. */
  constructor(model, name) {
    this.#model = model;
    this.#name = name;
    this.#thresholds = read()[name] ?? {};
    this.timer = setInterval(() => this.#look(), EVERY_MS);
    const topics = ["figures", "agents", "queues"];
    this.unsubscribe = model.subscribe((changed) => {
      if (topics.some((topic) => changed.has(topic))) this.#look();
    });
    this.unfollow = model.follow((event) => this.#hear(event));
  }

  /** `listener(fresh)`: what is there has changed; `fresh` is an alarm that began, or null. */
  listen(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close() {
    clearInterval(this.timer);
    this.unsubscribe();
    this.unfollow();
    this.#listeners.clear();
  }

  /** What is watched of a queue. */
  thresholds(queue) {
    return { ...USUAL, ...this.#thresholds[queue] };
  }

  /** Watches a queue so from here on; kept in this browser. */
  watch(queue, thresholds) {
    this.#thresholds = { ...this.#thresholds, [queue]: thresholds };
    try {
      localStorage.setItem(KEPT, JSON.stringify({ ...read(), [this.#name]: this.#thresholds }));
    } catch {
      // Not kept then: they hold for this page.
    }
    this.#look();
  }

  /** Somebody has seen it: it is there still, and no longer calls for attention. */
  acknowledge(name) {
    const alarm = this.active.get(name);
    if (alarm === undefined) return;
    // What nothing will ever undo is over when it has been seen.
    if (alarm.kind === "recording") this.active.delete(name);
    else alarm.seen = true;
    this.#tell(null);
  }

  /** The alarms of a queue. */
  of(queue) {
    return [...this.active.values()].filter((alarm) => alarm.queue === queue);
  }

  /** How many nobody has seen yet. */
  get unseen() {
    return [...this.active.values()].filter(({ seen }) => !seen).length;
  }

  #look() {
    const lines = this.#model.figures.lines();
    const free = available(this.#model);
    for (const queue of this.#model.figures.queues.values()) {
      const limits = this.thresholds(queue.id);
      const line = lines.get(queue.id) ?? { count: 0, oldest: null };
      const waited = line.oldest === null ? 0 : (now() - line.oldest) / 1000;
      const reached = level(queue.lately);
      const over = (limit, is) => limit !== null && is;
      const set = (kind, is, limit) => this.#set(queue.id, kind, is, limit);
      set("wait", over(limits.wait, waited > limits.wait), limits.wait);
      set("waiting", over(limits.waiting, line.count > limits.waiting), limits.waiting);
      set("level", over(limits.level, reached !== null && reached < limits.level), limits.level);
      const nobody = line.count > 0 && (free.get(queue.id) ?? 0) === 0;
      set("nobody", limits.nobody && nobody, null);
    }
  }

  #set(queue, kind, is, limit) {
    const name = `${queue} ${kind}`;
    const alarm = this.active.get(name);
    if (is) {
      this.#quietSince.delete(name);
      if (alarm === undefined) return this.#begin({ name, kind, queue, limit });
      alarm.limit = limit;
    } else if (alarm !== undefined) {
      const since = this.#quietSince.get(name) ?? performance.now();
      this.#quietSince.set(name, since);
      if (performance.now() - since >= LINGERS_MS) this.#end(name);
    }
    return undefined;
  }

  #hear({ type, body, call }) {
    if (type === "trunk.state_changed") {
      const name = `trunk ${body.trunk}`;
      if (body.state === "down") this.#begin({ name, kind: "trunk", trunk: body.trunk });
      else this.#end(name);
    } else if (type === "recording.failed") {
      const name = `recording ${body.recording ?? call}`;
      this.#begin({ name, kind: "recording", call, why: body.why });
    }
  }

  #begin(alarm) {
    if (this.active.has(alarm.name) || this.active.size >= MOST) return;
    const begun = { queue: null, ...alarm, since: now(), seen: false };
    this.active.set(alarm.name, begun);
    this.#tell(begun);
  }

  #end(name) {
    this.#quietSince.delete(name);
    if (this.active.delete(name)) this.#tell(null);
  }

  #tell(fresh) {
    for (const listener of this.#listeners) listener(fresh);
  }
}

/** How many agents of each queue are there for it: available, ringing, or about to be. */
function available(model) {
  const free = new Map();
  for (const agent of model.agents.values()) {
    if (agent.state === "offline" || agent.state === "break") continue;
    if (agent.reachable === false || agent.quiet) continue;
    for (const queue of agent.queues) free.set(queue, (free.get(queue) ?? 0) + 1);
  }
  return free;
}

function read() {
  try {
    return JSON.parse(localStorage.getItem(KEPT)) ?? {};
  } catch {
    return {};
  }
}
