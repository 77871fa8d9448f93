// Which microphone and loudspeaker the softphone uses, how loud each is, and a tone to try them.

import { h, setAttr, setText } from "../dom.js";
import { t } from "../strings.js";

const TEST_MS = 1500;

/** The choices, with a level for each; `show()` draws the levels. */
export function devicesView({ sound, onMicrophone }) {
  const microphone = h("select", { id: "device-microphone", class: "select",
    on: { change: changed } });
  const speaker = h("select", { id: "device-speaker", class: "select",
    on: { change: () => sound.choose("speaker", speaker.value) } });
  const level = (key) => h("meter", { min: "0", max: "1", low: "0.1", value: "0",
    "aria-label": t(key) });
  const own = level("devices.own_level");
  const far = level("devices.far_level");
  const note = h("p", { class: "hint", role: "status" });
  const test = h("button", { text: t("devices.test"), on: { click: () => sound.test(TEST_MS) } });
  const element = h("details", { class: "desk-devices panel" },
    h("summary", { text: t("devices.title") }),
    h("div", { class: "desk-devices-body" },
      h("div", { class: "desk-device" },
        h("label", { for: "device-microphone", text: t("devices.microphone") }), microphone, own),
      h("div", { class: "desk-device" },
        h("label", { for: "device-speaker", text: t("devices.speaker") }), speaker, far),
      test, note));

  async function changed() {
    onMicrophone(await sound.choose("microphone", microphone.value));
  }

  async function load() {
    const { microphones, speakers } = await sound.devices();
    const option = (chosen) => ({ id, name }) =>
      h("option", { value: id, selected: id === chosen }, name);
    const usual = h("option", { value: "" }, t("devices.usual"));
    const { chosen } = sound;
    microphone.replaceChildren(usual, ...microphones.map(option(chosen.microphone)));
    speaker.replaceChildren(usual.cloneNode(true), ...speakers.map(option(chosen.speaker)));
    setText(note, speakers.length === 0 ? t("desk.no_choice") : "");
  }

  function show() {
    if (!element.open) return;
    setAttr(own, "value", sound.level("own").toFixed(2));
    setAttr(far, "value", sound.level("far").toFixed(2));
  }

  load().catch(() => {});
  return { element, load, show };
}
