// The alarms in the header of every page: how many, which, since when; and what is watched.

import { announce } from "../announce.js";
import { ask } from "../dialogs.js";
import { count as since } from "../ticker.js";
import { duration, percent } from "../format.js";
import { h, icon, KeyedRows, setAttr, setText } from "../dom.js";
import { segment } from "../api.js";
import { t } from "../strings.js";

/** What an alarm says, in a sentence; not of which queue where that is to be seen. */
export function sentence(alarm, model, isNamed = true) {
  const { kind, limit } = alarm;
  const shown = kind === "wait" ? duration(limit) : kind === "level" ? percent(limit) : limit;
  const names = { trunk: alarm.trunk, why: alarm.why, limit: shown };
  const text = t(`floor.alarm.${kind}`, names);
  return isNamed && alarm.queue !== null ? `${model.queueName(alarm.queue)}: ${text}` : text;
}

/** The button of the header with its list. */
export function alarmsView({ api, alarms, model }) {
  const number = h("span", { class: "alarm-number" });
  const button = h("button", {
    class: "quiet alarm-button",
    popovertarget: "alarms",
    "aria-label": t("floor.alarms.none"),
  }, icon("bell"), number);
  const list = h("ul", { class: "alarm-list" });
  const none = h("p", { class: "empty", text: t("floor.alarms.none") });
  const change = h("button", { class: "quiet", text: t("floor.alarms.change"),
    on: { click: () => askForThresholds(api, model) } });
  const panel = h("section", { class: "alarm-panel", id: "alarms", popover: "auto",
    "aria-labelledby": "alarms-title" },
    h("div", { class: "panel-head" }, h("h2", { id: "alarms-title", text: t("floor.alarms") }),
      h("span", { class: "spacer" }), change),
    list, none);
  const aloud = h("div", { class: "unseen", role: "alert" });
  const rows = new KeyedRows(list, (name) => row(name, alarms), (element, alarm) =>
    fill(element, alarm, model));

  function draw(fresh) {
    const all = [...alarms.active.values()].sort((a, b) => a.seen - b.seen || b.since - a.since);
    rows.sync(all.map((alarm) => [alarm.name, alarm]));
    const { unseen } = alarms;
    none.hidden = all.length > 0;
    setText(number, all.length === 0 ? "" : String(all.length));
    button.dataset.kind = unseen > 0 ? "alarmed" : "calm";
    const label = t("floor.alarms.count", { count: all.length, unseen });
    setAttr(button, "aria-label", all.length === 0 ? t("floor.alarms.none") : label);
    if (fresh === null || fresh === undefined) return;
    const text = sentence(fresh, model);
    setText(aloud, text);
    announce(text, "bad");
  }

  const refresh = setInterval(() => {
    if (panel.matches(":popover-open")) draw(null);
  }, 1000);
  const unlisten = alarms.listen(draw);
  draw(null);
  return {
    element: h("div", {}, button, panel, aloud),
    close() {
      clearInterval(refresh);
      unlisten();
    },
  };
}

function row(name, alarms) {
  const text = h("p", { class: "alarm-text" });
  const age = h("span", { class: "number note" });
  const seen = h("button", { class: "quiet", text: t("floor.alarms.seen"),
    on: { click: () => alarms.acknowledge(name) } });
  const element = h("li", { class: "alarm" }, text, age, seen);
  element.parts = { text, age, seen };
  return element;
}

function fill(element, alarm, model) {
  const { text, age, seen } = element.parts;
  const words = sentence(alarm, model);
  setText(text, words);
  since(age, alarm.since);
  element.dataset.kind = alarm.seen ? "seen" : "new";
  seen.disabled = alarm.seen;
  setText(seen, t(alarm.seen ? "floor.alarms.is_seen" : "floor.alarms.seen"));
  setAttr(seen, "aria-label", t("floor.alarms.seen_label", { alarm: words }));
}

/** The thresholds, as the API calls them. */
const LIMITS = {
  wait: "longest_wait_s",
  waiting: "waiting",
  level: "service_level_percent",
  nobody: "no_agent",
};
const NAMES = Object.keys(LIMITS);

/** Asks what is to be watched of each queue, for everybody. */
export function askForThresholds(api, model) {
  const queues = [...model.queues.values()].filter(({ limits }) => limits !== null)
    .sort((a, b) => a.name.localeCompare(b.name));
  const fields = new Map();
  const cell = (queue, name) => {
    const limit = queue.limits[LIMITS[name]];
    const label = t("floor.limit.label", { what: t(`floor.limit.${name}`), queue: queue.name });
    const field = name === "nobody"
      ? h("input", { type: "checkbox", "aria-label": label, checked: limit })
      : h("input", { type: "number", min: "0", max: name === "level" ? "100" : "99999",
        inputmode: "numeric", "aria-label": label, value: limit || "" });
    fields.set(`${queue.id} ${name}`, field);
    return h("td", {}, field);
  };
  const table = h("table", { class: "limits" },
    h("thead", {}, h("tr", {}, h("th", { scope: "col", text: t("queues.name") }),
      NAMES.map((name) => h("th", { scope: "col", text: t(`floor.limit.${name}`) })))),
    h("tbody", {}, queues.map((queue) => h("tr", {},
      h("th", { scope: "row", text: queue.name }), NAMES.map((name) => cell(queue, name))))));
  const said = (queue, name) => {
    const field = fields.get(`${queue.id} ${name}`);
    return name === "nobody" ? field.checked : Number(field.value);
  };
  ask({
    title: t("floor.limit.title"),
    body: [h("p", { class: "lead", text: t("floor.limit.lead") }),
      h("div", { class: "limits-scroll" }, table)],
    confirm: t("floor.limit.confirm"),
    cancel: t("set.cancel"),
    wide: true,
    act: async () => {
      for (const queue of queues) {
        const wish = Object.fromEntries(NAMES.map((name) => [LIMITS[name], said(queue, name)]));
        if (NAMES.every((name) => wish[LIMITS[name]] === queue.limits[LIMITS[name]])) continue;
        queue.limits = await setLimits(api, queue, wish);
      }
      announce(t("floor.limit.done"));
    },
  });
}

async function setLimits(api, queue, wish) {
  try {
    return (await api.put(`/queues/${segment(queue.id)}/alarms`, wish)).data;
  } catch (error) {
    const [first] = error.details?.problems ?? [];
    if (first !== undefined) error.message = `${queue.name}: ${first.problem} – ${first.cure}`;
    throw error;
  }
}
