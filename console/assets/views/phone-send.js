// Sending a call on: at once, after asking first, or bringing somebody in.

import { h, setText } from "../dom.js";
import { t } from "../strings.js";

/**
 * The form. `act` has `{send(to), consult(to), add(to)}`, each a promise; `attempt(what)` runs one
 * and tells when it fails.
 */
export function sendingForm({ id, act, attempt }) {
  const field = `send-${id}`;
  const target = h("input", { id: field, type: "text", inputmode: "tel", autocomplete: "off",
    required: true, placeholder: t("desk.send_placeholder") });
  const submit = h("button", { type: "submit", class: "primary", text: t("desk.send_now") });
  const consult = h("button", { type: "button", text: t("desk.consult"),
    on: { click: () => run(act.consult) } });
  const hint = h("p", { class: "hint", text: t("desk.send_hint") });
  const onSubmit = (event) => {
    event.preventDefault();
    run(adds ? act.add : act.send);
  };
  const element = h("form", { class: "call-part call-sending", hidden: true,
    on: { submit: onSubmit } },
  h("label", { for: field, text: t("phone.transfer_to") }), target, submit, consult, hint);
  let adds = false;

  function run(what) {
    const to = target.value.trim();
    if (to === "") return target.focus();
    return attempt(async () => {
      await what(to);
      target.value = "";
      element.hidden = true;
    });
  }

  /** Opens it to send the call on, or to bring somebody in. */
  function open(brings) {
    const shown = element.hidden || adds !== brings;
    adds = brings;
    element.hidden = !shown;
    setText(submit, t(brings ? "desk.add_now" : "desk.send_now"));
    consult.hidden = brings;
    setText(hint, t(brings ? "desk.add_hint" : "desk.send_hint"));
    if (shown) target.focus();
    return shown;
  }

  return {
    element,
    open,
    close: () => (element.hidden = true),
    /** What it is open for: `send`, `add`, or nothing (""). */
    shows: () => (element.hidden ? "" : adds ? "add" : "send"),
  };
}
