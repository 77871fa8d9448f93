// The queues: who waits and for how long.

import { count as number } from "../format.js";
import { count, still } from "../ticker.js";
import { h, KeyedRows, setAttr, setText } from "../dom.js";
import { isWaiting, waitingSince } from "./tally.js";
import { panel } from "./panel.js";
import { t } from "../strings.js";

const COLUMNS = ["name", "waiting", "longest", "talking", "free", "level"];

/** The panel of queues. Who waits is counted from the live calls, so that it is never behind. */
export function queuesView({ model }) {
  const body = h("tbody");
  const head = COLUMNS.map((name) =>
    h("th", { scope: "col", class: name, text: t(`queues.${name}`) }));
  const table = h("table", { class: "queues-table", hidden: true },
    h("thead", {}, h("tr", {}, head)), body);
  const empty = h("p", { class: "empty", text: t("loading") });
  const element = panel("queues", t("queues.title"), null,
    h("div", { class: "scroll" }, table, empty));
  const rows = new KeyedRows(body, row, fill);

  function render(changed) {
    const keys = changed.get("queues");
    if (keys === undefined && !changed.has("calls")) return;
    const load = loads(model);
    const queues = [...model.queues.values()].sort((a, b) => a.name.localeCompare(b.name));
    rows.sync(queues.map((queue) => [queue.id, { queue, load: load.get(queue.id) }]), null);
    table.hidden = queues.length === 0;
    empty.hidden = queues.length > 0;
    setText(empty, t("queues.none"));
  }

  return { element, render };
}

/** Of each queue that has calls: how many wait, since when, how many talk. */
function loads(model) {
  const loads = new Map();
  for (const call of model.calls.values()) {
    if (call.queue === null) continue;
    let load = loads.get(call.queue);
    if (load === undefined) {
      load = { waiting: 0, oldest: null, talking: 0 };
      loads.set(call.queue, load);
    }
    if (call.state === "connected" || call.state === "held") load.talking += 1;
    if (!isWaiting(call)) continue;
    load.waiting += 1;
    const since = waitingSince(call);
    if (since !== null && (load.oldest === null || since < load.oldest)) load.oldest = since;
  }
  return loads;
}

function row() {
  return h("tr", {}, h("th", { scope: "row" }), COLUMNS.slice(1).map((name) =>
    h("td", { class: name })));
}

function fill(element, { queue, load }) {
  const [name, waiting, longest, talking, free, level] = element.children;
  setText(name, queue.name);
  setText(waiting, number(load?.waiting ?? 0));
  element.classList.toggle("waited", (load?.waiting ?? 0) > 0);
  if (load === undefined || load.oldest === null) still(longest, null);
  else count(longest, load.oldest);
  setText(talking, number(load?.talking ?? 0));
  setText(free, number(queue.free));
  const percent = queue.serviceLevel;
  setText(level, percent === null ? t("none") : t("queues.percent", { percent }));
  const within = { seconds: queue.serviceLevelS, abandoned: queue.abandoned };
  setAttr(level, "title", percent === null ? null : t("queues.level_of", within));
}
