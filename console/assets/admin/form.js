// A dialog that makes or changes one thing that is provisioned. The server says what is wrong: each
// fault stands at its field, with its cure; what has no field stands above.

import { announce } from "../announce.js";
import { h } from "../dom.js";
import { t } from "../strings.js";

/**
 * Opens the dialog. `fields` are `{name, label, type, options, hint, fixed, optional}`; `value` is
 * the thing as it is; `send(thing, is_trial)` sends it; `done()` is called when it is live.
 */
export function openForm({ title, fields, value, send, done }) {
  const controls = new Map(fields.map((field) =>
    [field.name, controlOf(field, value[field.name])]));
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
    for (const { name, read: get } of controls.values()) {
      const said = get();
      if (said === undefined) delete thing[name];
      else thing[name] = said;
    }
    return thing;
  }

  function clear() {
    summary.replaceChildren();
    right.textContent = "";
    for (const { fault, control } of controls.values()) {
      fault.textContent = "";
      control.removeAttribute("aria-invalid");
    }
  }

  function tell(problems) {
    let first = null;
    for (const { path, problem, cure } of problems) {
      const field = String(path ?? "").split(".").at(-1).replace(/\[\d+\]$/, "");
      const sentence = [problem, cure].filter((part) => part).join(" – ");
      const place = controls.get(field);
      if (place === undefined) {
        const where = path ? `${path}: ` : "";
        summary.append(h("li", { text: `${where}${sentence}` }));
        continue;
      }
      place.fault.textContent = sentence;
      place.control.setAttribute("aria-invalid", "true");
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

/** One field: `{name, element, control, fault, read}`. */
function controlOf(field, value) {
  const id = `form-${field.name}`;
  const fault = h("p", { class: "field-fault", id: `${id}-fault` });
  const described = { id, "aria-describedby": `${id}-fault` };
  const make = { choice, list, check, number, json }[field.type] ?? text;
  const { control, read } = make(field, value, described);
  const label = h("label", { for: id, text: field.label });
  const hint = field.hint === undefined ? null : h("p", { class: "hint", text: field.hint });
  const element = field.type === "check"
    ? h("div", { class: "form-check" }, control, label, hint, fault)
    : h("div", { class: "form-field" }, label, control, hint, fault);
  return { name: field.name, element, control, fault, read };
}

function text({ fixed, secret, optional }, value, props) {
  const control = h("input", { ...props, type: secret ? "password" : "text", readonly: fixed,
    autocomplete: secret ? "new-password" : "off", spellcheck: "false" });
  control.value = value ?? "";
  const said = () => (control.value === "" && (secret || optional) ? undefined : control.value);
  return { control, read: said };
}

function number(_, value, props) {
  const control = h("input", { ...props, type: "number", min: "0", step: "1" });
  control.value = value ?? "";
  return { control, read: () => (control.value === "" ? undefined : Number(control.value)) };
}

function check(_, value, props) {
  const control = h("input", { ...props, type: "checkbox", checked: value === true });
  return { control, read: () => control.checked };
}

function choice({ options, optional }, value, props) {
  const is_known = options.some(({ id }) => id === value) || (value ?? "") === "";
  const known = is_known ? [] : [{ id: value }];
  const control = h("select", { ...props, class: "select" },
    optional ? h("option", { value: "", text: t("none") }) : null,
    [...options, ...known].map(({ id, name }) =>
      h("option", { value: id, text: name || id, selected: id === value })));
  return { control, read: () => (control.value === "" ? undefined : control.value) };
}

/** Several names, with commas between. */
function list(_, value, props) {
  const control = h("input", { ...props, type: "text", autocomplete: "off", spellcheck: "false" });
  control.value = (value ?? []).join(", ");
  const read = () => {
    const names = control.value.split(",").map((name) => name.trim()).filter((name) => name !== "");
    return names.length === 0 ? undefined : names;
  };
  return { control, read };
}

function json({ name, label }, value, props) {
  const control = h("textarea", { ...props, class: "mono", rows: "14", spellcheck: "false" });
  control.value = JSON.stringify(value ?? null, null, 2);
  const read = () => {
    try {
      return JSON.parse(control.value);
    } catch (cause) {
      const error = new Error(t("admin.no_json", { label, message: cause.message }));
      error.field = name;
      throw error;
    }
  };
  return { control, read };
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
