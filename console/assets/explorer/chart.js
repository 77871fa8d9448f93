// Quality over time: three bands (MOS, loss, jitter) over one axis of time, a line for each leg.
// What the eye gets by the lines, others get by the cursor keys, one sentence a step, and by a
// table.

import { duration } from "../format.js";
import { h, setAttr, setText, svg, scrolls } from "../dom.js";
import { t } from "../strings.js";

const WIDTH = 900;
const LEFT = 46;
const RIGHT = 12;
const BAND = 76;
const GAP = 38;
const TOP = 22;
const BOTTOM = 26;
/** Below this a leg is poor, as the engine tells it. */
const POOR = 3.1;
const MEASURES = [
  { name: "mos", of: (sample) => sample.mos, low: 1, least: 4.5, ticks: [1, 2, 3, 4] },
  { name: "loss", of: (sample) => sample.loss_percent, low: 0, least: 4 },
  { name: "jitter", of: (sample) => sample.jitter_ms, low: 0, least: 20 },
];

/** The chart of `legs` as the API tells them, each with a `name`; null if nothing was measured. */
export function chartView(legs, seconds) {
  const shown = legs.filter(({ samples }) => samples.length > 0);
  if (shown.length === 0) return null;
  const end = Math.max(seconds ?? 0, ...shown.map(({ samples }) => samples.at(-1).at_s), 1);
  const x = (at) => LEFT + (at / end) * (WIDTH - LEFT - RIGHT);
  const height = TOP + MEASURES.length * BAND + (MEASURES.length - 1) * GAP + BOTTOM;
  const drawing = svg("svg", { viewBox: `0 0 ${WIDTH} ${height}`, class: "chart", role: "img",
    tabindex: "0", "aria-label": label(shown), "aria-describedby": "chart-said" });
  MEASURES.forEach((measure, at) => {
    drawing.append(band(measure, shown, x, TOP + at * (BAND + GAP)));
  });
  drawing.append(timeAxis(end, x, height - BOTTOM));
  const cursor = svg("line", { class: "chart-cursor", y1: TOP, y2: height - BOTTOM, hidden: true });
  drawing.append(cursor);
  const said = h("p", { class: "chart-said", id: "chart-said", role: "status",
    "aria-live": "polite", text: t("chart.hint") });
  follow(drawing, cursor, said, shown, x);
  return h("div", { class: "chart-wrap" }, legend(shown), drawing, said, tableOf(shown));
}

function label(legs) {
  const each = legs.map(({ name, samples }) => {
    const known = samples.map(({ mos }) => mos).filter((mos) => mos !== null);
    const mos = known.length === 0 ? t("none") : Math.min(...known).toFixed(2);
    return t("chart.leg", { name, mos });
  });
  return t("chart.label", { legs: each.join("; ") });
}

function legend(legs) {
  return h("ul", { class: "chart-legend", "aria-hidden": "true" }, legs.map(({ name }, at) =>
    h("li", { class: `leg-${at % 4}`, text: name })));
}

/** One measure: its scale, and a line for each leg. */
function band({ name, of, low, least, ticks }, legs, x, top) {
  const values = legs.flatMap(({ samples }) => samples.map(of)).filter((value) => value !== null);
  const high = niceAbove(Math.max(least, ...values));
  const y = (value) => top + BAND - ((value - low) / (high - low)) * BAND;
  const marks = ticks ?? [0, high / 2, high];
  const part = svg("g", {},
    svg("text", { x: LEFT, y: top - 9, class: "chart-title" }),
    marks.map((mark) => svg("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y(mark), y2: y(mark),
      class: "chart-grid" })),
    marks.map((mark) => {
      const text = svg("text", { x: LEFT - 8, y: y(mark) + 4, class: "chart-mark" });
      text.textContent = String(Number(mark.toFixed(1)));
      return text;
    }));
  part.firstChild.textContent = t(`chart.${name}`);
  if (name === "mos") {
    part.append(svg("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y(POOR), y2: y(POOR),
      class: "chart-poor" }));
  }
  legs.forEach(({ samples }, at) => part.append(...lines(samples, of, x, y, at)));
  return part;
}

