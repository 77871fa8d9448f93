// The wallboard: a card for each queue, whose figures never move from their place; also for a
// display on the wall.

import { KeyedRows, h, icon, setAttr, setText } from "../dom.js";
import { abandonRate, level, sum } from "../floor/figures.js";
import { count as since, still } from "../ticker.js";
import { count as number, percent } from "../format.js";
import { sentence } from "./alarms.js";
import { t } from "../strings.js";

const STATES = ["available", "ringing", "busy", "wrap_up", "break"];
const COLUMNS = ["name", "waiting", "longest", "level", "lately", "abandoned", "answered", "staff"];
const TILES = ["waiting", "longest", "level", "abandoned", "answered", "agents"];

/** The board of `model.figures`; `alarms` mark what is over its limit. */
export function wallboardView({ model, alarms }) {
  const tiles = new Map(TILES.map((name) => [name, tile(name)]));
  const totals = h("dl", { class: "wall-totals" }, TILES.map((name) => tiles.get(name).element));
  const cards = h("ul", { class: "wall-cards" });
  const empty = h("p", { class: "empty", text: t("loading") });
  const rows = new KeyedRows(cards, card, fill);
  const full = h("button", { class: "wall-full", on: { click: toggle } },
    icon("wide"), h("span", { text: t("floor.wall.open") }));
  const clock = h("span", { class: "wall-clock number" });
  const element = h("section", { class: "wall", "aria-labelledby": "wall-title" },
    h("div", { class: "wall-head" }, h("h2", { id: "wall-title", text: t("floor.wall.title") }),
      clock, h("span", { class: "spacer" }), full),
    totals, h("div", { class: "wall-queues", role: "group", tabindex: "0",
      "aria-label": t("queues.title") },
      h("div", { class: "wall-columns", "aria-hidden": "true" }, COLUMNS.map((name) =>
        h("span", { text: t(`floor.card.${name}`) }))), cards, empty));
  element.addEventListener("fullscreenchange", () => {
    const is_full = document.fullscreenElement === element;
    setText(full.lastChild, t(is_full ? "floor.wall.close" : "floor.wall.open"));
  });
  const hour = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
  const ticks = setInterval(() => setText(clock, hour.format(new Date())), 1000);

  async function toggle() {
    if (document.fullscreenElement === element) await document.exitFullscreen();
    else await element.requestFullscreen?.();
  }

  function render(changed) {
    if (!["figures", "agents", "queues"].some((topic) => changed.has(topic))) return;
    const lines = model.figures.lines();
    const staff = staffing(model);
    const queues = [...model.figures.queues.values()];
    queues.sort((a, b) => a.name.localeCompare(b.name));
    const entries = queues.map((queue) => [queue.id, {
      queue,
      line: lines.get(queue.id) ?? { count: 0, oldest: null },
      staff: staff.get(queue.id) ?? {},
    }]);
    rows.sync(entries, null);
    total(queues, lines);
    empty.hidden = queues.length > 0;
    setText(empty, t("queues.none"));
  }

  function total(queues, lines) {
    const today = sum(queues.map((queue) => queue.today));
    let [waiting, oldest] = [0, null];
    for (const line of lines.values()) {
      waiting += line.count;
      if (oldest === null || line.oldest < oldest) oldest = line.oldest;
    }
    const states = {};
    for (const { state } of model.agents.values()) states[state] = (states[state] ?? 0) + 1;
    const show = (name, text, note) => {
      setText(tiles.get(name).value, text);
      setText(tiles.get(name).note, note ?? "");
    };
    show("waiting", number(waiting));
    ticking(tiles.get("longest").value, oldest);
    show("level", percent(level(today)),
      t("floor.lately", { value: percent(level(sum(queues.map((queue) => queue.lately)))) }));
    show("abandoned", percent(abandonRate(today)), t("floor.calls", { count: today.abandoned }));
    show("answered", number(today.answered));
    show("agents", number(states.available ?? 0),
      t("floor.of_signed_in", { total: model.agents.size - (states.offline ?? 0) }));
  }

  function fill(element, { queue, line, staff }) {
    const { parts } = element;
    setText(parts.name, queue.name);
    setText(parts.waiting, number(line.count));
    ticking(parts.longest, line.oldest);
    setText(parts.level, percent(level(queue.today)));
    setText(parts.lately, percent(level(queue.lately)));
    setText(parts.abandoned, percent(abandonRate(queue.today)));
    setText(parts.answered, number(queue.today.answered));
    showStaff(parts.staff, staff);
    showAlarms(element, queue, alarms.of(queue.id));
  }

  function showAlarms(element, { goodS }, all) {
    const kinds = new Set(all.map(({ kind }) => kind));
    for (const name of ["waiting", "longest", "level"]) {
      const kind = name === "longest" ? "wait" : name;
      const is_over = kinds.has(kind) || (name === "waiting" && kinds.has("nobody"));
      element.parts[name].parentElement.classList.toggle("over", is_over);
    }
    element.classList.toggle("alarmed", all.some(({ seen }) => !seen));
    const worst = all.find(({ kind }) => kind === "nobody") ?? all[0];
    const goal = t("floor.within", { seconds: goodS });
    setText(element.parts.alarm, worst === undefined ? goal : sentence(worst, model, false));
    setAttr(element.parts.alarm, "data-kind", worst === undefined ? null : "over");
  }

  return {
    element,
    render,
    close() {
      clearInterval(ticks);
      if (document.fullscreenElement === element) document.exitFullscreen().catch(() => {});
    },
  };
}

