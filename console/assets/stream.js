// The event stream: server-sent events over fetch, because EventSource cannot send a key.
// Resumes with Last-Event-ID, reconnects with backoff, and notices a silent connection.

import { ApiError } from "./api.js";

const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 30_000;
const SILENCE_MS = 45_000;
const LONGEST_LINE = 1 << 20;

/** Parses a server-sent event stream (WHATWG HTML §9.2.6), fed in pieces of any size. */
export class SseParser {
  #rest = "";
  #data = [];
  #type = "";
  /** The last `id` seen. */
  id = "";

  /** Takes a piece of text and gives the events it completes: `[{type, data, id}]`. */
  push(text) {
    const events = [];
    const buffer = this.#rest + text;
    let from = 0;
    for (let at = 0; at < buffer.length; at += 1) {
      const char = buffer[at];
      if (char !== "\n" && char !== "\r") continue;
      // A CR at the very end may be half a CRLF: wait for the next piece.
      if (char === "\r" && at === buffer.length - 1) break;
      this.#line(buffer.slice(from, at), events);
      if (char === "\r" && buffer[at + 1] === "\n") at += 1;
      from = at + 1;
    }
    this.#rest = buffer.slice(from);
    if (this.#rest.length > LONGEST_LINE) throw new ApiError("event too long");
    return events;
  }

  #line(line, events) {
    if (line === "") {
      if (this.#data.length > 0) {
        events.push({ type: this.#type, data: this.#data.join("\n"), id: this.id });
      }
      this.#data = [];
      this.#type = "";
      return;
    }
    const colon = line.indexOf(":");
    if (colon === 0) return;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "data") this.#data.push(value);
    else if (field === "event") this.#type = value;
    else if (field === "id" && !value.includes("\0")) this.id = value;
  }
}

/**
 * Keeps one stream open for as long as it is wanted.
 *
 * `onOpen(resumed)` is called on each connection: `resumed` is false when events may have been
 * missed, so that what is shown must be loaded again. `onEvent(cloudEvent)` comes in order, each
 * once. `onState({kind: "connecting" | "live" | "waiting" | "stopped", seconds, refused})`;
 * `refused` says that this key may not follow events.
 */
export class EventStream {
  #api;
  #on;
  #lastId = "";
  #lastSequence = -1;
  #failures = 0;
  #abort = null;
  #wake = () => {};
  #stopped = false;

  constructor(api, on) {
    this.#api = api;
    this.#on = on;
    this.retryNow = () => this.#wake();
  }

  /** Connects, and reconnects until `stop`. */
  async start() {
    let refused = false;
    addEventListener("online", this.retryNow);
    while (!this.#stopped) {
      this.#on.onState({ kind: "connecting" });
      try {
        await this.#read();
        this.#failures = Math.max(this.#failures, 1);
      } catch (error) {
        if (this.#stopped) break;
        refused = error.status === 403;
        if (error.status === 401 || refused) break;
        // The place to resume from may be gone (another log, an older one): then begin anew.
        if (error.status >= 400 && error.status < 500) this.#forget();
        this.#failures += 1;
      }
      if (!this.#stopped) await this.#pause();
    }
    removeEventListener("online", this.retryNow);
    this.#on.onState({ kind: "stopped", refused });
  }

  /** Closes the stream for good. */
  stop() {
    this.#stopped = true;
    this.#abort?.abort();
    this.#wake();
  }

  #forget() {
    this.#lastId = "";
    this.#lastSequence = -1;
  }

  async #read() {
    const abort = (this.#abort = new AbortController());
    let watch = setTimeout(() => abort.abort(), SILENCE_MS);
    try {
      const headers = { Accept: "text/event-stream" };
      if (this.#lastId !== "") headers["Last-Event-ID"] = this.#lastId;
      const response = await this.#api.open("/events", { headers, signal: abort.signal });
      this.#on.onState({ kind: "live" });
      this.#on.onOpen(this.#lastId !== "");
      const reader = response.body.getReader();
      const decoder = new TextDecoder();
      const parser = new SseParser();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        clearTimeout(watch);
        watch = setTimeout(() => abort.abort(), SILENCE_MS);
        this.#failures = 0;
        for (const event of parser.push(decoder.decode(value, { stream: true }))) {
          this.#deliver(event);
        }
      }
    } finally {
      clearTimeout(watch);
      abort.abort();
    }
  }

  #deliver(sse) {
    if (sse.id !== "") this.#lastId = sse.id;
    let event;
    try {
      event = JSON.parse(sse.data);
    } catch {
      return;
    }
    const sequence = Number(event.sequence);
    if (Number.isFinite(sequence)) {
      if (sequence <= this.#lastSequence) return;
      this.#lastSequence = sequence;
    }
    this.#on.onEvent(event);
  }

  /** Waits before the next try: doubling, capped, with jitter so that pages do not come at once. */
  async #pause() {
    const most = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(this.#failures, 8));
    const until = Date.now() + most * (0.5 + Math.random() / 2);
    let woken = false;
    while (!this.#stopped && !woken && Date.now() < until) {
      const left = until - Date.now();
      this.#on.onState({ kind: "waiting", seconds: Math.ceil(left / 1000) });
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, Math.min(1000, left));
        this.#wake = () => {
          clearTimeout(timer);
          woken = true;
          resolve();
        };
      });
    }
  }
}