/** A line breaks where nothing came; a lone sample is a dot. */
function lines(samples, of, x, y, leg) {
  const runs = [[]];
  for (const sample of samples) {
    const value = of(sample);
    if (value === null) runs.push([]);
    else runs.at(-1).push([x(sample.at_s), y(value)]);
  }
  return runs.filter((run) => run.length > 0).map((run) => {
    if (run.length === 1) {
      const [[cx, cy]] = run;
      return svg("circle", { cx, cy, r: 3, class: `chart-dot leg-${leg % 4}` });
    }
    const points = run.map((point) => point.map((one) => one.toFixed(1)).join(",")).join(" ");
    return svg("polyline", { points, class: `chart-line leg-${leg % 4}` });
  });
}

function timeAxis(end, x, bottom) {
  const step = [5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200].find((s) => end / s <= 8)
    ?? 14_400;
  const part = svg("g", {});
  for (let at = 0; at <= end; at += step) {
    const text = svg("text", { x: x(at), y: bottom + 17, class: "chart-time" });
    text.textContent = duration(at);
    const line = { x1: x(at), x2: x(at), y1: bottom, y2: bottom + 4, class: "chart-grid" };
    part.append(svg("line", line), text);
  }
  return part;
}

/** The cursor: by the pointer, or by the keys when the chart has the focus. */
function follow(drawing, cursor, said, legs, x) {
  const times = [...new Set(legs.flatMap(({ samples }) => samples.map(({ at_s: at }) => at)))];
  times.sort((a, b) => a - b);
  let at = times.length - 1;
  function show(index) {
    at = Math.max(0, Math.min(times.length - 1, index));
    const place = x(times[at]);
    setAttr(cursor, "x1", String(place));
    setAttr(cursor, "x2", String(place));
    cursor.removeAttribute("hidden");
    setText(said, sentence(times[at], legs));
  }
  drawing.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: times.length - 1 };
    if (steps[event.key] === undefined) return;
    event.preventDefault();
    show(steps[event.key]);
  });
  drawing.addEventListener("pointermove", (event) => {
    const box = drawing.getBoundingClientRect();
    const here = ((event.clientX - box.left) / box.width) * WIDTH;
    const near = times.map((time, index) => [Math.abs(x(time) - here), index]);
    show(near.sort((a, b) => a[0] - b[0])[0][1]);
  });
}

function sentence(time, legs) {
  const each = legs.map(({ name, samples }) => {
    const sample = samples.findLast(({ at_s: at }) => at <= time + 0.5);
    if (sample === undefined) return null;
    return t("chart.sample", words(name, sample));
  });
  return `${duration(time)} · ${each.filter((one) => one !== null).join(" · ")}`;
}

function words(name, sample) {
  return {
    name,
    mos: sample.mos?.toFixed(2) ?? t("none"),
    loss: sample.loss_percent.toFixed(1),
    jitter: sample.jitter_ms.toFixed(1),
  };
}

/** The same as a table, for those who read it. */
function tableOf(legs) {
  const columns = ["time", "leg", "mos", "loss", "jitter", "trip"];
  const rows = legs.flatMap(({ name, samples }) => samples.map((sample) => ({ name, ...sample })));
  rows.sort((a, b) => a.at_s - b.at_s);
  return h("details", { class: "chart-table" },
    h("summary", { text: t("chart.table") }),
    scrolls(t("chart.table"),
      h("table", {},
        h("thead", {}, h("tr", {}, columns.map((column) =>
          h("th", { scope: "col", text: t(`chart.column.${column}`) })))),
        h("tbody", {}, rows.map((row) => {
          const { name, mos, loss, jitter } = words(row.name, row);
          const trip = row.round_trip_ms?.toFixed(0) ?? t("none");
          return h("tr", {}, [duration(row.at_s), name, mos, loss, jitter, trip].map((text) =>
            h("td", { text })));
        })))));
}

/** 1, 2, 5, 10, 20, 50, ... at or above a value. */
function niceAbove(value) {
  const size = 10 ** Math.floor(Math.log10(Math.max(value, 1e-6)));
  return [1, 2, 5, 10].map((n) => n * size).find((n) => n >= value - 1e-9) ?? value;
}
