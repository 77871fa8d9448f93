// Whether the microphone can be heard: unplugged, or silent while somebody should be speaking.

/** Louder than this (0 to 1 of `Sound.level`) is a sound; a live microphone has some noise. */
const SILENT = 0.02;
/** So long without one is worth a word. */
const PATIENCE_MS = 6000;

/** Watches; `take` gives `ok`, `silent`, or why there is none (`lost` of `Sound`). */
export class MicrophoneWatch {
  #heardAt = 0;

  /** Whoever is muted, or in no call, need not be heard. */
  rest(now) {
    this.#heardAt = now;
  }

  take(now, { level, lost }) {
    if (lost !== "") return lost;
    if (this.#heardAt === 0 || level > SILENT) this.#heardAt = now;
    return now - this.#heardAt > PATIENCE_MS ? "silent" : "ok";
  }
}
