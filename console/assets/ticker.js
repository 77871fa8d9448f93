// One clock tick a second for every duration on the page. An element that counts carries the
// start in a property; only those whose text changes are written.

import { duration, since } from "./format.js";
import { setText } from "./dom.js";

const ticking = new Set();

setInterval(() => {
  if (document.hidden) return;
  for (const element of ticking) {
    if (element.isConnected) setText(element, duration(since(element.countsFrom)));
    else ticking.delete(element);
  }
}, 1000);

/** Shows the time since `ms` and keeps counting; null stops and shows a dash. */
export function count(element, ms) {
  element.countsFrom = ms;
  if (ms === null) ticking.delete(element);
  else ticking.add(element);
  setText(element, duration(since(ms)));
}

/** Shows a duration that stands still. */
export function still(element, seconds) {
  ticking.delete(element);
  setText(element, duration(seconds));
}
