// What a page hears: the last half minute of it at 8 kHz, to be judged by the test.
const RATE = 8000;
const KEPT = 30 * RATE;
const WORKLET = `registerProcessor("ear", class extends AudioWorkletProcessor {
  process([input]) {
    if (input[0]) this.port.postMessage(input[0].slice());
    return true;
  }
});`;

let heard = [];
let context;
let gate;

async function open() {
  context = new AudioContext({ sampleRate: RATE });
  const url = URL.createObjectURL(new Blob([WORKLET], { type: "text/javascript" }));
  await context.audioWorklet.addModule(url);
  gate = new AudioWorkletNode(context, "ear", { numberOfOutputs: 1 });
  gate.port.onmessage = ({ data }) => {
    heard.push(...data);
    if (heard.length > 2 * KEPT) heard = heard.slice(-KEPT);
  };
  const silence = new GainNode(context, { gain: 0 });
  gate.connect(silence).connect(context.destination);
}
const ready = open();

const sources = new Map();

/** Hears a remote track from here on, beside any other; one that is told again, once. */
export async function listen(track) {
  await ready;
  await context.resume();
  if (sources.has(track.id)) return;
  const stream = new MediaStream([track]);
  // Chromium decodes a remote track only for an element that plays it.
  const player = new Audio();
  player.muted = true;
  player.srcObject = stream;
  player.play().catch(() => {});
  const source = new MediaStreamAudioSourceNode(context, { mediaStream: stream });
  source.connect(gate);
  sources.set(track.id, source);
}

/** Forgets what was heard. */
export function forget() {
  heard = [];
}

/** All of it, as 16-bit numbers. */
export function sound() {
  return heard.slice(-KEPT).map((one) => Math.round(Math.max(-1, Math.min(1, one)) * 32767));
}
