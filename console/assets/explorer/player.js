// A player for a recording: both channels as a wave that is a slider, its own few buttons, and
// where nothing was recorded. All of it works by keys: on the wave the arrows move, the space bar
// plays.

import { duration } from "../format.js";
import { h, icon, setAttr, setText } from "../dom.js";
import { scanWav } from "../wav.js";
import { saveAs } from "../download.js";
import { t } from "../strings.js";

const STEP_S = 5;
const LONG_STEP_S = 30;
const SPEEDS = [1, 1.25, 1.5, 2];
/** Canvas pixels a column of the wave. */
const COLUMN = 4;

/** The player of a WAV file's bytes: `{element, focus, close}`. */
export function playerView({ buffer, name }) {
  const blob = new Blob([buffer], { type: "audio/wav" });
  const url = URL.createObjectURL(blob);
  const audio = h("audio", { src: url, preload: "auto" });
  const length = scanWav(buffer, 1)?.seconds ?? 0;
  const canvas = h("canvas", { class: "wave", "aria-hidden": "true" });
  const channels = ["left", "right"].map((side) => h("span", { class: `wave-${side}`,
    "aria-hidden": "true", text: t(`recording.${side}`) }));
  const slider = h("div", { class: "wave-box", role: "slider", tabindex: "0",
    "aria-label": t("player.position"), "aria-valuemin": "0",
    "aria-valuemax": String(Math.round(length)), "aria-describedby": "wave-about" },
  canvas, channels);
  const about = h("p", { class: "unseen", id: "wave-about" });
  const play = h("button", { class: "primary player-play" }, icon("play"),
    h("span", { text: t("player.play") }));
  const time = h("span", { class: "number player-time" });
  const speed = h("select", { class: "select", "aria-label": t("player.speed") },
    SPEEDS.map((rate) => h("option", { value: String(rate), text: `${rate}×` })));
  const save = h("button", { class: "quiet" }, icon("save"),
    h("span", { text: t("recording.save") }));
  const gapText = h("p", { class: "hint player-gaps", hidden: true });
  let scan = null;
  let frame = 0;

  function toggle() {
    if (audio.paused) audio.play().catch(() => {});
    else audio.pause();
  }

  function seek(seconds) {
    audio.currentTime = Math.max(0, Math.min(length, seconds));
    show();
  }

  function show() {
    const at = audio.currentTime;
    setAttr(slider, "aria-valuenow", String(Math.round(at)));
    setAttr(slider, "aria-valuetext", t("player.at", { at: duration(at), of: duration(length) }));
    setText(time, `${duration(at)} / ${duration(length)}`);
    draw();
  }

  function draw() {
    const width = Math.max(200, Math.round(canvas.clientWidth * 2));
    if (canvas.width !== width || scan === null) {
      canvas.width = width;
      canvas.height = 192;
      scan = scanWav(buffer, Math.floor(width / COLUMN));
      tellGaps();
    }
    const colours = channels.map((label) => getComputedStyle(label).color);
    paint(canvas, scan, length > 0 ? audio.currentTime / length : 0, colours);
  }

  function tellGaps() {
    const gaps = scan?.gaps ?? [];
    const told = gaps.slice(0, 20).map(([from, to]) =>
      t("player.gap", { from: duration(from), to: duration(to) })).join(", ");
    setText(about, gaps.length === 0 ? t("player.no_gaps") : t("player.gaps", { gaps: told }));
    gapText.hidden = gaps.length === 0;
    setText(gapText, gaps.length === 0 ? "" : t("player.gaps", { gaps: told }));
  }

  function tick() {
    show();
    if (!audio.paused) frame = requestAnimationFrame(tick);
  }

  for (const state of ["play", "pause", "ended"]) {
    audio.addEventListener(state, () => {
      const plays = !audio.paused;
      play.replaceChildren(icon(plays ? "pause" : "play"),
        h("span", { text: t(plays ? "player.pause" : "player.play") }));
      cancelAnimationFrame(frame);
      tick();
    });
  }
  play.addEventListener("click", toggle);
  speed.addEventListener("change", () => (audio.playbackRate = Number(speed.value)));
  save.addEventListener("click", () => saveAs(blob, name));
  slider.addEventListener("keydown", (event) => {
    const at = audio.currentTime;
    const places = { ArrowLeft: at - STEP_S, ArrowDown: at - STEP_S, ArrowRight: at + STEP_S,
      ArrowUp: at + STEP_S, PageUp: at + LONG_STEP_S, PageDown: at - LONG_STEP_S, Home: 0,
      End: length };
    if (event.key === " " || event.key === "Enter") toggle();
    else if (places[event.key] !== undefined) seek(places[event.key]);
    else return;
    event.preventDefault();
  });
  const point = (event) => {
    const box = slider.getBoundingClientRect();
    seek(((event.clientX - box.left) / box.width) * length);
  };
  slider.addEventListener("pointerdown", (event) => {
    slider.setPointerCapture(event.pointerId);
    point(event);
  });
  slider.addEventListener("pointermove", (event) => {
    if (slider.hasPointerCapture(event.pointerId)) point(event);
  });
  const watch = new ResizeObserver(draw);
  watch.observe(canvas);
  show();
  return {
    element: h("div", { class: "player" }, slider, about,
      h("div", { class: "player-tools" }, play, time, speed, h("span", { class: "spacer" }), save),
      gapText, audio),
    focus: () => play.focus(),
    close() {
      cancelAnimationFrame(frame);
      watch.disconnect();
      audio.pause();
      URL.revokeObjectURL(url);
    },
  };
}

function paint(canvas, scan, played, colours) {
  const pen = canvas.getContext("2d");
  const { width, height } = canvas;
  pen.clearRect(0, 0, width, height);
  if (scan === null) return;
  pen.globalAlpha = 0.14;
  pen.fillStyle = getComputedStyle(canvas).color;
  for (const [from, to] of scan.gaps) {
    pen.fillRect((from / scan.seconds) * width, 0, ((to - from) / scan.seconds) * width, height);
  }
  scan.channels.slice(0, 2).forEach((channel, which) => {
    const middle = height * (which === 0 ? 0.25 : 0.75);
    pen.fillStyle = colours[which];
    channel.forEach((loud, bin) => {
      const heard = bin / channel.length < played;
      // Decibels, not amplitude: quiet speech should be seen.
      const level = Math.max(0, 1 + Math.log10(Math.max(loud, 0.001)) / 3);
      const half = Math.max(1, level * height * 0.22);
      pen.globalAlpha = heard || played === 0 ? 1 : 0.45;
      pen.fillRect(bin * COLUMN, middle - half, COLUMN - 1, half * 2);
    });
  });
  pen.globalAlpha = 1;
  pen.fillStyle = getComputedStyle(canvas).color;
  pen.fillRect(Math.min(width - 2, played * width), 0, 2, height);
}
