// An agent's line: SIP over WebSocket (RFC 7118), registered with a token that the API gives, and
// there again by itself when the connection or the network was gone.

import { answer } from "./digest.js";
import { PhoneCall } from "./call.js";
import { parameter, parse, random, request, response } from "./message.js";

const EXPIRES_S = 600;
const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 15_000;
/** While there are calls the server waits ten seconds for the page. */
const LONGEST_RETRY_IN_CALL_MS = 1500;
const ANSWER_MS = 32_000;
/** A connection over which nothing comes for so long, though something was asked, is none. */
const PROOF_MS = 3000;
const ALLOW = "INVITE, ACK, BYE, CANCEL, OPTIONS, NOTIFY, UPDATE, INFO";

/**
 * The line. `token()` asks the API; `since` is when the agent wanted calls to ring in this page, by
 * its own clock; `on` hears `state(kind)`, `call(call)`, `over(call)`,
 * `change()`, `rings(here)` when calls begin or cease to ring in this page, and
 * `notTaken(call, {to, status})` when whom a call was sent on to does not take it.
 */
export class Line {
  /** Calls that ring, talk or wait, the newest last. */
  calls = [];
  /** `connecting`, `registered`, `waiting` or `off`. */
  state = "off";
  /** Whether calls ring here, and not in a newer page of the agent's (a tab, another device). */
  rings = true;

  #token;
  #since;
  #on;
  #socket = null;
  #account = null;
  #failures = 0;
  #timer = 0;
  #refresh = 0;
  #sequence = 0;
  #waiting = new Map();
  #proving = null;
  #name = { user: random(8), host: `${random(12)}.invalid`, call: random(20), tag: random(10) };

  constructor({ token, since = Date.now(), on }) {
    this.#token = token;
    this.#since = since;
    const nobody = () => {};
    this.#on = { over: nobody, rings: nobody, notTaken: nobody, ...on };
  }

  /** Who may be called: `sip:USER@DOMAIN` of a number, a name or an address. */
  uriOf(to) {
    const bare = to.trim().replace(/^sip:/, "");
    return bare.includes("@") ? `sip:${bare}` : `sip:${encodeURIComponent(bare)}@${this.domain}`;
  }

  get domain() {
    return this.#account?.realm ?? "";
  }

  get own() {
    return this.#account?.uri ?? "";
  }

  get contact() {
    return `<sip:${this.#name.user}@${this.#name.host};transport=ws>`;
  }

