// Reads just enough of a WAV file (RIFF, 16-bit PCM) to draw how loud it is over time.

/** The loudness of each channel in `bins` steps, 0 to 1; null if this is not 16-bit PCM. */
export function peaks(buffer, bins) {
  const view = new DataView(buffer);
  if (buffer.byteLength < 44 || tag(view, 0) !== "RIFF" || tag(view, 8) !== "WAVE") return null;
  let format = null;
  for (let at = 12; at + 8 <= buffer.byteLength; ) {
    const size = view.getUint32(at + 4, true);
    const name = tag(view, at);
    if (name === "fmt ") format = formatAt(view, at + 8);
    if (name === "data" && format === null) return null;
    if (name === "data") return scan(view, at + 8, size, format, bins);
    at += 8 + size + (size % 2);
  }
  return null;
}

function tag(view, at) {
  return String.fromCharCode(...[0, 1, 2, 3].map((i) => view.getUint8(at + i)));
}

function formatAt(view, at) {
  const channels = view.getUint16(at + 2, true);
  const bits = view.getUint16(at + 14, true);
  return bits === 16 && channels > 0 ? { channels } : null;
}

/** `size` may be a streaming writer's placeholder: the file's end counts then. */
function scan(view, start, size, { channels }, bins) {
  const bytes = Math.min(size, view.byteLength - start);
  const frames = Math.floor(bytes / (2 * channels));
  const result = Array.from({ length: channels }, () => new Float32Array(bins));
  for (let bin = 0; bin < bins; bin += 1) {
    const from = Math.floor((bin * frames) / bins);
    const to = Math.floor(((bin + 1) * frames) / bins);
    // Long bins are sampled: every drawn column looks at no more than some hundred frames.
    const step = Math.max(1, Math.floor((to - from) / 400));
    for (let frame = from; frame < to; frame += step) {
      for (let channel = 0; channel < channels; channel += 1) {
        const sample = view.getInt16(start + (frame * channels + channel) * 2, true);
        const loud = Math.abs(sample) / 32768;
        if (loud > result[channel][bin]) result[channel][bin] = loud;
      }
    }
  }
  return result;
}
