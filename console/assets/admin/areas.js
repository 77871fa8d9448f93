// What is administered: of each kind its columns, and the fields of its form. The rest of an object
// stays as it is when it is changed here.

import { h, pill } from "../dom.js";
import { t } from "../strings.js";

const names = (things) => (things ?? []).map(({ id, name }) => ({ id, name: name || id }));
const field = (name, type, more = {}) => ({ name, type, label: t(`admin.field.${name}`), ...more });
const nameField = (is_new) =>
  field("id", "text", { fixed: !is_new, hint: is_new ? t("admin.hint.id") : undefined });
const listed = (values) => (values ?? []).join(", ") || t("none");

/** By kind: `columns` of the table, `fields(tenant, thing)` of the form, `key` of a thing. */
export const AREAS = {
  numbers: {
    key: "number",
    columns: [["number", ({ number }) => h("span", { class: "number", text: number })],
      ["flow", ({ flow }) => flow]],
    fields: (tenant, is_new) => [
      field("number", "text",
        { fixed: !is_new, hint: is_new ? t("admin.hint.number") : undefined }),
      field("flow", "choice", { options: names(tenant.flows) }),
    ],
  },
  queues: {
    key: "id",
    columns: [["id", ({ id, name }) => named(name, id)],
      ["needs", ({ needs }) => listed(needs)],
      ["music", ({ music }) => music ?? t("none")],
      ["service_level_s", ({ service_level_s: s }) => seconds(s)],
      ["record", ({ record }) => yesNo(record ?? true)]],
    fields: (tenant, is_new) => [
      nameField(is_new),
      field("name", "text"),
      field("needs", "list", { hint: t("admin.hint.skills") }),
      field("agents", "list", { hint: t("admin.hint.agents") }),
      field("music", "choice", { options: names(tenant.prompts) }),
      field("ring_timeout_s", "number"), field("wrap_up_s", "number"),
      field("max_wait_s", "number"), field("max_waiting", "number"),
      field("service_level_s", "number"), field("record", "check"),
    ],
    fresh: { record: true },
  },
  agents: {
    key: "id",
    columns: [["id", ({ id, name }) => named(name, id)],
      ["extension", ({ extension }) => extension ?? t("none")],
      ["skills", ({ skills }) => listed(skills)],
      ["available_on_register", ({ available_on_register: yes }) => yesNo(yes)]],
    fields: (_, is_new) => [
      nameField(is_new),
      field("name", "text"),
      field("extension", "text", { optional: true }),
      field("skills", "list", { hint: t("admin.hint.skills") }),
      field("wrap_up_s", "number"),
      field("password", "text", { secret: true,
        hint: t(is_new ? "admin.hint.new_password" : "admin.hint.password") }),
      field("available_on_register", "check"),
    ],
    fresh: { available_on_register: true },
  },
  flows: {
    key: "id",
    columns: [["id", ({ id }) => h("strong", { text: id })],
      ["steps", ({ steps }) => stepsOf(steps)]],
    fields: (_, is_new) => [
      nameField(is_new),
      field("steps", "json", { hint: t("admin.hint.steps") }),
    ],
    fresh: { steps: [{ do: "hangup", cause: "busy" }] },
  },
};

/** The form of a trunk is what the provisioning file says of it. */
export const TRUNK_FIELDS = (is_new) => [
  nameField(is_new),
  field("name", "text"),
  field("sources", "list", { hint: t("admin.hint.sources") }),
  field("targets", "json"),
  field("concurrent_calls", "number"),
  field("calls_per_second", "number"),
  field("probe_s", "number"),
];

/** A name with its id behind it, where the two differ. */
export function named(name, id) {
  const shown = name || id;
  return [h("strong", { text: shown }),
    shown === id ? null : h("code", { class: "thing-id", text: id })];
}

function seconds(value) {
  return value === undefined ? t("none") : t("admin.seconds", { seconds: value });
}

export function yesNo(value) {
  return value ? pill("available", t("admin.yes")) : pill("offline", t("admin.no"));
}

/** The steps of a flow, a line each: what is done, and with what. */
function stepsOf(steps) {
  return h("ol", { class: "steps" }, (steps ?? []).map(({ do: what, ...rest }) =>
    h("li", {}, h("span", { class: "step-do", text: what }),
      h("span", { class: "step-with", text: wordsOf(rest) }))));
}

function wordsOf(rest) {
  return Object.entries(rest).map(([name, value]) => {
    const said = typeof value === "object" ? JSON.stringify(value) : String(value);
    return `${name.replaceAll("_", " ")} ${said}`;
  }).join(", ");
}