  start() {
    addEventListener("online", this.#again);
    this.#connect();
  }

  stop() {
    removeEventListener("online", this.#again);
    clearTimeout(this.#timer);
    clearTimeout(this.#refresh);
    for (const call of [...this.calls]) call.hangUp();
    // The connection takes the registration along.
    this.#become("off");
    this.#socket?.close();
  }

  /** Has calls ring here, since that time: the page that came last takes them. */
  async takeOver(since) {
    if (this.state !== "registered") return;
    this.#since = since;
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
    this.#failWaiting();
    clearTimeout(this.#refresh);
    await this.#connect();
  }

  /** Calls somebody; `consults` is the call that waits meanwhile, if it is about one. */
  async dial(to, microphone, consults = null) {
    const call = PhoneCall.outgoing(this, this.uriOf(to));
    call.consults = consults;
    this.#add(call);
    await call.dial(microphone);
    return call;
  }

  changed() {
    this.#on.change();
  }

  /** Whom a call was sent on to has not taken it. */
  failed(call, { to, status }) {
    this.#on.notTaken(call, { to, status });
  }

  over(call) {
    this.calls = this.calls.filter((one) => one !== call);
    this.#on.over(call);
    this.changed();
  }

  /** Sends a response. */
  respond(asked, status, reason, more = {}) {
    this.#send(response(asked, status, reason, { tag: this.#name.tag, ...more }));
  }

  /** Sends a request that wants no answer: an ACK. */
  tell(message) {
    this.#send(request(this.#stamped(message, random(16))));
  }

  /** Sends a request and gives the final response; challenges are answered once. */
  async ask(message, onProvisional = () => {}) {
    const first = await this.#exchange(message, onProvisional);
    if (first.status !== 401 && first.status !== 407) return first;
    const { username: user, password } = this.#account;
    const proof = await answer(first, { method: message.method, uri: message.uri, user, password });
    if (proof === null) return first;
    if (message.method === "INVITE") message.refused?.(first);
    return this.#exchange({ ...message, cseq: message.next(), more: [proof] }, onProvisional);
  }

  #add(call) {
    this.calls = [...this.calls, call];
    this.changed();
  }

  #become(state) {
    this.state = state;
    this.#on.state(state);
  }

  async #connect() {
    clearTimeout(this.#timer);
    this.#become("connecting");
    try {
      this.#account = await this.#token();
      const socket = new WebSocket(this.#account.ws_url, "sip");
      this.#socket = socket;
      this.#ring(true);
      socket.onmessage = ({ data }) => this.#take(String(data));
      socket.onclose = () => this.#lost(socket);
      await new Promise((resolve) => (socket.onopen = resolve));
      await this.#register();
      for (const call of this.calls) call.back();
    } catch {
      this.#later();
    }
  }

  /** The network is there again, or another one: a connection of the old one may be dead. */
  #again = () => {
    if (this.state === "waiting") this.#connect();
    else this.prove();
  };

  /** Asks whether the connection is still one: in a network that is gone nobody says so. */
  async prove() {
    const socket = this.#socket;
    if (this.state !== "registered" || this.#proving === socket) return;
    this.#proving = socket;
    const late = new Promise((resolve) => setTimeout(resolve, PROOF_MS, null));
    const { uri, realm } = this.#account;
    const cseq = ++this.#sequence;
    const headers = [["From", `<${uri}>;tag=${this.#name.tag}`], ["To", `<sip:${realm}>`],
      ["Call-ID", random(20)]];
    const asked = this.#exchange({ method: "OPTIONS", uri: `sip:${realm}`, cseq, headers });
    const answered = await Promise.race([asked.catch(() => null), late]);
    this.#proving = null;
    if (answered === null && this.#socket === socket) this.#lost(socket);
  }

  #lost(socket) {
    if (this.#socket !== socket || this.state === "off") return;
    this.#failWaiting();
    this.#later();
  }

  #failWaiting() {
    const lost = new Error("connection lost", { cause: "lost" });
    for (const { fail } of this.#waiting.values()) fail(lost);
  }

  #later() {
    if (this.state === "off") return;
    clearTimeout(this.#timer);
    clearTimeout(this.#refresh);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
    this.#become("waiting");
    const longest = this.calls.length > 0 ? LONGEST_RETRY_IN_CALL_MS : LONGEST_RETRY_MS;
    const most = Math.min(longest, FIRST_RETRY_MS * 2 ** Math.min(this.#failures++, 6));
    this.#timer = setTimeout(() => this.#connect(), most * (0.7 + 0.3 * Math.random()));
  }

  async #register() {
    const { uri, realm } = this.#account;
    const asked = await this.ask({
      method: "REGISTER",
      uri: `sip:${realm}`,
      cseq: ++this.#sequence,
      next: () => ++this.#sequence,
      headers: [
        ["From", `<${uri}>;tag=${this.#name.tag}`],
        ["To", `<${uri}>`],
        ["Call-ID", this.#name.call],
        ["Contact", `${this.contact};expires=${EXPIRES_S}`],
        // A server that was started again knows by it which of several pages is the newest.
        ["X-Strowger-Page-Age", String(Math.max(0, Date.now() - this.#since))],
      ],
    });
    if (asked.status !== 200) throw new Error(`${asked.status}`);
    this.#failures = 0;
    this.#become("registered");
    // A new token each time: the old one may be about to end.
    this.#refresh = setTimeout(() => this.#renew(), 0.7 * EXPIRES_S * 1000);
  }

  async #renew() {
    try {
      this.#account = await this.#token();
      await this.#register();
    } catch {
      this.#later();
    }
  }

  #exchange(message, onProvisional = () => {}) {
    const branch = random(16);
    return new Promise((resolve, reject) => {
      const long = message.method === "INVITE" ? 6 * ANSWER_MS : ANSWER_MS;
      const timer = setTimeout(() => done(reject)(new Error("no answer")), long);
      const done = (settle) => (value) => {
        clearTimeout(timer);
        this.#waiting.delete(branch);
        settle(value);
      };
      const waits = { take: done(resolve), fail: done(reject), onProvisional };
      this.#waiting.set(branch, waits);
      message.sent?.(branch, message.cseq);
      this.#send(request(this.#stamped(message, branch)));
    });
  }

  #stamped({ method, uri, cseq, headers, body, more = [], branch: own }, branch) {
    const transport = this.#account.ws_url.startsWith("wss:") ? "WSS" : "WS";
    return {
      method,
      uri,
      body,
      headers: [
        ["Via", `SIP/2.0/${transport} ${this.#name.host};branch=z9hG4bK${own ?? branch}`],
        ["Max-Forwards", "70"],
        ...headers,
        ["CSeq", `${cseq} ${method}`],
        ["Allow", ALLOW],
        ["User-Agent", "Strowger console"],
        ...more,
      ],
    };
  }

  #send(text) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(text);
  }

  #take(text) {
    const message = parse(text);
    if (message === null) return;
    if (message.status === undefined) return this.#asked(message);
    const branch = parameter(message.header("via"), "branch").replace(/^z9hG4bK/, "");
    const waits = this.#waiting.get(branch);
    if (message.status < 200) waits?.onProvisional(message);
    else if (waits !== undefined) waits.take(message);
    else this.#repeated(message);
  }

  /** A 2xx that comes once more wants its ACK once more. */
  #repeated(message) {
    const id = message.header("call-id");
    if (message.header("cseq").endsWith("INVITE") && message.status < 300) {
      this.calls.find((call) => call.id === id)?.confirm(message);
    }
  }

  #ring(here) {
    if (this.rings === here) return;
    this.rings = here;
    this.#on.rings(here);
  }

  #asked(message) {
    const call = this.calls.find((one) => one.id === message.header("call-id"));
    if (call !== undefined) return call.take(message);
    if (message.method === "INVITE" && parameter(message.header("to"), "tag") === "") {
      const incoming = PhoneCall.incoming(this, message);
      // It rang already when the connection was lost, and is tried anew.
      this.calls.find((one) => one.isIncoming && one.state === "ringing" && one.number !== ""
        && one.number === incoming.number)?.drop("again");
      this.#add(incoming);
      this.#on.call(incoming);
    } else if (message.method === "OPTIONS") {
      this.respond(message, 200, "OK");
    } else if (message.method === "NOTIFY" && message.header("event") === "strowger-page") {
      this.respond(message, 200, "OK");
      this.#ring(readJson(message.body)?.rings !== false);
    } else if (message.method !== "ACK") {
      this.respond(message, 481, "Call/Transaction Does Not Exist");
    }
  }
}

function readJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
