// The controls of a form that makes or changes what is provisioned: each with its label, its hint,
// what is wrong with it, and how it is read.

import { h } from "../dom.js";
import { t } from "../strings.js";

/**
 * One field: `{name, element, control, read, tell, clear}`; `tell(sentence)` says what is wrong
 * with it. A field is `{name, label, type, options, hint, fixed, secret, optional, unchosen,
 * least}`; `prefix` begins the identifiers of its elements.
 */
export function controlOf(field, value, prefix = "form") {
  const id = `${prefix}-${field.name}`;
  const fault = h("p", { class: "field-fault", id: `${id}-fault` });
  const described = { id, "aria-describedby": `${id}-fault` };
  const makers = { choice, list, check, number, json, pairs, several, suggested };
  const make = makers[field.type] ?? text;
  const { control, read, around } = make(field, value, described);
  const hint = field.hint === undefined ? null : h("p", { class: "hint", text: field.hint });
  const label = () => h("label", { for: id, text: field.label });
  const element = field.type === "check"
    ? h("div", { class: "form-check" }, control, label(), hint, fault)
    : h("div", { class: "form-field" }, around ? null : label(), around ?? control, hint, fault);
  return {
    name: field.name,
    element,
    control,
    read,
    tell(sentence) {
      fault.textContent = sentence;
      control.setAttribute("aria-invalid", "true");
    },
    clear() {
      fault.textContent = "";
      control.removeAttribute("aria-invalid");
    },
  };
}

function text({ fixed, secret, optional }, value, props) {
  const control = h("input", { ...props, type: secret ? "password" : "text", readonly: fixed,
    autocomplete: secret ? "new-password" : "off", spellcheck: "false" });
  control.value = value ?? "";
  const said = () => (control.value === "" && (secret || optional) ? undefined : control.value);
  return { control, read: said };
}

function number({ least = 0 }, value, props) {
  const control = h("input", { ...props, type: "number", min: String(least), step: "1" });
  control.value = value ?? "";
  return { control, read: () => (control.value === "" ? undefined : Number(control.value)) };
}

function check(_, value, props) {
  const control = h("input", { ...props, type: "checkbox", checked: value === true });
  return { control, read: () => control.checked };
}

/** One of some; `optional` (or its word) is none of them, `unchosen` none of them yet. */
function choice({ options, optional, unchosen }, value, props) {
  const chosen = value ?? "";
  const is_known = options.some(({ id }) => id === chosen) || chosen === "";
  const known = is_known ? [] : [{ id: chosen }];
  const none = unchosen && chosen === "" ? t("admin.choose") : optional;
  const control = h("select", { ...props, class: "select" },
    none ? h("option", { value: "", text: none === true ? t("none") : none }) : null,
    [...options, ...known].map(({ id, name }) =>
      h("option", { value: id, text: name || id, selected: id === chosen })));
  return { control, read: () => (control.value === "" ? undefined : control.value) };
}

/** Some of some, each with a box to tick; those that are ticked and not known any more stay. */
function several({ label, options }, value, props) {
  const chosen = new Set(value ?? []);
  const unknown = [...chosen].filter((id) => !options.some((option) => option.id === id));
  const all = [...options, ...unknown.map((id) => ({ id }))];
  const boxes = all.map(({ id }) =>
    h("input", { type: "checkbox", value: id, checked: chosen.has(id) }));
  const around = h("fieldset", { class: "several", id: `${props.id}-all` },
    h("legend", { text: label }),
    boxes.length === 0 ? h("p", { class: "hint", text: t("admin.none") }) : null,
    boxes.map((box, at) => h("label", { class: "several-one" }, box,
      h("span", { text: all[at].name || all[at].id }))));
  const control = boxes[0] ?? h("input", { type: "hidden" });
  for (const [name, of] of Object.entries(props)) control.setAttribute(name, of);
  const read = () => {
    const names = boxes.filter((box) => box.checked).map((box) => box.value);
    return names.length === 0 ? undefined : names;
  };
  return { control, read, around };
}

/** A text for which there are suggestions. */
function suggested({ label, options, optional }, value, props) {
  const control = h("input", { ...props, type: "text", autocomplete: "off", spellcheck: "false",
    list: `${props.id}-list` });
  control.value = value ?? "";
  const around = h("div", { class: "suggested" }, h("label", { for: props.id, text: label }),
    control, h("datalist", { id: `${props.id}-list` },
      options.map(({ id, name }) => h("option", { value: id, label: name }))));
  const read = () => (control.value === "" && optional ? undefined : control.value);
  return { control, around, read };
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

/** Codes with their names, a line each: `order = Order taken`. */
function pairs(_, value, props) {
  const control = h("textarea", { ...props, rows: "5", spellcheck: "false" });
  control.value = (value ?? []).map(({ code, name }) => (name ? `${code} = ${name}` : code))
    .join("\n");
  const read = () => {
    const lines = control.value.split("\n").map((line) => line.trim());
    const all = lines.filter((line) => line !== "").map((line) => {
      const [code, ...name] = line.split("=");
      const said = name.join("=").trim();
      return { code: code.trim(), ...(said === "" ? {} : { name: said }) };
    });
    return all.length === 0 ? undefined : all;
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
