// Calls that the page had, or that rang in it, when it was loaded again or lost its connection:
// each comes back by itself, or the page finds out what has become of it.

import { segment } from "../api.js";

/** What the server gives back at once is there so long after the page has registered. */
const SETTLE_MS = 1000;
const EVERY_MS = 2000;
/** The server waits ten seconds for a page, and rings it for less than five. */
const LONGEST_MS = 20_000;

/**
 * Those calls. `gone({number, who, place, queue})` is told of each that does not come back, with
 * `place` one of `ended`, `agent` (another one has it, or is rung), `queue` and `on`.
 */
export class Astray {
  #api;
  #gone;
  #calls = new Map();
  #timer = 0;
  #turn = 0;
  #since = 0;

  constructor(api, gone) {
    this.#api = api;
    this.#gone = gone;
  }

  /** A call that should come back, and how it stood; `card` is one that rings on meanwhile. */
  add(number, standing, card = null) {
    if (number !== "") this.#calls.set(number, { standing, card });
  }

  /** Nothing is to be told of that call; of none without a number. */
  forget(number = null) {
    if (number === null) this.#calls.clear();
    else this.#calls.delete(number);
  }

  /** Those that are there are not astray, but such as have rung since before the loss. */
  present(calls) {
    for (const call of calls) {
      const { card } = this.#calls.get(call.number) ?? {};
      if (card !== call || call.state !== "ringing") this.#calls.delete(call.number);
    }
  }

  /** How they stood, by number. */
  standings() {
    return [...this.#calls].map(([number, { standing }]) => [number, standing]);
  }

  /** The agent's line is there: what does not come back now is asked about. */
  look(agent) {
    this.rest();
    this.#since = performance.now();
    this.#later(agent, SETTLE_MS);
  }

  /** Asks no more, until the line is there again. */
  rest() {
    this.#turn += 1;
    clearTimeout(this.#timer);
  }

  #later(agent, wait) {
    this.#timer = setTimeout(() => this.#ask(agent, this.#turn), wait);
  }

  async #ask(agent, turn) {
    for (const [number, { standing, card }] of [...this.#calls]) {
      const found = await this.#find(agent, number);
      if (turn !== this.#turn) return;
      if (!this.#calls.has(number)) continue;
      const isHere = found?.place === "here";
      if (card !== null && isHere) card.ringsOn();
      const isLate = performance.now() - this.#since > LONGEST_MS && card === null;
      if ((isHere || found === null) && !isLate) continue;
      this.#calls.delete(number);
      const { place, queue } = isHere || found === null ? { place: "on" } : found;
      this.#gone({ number, who: standing.who, card, place, queue });
    }
    if (this.#calls.size > 0) this.#later(agent, EVERY_MS);
  }

  /** Where it is, `{place, queue}`, with `here` for what may still come; null if nobody tells. */
  async #find(agent, number) {
    try {
      const path = `/agents/${segment(agent)}/calls/${segment(number)}`;
      const { state, is_here: isHere, queue } = await this.#api.get(path);
      return { place: isHere ? "here" : PLACES[state] ?? "on", queue };
    } catch {
      return null;
    }
  }
}

/** Where a call is that is not here, by its state. */
const PLACES = { ended: "ended", queued: "queue", ringing: "agent", connected: "agent" };
