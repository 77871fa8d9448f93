// What happened to a call, in order, with the time between.

import { clockMillis } from "../format.js";
import { describe } from "../describe.js";
import { eventOf } from "../shape.js";
import { h } from "../dom.js";
import { t } from "../strings.js";

/** The timeline of a call's CloudEvents. */
export function timelineView(cloudEvents, model) {
  const events = (Array.isArray(cloudEvents) ? cloudEvents : []).map(eventOf);
  if (events.length === 0) return h("p", { class: "empty", text: t("timeline.none") });
  const start = events[0].at;
  return h("ol", { class: "timeline-list" }, events.map((event) =>
    h("li", { data: { kind: event.type } },
      h("time", { text: clockMillis(event.at), title: after(start, event.at) }),
      h("span", { class: "timeline-text", text: describe(event, model) }),
      h("span", { class: "timeline-after", text: after(start, event.at) }))));
}

/** `+1.234 s` since the call began. */
function after(start, at) {
  return start === null || at === null ? "" : `+${((at - start) / 1000).toFixed(3)} s`;
}
