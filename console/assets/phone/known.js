// What the server knows about the agent and the agent's calls: which of its calls each call of the
// phone is, who is in it, what was pressed and told, who called before, and what was written down.

import { segment } from "../api.js";

/** Events come in bursts: one question after the burst is enough. */
const SETTLE_MS = 250;
/** In case an event was missed. */
const EVERY_MS = 15_000;
const PAGE = 1000;
/** What could not be told yet is asked for again. */
const AGAIN_MS = 1000;
const MOST_TRIES = 10;

/** Fed by events; `onChange` is called when something is known that was not. */
export class Known {
  /** The agent's own row. */
  own = null;

  #api;
  #onChange;
  #agent = "";
  #calls = new Map();
  #timers = new Map();
  #every = 0;

  constructor(api, onChange) {
    this.#api = api;
    this.#onChange = onChange;
  }

  /** Follows that agent, or nobody (""). */
  watch(agent) {
    this.#agent = agent;
    this.own = null;
    clearInterval(this.#every);
    if (agent === "") return;
    this.#every = setInterval(() => this.#soon("own", 0), EVERY_MS);
    this.#soon("own", 0);
  }

  /** Takes an event of the stream. */
  take({ type, call, body }) {
    if (this.#agent === "") return;
    const about = body.agent === this.#agent || this.#calls.has(call);
    if (about) this.#soon("own");
    if (call !== null && this.#calls.has(call)) this.#soon(call);
    // What is over is asked about once more when its record is there.
    if (type === "call.ended") setTimeout(() => this.refresh(call), AGAIN_MS);
  }

  /** Gives each call of the phone the number that the server has it under now. */
  assign(calls) {
    if (this.own === null) return;
    const { call_id: work, direct_call_ids: direct = [] } = this.own;
    const ids = [work, ...direct].filter(Boolean);
    const free = ids.filter((id) => !calls.some(({ number }) => number === id));
    for (const call of calls) {
      // One that rings is another's still, or nobody's.
      const waits = call.isIncoming && call.state === "ringing" && call.number !== "";
      if (!waits && !ids.includes(call.number) && free.length > 0) call.number = free.shift();
    }
  }

  /** What is known of that call: `{row, told, history, form}`; what is not known is null. */
  of(id) {
    if (id === "" || id === null) return NOTHING;
    if (!this.#calls.has(id)) {
      this.#calls.set(id, { ...NOTHING, tries: 0 });
      this.#soon(id, 0);
    }
    return this.#calls.get(id);
  }

  /** Asks about a call anew. */
  refresh(id) {
    if (this.#calls.has(id)) this.#soon(id, 0);
  }

  /** Forgets what nobody looks at any more. */
  keep(ids) {
    for (const id of this.#calls.keys()) if (!ids.includes(id)) this.#calls.delete(id);
  }

  close() {
    clearInterval(this.#every);
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }

  #soon(what, wait = SETTLE_MS) {
    if (this.#timers.has(what)) {
      if (wait > 0) return;
      clearTimeout(this.#timers.get(what));
    }
    this.#timers.set(what, setTimeout(() => {
      this.#timers.delete(what);
      this.#load(what).catch(() => this.#again(what));
    }, wait));
  }

  /** A call that rings may not be stored yet: a moment later it is. */
  #again(what) {
    const known = this.#calls.get(what);
    if (known === undefined || known.row !== null || known.tries >= MOST_TRIES) return;
    known.tries += 1;
    this.#soon(what, AGAIN_MS);
  }

  async #load(what) {
    if (what === "own") {
      const asked = this.#agent;
      const own = await this.#api.get(`/agents/${segment(asked)}`);
      if (asked === this.#agent) this.own = own;
    } else {
      await this.#loadCall(what);
    }
    this.#onChange();
  }

  async #loadCall(id) {
    const path = `/calls/${segment(id)}`;
    const known = this.#calls.get(id);
    if (known === undefined) return;
    const first = known.history === null;
    const nothing = () => null;
    const [row, events, form, history] = await Promise.all([
      this.#api.get(path),
      this.#api.get(`${path}/events`, { per_page: PAGE }).catch(nothing),
      this.#api.get(`${path}/wrap-up`).catch(nothing),
      first ? this.#api.get(`${path}/history`).catch(nothing) : known.history,
    ]);
    if (!this.#calls.has(id)) return;
    this.#calls.set(id, { row, told: told(events ?? []), form, history });
  }
}

const NOTHING = { row: null, told: { keys: [], facts: [] }, form: null, history: null };

/** What was pressed, and what programs have told: `{keys: [{name, value}], facts: [..]}`. */
function told(events) {
  const keys = [];
  let facts = [];
  for (const { type, data } of events) {
    if (type === "call.digits" && data.digits) keys.push({ name: data.into, value: data.digits });
    if (type === "call.known") {
      facts = Object.entries(data.known ?? {}).map(([name, value]) => ({ name, value }));
    }
  }
  return { keys, facts };
}
