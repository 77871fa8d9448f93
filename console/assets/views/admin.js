// Administration: what is provisioned for the tenant, a list a kind, each thing with its form.
// What is to come finds its place in GROUPS.

import { AREAS } from "../admin/areas.js";
import { actions, tableOf } from "../admin/table.js";
import { askFirst, openForm } from "../admin/form.js";
import { explainPanel } from "../admin/explain.js";
import { flowArea, NEW_FLOW } from "../admin/flow.js";
import { h } from "../dom.js";
import { keysArea } from "../admin/keys.js";
import { promptsArea } from "../admin/prompts.js";
import { segment } from "../api.js";
import { t } from "../strings.js";
import { trunksArea } from "../admin/trunks.js";

const GROUPS = [
  ["calls", ["numbers", "flows", "queues", "prompts"]],
  ["people", ["agents", "skills", "keys"]],
  ["carriers", ["trunks"]],
];
const FIRST = "numbers";

/** The page of one area. */
export function adminView({ api, area = FIRST, thing }) {
  const known = GROUPS.some(([, areas]) => areas.includes(area)) ? area : FIRST;
  const is_flow = known === "flows" && thing !== undefined;
  const is_new = thing === NEW_FLOW;
  const title = !is_flow ? t(`admin.${known}`)
    : is_new ? t("admin.new.flows") : t("flow.title", { flow: thing });
  const lead = t(is_flow ? "flow.lead" : `admin.lead.${known}`);
  const heading = h("h1", { tabindex: "-1", text: title });
  const tools = h("div", { class: "admin-tools" });
  const content = h("div", { class: "admin-content" },
    h("p", { class: "empty", text: t("loading") }));
  const element = h("div", { class: "admin" }, navigation(known),
    h("div", { class: "admin-main" },
      h("div", { class: "admin-head" },
        h("div", {}, heading, h("p", { class: "lead", text: lead })),
        h("span", { class: "spacer" }), tools),
      h("section", { class: "panel admin-panel", "aria-label": title }, content)));
  let closed = false;
  let shown = null;

  async function load() {
    try {
      const provisioned = await api.get("/provisioning");
      if (closed) return;
      // Where the areas stand in a row that is too long for the page.
      element.querySelector(".admin-nav [aria-current]")?.scrollIntoView(
        { block: "nearest", inline: "nearest" });
      const given = { api, provisioned, load, tools, thing };
      const special = is_flow ? flowArea
        : { keys: keysArea, prompts: promptsArea, trunks: trunksArea }[known];
      shown?.close?.();
      shown = special === undefined ? thingsArea(known, given) : await special(given);
      if (!closed) content.replaceChildren(shown.element);
    } catch (error) {
      if (closed) return;
      const again = h("button", { text: t("retry"), on: { click: load } });
      content.replaceChildren(h("div", { class: "empty" },
        h("p", { text: t("error.load", { message: error.message }) }), again));
    }
  }

  load();
  return {
    element,
    title,
    heading,
    close() {
      closed = true;
      shown?.close?.();
    },
  };
}

function navigation(known) {
  return h("nav", { class: "admin-nav", "aria-label": t("admin.nav") },
    GROUPS.map(([group, areas]) => h("div", {},
      h("h2", { id: `admin-${group}`, text: t(`admin.group.${group}`) }),
      h("ul", { "aria-labelledby": `admin-${group}` }, areas.map((area) => h("li", {},
        h("a", { href: `#/admin/${area}`, text: t(`admin.${area}`),
          "aria-current": area === known ? "page" : null })))))));
}

/** A list of things with a form each. */
function thingsArea(kind, { api, provisioned, load, tools }) {
  const { key, columns, fields, fresh = {}, has_page = false } = AREAS[kind];
  const { tenant, inherited, whole } = provisioned;
  const things = tenant[kind] ?? [];
  const may_make = whole || kind !== "numbers";
  const place = (thing) => {
    const id = String(thing[key] ?? "").replace(/[^\w+.-]/g, "");
    return `/provisioning/${kind}/${segment(id || "-")}`;
  };
  const send = (thing, is_trial) =>
    api.put(`${place(thing)}${is_trial ? "?check=true" : ""}`, thing);
  const goTo = (name) => (location.hash = `#/admin/${kind}/${segment(name)}`);
  const edit = (thing) => (has_page ? goTo(thing[key]) : openForm({
    title: t("admin.change", { name: thing[key] }), fields: fields(tenant, false, inherited),
    value: thing, send, done: load }));
  const remove = (thing) => askFirst({ title: t("admin.delete_title", { name: thing[key] }),
    body: t("admin.delete_body"), confirm: t("admin.delete"), done: load,
    act: () => api.delete(place(thing)) });
  const make = () => (has_page ? goTo(NEW_FLOW) : openForm({ title: t(`admin.new.${kind}`),
    fields: fields(tenant, true, inherited), value: { ...fresh }, send, done: load }));
  const button = h("button", { class: "primary", text: t(`admin.new.${kind}`),
    on: { click: make } });
  tools.replaceChildren(...(may_make ? [button] : []));
  const table = things.length === 0 ? h("p", { class: "empty", text: t("admin.none") }) : tableOf(
    columns.map(([name]) => t(`admin.column.${name}`)),
    things.map((thing) => [...columns.map(([, of]) => of(thing, provisioned)),
      actions(thing[key], () => edit(thing), may_make ? () => remove(thing) : null)]));
  if (kind !== "numbers") return { element: table };
  return { element: h("div", {}, explainPanel({ api, provisioned }), table) };
}
