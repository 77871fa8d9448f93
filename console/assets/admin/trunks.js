// Trunks with their health: whether calls to each have a chance, since when, and how that is known.

import { named, TRUNK_FIELDS } from "./areas.js";
import { actions, tableOf } from "./table.js";
import { askFirst, openForm } from "./form.js";
import { clock, count, day, millis } from "../format.js";
import { h, pill, scrolls } from "../dom.js";
import { segment } from "../api.js";
import { t, word } from "../strings.js";

const TONES = { up: "available", down: "quality-poor", unknown: "offline" };
const REFRESH_MS = 5000;

/** The list of trunks; it is looked at anew every few seconds. */
export async function trunksArea({ api, provisioned, load, tools }) {
  const all = provisioned.trunks;
  const box = h("div", { class: "trunks" });
  const send = (thing, is_trial) => api.put(`/provisioning/trunks/${segment(thing.id || "-")}`
    + `${is_trial ? "?check=true" : ""}`, thing);
  const form = (value, is_new) => openForm({ value, send, done: load, fields: TRUNK_FIELDS(is_new),
    title: is_new ? t("admin.new.trunks") : t("admin.change", { name: value.id }) });
  tools.replaceChildren(...(all === null ? [] : [h("button", { class: "primary",
    text: t("admin.new.trunks"), on: { click: () => form({ targets: [] }, true) } })]));

  async function show() {
    const [trunks, changes] = await Promise.all([api.get("/trunks"), api.get("/trunks/history")]);
    const rows = trunks.map((trunk) => row(trunk, all?.find(({ id }) => id === trunk.id)));
    const heads = ["id", "state", "since", "calls", "targets", "registration"]
      .map((name) => t(`admin.column.${name}`));
    // What somebody is about to press stays where it is.
    if (box.contains(document.activeElement)) return;
    const is_open = box.querySelector(".trunk-history")?.open === true;
    box.replaceChildren(rows.length === 0
      ? h("p", { class: "empty", text: t("admin.none") })
      : tableOf(heads, rows), history(changes));
    box.querySelector(".trunk-history").open = is_open;
  }

  function row(trunk, provisioned_as) {
    const since = millis(trunk.since);
    return [
      named(trunk.name, trunk.id),
      pill(TONES[trunk.state] ?? "offline", word("trunk", trunk.state)),
      since === null ? t("none") : `${day(since)}, ${clock(since)}`,
      trunk.calls === null ? t("none") : count(trunk.calls),
      trunk.targets.length === 0 ? t("none") : h("ul", { class: "targets" },
        trunk.targets.map(target)),
      registration(trunk.registration),
      provisioned_as === undefined ? "" : actions(trunk.id, () => form(provisioned_as, false),
        () => askFirst({ title: t("admin.delete_title", { name: trunk.id }),
          body: t("admin.delete_body"), confirm: t("admin.delete"), done: load,
          act: () => api.delete(`/provisioning/trunks/${segment(trunk.id)}`) })),
    ];
  }

  await show();
  const timer = setInterval(() => show().catch(() => {}), REFRESH_MS);
  return { element: box, close: () => clearInterval(timer) };
}

/** When which trunk went down and came up again. */
function history(changes) {
  const rows = changes.map(({ at, trunk, state, why }) => h("tr", {},
    h("td", { text: `${day(millis(at))}, ${clock(millis(at))}` }), h("td", { text: trunk }),
    h("td", {}, pill(TONES[state] ?? "offline", word("trunk", state))),
    h("td", { text: why ?? "" })));
  const heads = ["since", "id", "state", "why"].map((name) =>
    h("th", { scope: "col", text: t(`admin.column.${name}`) }));
  return h("details", { class: "trunk-history" },
    h("summary", { text: t("trunk.history", { count: rows.length }) }),
    rows.length === 0 ? h("p", { class: "empty", text: t("trunk.no_history") })
      : scrolls(t("trunk.changes"), h("table", { class: "things" },
        h("thead", {}, h("tr", {}, heads)), h("tbody", {}, rows))));
}

function target({ uri, state, misses, answered_at: answered }) {
  const heard = millis(answered);
  const last = heard === null ? t("trunk.never") : t("trunk.answered", { time: clock(heard) });
  const shown = pill(TONES[state] ?? "offline", word("trunk", state));
  return h("li", {}, shown, h("code", { text: uri }),
    h("span", { class: "note", text: misses > 0 ? t("trunk.misses", { misses }) : last }));
}

function registration(binding) {
  if (binding === null || binding === undefined) return t("trunk.no_registration");
  const { state, failure } = binding;
  const tone = { registered: "available", failed: "quality-poor" }[state] ?? "offline";
  return [pill(tone, word("trunk", state)),
    failure === null ? null : h("p", { class: "note", text: failure })];
}
