// The bell, the soft tone of a second call, and a tone to try a loudspeaker with; each on the
// loudspeaker that was chosen for it.

const RING_HZ = [425, 480];
const RING_S = 0.35;
const RING_EVERY_MS = 2500;
const WAITS_HZ = 440;
const WAITS_S = 0.15;
const WAITS_EVERY_MS = 4000;
const TEST_S = 1.2;

/** Two loudspeakers: `ringer` for the bell, `speaker` for what is heard while one talks. */
export class Chimes {
  #open;
  #how = "";
  #timer = 0;
  /** A browser lets an element's loudspeaker be chosen; by name: `{player, out}`. */
  #ways = new Map(["speaker", "ringer"].map((name) => [name, { player: new Audio(), out: null }]));

  /** `open()` gives the audio context. */
  constructor(open) {
    this.#open = open;
  }

  /** Takes these loudspeakers, named as in `Sound.chosen`. */
  use({ speaker, ringer }) {
    const ids = { speaker, ringer: ringer || speaker };
    return Promise.all([...this.#ways].map(([name, { player }]) => player.setSinkId?.(ids[name])));
  }

  /** `rings`, `waits`, or nothing (""); goes on until it is told otherwise. */
  ring(how) {
    if (how === this.#how) return;
    this.#how = how;
    clearInterval(this.#timer);
    if (how === "") return;
    const strike = how === "rings" ? () => this.#bell() : () => this.#knock();
    strike();
    this.#timer = setInterval(strike, how === "rings" ? RING_EVERY_MS : WAITS_EVERY_MS);
  }

  test(which) {
    this.#tone(which, { frequency: WAITS_HZ, after: 0, lasts: TEST_S, loud: 0.15 });
  }

  close() {
    this.ring("");
    for (const { player } of this.#ways.values()) player.srcObject = null;
  }

  #bell() {
    for (const [turn, frequency] of RING_HZ.entries()) {
      this.#tone("ringer", { frequency, after: turn * RING_S, lasts: RING_S, loud: 0.12 });
    }
  }

  #knock() {
    for (const after of [0, 2 * WAITS_S]) {
      this.#tone("speaker", { frequency: WAITS_HZ, after, lasts: WAITS_S, loud: 0.04 });
    }
  }

  #tone(which, { frequency, after, lasts, loud }) {
    const context = this.#open();
    const tone = new OscillatorNode(context, { frequency });
    const volume = new GainNode(context, { gain: 0 });
    const at = context.currentTime + after;
    volume.gain.setTargetAtTime(loud, at, 0.02);
    volume.gain.setTargetAtTime(0, at + lasts - 0.08, 0.03);
    tone.connect(volume).connect(this.#way(which, context));
    tone.start(at);
    tone.stop(at + lasts + 0.2);
  }

  #way(which, context) {
    const way = this.#ways.get(which);
    if (way.out === null) {
      way.out = new MediaStreamAudioDestinationNode(context);
      way.player.srcObject = way.out.stream;
    }
    way.player.play().catch(() => {});
    return way.out;
  }
}
