// Microphone and loudspeaker: which of them, how loud it is, and the bell.

const KEPT = "strowger.devices";
const RING_HZ = [425, 480];
const RING_S = 0.35;
const EVERY_MS = 2500;
const TEST_HZ = 440;

/** The devices of a page, and what is heard of them. */
export class Sound {
  /** `{microphone, speaker}`: the chosen devices' names; empty is the system's. */
  chosen = { microphone: "", speaker: "" };

  #stream = null;
  #context = null;
  #meters = new Map();
  #bell = 0;
  #player = new Audio();
  /** Bell and test tone, on the chosen loudspeaker. */
  #bellPlayer = new Audio();
  #bellOut = null;
  #onLost;

  /** `onLost` hears that the microphone was unplugged. */
  constructor({ onLost = () => {} } = {}) {
    this.#onLost = onLost;
    try {
      this.chosen = { ...this.chosen, ...JSON.parse(sessionStorage.getItem(KEPT) ?? "{}") };
    } catch {
      // The system's devices then.
    }
  }

  /** Whether the microphone that was used is gone. */
  get ended() {
    return this.#stream !== null && !this.#stream.active;
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
    const [track] = this.#stream.getAudioTracks();
    // Not told when we stop it ourselves.
    track.addEventListener("ended", () => this.#onLost(), { once: true });
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
      await Promise.all([this.#player.setSinkId?.(id), this.#bellPlayer.setSinkId?.(id)]);
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
    if (on === (this.#bell !== 0)) return;
    clearInterval(this.#bell);
    this.#bell = 0;
    if (!on) return;
    this.#strike();
    this.#bell = setInterval(() => this.#strike(), EVERY_MS);
  }

  /** A tone for so long, to try the loudspeaker with. */
  test(lasts) {
    const context = this.#open();
    const tone = new OscillatorNode(context, { frequency: TEST_HZ });
    const volume = new GainNode(context, { gain: 0 });
    const [from, until] = [context.currentTime, context.currentTime + lasts / 1000];
    volume.gain.setTargetAtTime(0.15, from, 0.03);
    volume.gain.setTargetAtTime(0, until - 0.15, 0.04);
    tone.connect(volume).connect(this.#bells());
    tone.start(from);
    tone.stop(until);
  }

  close() {
    this.ring(false);
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#player.srcObject = null;
    this.#bellPlayer.srcObject = null;
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
      tone.connect(volume).connect(this.#bells());
      tone.start(at);
      tone.stop(at + RING_S + 0.2);
    }
  }

  /** Where bells go: to an element, whose loudspeaker can be chosen in every browser. */
  #bells() {
    if (this.#bellOut === null) {
      this.#bellOut = new MediaStreamAudioDestinationNode(this.#open());
      this.#bellPlayer.srcObject = this.#bellOut.stream;
      this.#bellPlayer.setSinkId?.(this.chosen.speaker)?.catch(() => {});
    }
    this.#bellPlayer.play().catch(() => {});
    return this.#bellOut;
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
