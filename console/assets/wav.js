// Reads just enough of a WAV file (RIFF, 16-bit PCM) to draw how loud it is over time, and to tell
// where nothing at all was recorded.

/** Silence of both channels to the last bit, longer than this, is a pause of the recording. */
const GAP_S = 1;
/** Each gap is looked for in steps of this. */
const STEP_S = 0.1;

/**
 * `{channels, seconds, gaps}`: the loudness of each channel in `bins` steps, 0 to 1, and the
 * `[from, to]` in seconds where nothing was recorded; null if this is not 16-bit PCM.
 */
export function scanWav(buffer, bins) {
  const view = new DataView(buffer);
  if (buffer.byteLength < 44 || tag(view, 0) !== "RIFF" || tag(view, 8) !== "WAVE") return null;
  let format = null;
  for (let at = 12; at + 8 <= buffer.byteLength; ) {
    const size = view.getUint32(at + 4, true);
    const name = tag(view, at);
    if (name === "fmt ") format = formatAt(view, at + 8);
    if (name === "data" && format === null) return null;
    if (name === "data") return scan(buffer, at + 8, size, format, bins);
    at += 8 + size + (size % 2);
  }
  return null;
}

function tag(view, at) {
  return String.fromCharCode(...[0, 1, 2, 3].map((i) => view.getUint8(at + i)));
}

function formatAt(view, at) {
  const channels = view.getUint16(at + 2, true);
  const rate = view.getUint32(at + 4, true);
  const bits = view.getUint16(at + 14, true);
  return bits === 16 && channels > 0 && rate > 0 ? { channels, rate } : null;
}

/** `size` may be a streaming writer's placeholder: the file's end counts then. */
function scan(buffer, start, size, { channels, rate }, bins) {
  const bytes = Math.min(size, buffer.byteLength - start);
  const frames = Math.floor(bytes / (2 * channels));
  // Samples stand on even places in every file there is; what is odd is copied.
  const place = start % 2 === 0 ? buffer : buffer.slice(start);
  const samples = new Int16Array(place, start % 2 === 0 ? start : 0, frames * channels);
  const loud = Array.from({ length: channels }, () => new Float32Array(bins));
  for (let bin = 0; bin < bins; bin += 1) {
    const from = Math.floor((bin * frames) / bins);
    const to = Math.floor(((bin + 1) * frames) / bins);
    // Long bins are sampled: every drawn column looks at no more than some hundred frames.
    const step = Math.max(1, Math.floor((to - from) / 400));
    for (let frame = from; frame < to; frame += step) {
      for (let channel = 0; channel < channels; channel += 1) {
        const here = Math.abs(samples[frame * channels + channel]) / 32768;
        if (here > loud[channel][bin]) loud[channel][bin] = here;
      }
    }
  }
  const seconds = frames / rate;
  const gaps = bins > 1 ? gapsOf(samples, channels * rate, seconds) : [];
  return { channels: loud, seconds, gaps };
}

/** Where all channels are silent to the last bit. */
function gapsOf(samples, per_second, seconds) {
  const step = Math.max(1, Math.floor(per_second * STEP_S));
  const gaps = [];
  let since = null;
  for (let at = 0; at < samples.length; at += step) {
    let silent = true;
    for (let one = at; silent && one < Math.min(at + step, samples.length); one += 1) {
      silent = samples[one] === 0;
    }
    if (silent) since ??= at / per_second;
    else if (since !== null) {
      if (at / per_second - since >= GAP_S) gaps.push([since, at / per_second]);
      since = null;
    }
  }
  if (since !== null && seconds - since >= GAP_S) gaps.push([since, seconds]);
  return gaps;
}
