// The figures one looks at from across the room.

import { count as number, now } from "../format.js";
import { count, still } from "../ticker.js";
import { h, setText } from "../dom.js";
import { t } from "../strings.js";

const FIGURES = ["live", "waiting", "longest", "available", "busy"];
const SLOW_S = 60;

/** Is this call waiting for an agent? */
export function isWaiting(call) {
  return call.queue !== null && (call.state === "queued" || call.state === "offered");
}

/** Since when a call waits, in milliseconds. */
export function waitingSince(call) {
  return call.queuedAt ?? call.startedAt;
}

/** The strip of figures. */
export function tallyView({ model }) {
  const tiles = new Map(FIGURES.map((name) => [name, tile(name)]));
  const element = h("dl", { class: "tally" }, FIGURES.map((name) => tiles.get(name).element));

  function render(changed) {
    if (!changed.has("calls") && !changed.has("agents")) return;
    let waiting = 0;
    let oldest = null;
    for (const call of model.calls.values()) {
      if (!isWaiting(call)) continue;
      waiting += 1;
      const since = waitingSince(call);
      if (since !== null && (oldest === null || since < oldest)) oldest = since;
    }
    const states = {};
    for (const agent of model.agents.values()) states[agent.state] = (states[agent.state] ?? 0) + 1;
    const signedIn = model.agents.size - (states.offline ?? 0);
    setText(tiles.get("live").value, number(model.calls.size));
    setText(tiles.get("waiting").value, number(waiting));
    setText(tiles.get("available").value, number(states.available ?? 0));
    setText(tiles.get("available").note, t("tally.of", { total: number(signedIn) }));
    setText(tiles.get("busy").value, number(states.busy ?? 0));
    const longest = tiles.get("longest");
    if (oldest === null) still(longest.value, 0);
    else count(longest.value, oldest);
    const slow = oldest !== null && now() - oldest > SLOW_S * 1000;
    longest.element.classList.toggle("alarmed", slow);
  }

  return { element, render };
}

function tile(name) {
  const value = h("span", { class: "figure", text: t("none") });
  const note = h("span", { class: "note" });
  const element = h("div", { class: `tile ${name}` },
    h("dt", { text: t(`tally.${name}`) }), h("dd", {}, value, note));
  return { element, value, note };
}
