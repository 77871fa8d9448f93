// Prompts: heard in the page, replaced by a WAV file, made and deleted.

import { announce } from "../announce.js";
import { actions, tableOf } from "./table.js";
import { askFirst, openForm } from "./form.js";
import { h, icon } from "../dom.js";
import { segment } from "../api.js";
import { t } from "../strings.js";

/** The list of prompts. */
export async function promptsArea({ api, provisioned, load, tools }) {
  const player = new Audio();
  let url = null;
  const prompts = provisioned.tenant.prompts ?? [];

  function silence() {
    player.pause();
    if (url !== null) URL.revokeObjectURL(url);
    url = null;
  }

  async function hear(id, button) {
    silence();
    button.disabled = true;
    try {
      const response = await api.open(`/prompts/${segment(id)}/audio`);
      url = URL.createObjectURL(await response.blob());
      player.src = url;
      await player.play();
    } catch (error) {
      const missing = error.status === 404;
      const { message } = error;
      announce(missing ? t("admin.no_audio") : t("error.action", { message }), "bad");
    }
    button.disabled = false;
  }

  async function replace(id, file) {
    try {
      await api.upload(`/prompts/${segment(id)}/audio`, file, "audio/wav");
      announce(t("admin.live"));
    } catch (error) {
      const { problem } = error.details?.problems?.[0] ?? { problem: error.message };
      announce(t("error.action", { message: problem }), "bad");
    }
  }

  function row({ id, file }) {
    const listen = h("button", { class: "quiet", "aria-label": t("admin.listen_to", { name: id }) },
      icon("play"), h("span", { text: t("admin.listen") }));
    listen.addEventListener("click", () => hear(id, listen));
    const choose = h("input", { type: "file", class: "unseen", id: `wav-${id}`,
      accept: "audio/wav,.wav", "aria-label": t("admin.replace_of", { name: id }) });
    choose.addEventListener("change", () => {
      if (choose.files.length === 1) replace(id, choose.files[0]);
      choose.value = "";
    });
    const label = h("label", { class: "button quiet file-button", for: choose.id },
      t("admin.replace"));
    return [h("strong", { text: id }), h("code", { text: file ?? t("none") }),
      [listen, choose, label, ...actions(id, null, () => askFirst({
        title: t("admin.delete_title", { name: id }), body: t("admin.delete_body"),
        confirm: t("admin.delete"), done: load,
        act: () => api.delete(`/provisioning/prompts/${segment(id)}`) }))]];
  }

  tools.replaceChildren(h("button", { class: "primary", text: t("admin.new.prompts"), on: {
    click: () => openForm({ title: t("admin.new.prompts"), value: {}, done: load,
      fields: [{ name: "id", label: t("admin.field.id"), type: "text",
        hint: t("admin.hint.prompt") }],
      send: (thing, is_trial) => api.put(`/provisioning/prompts/${segment(thing.id || "-")}`
        + `${is_trial ? "?check=true" : ""}`, thing) }) } }));
  const heads = ["id", "file"].map((name) => t(`admin.column.${name}`));
  const element = prompts.length === 0
    ? h("p", { class: "empty", text: t("admin.none") })
    : tableOf(heads, prompts.map(row));
  return { element, close: silence };
}
