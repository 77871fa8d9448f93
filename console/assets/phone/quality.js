// How well a call is heard each way, as one plain word, and before it becomes bad: from what the
// browser measures every second, and what the server says of the same leg.

/** Lost speech in percent: worth a word, bad, and good again; the same of seconds of delay. */
const LOSS = { warn: 2, bad: 6, good: 1 };
const DELAY = { warn: 0.4, bad: 0.8, good: 0.3 };
/** How much the newest second weighs. */
const WEIGHT = 0.4;
/** Seconds in a row before something is said, and before it is good again. */
const SURE = 2;
const CALM = 8;

/** One thing that may be bad: 0 is good, 1 worth a word, 2 bad. It does not flicker. */
class Aspect {
  level = 0;
  #limits;
  #smooth = 0;
  #above = 0;
  #below = 0;

  constructor(limits) {
    this.#limits = limits;
  }

  take(value) {
    if (value !== null) this.#smooth += WEIGHT * (value - this.#smooth);
    const { warn, bad, good } = this.#limits;
    const now = this.#smooth >= bad ? 2 : this.#smooth >= warn ? 1 : 0;
    this.#above = now > this.level ? this.#above + 1 : 0;
    this.#below = this.#smooth <= good ? this.#below + 1 : 0;
    if (this.#above >= SURE) [this.level, this.#above] = [now, 0];
    else if (this.#below >= CALM) [this.level, this.#below] = [0, 0];
  }
}

/** The quality of one call. */
export class Quality {
  #heard = new Aspect(LOSS);
  #said = new Aspect(LOSS);
  #late = new Aspect(DELAY);
  #before = null;

  /**
   * Takes a second: the browser's statistics (`RTCStats` objects), the server's figures of our leg
   * (or null), and whether there is no audio at all. Gives `{kind, word}`: `good`, `fair` or
   * `poor`, and `good`, `heard`, `said`, `both`, `late` or `gone`.
   */
  take(stats, leg, gone) {
    const inbound = stats.find(({ type }) => type === "inbound-rtp");
    const theirs = stats.find(({ type }) => type === "remote-inbound-rtp");
    this.#heard.take(this.#lost(inbound));
    const told = typeof theirs?.fractionLost === "number" ? theirs.fractionLost * 100 : null;
    this.#said.take(worse(told, leg?.loss_percent ?? null));
    const trip = leg?.round_trip_ms ?? null;
    this.#late.take(worse(theirs?.roundTripTime ?? null, trip === null ? null : trip / 1000));
    if (gone) return { kind: "poor", word: "gone" };
    const [heard, said, late] = [this.#heard, this.#said, this.#late].map(({ level }) => level);
    const word = heard > 0 && said > 0 ? "both" : said > 0 ? "said" : heard > 0 ? "heard"
      : late > 0 ? "late" : "good";
    const worst = Math.max(heard, said, late);
    return { kind: worst === 2 ? "poor" : worst === 1 ? "fair" : "good", word };
  }

  /** What did not come of what was sent to us, in percent; null when nothing was. */
  #lost(inbound) {
    const { packetsLost: lost = 0, packetsReceived: came = 0 } = inbound ?? {};
    const before = this.#before;
    this.#before = { lost, came };
    if (before === null) return null;
    const [gone, here] = [Math.max(0, lost - before.lost), came - before.came];
    return gone + here <= 0 ? null : (100 * gone) / (gone + here);
  }
}

function worse(one, other) {
  if (one === null || other === null) return one ?? other;
  return Math.max(one, other);
}
