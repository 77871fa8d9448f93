// What a page hears: the last half minute of it at 8 kHz, to be judged by the test.
const RATE = 8000;
const KEPT = 30 * RATE;
const WORKLET = `registerProcessor("ear", class extends AudioWorkletProcessor {
  sum = 0;
  count = 0;
  place = 0;
  // Means of as many samples as become one.
  process([[input = []]]) {
    const heard = [];
    for (const one of input) {
      this.sum += one;
      this.count += 1;
      this.place += ${RATE} / sampleRate;
      if (this.place < 1) continue;
      heard.push(this.sum / this.count);
      this.place -= 1;
      this.sum = this.count = 0;
    }
    if (heard.length > 0) this.port.postMessage(heard);
    return true;
  }
});`;
/** Firefox has no remote track at another rate than its own. */
const OWN = navigator.userAgent.includes("Firefox") ? {} : { sampleRate: RATE };

let heard = [];
/** When the last of it was heard, by the page's clock. */
let last = 0;
let context;
let gate;

async function open() {
  context = new AudioContext(OWN);
  const url = URL.createObjectURL(new Blob([WORKLET], { type: "text/javascript" }));
  await context.audioWorklet.addModule(url);
  gate = new AudioWorkletNode(context, "ear", { numberOfOutputs: 1 });
  gate.port.onmessage = ({ data }) => {
    heard.push(...data);
    last = performance.now();
    if (heard.length > 2 * KEPT) heard = heard.slice(-KEPT);
  };
  const silence = new GainNode(context, { gain: 0 });
  gate.connect(silence).connect(context.destination);
}
const ready = open();

const sources = new Map();

// What comes in for a track, before it is decoded: the last half minute of PCMU. Chromium gives a page
// nothing more of a track's samples once it was on hold, though it plays them.
const taps = new WeakSet();
let came = [];

function keep(frame) {
  came.push(...new Uint8Array(frame));
  if (came.length > 2 * KEPT) came = came.slice(-KEPT);
}

// What browsers other than Chromium have for it.
const TAP = `onrtctransform = async ({ transformer: { readable, writable } }) => {
  const [reader, writer] = [readable.getReader(), writable.getWriter()];
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    postMessage(next.value.data.slice(0));
    writer.write(next.value);
  }
}`;

function tap(receiver) {
  if (!receiver || taps.has(receiver)) return;
  taps.add(receiver);
  if (!receiver.createEncodedStreams) {
    const worker = new Worker(URL.createObjectURL(new Blob([TAP], { type: "text/javascript" })));
    worker.onmessage = ({ data }) => keep(data);
    receiver.transform = new RTCRtpScriptTransform(worker, {});
    return;
  }
  const { readable, writable } = receiver.createEncodedStreams();
  const keeping = new TransformStream({
    transform(frame, controller) {
      keep(frame.data);
      controller.enqueue(frame);
    },
  });
  readable.pipeThrough(keeping).pipeTo(writable);
}

// With that, Chromium sends nothing either that is not passed on.
const { addTrack } = RTCPeerConnection.prototype;
RTCPeerConnection.prototype.addTrack = function add(...given) {
  const sender = addTrack.apply(this, given);
  if (sender.createEncodedStreams && !taps.has(sender)) {
    taps.add(sender);
    const { readable, writable } = sender.createEncodedStreams();
    readable.pipeTo(writable);
  }
  return sender;
};

// ITU-T G.711.
function decode(code) {
  const value = ~code & 0xff;
  const size = (((value & 0x0f) << 3) + 0x84) << ((value & 0x70) >> 4);
  return value & 0x80 ? 0x84 - size : size - 0x84;
}

/** What has come in since it was forgotten, as 16-bit numbers, if it is PCMU. */
export function arrived() {
  return came.slice(-KEPT).map(decode);
}

/** Hears a remote track from here on, beside any other; one that is told again, once. */
export async function listen(track, receiver) {
  tap(receiver);
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
  came = [];
}

/** When a tone began in what was heard, by the page's clock; null if it has not. */
export function began(hertz) {
  const w = (2 * Math.PI * hertz) / RATE;
  const stretch = RATE / 50;
  for (let from = 0; from + stretch <= heard.length; from += stretch) {
    let [s1, s2] = [0, 0];
    for (const one of heard.slice(from, from + stretch)) {
      [s1, s2] = [one + 2 * Math.cos(w) * s1 - s2, s1];
    }
    const power = s1 * s1 + s2 * s2 - 2 * Math.cos(w) * s1 * s2;
    const loud = (2 * Math.sqrt(Math.max(power, 0))) / stretch;
    if (loud > 0.15) return last - ((heard.length - from - stretch) / RATE) * 1000;
  }
  return null;
}

/** All of it, as 16-bit numbers. */
export function sound() {
  return heard.slice(-KEPT).map((one) => Math.round(Math.max(-1, Math.min(1, one)) * 32767));
}
