// A dialog that makes or changes one thing that is provisioned. The server says what is wrong: each
// fault stands at its field, with its cure; what has no field stands above.

import { announce } from "../announce.js";
import { controlOf } from "./controls.js";
import { h } from "../dom.js";
import { put, valueAt } from "./paths.js";
import { t } from "../strings.js";

/**
 * Opens the dialog. `fields` are those of `controls.js`; `value` is the thing as it is;
 * `send(thing, is_trial)` sends it; `done()` is called when it is live.
 */
export function openForm({ title, fields, value, send, done }) {
  const controls = new Map(fields.map((field) =>
    [field.name, controlOf(field, valueAt(value, field.name))]));
  const summary = h("ul", { class: "faults", role: "alert" });
  const right = h("p", { class: "form-right", role: "status" });
  const check = h("button", { type: "button", class: "quiet", text: t("admin.check"),
    on: { click: () => submit(true) } });
  const cancel = h("button", { type: "button", text: t("admin.cancel"),
    on: { click: () => dialog.close() } });
  const save = h("button", { type: "submit", class: "primary", text: t("admin.save") });
  const form = h("form", { method: "dialog", novalidate: true },
    h("h2", { id: "form-title", text: title }), summary,
    h("div", { class: "form-fields" }, [...controls.values()].map(({ element }) => element)),
    right,
    h("div", { class: "dialog-actions" }, check, h("span", { class: "spacer" }), cancel, save));
  const dialog = h("dialog", { class: "form-dialog", "aria-labelledby": "form-title" }, form);

  async function submit(is_trial) {
    clear();
    let thing;
    try {
      thing = read();
    } catch (error) {
      return tell([{ path: error.field, problem: error.message, cure: "" }]);
    }
    for (const button of [check, save]) button.disabled = true;
    try {
      await send(thing, is_trial);
      if (is_trial) right.textContent = t("admin.right");
      else finish();
    } catch (error) {
      tell(error.details?.problems ?? [{ path: "", problem: error.message, cure: "" }]);
    }
    for (const button of [check, save]) button.disabled = false;
    return undefined;
  }

  function finish() {
    dialog.close();
    announce(t("admin.live"));
    done();
  }

  /** The thing as it was, with what the fields say; an empty field that may be is left out. */
  function read() {
    const thing = { ...value };
    for (const { name, read: get } of controls.values()) put(thing, name, get());
    return thing;
  }

  function clear() {
    summary.replaceChildren();
    right.textContent = "";
    for (const place of controls.values()) place.clear();
  }

  function tell(problems) {
    let first = null;
    for (const { path, problem, cure } of problems) {
      const sentence = [problem, cure].filter((part) => part).join(" – ");
      // The nearest field that the path goes through: `queues.sales.wrap_up_codes[0].code`.
      const names = String(path ?? "").split(".").map((name) => name.replace(/\[\d+\]$/, ""));
      const paths = [...names.map((_, at) => names.slice(at).join(".")), ...names.toReversed()];
      const place = controls.get(paths.find((name) => controls.has(name)));
      if (place === undefined) {
        const where = path ? `${path}: ` : "";
        summary.append(h("li", { text: `${where}${sentence}` }));
        continue;
      }
      place.tell(sentence);
      first ??= place.control;
    }
    (first ?? save).focus();
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit(false);
  });
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

/** Asks before something is deleted or revoked; `act()` does it. */
export function askFirst({ title, body, confirm, act, done }) {
  const faults = h("ul", { class: "faults", role: "alert" });
  const yes = h("button", { type: "submit", class: "danger", text: confirm });
  const no = h("button", { type: "button", text: t("admin.cancel"),
    on: { click: () => dialog.close() } });
  const form = h("form", { method: "dialog" }, h("h2", { id: "ask-first", text: title }),
    h("p", { text: body }), faults, h("div", { class: "dialog-actions" }, no, yes));
  const dialog = h("dialog", { "aria-labelledby": "ask-first" }, form);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    yes.disabled = true;
    try {
      await act();
      dialog.close();
      done();
    } catch (error) {
      const problems = error.details?.problems ?? [{ problem: error.message }];
      faults.replaceChildren(...problems.map(({ path, problem, cure }) =>
        h("li", { text: [path, problem, cure].filter((part) => part).join(" – ") })));
      yes.disabled = false;
    }
  });
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
