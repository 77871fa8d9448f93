// Which microphone and loudspeaker the softphone uses, and how loud each is.

import { h, setAttr } from "../dom.js";
import { t } from "../strings.js";

/** The choices, with a level for each; `show()` draws the levels. */
export function devicesView({ sound, onMicrophone }) {
  const microphone = h("select", { id: "device-microphone", on: { change: changed } });
  const speaker = h("select", { id: "device-speaker", on: { change: () => loud() } });
  const level = (key) => h("meter", { min: "0", max: "1", value: "0", "aria-label": t(key) });
  const own = level("devices.own_level");
  const far = level("devices.far_level");
  const test = h("button", { text: t("devices.test"), on: { click: () => {
    sound.ring(true);
    setTimeout(() => sound.ring(false), 1500);
  } } });
  const element = h("div", { class: "phone-devices" },
    h("label", { for: "device-microphone", text: t("devices.microphone") }), microphone, own,
    h("label", { for: "device-speaker", text: t("devices.speaker") }), speaker, far, test);

  async function changed() {
    onMicrophone(await sound.choose("microphone", microphone.value));
  }

  async function loud() {
    await sound.choose("speaker", speaker.value);
  }

  async function load() {
    const { microphones, speakers } = await sound.devices();
    const option = (chosen) => ({ id, name }) =>
      h("option", { value: id, selected: id === chosen }, name);
    const usual = h("option", { value: "" }, t("devices.usual"));
    const { chosen } = sound;
    microphone.replaceChildren(usual, ...microphones.map(option(chosen.microphone)));
    speaker.replaceChildren(usual.cloneNode(true), ...speakers.map(option(chosen.speaker)));
  }

  function show() {
    setAttr(own, "value", sound.level("own").toFixed(2));
    setAttr(far, "value", sound.level("far").toFixed(2));
  }

  load().catch(() => {});
  return { element, load, show };
}
