// Microphone and loudspeaker: which of them, how loud it is, and the bell.

const KEPT = "strowger.devices";
const RING_HZ = [425, 480];
const RING_S = 0.35;
const EVERY_MS = 2500;

/** The devices of a page, and what is heard of them. */
export class Sound {
  /** `{microphone, speaker}`: the chosen devices' names; empty is the system's. */
  chosen = { microphone: "", speaker: "" };

  #stream = null;
  #context = null;
  #meters = new Map();
  #bell = 0;
  #player = new Audio();

  constructor() {
    try {
      this.chosen = { ...this.chosen, ...JSON.parse(sessionStorage.getItem(KEPT) ?? "{}") };
    } catch {
      // The system's devices then.
    }
  }

  /** The microphone's stream; asks for leave the first time. */
  async microphone() {
    if (this.#stream?.active) return this.#stream;
    const { microphone } = this.chosen;
    const audio = microphone === "" ? true : { deviceId: { exact: microphone } };
    this.#stream = await navigator.mediaDevices.getUserMedia({ audio }).catch((error) => {
      // One that was chosen and is no longer there.
      if (microphone === "" || error.name !== "OverconstrainedError") throw error;
      return navigator.mediaDevices.getUserMedia({ audio: true });
    });
    this.meter("own", this.#stream);
    return this.#stream;
  }

  /** `{microphones, speakers}`, each `[{id, name}]`. */
  async devices() {
    const all = await navigator.mediaDevices.enumerateDevices();
    const of = (kind) => all.filter((one) => one.kind === kind && one.deviceId !== "")
      .map(({ deviceId, label }) => ({ id: deviceId, name: label || deviceId.slice(0, 8) }));
    return { microphones: of("audioinput"), speakers: of("audiooutput") };
  }

  /** Takes another microphone or loudspeaker; gives the new stream if it was the microphone. */
  async choose(which, id) {
    this.chosen = { ...this.chosen, [which]: id };
    sessionStorage.setItem(KEPT, JSON.stringify(this.chosen));
    if (which === "speaker") {
      await this.#player.setSinkId?.(id);
      return null;
    }
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#stream = null;
    return this.microphone();
  }

  /** Plays the far end; null is silence. */
  async play(stream) {
    if (this.#player.srcObject === stream) return;
    this.#player.srcObject = stream;
    if (stream === null) return this.#forget("far");
    this.meter("far", stream);
    await this.#player.setSinkId?.(this.chosen.speaker)?.catch(() => {});
    await this.#player.play().catch(() => {});
  }

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

  /** Rings until it is told not to. */
  ring(on) {
    clearInterval(this.#bell);
    this.#bell = 0;
    if (!on) return;
    this.#strike();
    this.#bell = setInterval(() => this.#strike(), EVERY_MS);
  }

  close() {
    this.ring(false);
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#player.srcObject = null;
    this.#context?.close();
  }

  #strike() {
    const context = this.#open();
    for (const [turn, frequency] of RING_HZ.entries()) {
      const at = context.currentTime + turn * RING_S;
      const tone = new OscillatorNode(context, { frequency });
      const volume = new GainNode(context, { gain: 0 });
      volume.gain.setTargetAtTime(0.12, at, 0.02);
      volume.gain.setTargetAtTime(0, at + RING_S - 0.08, 0.03);
      tone.connect(volume).connect(context.destination);
      tone.start(at);
      tone.stop(at + RING_S + 0.2);
    }
  }

  #forget(name) {
    this.#meters.get(name)?.source.disconnect();
    this.#meters.delete(name);
  }

  #open() {
    this.#context ??= new AudioContext();
    this.#context.resume().catch(() => {});
    return this.#context;
  }
}
