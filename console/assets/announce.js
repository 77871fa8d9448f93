// Says to a screen reader, and briefly shows, what just happened because of the user or the link.

import { h } from "./dom.js";

const SHOWN_MS = 5000;
let timer = 0;

const region = h("div", { class: "toast", role: "status", "aria-live": "polite" });

/** Announces a sentence; an empty one clears. `kind` is `ok` or `bad`. */
export function announce(sentence, kind = "ok") {
  if (!region.isConnected) document.body.append(region);
  clearTimeout(timer);
  region.textContent = sentence;
  region.dataset.kind = kind;
  region.classList.toggle("shown", sentence !== "");
  if (sentence !== "") timer = setTimeout(() => announce(""), SHOWN_MS);
}
