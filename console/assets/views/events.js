// The event stream as it comes, newest first, in plain words. It can be held still to be read.

import { clock } from "../format.js";
import { describe } from "../describe.js";
import { h, icon, KeyedRows, setAttr, setText } from "../dom.js";
import { panel } from "./panel.js";
import { segment } from "../api.js";
import { t } from "../strings.js";

const STEP_MS = 200;

/** The panel of events. */
export function eventsView({ model }) {
  let held = null;
  let timer = 0;
  let drawnAt = -STEP_MS;
  const label = h("span", { text: t("events.pause") });
  const pause = h("button", { class: "quiet", "aria-pressed": "false", on: { click: toggle } },
    icon("pause"), label);
  // A log whose lines are not read out one by one: a busy floor would never be silent.
  const list = h("ol", { class: "events-list" });
  const log = h("div", {
    class: "scroll",
    role: "log",
    "aria-live": "off",
    "aria-labelledby": "events-title",
    tabindex: "0",
  }, list);
  const empty = h("p", { class: "empty", text: t("events.none") });
  const element = panel("events", t("events.title"), pause, log, empty);
  const rows = new KeyedRows(list, () => h("li"), (row, event) => fill(row, event, model));

  function toggle() {
    held = held === null ? (model.events.at(-1)?.sequence ?? -1) : null;
    setAttr(pause, "aria-pressed", String(held !== null));
    draw();
  }

  // Nobody reads more than a few lines a second: a flood of events is drawn in steps.
  function render(changed) {
    if (!changed.has("events") || timer !== 0) return;
    timer = setTimeout(() => {
      timer = 0;
      draw();
    }, Math.max(0, drawnAt + STEP_MS - performance.now()));
  }

  function draw() {
    drawnAt = performance.now();
    if (held !== null) {
      const fresh = model.events.filter((event) => event.sequence > held).length;
      setText(label, fresh === 0 ? t("events.resume") : t("events.held", { count: fresh }));
      return;
    }
    setText(label, t("events.pause"));
    const entries = model.events.map((event) => [event.id, event]).reverse();
    rows.sync(entries, new Set());
    log.hidden = entries.length === 0;
    empty.hidden = entries.length > 0;
  }

  return { element, render };
}

function fill(element, event, model) {
  if (element.firstChild !== null) return;
  const sentence = describe(event, model);
  element.append(
    h("time", { text: clock(event.at) }),
    h("span", { class: "event-type", data: { kind: event.type.split(".")[0] }, text: event.type }),
    event.call === null
      ? h("span", { class: "event-text", text: sentence })
      : h("a", { class: "event-text", href: `#/calls/${segment(event.call)}`, text: sentence }));
}
