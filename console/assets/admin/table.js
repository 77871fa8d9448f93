// A list of things that are administered: a row each, with its buttons last.

import { h } from "../dom.js";
import { t } from "../strings.js";

/** A table whose last column has the actions. */
export function tableOf(heads, rows) {
  return h("div", { class: "scroll-x" }, h("table", { class: "things" },
    h("thead", {}, h("tr", {}, heads.map((text) => h("th", { scope: "col", text })),
      h("th", { scope: "col" }, h("span", { class: "unseen", text: t("admin.actions") })))),
    h("tbody", {}, rows.map((cells) => h("tr", {}, cells.map((cell, at) =>
      h("td", { class: at === cells.length - 1 ? "thing-actions" : "",
        data: { label: heads[at] ?? "" } }, cell)))))));
}

/** The buttons of one thing. */
export function actions(name, edit, remove) {
  return [
    edit === null ? null : h("button", { class: "quiet", text: t("admin.edit"),
      "aria-label": t("admin.change", { name }), on: { click: edit } }),
    remove === null ? null : h("button", { class: "quiet", text: t("admin.delete"),
      "aria-label": t("admin.delete_title", { name }), on: { click: remove } }),
  ];
}
