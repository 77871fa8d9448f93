// Keys to the API: made here, told once, revoked.

import { announce } from "../announce.js";
import { actions, tableOf } from "./table.js";
import { askFirst, openForm } from "./form.js";
import { h, pill } from "../dom.js";
import { segment } from "../api.js";
import { t } from "../strings.js";

const ROLES = ["admin", "supervisor", "agent"];

/** The list of keys. */
export async function keysArea({ api, provisioned, load, tools }) {
  const keys = await api.get("/keys");
  const make = () => openForm({
    title: t("admin.new.keys"),
    value: {},
    fields: [
      { name: "name", label: t("admin.field.key_name"), type: "text",
        hint: t("admin.hint.key_name") },
      { name: "role", label: t("admin.field.role"), type: "choice",
        options: ROLES.map((id) => ({ id, name: t(`admin.role.${id}`) })) },
      { name: "agent", label: t("admin.field.agent"), type: "choice", optional: true,
        options: provisioned.tenant.agents ?? [], hint: t("admin.hint.key_agent") },
      { name: "loopback_only", label: t("admin.field.loopback_only"), type: "check" },
    ],
    async send(wish, is_trial) {
      if (!is_trial) showOnce((await api.post("/keys", wish)).data.key);
    },
    done: load,
  });
  tools.replaceChildren(h("button", { class: "primary", text: t("admin.new.keys"),
    on: { click: make } }));
  const row = (key) => [
    [h("strong", { text: key.name || t("none") }),
      key.own ? pill("available", t("admin.own_key")) : null],
    t(`admin.role.${key.role}`),
    key.agent ?? t("none"),
    h("code", { text: key.id }),
    t(key.loopback_only ? "admin.loopback" : "admin.anywhere"),
    actions(key.name, null, key.own ? null : () => askFirst({
      title: t("admin.revoke_title", { name: key.name }), body: t("admin.revoke_body"),
      confirm: t("admin.revoke"), done: load, act: () => api.delete(`/keys/${segment(key.id)}`) })),
  ];
  const heads = ["name", "role", "agent", "hash", "from"].map((name) => t(`admin.column.${name}`));
  return { element: tableOf(heads, keys.map(row)) };
}

/** The new key, in a dialog that stays until it has been taken. */
function showOnce(key) {
  const shown = h("input", { type: "text", readonly: true, class: "mono", id: "new-key",
    value: key });
  const copy = h("button", { type: "button", text: t("admin.copy"), on: { click: async () => {
    shown.select();
    const copied = await navigator.clipboard?.writeText(key).then(() => true, () => false);
    announce(t(copied ? "admin.copied" : "admin.copy_yourself"));
  } } });
  const close = h("button", { type: "submit", class: "primary", text: t("admin.kept") });
  const dialog = h("dialog", { class: "form-dialog", "aria-labelledby": "new-key-title" },
    h("form", { method: "dialog" },
      h("h2", { id: "new-key-title", text: t("admin.key_made") }),
      h("p", { text: t("admin.key_once") }),
      h("div", { class: "form-field" },
        h("label", { for: "new-key", text: t("signin.key") }), shown),
      h("div", { class: "dialog-actions" }, copy, h("span", { class: "spacer" }), close)));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  shown.select();
}
