// Whether a call is recorded, told plainly, and the button that pauses it.

import { announce } from "../announce.js";
import { duration, millis, now } from "../format.js";
import { h, pill, setAttr, setPill, setText } from "../dom.js";
import { segment } from "../api.js";
import { t } from "../strings.js";

/** The sign of one call. */
export function recordingSign({ api, attempt }) {
  const sign = pill("recording-off", "");
  const pause = h("button", { class: "quiet call-recording-button", on: { click: () =>
    attempt(turn) } });
  const element = h("span", { class: "call-recording", hidden: true }, sign, pause);
  let of = "";
  let state = null;
  let until = null;

  /** `row` is null while nobody talks, or nothing is known. */
  function show(number, row) {
    of = number;
    state = row?.recording_state ?? null;
    until = millis(row?.recording_paused_until ?? null);
    element.hidden = state === null;
    if (state === null) return;
    pause.hidden = state === "off";
    setText(pause, t(state === "paused" ? "desk.record" : "desk.pause"));
    setAttr(pause, "aria-label", state === "paused" ? null : t("desk.pause_label"));
    tick();
  }

  function tick() {
    if (state === null) return;
    const left = until === null ? 0 : Math.max(0, (until - now()) / 1000);
    setPill(sign, `recording-${state}`, t(`desk.recording_${state}`, { time: duration(left) }));
  }

  async function turn() {
    const resumes = state === "paused";
    pause.disabled = true;
    try {
      const what = resumes ? "resume" : "pause";
      await api.post(`/calls/${segment(of)}/recording/${what}`);
      state = resumes ? "on" : "paused";
      announce(t(resumes ? "desk.is_recorded" : "desk.is_paused"));
    } finally {
      pause.disabled = false;
    }
    tick();
  }

  return { element, show, tick };
}