/** A wait that counts by itself; nobody waits is a dash that stands still. */
function ticking(element, oldest) {
  if (oldest === null) still(element, null);
  else if (element.countsFrom !== oldest || element.textContent === t("none")) {
    since(element, oldest);
  }
}

/** Of each queue, how many of its agents are in which state. */
function staffing(model) {
  const staff = new Map();
  for (const { state, queues } of model.agents.values()) {
    for (const queue of queues) {
      let counts = staff.get(queue);
      if (counts === undefined) staff.set(queue, (counts = {}));
      counts[state] = (counts[state] ?? 0) + 1;
    }
  }
  return staff;
}

function tile(name) {
  const value = h("span", { class: "figure", text: t("none") });
  const note = h("span", { class: "note" });
  const element = h("div", { class: "wall-tile" },
    h("dt", { text: t(`floor.total.${name}`) }), h("dd", {}, value, note));
  return { element, value, note };
}

function card(id) {
  const part = (tag, name) => h(tag, { class: `wall-${name}`, text: t("none") });
  const names = ["waiting", "longest", "level", "lately", "abandoned", "answered"];
  const parts = Object.fromEntries(names.map((name) => [name, part("dd", name)]));
  parts.name = h("h3", { class: "wall-name" });
  parts.alarm = h("p", { class: "wall-alarm" });
  parts.staff = staffPart();
  const pair = (name) => h("div", { class: "wall-pair" },
    h("dt", { text: t(`floor.card.${name}`) }), parts[name]);
  const element = h("li", { class: "wall-card", data: { queue: id } },
    h("div", { class: "wall-card-head" }, parts.name, parts.alarm),
    h("dl", { class: "wall-figures" },
      pair("waiting"), pair("longest"), pair("level")),
    h("dl", { class: "wall-lesser" }, pair("lately"), pair("abandoned"), pair("answered")),
    parts.staff.element);
  element.parts = parts;
  return element;
}

/** Agents by state: a bar, and the numbers that it stands for. */
function staffPart() {
  const segments = new Map(STATES.map((state) => [state, h("span", { data: { kind: state } })]));
  const words = new Map(STATES.map((state) => [state, h("li", { data: { kind: state } },
    h("b", { text: "0" }), ` ${t(`floor.staff.${state}`)}`)]));
  const element = h("div", { class: "wall-staff" },
    h("div", { class: "staff-bar", "aria-hidden": "true" }, [...segments.values()]),
    h("ul", { class: "staff-words", "aria-label": t("floor.staff") }, [...words.values()]));
  return { element, segments, words };
}

function showStaff({ segments, words }, counts) {
  for (const state of STATES) {
    const count = counts[state] ?? 0;
    const segment = segments.get(state);
    if (segment.style.flexGrow !== String(count)) segment.style.flexGrow = String(count);
    const word = words.get(state);
    setText(word.firstChild, number(count));
    setAttr(word, "data-none", count === 0 ? "true" : null);
  }
}
