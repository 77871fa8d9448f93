// The recordings of a call: fetched with the key in a header, played from memory, drawn as two
// channels. Nothing about them ever stands in a URL that could be passed on.

import { ApiError, segment } from "../api.js";
import { h, icon } from "../dom.js";
import { playerView } from "../explorer/player.js";
import { t } from "../strings.js";

/** The panel's content: `{element, key, close}`; `key` changes with what is to be shown. */
export function recordingView({ api, call }) {
  const abort = new AbortController();
  const players = [];
  const ended = call.state === "ended";
  const element = h("div", { class: "recording-body" });
  const all = call.recordings.length > 0 ? call.recordings : [call.recording].filter((id) => id);
  if (all.length === 0) {
    element.append(sentence(ended ? "recording.none" : "recording.not_yet"));
  } else if (ended) {
    element.append(...all.map((id, at) => part(id, all.length > 1 ? at + 1 : 0)));
  } else {
    element.append(sentence("recording.running"));
  }

  /** One recording: a transfer begins another one, so a call may have several. */
  function part(id, number) {
    const box = h("div", { class: "recording-part" });
    offer();
    return box;

    function offer(problem = "") {
      const load = h("button", { class: "primary" }, icon("play"), h("span", { text: number === 0
        ? t("recording.load")
        : t("recording.load_of", { number, count: all.length }) }));
      load.addEventListener("click", () => fetchAudio(load));
      box.replaceChildren(load, h("p", { class: "problem", role: "alert", text: problem }));
    }

    async function fetchAudio(button) {
      button.disabled = true;
      try {
        const path = `/recordings/${segment(id)}/audio`;
        const response = await api.open(path, { signal: abort.signal });
        const buffer = await collect(response, (percent) => {
          button.lastChild.textContent = t("recording.loading", { percent });
        });
        const suffix = number === 0 ? "" : `-${number}`;
        const player = playerView({ buffer, name: `${call.id}${suffix}.wav` });
        players.push(player);
        box.replaceChildren(player.element);
        player.focus();
      } catch (error) {
        if (abort.signal.aborted) return;
        const early = error.status === 404 || error.status === 409;
        offer(early ? t("recording.pending") : t("error.load", { message: error.message }));
      }
    }
  }

  return {
    element,
    key: `${call.state} ${all.join(" ")}`,
    close() {
      abort.abort();
      for (const player of players) player.close();
    },
  };
}

/** What `recordingView` would show of a call, without making it. */
export function recordingKey(call) {
  const all = call.recordings.length > 0 ? call.recordings : [call.recording].filter((id) => id);
  return `${call.state} ${all.join(" ")}`;
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
