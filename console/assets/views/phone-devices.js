// Which microphone and loudspeakers the softphone uses, how loud they are, and a tone to try them.

import { announce } from "../announce.js";
import { h, setAttr, setText } from "../dom.js";
import { t } from "../strings.js";

/** The choices, with a level for each; `show()` draws the levels. */
export function devicesView({ sound, onMicrophone }) {
  const choice = (which) => h("select", { id: `device-${which}`, class: "select",
    on: { change: (event) => choose(which, event.target.value) } });
  const microphone = choice("microphone");
  const speaker = choice("speaker");
  const ringer = choice("ringer");
  const level = (key) => h("meter", { min: "0", max: "1", low: "0.1", value: "0",
    "aria-label": t(key) });
  const own = level("devices.own_level");
  const far = level("devices.far_level");
  const note = h("p", { class: "hint", role: "status" });
  const test = (which) => h("button", { class: "quiet", text: t("devices.test"),
    "aria-label": t(`devices.test_${which}`), on: { click: () => sound.test(which) } });
  const device = (which, select, beside, below = null) => h("div", { class: "desk-device" },
    h("label", { for: `device-${which}`, text: t(`devices.${which}`) }),
    h("div", { class: "desk-device-choice" }, select, beside), below);
  const element = h("details", { class: "desk-devices panel" },
    h("summary", { text: t("devices.title") }),
    h("div", { class: "desk-devices-body" },
      device("microphone", microphone, null, own),
      device("speaker", speaker, test("speaker"), far),
      device("ringer", ringer, test("ringer")), note));

  async function choose(which, id) {
    try {
      const stream = await sound.choose(which, id);
      if (stream !== null) onMicrophone(stream);
    } catch (error) {
      announce(t("desk.no_device", { message: error.message }), "bad");
    }
    await load();
  }

  async function load() {
    const { microphones, speakers } = await sound.devices();
    fill(microphone, microphones, "devices.usual", sound.chosen.microphone);
    fill(speaker, speakers, "devices.usual", sound.chosen.speaker);
    fill(ringer, speakers, "devices.as_speaker", sound.chosen.ringer);
    setText(note, speakers.length === 0 ? t("desk.no_choice") : "");
  }

  function show() {
    if (!element.open) return;
    setAttr(own, "value", sound.level("own").toFixed(2));
    setAttr(far, "value", sound.level("far").toFixed(2));
  }

  load().catch(() => {});
  return {
    element,
    load,
    show,
    /** Shows the choices, and begins with the microphone. */
    focus() {
      element.open = true;
      microphone.focus();
    },
  };
}

/** One that was chosen and is not there now is shown as that. */
function fill(select, devices, usual, chosen) {
  const isThere = chosen === "" || devices.some(({ id }) => id === chosen);
  const all = [{ id: "", name: t(usual) }, ...devices,
    ...(isThere ? [] : [{ id: chosen, name: t("devices.away") }])];
  select.replaceChildren(...all.map(({ id, name }) =>
    h("option", { value: id, selected: id === chosen }, name)));
}
