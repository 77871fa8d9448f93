// What the agent is told of calls that did not come back with the connection or the page.

import { Astray } from "../phone/astray.js";
import { standing } from "../phone/kept.js";
import { t } from "../strings.js";

/** Whether somebody calls who has not been answered. */
export function isRung({ state, isIncoming, returns }) {
  return state === "ringing" && isIncoming && !returns;
}

/** Those calls; `desk` has `{api, model, agent(), nameOf(call), show()}`. */
export function goneCalls(desk) {
  const astray = new Astray(desk.api, tell);
  /** What to say, by the calls' numbers. */
  const told = new Map();

  /** A call does not come back, and what rings for it rings for nobody. */
  function tell({ number, who, card = null, place, queue = null }) {
    const name = desk.model.queueName(queue) ?? "";
    told.set(number, t(`desk.gone_${place}`, { who, queue: name }));
    card?.drop("gone");
    desk.show();
  }

  /** A call should come back; gives how it stood. */
  function expect(call, card = null) {
    const stood = standing(call, desk.nameOf(call));
    astray.add(call.number, stood, card);
    return stood;
  }

  /** The line is there, or not; what rings cannot be taken until that is known to be so still. */
  function line(state, calls) {
    if (state === "registered") astray.look(desk.agent());
    else astray.rest();
    if (state !== "waiting") return;
    for (const call of calls.filter(isRung)) {
      call.isOld = true;
      expect(call, call);
    }
  }

  /** The engine does not have that call here any more: where is it? */
  function findOut(call) {
    const { number } = call;
    if (told.has(number)) return undefined;
    if (number === "") return tell({ number: call.id, who: desk.nameOf(call), place: "on" });
    expect(call);
    return astray.look(desk.agent());
  }

  function forgetAll() {
    astray.rest();
    astray.forget();
    told.clear();
  }

  return {
    expect, line, findOut, forgetAll,
    /** Those that were there before the page was loaded, as they stood by number. */
    expectAll(before) {
      for (const [number, stood] of Object.entries(before)) astray.add(number, stood);
    },
    /** It ended here, as far as anybody wants to know. */
    forget: (number) => astray.forget(number),
    /** It rings here anew. */
    rings: (number) => told.delete(number),
    present: (calls) => astray.present(calls),
    standings: () => astray.standings(),
    words: () => [...told.values()].join(" "),
    seen() {
      told.clear();
      desk.show();
    },
  };
}
