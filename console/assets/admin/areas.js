// What is administered: of each kind its columns, and the fields of its form. The rest of an object
// stays as it is when it is changed here.

import { h, pill } from "../dom.js";
import { inWords, knownOf, titleOf } from "./flow-kinds.js";
import { t } from "../strings.js";

const names = (things) => (things ?? []).map(({ id, name }) => ({ id, name: name || id }));
const field = (name, type, more = {}) => ({ name, type, label: t(`admin.field.${name}`), ...more });
const nameField = (is_new) =>
  field("id", "text", { fixed: !is_new, hint: is_new ? t("admin.hint.id") : undefined });
const namesWith = (things, list, id) => (things ?? [])
  .filter((thing) => thing[list]?.includes(id)).map((thing) => thing.name || thing.id);
const dialled = (tenant) => [...names(tenant.agents), ...names(tenant.queues)];
const promptsOf = (tenant, inherited) =>
  names([...(tenant.prompts ?? []), ...(inherited?.prompts ?? []).map((id) => ({ id }))]);
const listed = (values) => (values ?? []).join(", ") || t("none");

/**
 * By kind: `columns` of the table, `fields(tenant, is_new, inherited)` of the form, `key` of a
 * thing; what `has_page` is changed on a page of its own.
 */
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
    fields: (tenant, is_new, inherited) => [
      nameField(is_new),
      field("name", "text"),
      field("extension", "text", { optional: true }),
      skillsField("needs", tenant, inherited),
      field("agents", "several", { options: names(tenant.agents), hint: t("admin.hint.agents") }),
      field("music", "choice", { options: promptsOf(tenant, inherited) }),
      field("ring_timeout_s", "number"), field("retry_pause_s", "number"),
      field("wrap_up_s", "number"), field("wrap_up_extend_s", "number"),
      field("wrap_up_codes", "pairs", { hint: t("admin.hint.codes") }),
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
    fields: (tenant, is_new, inherited) => [
      nameField(is_new),
      field("name", "text"),
      field("extension", "text", { optional: true }),
      field("caller_id", "text", { optional: true, hint: t("admin.hint.caller_id") }),
      skillsField("skills", tenant, inherited),
      field("wrap_up_s", "number", { hint: t("admin.hint.own_wrap_up") }),
      field("pickup_groups", "list", { hint: t("admin.hint.pickup_groups") }),
      ...["always", "busy", "no_answer"].map((when) => field(`forward.${when}`, "suggested",
        { options: dialled(tenant), optional: true })),
      field("forward.no_answer_s", "number", { hint: t("admin.hint.no_answer_s") }),
      field("password", "text", { secret: true,
        hint: t(is_new ? "admin.hint.new_password" : "admin.hint.password") }),
      field("available_on_register", "check"),
      field("call_waiting", "check"),
    ],
    fresh: { available_on_register: true },
  },
  skills: {
    key: "id",
    columns: [["id", ({ id, name }) => named(name, id)],
      ["has", ({ id }, { tenant }) => listed(namesWith(tenant.agents, "skills", id))],
      ["needed", ({ id }, { tenant }) => listed(namesWith(tenant.queues, "needs", id))]],
    fields: (_, is_new) => [nameField(is_new), field("name", "text")],
  },
  flows: {
    key: "id",
    columns: [["id", ({ id }) => h("strong", { text: id })],
      ["steps", ({ steps }, provisioned) => stepsOf(steps, provisioned)]],
    has_page: true,
  },
};

/** Skills to tick, where some are listed; else any names. */
function skillsField(name, tenant, inherited) {
  const above = (inherited?.skills ?? []).map((id) => ({ id, name: id }));
  const options = [...names(tenant.skills), ...above];
  return options.length === 0 ? field(name, "list", { hint: t("admin.hint.skills") })
    : field(name, "several", { options });
}

/** The form of a trunk is what the provisioning file says of it. */
export const TRUNK_FIELDS = (is_new) => [
  nameField(is_new),
  field("name", "text"),
  field("sources", "list", { hint: t("admin.hint.sources") }),
  field("targets", "json"),
  field("concurrent_calls", "number"),
  field("calls_per_second", "number"),
  field("probe_s", "number"),
  field("webrtc", "check", { hint: t("admin.hint.webrtc") }),
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
function stepsOf(steps, provisioned) {
  const known = knownOf(provisioned);
  return h("ol", { class: "steps" }, (steps ?? []).map((step) =>
    h("li", {}, h("span", { class: "step-do", text: titleOf(step) }),
      h("span", { class: "step-with", text: inWords(step, known) }))));
}
