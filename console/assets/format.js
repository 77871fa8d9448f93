// Times, durations and numbers as people read them. The server's clock counts, not the browser's.

import { t } from "./strings.js";

let offset = 0;

/** Learns how far the browser's clock is off, from an answer's `Date` header. */
export function learnClock(dateHeader) {
  const server = Date.parse(dateHeader ?? "");
  if (Number.isNaN(server)) return;
  const apart = server - Date.now();
  // The header has whole seconds: less than two of them is no error worth correcting.
  offset = Math.abs(apart) < 2000 ? 0 : apart;
}

/** Now, by the server's clock, in milliseconds. */
export function now() {
  return Date.now() + offset;
}

/** Milliseconds of whatever form of time the API gives (RFC 3339, s, ms or µs); null if none. */
export function millis(value) {
  if (value === null || value === undefined || value === "") return null;
  if (typeof value === "number") {
    if (value > 1e14) return value / 1000;
    return value > 1e11 ? value : value * 1000;
  }
  const parsed = Date.parse(value);
  return Number.isNaN(parsed) ? null : parsed;
}

const CLOCK = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});
const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });

/** `14:03:09`. */
export function clock(ms) {
  return ms === null ? t("none") : CLOCK.format(ms);
}

const SHORT_DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const LONG_DAY = new Intl.DateTimeFormat(undefined, {
  day: "numeric",
  month: "short",
  year: "numeric",
});

/** `20 Nov`, with the year when it is another than this. */
export function day(ms) {
  if (ms === null) return "";
  const is_this_year = new Date(ms).getFullYear() === new Date(now()).getFullYear();
  return (is_this_year ? SHORT_DAY : LONG_DAY).format(ms);
}

/** `14:03:09.123`, for things that happen close together. */
export function clockMillis(ms) {
  if (ms === null) return t("none");
  return `${CLOCK.format(ms)}.${String(Math.floor(ms) % 1000).padStart(3, "0")}`;
}

/** `20 Nov 2026, 14:03:09`. */
export function dateAndClock(ms) {
  return ms === null ? t("none") : `${DAY.format(ms)}, ${CLOCK.format(ms)}`;
}

/** `0:07`, `12:40`, `1:02:03` of a number of seconds. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || Number.isNaN(seconds)) return t("none");
  const whole = Math.max(0, Math.floor(seconds));
  const s = String(whole % 60).padStart(2, "0");
  const m = Math.floor(whole / 60) % 60;
  const h = Math.floor(whole / 3600);
  return h > 0 ? `${h}:${String(m).padStart(2, "0")}:${s}` : `${m}:${s}`;
}

/** Seconds since `ms`, by the server's clock. */
export function since(ms) {
  return ms === null ? null : (now() - ms) / 1000;
}

const NUMBER = new Intl.NumberFormat();

/** `12,345`. */
export function count(value) {
  return typeof value === "number" ? NUMBER.format(value) : t("none");
}

/** The last midnight where the page is read, as the API wants it. */
export function midnight() {
  const day = new Date(now());
  day.setHours(0, 0, 0, 0);
  return day.toISOString();
}

/** `97 %`; a dash for null. */
export function percent(value) {
  return value === null ? t("none") : t("floor.percent", { percent: Math.round(value) });
}
