// Alarms: the server's of each queue (its thresholds are provisioned), a trunk that is down, a
// recording that has failed; an alarm stays until its reason is gone.

import { now } from "../format.js";

const MOST = 200;
/** The server's words for what is wrong with a queue. */
const KINDS = {
  longest_wait: "wait",
  waiting: "waiting",
  service_level: "level",
  no_agent: "nobody",
};

/** Watches for as long as somebody is signed in. */
export class Alarms {
  /** By name: `{name, kind, queue, trunk, limit, since, seen}`. */
  active = new Map();

  #model;
  #listeners = new Set();

  constructor(model) {
    this.#model = model;
    this.unsubscribe = model.subscribe((changed) => {
      if (changed.has("queues")) this.#look();
    });
    this.unfollow = model.follow((event) => this.#hear(event));
  }

  /** `listener(fresh)`: what is there has changed; `fresh` is an alarm that began, or null. */
  listen(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close() {
    this.unsubscribe();
    this.unfollow();
    this.#listeners.clear();
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

  /** What the server says of its queues. */
  #look() {
    const raised = new Map();
    for (const { id, alarms } of this.#model.queues.values()) {
      for (const { alarm, limit, since } of alarms ?? []) {
        const kind = KINDS[alarm] ?? alarm;
        raised.set(`${id} ${kind}`, { name: `${id} ${kind}`, kind, queue: id, limit, since });
      }
    }
    for (const alarm of raised.values()) {
      const known = this.active.get(alarm.name);
      if (known === undefined) this.#begin(alarm);
      else known.limit = alarm.limit;
    }
    for (const { name, queue } of [...this.active.values()]) {
      if (queue !== null && !raised.has(name)) this.#end(name);
    }
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
    const begun = { queue: null, since: now(), ...alarm, seen: false };
    this.active.set(alarm.name, begun);
    this.#tell(begun);
  }

  #end(name) {
    if (this.active.delete(name)) this.#tell(null);
  }

  #tell(fresh) {
    for (const listener of this.#listeners) listener(fresh);
  }
}
