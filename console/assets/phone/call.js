// One call of an agent's page: its dialog (RFC 3261 §12) and its audio (WebRTC).

import { address, parameter, random } from "./message.js";

const SDP = ["Content-Type", "application/sdp"];
const GLARE_MS = 1500;

/** A call; `state` is `calling`, `ringing`, `answering`, `talking` or `over`. */
export class PhoneCall {
  state = "calling";
  held = false;
  muted = false;
  /** Whether the engine cannot be heard just now, and why: `link` or `audio`. */
  trouble = "";
  startedAt = Date.now();
  talkingSince = null;
  /** What the API calls it; empty as long as that is not known. */
  number = "";
  /** The call for which this one asks somebody first. */
  consults = null;
  /** Whom the far end is being sent on to; empty when it is not. */
  sentTo = "";
  /**
   * Why it came to nothing: the status that it was refused with, `none`, or `lost` with the
   * connection (the engine calls for it when the line is there again). `gone` is one that the
   * engine does not have here any more, `again` one that rings anew. Empty otherwise.
   */
  why = "";
  name = "";
  isIncoming = false;
  /** Whether it has rung since before the connection was lost: perhaps for nobody any more. */
  isOld = false;
  /** The far end's audio, as a stream that an element plays. */
  remote = new MediaStream();

  #line;
  #peer = new RTCPeerConnection({ iceServers: [], bundlePolicy: "max-bundle" });
  /** What is said, for this call alone. */
  #voice = null;
  #invite = null;
  #sent = null;
  #local = { tag: random(10), uri: "" };
  #far = { value: "", target: "" };
  #route = [];
  #cseq = 0;
  #ack = null;
  #busy = Promise.resolve();

  /** Calls out. */
  static outgoing(line, uri) {
    const call = new PhoneCall(line, `${random(20)}`);
    call.#far = { value: `<${uri}>`, target: uri };
    call.who = address(`<${uri}>`).user || uri;
    return call;
  }

