// Microphone and loudspeakers: which of them, how loud they are, the bell, and what becomes of one
// that is unplugged, or of sound that the browser holds back.

import { Chimes } from "./chimes.js";

const KEPT = "strowger.devices";
/** What a browser may take to begin with sound once it was asked to. */
const PATIENCE_MS = 1000;
/** Browsers hold sound back until whoever looks at the page has touched it. */
const TOUCHES = ["pointerdown", "keydown"];

/** The devices of a page, and what is heard of them. */
export class Sound {
  /**
   * `{microphone, speaker, ringer}`: the chosen devices' names; empty is the system's, and of the
   * ringer: the loudspeaker that one talks with.
   */
  chosen = { microphone: "", speaker: "", ringer: "" };
  /** Why there is no microphone though one is wanted: `gone` or `refused`; empty if there is. */
  lost = "";

  #stream = null;
  #asked = null;
  #permission = null;
  #context = null;
  #meters = new Map();
  #player = new Audio();
  #chimes;
  #isRefused = false;
  #openedAt = 0;
  #on;

  /**
   * `on` hears `microphone({stream, kind, name})`, whose `kind` is `other` (the one that was used
   * is unplugged), `back` (the chosen one is there again), or, without a stream, `gone` (there is
   * none) or `refused` (the browser gives it no more); `speaker()` when the system's is used in
   * place of a chosen one; `change()` when devices came or went.
   */
  constructor(on = {}) {
    const nobody = () => {};
    this.#on = { microphone: nobody, speaker: nobody, change: nobody, ...on };
    this.#chimes = new Chimes(() => this.#open());
    try {
      this.chosen = { ...this.chosen, ...JSON.parse(sessionStorage.getItem(KEPT) ?? "{}") };
    } catch {
      // The system's devices then.
    }
    this.#chimes.use(this.chosen);
    navigator.mediaDevices?.addEventListener("devicechange", this.#review);
    for (const touch of TOUCHES) document.addEventListener(touch, this.allow, { capture: true });
  }

  /** Whether the browser holds sound back until the page is touched. */
  get held() {
    const waits = this.#context?.state === "suspended"
      && performance.now() - this.#openedAt > PATIENCE_MS;
    return this.#isRefused || waits;
  }

  /** The microphone's stream; asks for leave the first time. */
  async microphone() {
    if (this.#stream?.active) return this.#stream;
    this.#asked ??= this.#ask().finally(() => (this.#asked = null));
    return this.#asked;
  }

  /** Looks for a microphone once more; true if there is one. */
  async again() {
    await this.#replace("back");
    return this.lost === "";
  }

  async #ask() {
    const { microphone } = this.chosen;
    const audio = microphone === "" ? true : { deviceId: { exact: microphone } };
    const stream = await navigator.mediaDevices.getUserMedia({ audio }).catch((error) => {
      // One that was chosen and is not there now.
      if (microphone === "" || error.name !== "OverconstrainedError") throw error;
      return navigator.mediaDevices.getUserMedia({ audio: true });
    });
    this.#stream = stream;
    this.lost = "";
    this.#followPermission();
    // Not told when we stop it ourselves.
    stream.getAudioTracks()[0].addEventListener("ended", () => {
      if (this.#stream === stream) this.#replace("other");
    }, { once: true });
    this.meter("own", stream);
    return stream;
  }

  /** `{microphones, speakers}`, each `[{id, name}]`. */
  async devices() {
    const all = await navigator.mediaDevices.enumerateDevices();
    const of = (kind) => all.filter((one) => one.kind === kind && one.deviceId !== "")
      .map(({ deviceId, label }) => ({ id: deviceId, name: label || deviceId.slice(0, 8) }));
    return { microphones: of("audioinput"), speakers: of("audiooutput") };
  }

  /** Takes another device, `which` being as in `chosen`; gives the new stream of a microphone. */
  async choose(which, id) {
    const before = this.chosen;
    this.chosen = { ...before, [which]: id };
    try {
      if (which !== "microphone") await this.#useSpeakers();
    } catch (error) {
      this.chosen = before;
      await this.#useSpeakers().catch(() => {});
      throw error;
    }
    sessionStorage.setItem(KEPT, JSON.stringify(this.chosen));
    if (which !== "microphone") return null;
    this.#drop();
    return this.microphone();
  }

  /** Plays the far end; null is silence. */
  async play(stream) {
    if (this.#player.srcObject === stream) return;
    this.#player.srcObject = stream;
    if (stream === null) {
      this.#isRefused = false;
      return this.#forget("far");
    }
    this.meter("far", stream);
    await this.#player.setSinkId?.(this.chosen.speaker)?.catch(() => {});
    return this.#start();
  }

  /** Lets sound begin that the browser held back: the page was touched. */
  allow = () => {
    if (this.#context?.state === "suspended") this.#context.resume().catch(() => {});
    if (this.#isRefused) this.#start();
  };

  /** How loud one is, 0 to 1. */
  level(name) {
    const meter = this.#meters.get(name);
    if (meter === undefined) return 0;
    meter.analyser.getFloatTimeDomainData(meter.samples);
    const power = meter.samples.reduce((sum, one) => sum + one * one, 0) / meter.samples.length;
    // From -60 dB to full scale.
    return Math.max(0, Math.min(1, 1 + Math.log10(Math.max(power, 1e-9)) / 6));
  }

  /** Measures a stream from here on. */
  meter(name, stream) {
    this.#forget(name);
    if (stream.getAudioTracks().length === 0) {
      stream.addEventListener("addtrack", () => this.meter(name, stream), { once: true });
      return;
    }
    const context = this.#open();
    const source = new MediaStreamAudioSourceNode(context, { mediaStream: stream });
    const analyser = new AnalyserNode(context, { fftSize: 1024 });
    source.connect(analyser);
    this.#meters.set(name, { source, analyser, samples: new Float32Array(1024) });
  }

  /** `rings`, `waits` (softly, in the ear of who talks), or nothing (""). */
  ring(how) {
    this.#chimes.ring(how);
  }

  /** Tries one of the loudspeakers: `speaker` or `ringer`. */
  test(which) {
    this.#chimes.test(which);
  }

  close() {
    navigator.mediaDevices?.removeEventListener("devicechange", this.#review);
    for (const touch of TOUCHES) document.removeEventListener(touch, this.allow, { capture: true });
    this.#drop();
    this.#chimes.close();
    this.#player.srcObject = null;
    this.#context?.close();
  }

  async #start() {
    try {
      await this.#player.play();
      this.#isRefused = false;
    } catch (error) {
      // Others come of a stream that was taken away meanwhile.
      this.#isRefused = error.name === "NotAllowedError";
    }
  }

  async #useSpeakers() {
    await this.#player.setSinkId?.(this.chosen.speaker);
    await this.#chimes.use(this.chosen);
  }

  #drop() {
    const stream = this.#stream;
    this.#stream = null;
    for (const track of stream?.getTracks() ?? []) track.stop();
  }

  /** Another microphone in the place of the one that was used. */
  async #replace(kind) {
    this.#drop();
    try {
      const stream = await this.microphone();
      this.#on.microphone({ stream, kind, name: stream.getAudioTracks()[0].label });
    } catch (error) {
      const isNews = this.lost === "";
      this.lost = error.name === "NotAllowedError" ? "refused" : "gone";
      if (isNews) this.#on.microphone({ stream: null, kind: this.lost, name: "" });
    }
  }

  /** A browser that gives the microphone again is asked at once. */
  async #followPermission() {
    if (this.#permission !== null) return;
    this.#permission = {};
    const asked = navigator.permissions?.query({ name: "microphone" });
    this.#permission = (await asked?.catch(() => null)) ?? {};
    this.#permission.onchange = () => {
      if (this.lost !== "" && this.#permission.state === "granted") this.#replace("back");
    };
  }

  /** Devices came or went. */
  #review = async () => {
    const { microphones, speakers } = await this.devices();
    const { microphone, speaker, ringer } = this.chosen;
    const isThere = (list, id) => id === "" || list.some((one) => one.id === id);
    const used = this.#stream?.getAudioTracks()[0]?.getSettings().deviceId ?? "";
    const isBack = microphone !== "" && used !== "" && used !== microphone
      && isThere(microphones, microphone);
    if (this.lost !== "" || isBack) await this.#replace("back");
    if (!isThere(speakers, speaker) || !isThere(speakers, ringer)) {
      this.chosen = { ...this.chosen, speaker: isThere(speakers, speaker) ? speaker : "",
        ringer: isThere(speakers, ringer) ? ringer : "" };
      await this.#useSpeakers().catch(() => {});
      this.#on.speaker();
    }
    this.#on.change();
  };

  #forget(name) {
    this.#meters.get(name)?.source.disconnect();
    this.#meters.delete(name);
  }

  #open() {
    if (this.#context === null) {
      this.#context = new AudioContext();
      this.#openedAt = performance.now();
    }
    this.#context.resume().catch(() => {});
    return this.#context;
  }
}
