// The recording of a call: fetched with the key in a header, played from memory, drawn as two
// channels. Nothing about it ever stands in a URL that could be passed on.

import { ApiError, segment } from "../api.js";
import { h, icon } from "../dom.js";
import { peaks } from "../wav.js";
import { t } from "../strings.js";

const HEIGHT = 96;

/** The recording's panel content: `{element, recording, state, close}`. */
export function recordingView({ api, call }) {
  const abort = new AbortController();
  const element = h("div", { class: "recording-body" });
  let url = null;
  const ended = call.state === "ended";
  if (call.recording === null && ended) element.append(sentence("recording.none"));
  else if (call.recording === null) element.append(sentence("recording.not_yet"));
  else if (!ended) element.append(sentence("recording.running"));
  else offer();

  function offer(problem = "") {
    const load = h("button", { class: "primary" }, icon("play"),
      h("span", { text: t("recording.load") }));
    load.addEventListener("click", () => fetchAudio(load));
    element.replaceChildren(load, h("p", { class: "problem", role: "alert", text: problem }));
  }

  async function fetchAudio(button) {
    button.disabled = true;
    try {
      const path = `/recordings/${segment(call.recording)}/audio`;
      const response = await api.open(path, { signal: abort.signal });
      const buffer = await collect(response, (percent) => {
        button.lastChild.textContent = t("recording.loading", { percent });
      });
      show(buffer);
    } catch (error) {
      if (abort.signal.aborted) return;
      const early = error.status === 404 || error.status === 409;
      offer(early ? t("recording.pending") : t("error.load", { message: error.message }));
    }
  }

  function show(buffer) {
    url = URL.createObjectURL(new Blob([buffer], { type: "audio/wav" }));
    const audio = h("audio", { controls: true, src: url, "aria-label": t("recording.player") });
    const save = h("a", { class: "button", href: url, download: `${call.id}.wav` },
      icon("save"), h("span", { text: t("recording.save") }));
    element.replaceChildren(wave(buffer, audio), audio, save);
    audio.focus();
  }

  return {
    element,
    recording: call.recording,
    state: call.state,
    close() {
      abort.abort();
      if (url !== null) URL.revokeObjectURL(url);
    },
  };
}

function sentence(key) {
  return h("p", { class: "empty", text: t(key) });
}

/** Reads a body to its end and tells how far it is. */
async function collect(response, onProgress) {
  const total = Number(response.headers.get("Content-Length") ?? 0);
  const pieces = [];
  let length = 0;
  const reader = response.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    pieces.push(value);
    length += value.length;
    onProgress(total > 0 ? `${Math.floor((length / total) * 100)} %` : "");
  }
  if (total > 0 && length < total) throw new ApiError(t("error.network"));
  const whole = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole.buffer;
}

/** Both channels on one canvas; the player's own controls do the same for the keyboard. */
function wave(buffer, audio) {
  const canvas = h("canvas", { class: "wave", height: HEIGHT * 2, role: "img",
    "aria-label": t("recording.wave"), title: t("recording.wave") });
  const labels = ["left", "right"].map((side) => h("span", {
    class: `wave-${side}`, "aria-hidden": "true", text: t(`recording.${side}`) }));
  const draw = () => {
    const width = Math.max(200, Math.round(canvas.clientWidth * 2));
    if (canvas.width !== width || canvas.channels === undefined) {
      canvas.width = width;
      canvas.channels = peaks(buffer, Math.floor(width / 4));
    }
    const played = audio.duration > 0 ? audio.currentTime / audio.duration : 0;
    // A computed colour is plain; a custom property would still be an unresolved light-dark().
    paint(canvas, played, labels.map((label) => getComputedStyle(label).color));
  };
  for (const moved of ["timeupdate", "seeked", "loadedmetadata"]) {
    audio.addEventListener(moved, draw);
  }
  canvas.addEventListener("click", (click) => {
    if (audio.duration > 0) {
      audio.currentTime = (click.offsetX / canvas.clientWidth) * audio.duration;
    }
  });
  new ResizeObserver(draw).observe(canvas);
  return h("div", { class: "wave-box" }, labels, canvas);
}

function paint(canvas, played, colours) {
  const pen = canvas.getContext("2d");
  pen.clearRect(0, 0, canvas.width, canvas.height);
  if (canvas.channels === null) return;
  canvas.channels.slice(0, 2).forEach((channel, which) => {
    const middle = canvas.height * (which === 0 ? 0.25 : 0.75);
    channel.forEach((loud, bin) => {
      const heard = bin / channel.length < played;
      // Decibels, not amplitude: quiet speech should be seen.
      const level = Math.max(0, 1 + Math.log10(Math.max(loud, 0.001)) / 3);
      const height = Math.max(2, level * canvas.height * 0.22);
      pen.fillStyle = colours[which];
      pen.globalAlpha = heard || played === 0 ? 1 : 0.45;
      pen.fillRect(bin * 4, middle - height, 3, height * 2);
    });
  });
  pen.globalAlpha = 1;
  pen.fillStyle = getComputedStyle(canvas).color;
  pen.fillRect(played * canvas.width, 0, 2, canvas.height);
}