  /** An INVITE that came. */
  static incoming(line, invite) {
    const call = new PhoneCall(line, invite.header("call-id"));
    const from = invite.header("from");
    const { name, user } = address(from);
    call.#invite = invite;
    call.#far = { value: from, target: address(invite.header("contact")).uri };
    call.#route = invite.all("record-route");
    call.who = user || name;
    call.name = name;
    call.isIncoming = true;
    call.state = "ringing";
    // The engine says so when the page had this call before it was loaded again.
    call.number = invite.header("x-strowger-call");
    call.returns = invite.header("answer-mode") === "Auto"
      && invite.header("x-strowger-returns") !== "";
    line.respond(invite, 180, "Ringing", call.#ours());
    return call;
  }

  constructor(line, id) {
    this.#line = line;
    this.id = id;
    this.#peer.addEventListener("track", ({ track }) => this.remote.addTrack(track));
    this.#peer.addEventListener("iceconnectionstatechange", () => this.#watch());
  }

  get peer() {
    return this.#peer;
  }

  /** Sends the INVITE, with that microphone's audio. */
  async dial(microphone) {
    this.#speak(microphone);
    await this.#peer.setLocalDescription(await this.#peer.createOffer());
    const invite = {
      ...this.#request("INVITE"),
      body: this.#peer.localDescription.sdp,
      sent: (branch, cseq) => (this.#sent = { branch, cseq }),
      refused: (refusal) => this.#acknowledge(refusal),
    };
    invite.headers.push(["Contact", this.#line.contact], SDP);
    let why = "none";
    const answer = await this.#line.ask(invite, () => {
      if (this.state === "calling") this.#become("ringing");
    }).catch(({ cause }) => {
      why = cause ?? why;
      return null;
    });
    if (answer === null) return this.#end(why);
    if (answer.status >= 300) {
      this.#acknowledge(answer);
      return this.#end(String(answer.status));
    }
    this.#far = { value: answer.header("to"), target: address(answer.header("contact")).uri };
    this.#route = answer.all("record-route").reverse();
    this.confirm(answer);
    if (this.state === "over") return this.#bye();
    await this.#peer.setRemoteDescription({ type: "answer", sdp: answer.body });
    this.#talk();
  }

  /** Takes a call that rings. */
  async accept(microphone) {
    if (this.state !== "ringing" || !this.isIncoming) return;
    this.#become("answering");
    this.#speak(microphone);
    try {
      await this.#answer(this.#invite);
    } catch (error) {
      this.#line.respond(this.#invite, 488, "Not Acceptable Here", this.#ours());
      this.#end("488");
      throw error;
    }
    this.#talk();
  }

  /** Ends it, whatever it is doing. */
  hangUp() {
    const { state } = this;
    if (state === "over") return;
    if (this.isIncoming && state === "ringing") {
      this.#line.respond(this.#invite, 486, "Busy Here", this.#ours());
    } else if (!this.isIncoming && (state === "calling" || state === "ringing")) {
      const { branch, cseq } = this.#sent ?? {};
      if (branch !== undefined) {
        const cancel = { ...this.#request("CANCEL"), cseq, branch };
        cancel.headers = cancel.headers.filter(([name]) => name !== "Route");
        this.#line.tell(cancel);
      }
    } else {
      this.#bye();
    }
    this.#end("");
  }

  /** It has rung since before the connection was lost, and still does. */
  ringsOn() {
    this.isOld = false;
    this.#line.changed();
  }

  /** It is over here, and nobody is told: the engine has it elsewhere, or calls for it anew. */
  drop(why) {
    this.#end(why);
  }

  /** Holds the far end, who hears the engine's music, or takes it back. */
  hold(on) {
    return this.#negotiate(() => {
      this.held = on;
      const direction = on ? "sendonly" : "sendrecv";
      for (const one of this.#peer.getTransceivers()) one.direction = direction;
    });
  }

  /** Says nothing, or speaks again. */
  mute(on) {
    this.muted = on;
    if (this.#voice !== null) this.#voice.enabled = !on;
    this.#line.changed();
  }

  /** Presses keys. */
  press(keys) {
    const sender = this.#peer.getSenders().find(({ dtmf }) => dtmf?.canInsertDTMF);
    sender?.dtmf.insertDTMF(keys, 120, 70);
  }

  /** Speaks with another microphone. */
  async speakWith(microphone) {
    const before = this.#voice;
    this.#own(microphone);
    await this.#peer.getSenders()[0]?.replaceTrack(this.#voice);
    before?.stop();
  }

  /** Sends the far end on; true when that is being done. */
  async transfer(uri) {
    return this.#refer(`<${uri}>`, address(`<${uri}>`).user);
  }

  /** Joins the far end with that of another call of ours. */
  async join(other) {
    const { value, target } = other.#far;
    const tags = `to-tag=${parameter(value, "tag")};from-tag=${other.#local.tag}`;
    const replaces = encodeURIComponent(`${other.id};${tags}`);
    const { uri, user } = address(value);
    return this.#refer(`<${uri || target}?Replaces=${replaces}>`, user || other.who);
  }

  /** The line is registered again: its audio is looked for anew. */
  back() {
    if (this.state !== "talking") return;
    this.#peer.restartIce();
    this.#negotiate(() => {}).catch(() => {});
  }

  /** The ACK of a 2xx. */
  confirm(answer) {
    const cseq = Number.parseInt(answer.header("cseq"), 10);
    this.#ack = { ...this.#request("ACK"), cseq };
    this.#line.tell(this.#ack);
  }

  /** A request within its dialog. */
  take(asked) {
    const reply = (status, reason) => this.#line.respond(asked, status, reason, this.#ours());
    switch (asked.method) {
      case "ACK": return undefined;
      case "BYE":
        reply(200, "OK");
        return this.#end("");
      case "CANCEL":
        reply(200, "OK");
        if (this.state !== "ringing") return undefined;
        this.#line.respond(this.#invite, 487, "Request Terminated", this.#ours());
        return this.#end("");
      case "INVITE":
      case "UPDATE":
        if (asked.body === "" && asked.method === "UPDATE") return reply(200, "OK");
        return this.#inTurn(() => this.#answer(asked))
          .catch(() => reply(488, "Not Acceptable Here"));
      case "NOTIFY":
        reply(200, "OK");
        return asked.header("event") === "refer" ? this.#progress(asked) : undefined;
      default: return reply(200, "OK");
    }
  }

  #ours() {
    return { tag: this.#local.tag, headers: [["Contact", this.#line.contact]] };
  }

  #request(method) {
    const own = this.#line.own;
    return {
      method,
      uri: this.#far.target,
      cseq: method === "ACK" || method === "CANCEL" ? this.#cseq : ++this.#cseq,
      next: () => ++this.#cseq,
      headers: [
        ...this.#route.map((route) => ["Route", route]),
        ["From", `<${own}>;tag=${this.#local.tag}`],
        ["To", this.#far.value],
        ["Call-ID", this.id],
      ],
    };
  }

  /** The ACK of a refusal belongs to the INVITE. */
  #acknowledge(refusal) {
    const { branch, cseq } = this.#sent;
    const ack = { ...this.#request("ACK"), cseq, branch };
    ack.headers = ack.headers.map(([name, value]) =>
      name === "To" ? [name, refusal.header("to")] : [name, value]);
    this.#line.tell(ack);
  }

  async #answer(asked) {
    if (asked.body === "") {
      await this.#peer.setLocalDescription(await this.#peer.createOffer());
    } else {
      await this.#peer.setRemoteDescription({ type: "offer", sdp: asked.body });
      await this.#peer.setLocalDescription(await this.#peer.createAnswer());
    }
    const { tag, headers } = this.#ours();
    const body = this.#peer.localDescription.sdp;
    this.#line.respond(asked, 200, "OK", { tag, headers: [...headers, SDP], body });
  }

  /** Offers anew what `change` has made of it. */
  #negotiate(change) {
    return this.#inTurn(async () => {
      if (this.state !== "talking") return;
      change();
      for (let tries = 0; tries < 3; tries += 1) {
        await this.#peer.setLocalDescription(await this.#peer.createOffer());
        const invite = { ...this.#request("INVITE"), body: this.#peer.localDescription.sdp };
        invite.headers.push(["Contact", this.#line.contact], SDP);
        invite.sent = (branch, cseq) => (this.#sent = { branch, cseq });
        invite.refused = (refusal) => this.#acknowledge(refusal);
        const answer = await this.#line.ask(invite);
        if (answer.status < 300) {
          this.confirm(answer);
          await this.#peer.setRemoteDescription({ type: "answer", sdp: answer.body });
          return this.#line.changed();
        }
        this.#acknowledge(answer);
        // The dialog is no more (RFC 3261 §12.2.1.2): the page was away for too long.
        if (answer.status === 481 || answer.status === 408) return this.#end("gone");
        await this.#peer.setLocalDescription({ type: "rollback" });
        if (answer.status !== 491) throw new Error(`${answer.status}`);
        await new Promise((resolve) => setTimeout(resolve, GLARE_MS * Math.random()));
      }
    });
  }

  /** One offer and answer after the other. */
  #inTurn(what) {
    const next = this.#busy.then(what);
    this.#busy = next.catch(() => {});
    return next;
  }

  async #refer(to, who) {
    const refer = this.#request("REFER");
    refer.headers.push(["Refer-To", to], ["Contact", this.#line.contact]);
    this.sentTo = who;
    this.#line.changed();
    const answer = await this.#line.ask(refer).catch(() => null);
    const isTaken = answer?.status === 202 || answer?.status === 200;
    if (!isTaken) this.#isSentTo("");
    return isTaken;
  }

  /** How it goes with whom the far end is sent to (RFC 3515 §2.4.4). */
  #progress({ body }) {
    const status = Number(/^SIP\/2\.0 (\d{3})/.exec(body)?.[1] ?? 0);
    if (status < 300 || this.sentTo === "") return;
    const to = this.sentTo;
    this.#isSentTo("");
    this.#line.failed(this, { to, status });
  }

  #isSentTo(to) {
    this.sentTo = to;
    this.#line.changed();
  }

  #bye() {
    this.#line.ask(this.#request("BYE")).catch(() => {});
  }

  #speak(microphone) {
    this.#own(microphone);
    this.#peer.addTrack(this.#voice, microphone);
  }

  /** A call is muted by itself: its track is its own. */
  #own(microphone) {
    this.#voice = microphone.getAudioTracks()[0].clone();
    this.#voice.enabled = !this.muted;
  }

  #talk() {
    this.talkingSince = Date.now();
    this.#become("talking");
  }

  #watch() {
    const state = this.#peer.iceConnectionState;
    this.trouble = state === "disconnected" || state === "failed" ? "audio" : "";
    if (state === "disconnected") this.#line.prove();
    if (state === "failed") this.back();
    this.#line.changed();
  }

  #become(state) {
    if (this.state === "over") return;
    this.state = state;
    this.#line.changed();
  }

  #end(why) {
    if (this.state === "over") return;
    this.state = "over";
    this.why = why;
    this.#voice?.stop();
    this.#peer.close();
    this.#line.over(this);
  }
}
