// The queues' figures: what the server counted up to one event, and the later events counted in
// here, so that a figure moves with the event that changes it.

import { millis } from "../format.js";

/** Events kept for the next answer of the server's, which may not have them yet. */
const MOST_LATER = 4000;
const KINDS = new Set([
  "call.queued", "call.priority_changed", "call.left_queue", "call.connected", "call.ended",
]);

/** The figures of all queues, and who waits. */
export class Figures {
  /** By queue: `{id, name, goodS, today, lately}`, each of the last two a set of counts. */
  queues = new Map();
  /** By call: `{queue, since, priority}`. */
  waiting = new Map();

  #sequence = -1;
  #later = [];

  /** Begins anew from what the server has counted (`data` of `/queues/statistics`). */
  begin(data) {
    this.#sequence = Number(data.sequence);
    this.queues = new Map((data.queues ?? []).map((row) => [row.id, {
      id: row.id,
      name: row.name,
      goodS: row.service_level_s,
      today: countsOf(row.today),
      lately: countsOf(row.last_30_minutes),
    }]));
    this.waiting = new Map((data.waiting ?? []).map(({ call, queue, since, priority }) =>
      [call, { queue, since: millis(since), priority }]));
    this.#later = this.#later.filter((event) => event.sequence > this.#sequence);
    for (const event of this.#later) this.#count(event);
  }

  /** Counts an event in; gives the queues whose figures it changed. */
  take(event) {
    if (!KINDS.has(event.type) || event.sequence <= this.#sequence) return [];
    this.#later.push(event);
    if (this.#later.length > MOST_LATER) this.#later.shift();
    return this.#count(event);
  }

  /** How many wait in each queue and since when the first does: by queue, `{count, oldest}`. */
  lines() {
    const lines = new Map();
    for (const { queue, since } of this.waiting.values()) {
      const line = lines.get(queue) ?? { count: 0, oldest: null };
      line.count += 1;
      if (line.oldest === null || since < line.oldest) line.oldest = since;
      lines.set(queue, line);
    }
    return lines;
  }

  /** The same rules as the server's (`control-api/src/statistics/tally.rs`). */
  #count({ type, call, at, body }) {
    const one = this.waiting.get(call);
    if (type === "call.queued") {
      this.waiting.set(call, { queue: body.queue, since: at, priority: 0 });
      return one === undefined ? [body.queue] : [one.queue, body.queue];
    }
    if (one === undefined) return [];
    if (type === "call.priority_changed") {
      one.priority = body.priority;
      return [one.queue];
    }
    this.waiting.delete(call);
    const expired = body.why === "expired" || body.cause === "queue_timeout";
    if (type === "call.connected") this.#add(one.queue, "answered", (at - one.since) / 1000);
    else if (expired) this.#add(one.queue, "expired");
    else if (type === "call.ended") this.#add(one.queue, "abandoned");
    return [one.queue];
  }

  #add(id, what, waited = 0) {
    const queue = this.queues.get(id);
    if (queue === undefined) return;
    for (const counts of [queue.today, queue.lately]) {
      counts[what] += 1;
      if (what !== "answered") continue;
      counts.waitS += waited;
      if (waited <= queue.goodS) counts.inTime += 1;
    }
  }
}

function countsOf(row) {
  return {
    answered: row.answered,
    inTime: row.answered_in_time,
    abandoned: row.abandoned,
    expired: row.expired,
    waitS: (row.average_wait_s ?? 0) * row.answered,
  };
}

/** All counts together. */
export function sum(all) {
  const total = { answered: 0, inTime: 0, abandoned: 0, expired: 0, waitS: 0 };
  for (const counts of all) for (const name of Object.keys(total)) total[name] += counts[name];
  return total;
}

/** How much was answered in time, in percent of all that left the queue; null when none did. */
export function level({ answered, inTime, abandoned, expired }) {
  const left = answered + abandoned + expired;
  return left === 0 ? null : (100 * inTime) / left;
}

/** How much was abandoned, the same way. */
export function abandonRate({ answered, abandoned, expired }) {
  const left = answered + abandoned + expired;
  return left === 0 ? null : (100 * abandoned) / left;
}
