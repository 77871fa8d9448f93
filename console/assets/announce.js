// Says to a screen reader, and briefly shows, what just happened because of the user or the link.

import { h } from "./dom.js";

const SHOWN_MS = 5000;
const FADES_MS = 300;
let timer = 0;

const region = h("div", { class: "toast", role: "status", "aria-live": "polite" });

/** Announces a sentence; an empty one clears. `kind` is `ok` or `bad`. */
export function announce(sentence, kind = "ok") {
  if (!region.isConnected) document.body.append(region);
  clearTimeout(timer);
  region.classList.toggle("shown", sentence !== "");
  // What fades away keeps its words meanwhile.
  if (sentence === "") return void (timer = setTimeout(() => (region.textContent = ""), FADES_MS));
  region.textContent = sentence;
  region.dataset.kind = kind;
  timer = setTimeout(() => announce(""), SHOWN_MS);
}
