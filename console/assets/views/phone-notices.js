// What an agent must know at once, over the softphone: no connection, calls that went on without
// the agent meanwhile, calls that ring elsewhere, no microphone, or sound that the browser holds
// back; each with what can be done about it.

import { h, setText } from "../dom.js";
import { t } from "../strings.js";

/** The notices; `act` has `{useHere(), letSound(), findMicrophone(), seen()}`. */
export function noticesView(act) {
  const notice = (kind, key, does) => {
    const text = h("span", {});
    const button = key === null ? null : h("button", { text: t(key), on: { click: does } });
    const element = h("div", { class: "desk-notice", role: "alert", hidden: true,
      data: { notice: kind } }, text, button);
    return { element, text, button };
  };
  const lost = notice("lost", null);
  const gone = notice("gone", "desk.gone_seen", act.seen);
  const elsewhere = notice("elsewhere", "desk.use_here", act.useHere);
  const microphone = notice("microphone", "desk.find_microphone", act.findMicrophone);
  const sound = notice("sound", "desk.let_sound", act.letSound);
  const all = [lost, gone, elsewhere, microphone, sound];
  const element = h("div", { class: "desk-notices" }, all.map((one) => one.element));

  /** An empty text takes it away; the text is set last, so that screen readers hear it. */
  function tell(one, words) {
    one.element.hidden = words === "";
    setText(one.text, words);
  }

  /**
   * `state`, `rings` and `hasCalls` of the line, the words `went` of what has gone; `held` and
   * `lost` of the sound.
   */
  function show({ state, rings, hasCalls, went, held, lost: noMicrophone }) {
    tell(gone, went);
    tell(lost, state === "waiting" ? t("desk.lost") : "");
    const away = state === "registered" && !rings;
    tell(elsewhere, away ? t(hasCalls ? "desk.elsewhere_in_call" : "desk.elsewhere") : "");
    elsewhere.button.hidden = hasCalls;
    const isGone = state !== "off" && noMicrophone !== "";
    tell(microphone, isGone ? t(`desk.microphone_${noMicrophone}`) : "");
    tell(sound, state !== "off" && held ? t("desk.held_sound") : "");
  }

  return { element, show };
}
