// What the scripts beside it stand on: a server, browsers, a carrier with voices, and a bad network
// between browsers and the server.
import { spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const KEY = "demo-acme-admin";
const CARRIER = "127.0.0.2";
/** Where browsers find the server's port, behind a bad network. */
const DOOR = "127.0.0.9";
const NETWORKS = ["127.0.0.10", "127.0.0.11", "127.0.0.12"];
export const LOUD = 0.3;

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** `--name value` of the command line. */
export function options(defaults) {
  const given = process.argv.slice(2);
  const found = { ...defaults };
  while (given.length > 0) {
    const name = given.shift()?.replace(/^--/, "");
    if (!(name in found)) throw new Error(`options: ${Object.keys(found).join(", ")}`);
    const value = given.shift();
    found[name] = typeof found[name] === "number" ? Number(value) : value;
  }
  return found;
}

async function bound(address, port = 0) {
  const socket = createSocket("udp4");
  socket.bind(port, address);
  await once(socket, "listening");
  return socket;
}

/** A network that loses, delays and moves. It is good until it is made worse. */
export class Path {
  loss = 0;
  jitter = 0;
  passed = 0;
  lost = 0;
  movedAt = 0;
  #network = 0;
  #backs = new Map();

  static async open() {
    const path = new Path();
    path.front = await bound(DOOR);
    path.port = path.front.address().port;
    path.front.on("message", (packet, { port, address }) =>
      path.#take(() => path.#forward(packet, port, address)));
    return path;
  }

  /** All browsers are seen at other addresses from now on. */
  moves() {
    this.movedAt = performance.now();
    this.#network = (this.#network + 1) % NETWORKS.length;
    for (const back of this.#backs.values()) back.close();
    this.#backs.clear();
  }

  close() {
    this.front.close();
    for (const back of this.#backs.values()) back.close();
  }

  #take(pass) {
    if (Math.random() * 100 < this.loss) return void (this.lost += 1);
    this.passed += 1;
    if (this.jitter > 0) setTimeout(pass, Math.random() * this.jitter);
    else pass();
  }

  #forward(packet, port, address) {
    const key = `${address}:${port}`;
    let back = this.#backs.get(key);
    if (!back) {
      back = createSocket("udp4");
      back.bind(0, NETWORKS[this.#network]);
      back.on("error", () => {});
      back.on("message", (answer) =>
        this.#take(() => this.front.send(answer, port, address, () => {})));
      this.#backs.set(key, back);
    }
    back.send(packet, this.port, "127.0.0.1", () => {});
  }
}

/** The server, with the demo's provisioning. */
export class Server {
  static async start(binary, { config = "", origin = "", address = "127.0.0.1" }) {
    const server = new Server();
    server.folder = mkdtempSync(join(tmpdir(), "strowger-browsers-"));
    const file = join(server.folder, "strowger.toml");
    writeFileSync(file, `data_dir = "${server.folder}/data"
drain_deadline_s = 1
[sip]
udp = ["127.0.0.1:0"]
tcp = []
[http]
listen = "127.0.0.1:0"
sip_origins = ["${origin}"]
[rtp]
ports = "0"
address = "${address}"
[log]
level = "warn"
${config}`);
    const demo = join(root, "fixtures/demo.toml");
    const args = ["serve", "--json", "--config", file, "--apply", demo];
    server.child = spawn(binary, args, { stdio: ["ignore", "pipe", "inherit"] });
    for await (const line of createInterface({ input: server.child.stdout })) {
      const told = JSON.parse(line);
      if (told.event !== "ready") continue;
      const first = (one) => (Array.isArray(one) ? one[0] : one);
      [server.http, server.sip] = [first(told.http), first(told.sip_udp)];
      return server;
    }
    throw new Error("the server did not start");
  }

  async ask(path, method = "GET", body = undefined) {
    const answer = await fetch(`http://${this.http}${path}`, {
      method,
      headers: { authorization: `Bearer ${KEY}`, "content-type": "application/json" },
      body: body && JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status}`);
    return (await answer.json()).data;
  }

  /** What an agent's page registers with. */
  async token(agent) {
    const token = await this.ask(`/api/v1/agents/${agent}/sip-token`, "POST", { lifetime_s: 3600 });
    const { ws_url: ws, uri, username: user, password } = token;
    return { ws, uri, user, password };
  }

  async stop() {
    this.child.kill("SIGTERM");
    await Promise.race([once(this.child, "exit"), sleep(5000)]);
    this.child.kill("SIGKILL");
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Browsers, driven as the tests drive them. */
export class Browsers {
  #number = 0;
  #waiting = new Map();

  static async start(modules, minutes) {
    const browsers = new Browsers();
    const driver = join(root, "server/tests/browser/driver.mjs");
    const env = { ...process.env, DRIVER_MINUTES: String(minutes) };
    browsers.child = spawn("node", [driver, resolve(modules)], { env, stdio: ["pipe", "pipe", "inherit"] });
    const lines = createInterface({ input: browsers.child.stdout });
    browsers.origin = await new Promise((resolve) => {
      lines.on("line", (line) => {
        const { ready, origin, id, gives, fails } = JSON.parse(line);
        if (ready) return resolve(origin);
        const waiting = browsers.#waiting.get(id);
        browsers.#waiting.delete(id);
        if (fails) waiting?.reject(new Error(fails));
        else waiting?.resolve(gives);
      });
    });
    return browsers;
  }

  told(page, what, given = {}) {
    this.#number += 1;
    const id = this.#number;
    this.child.stdin.write(`${JSON.stringify({ id, do: what, page, ...given })}\n`);
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  /** A page with JsSIP whose microphone is a tone. */
  async page(folder, name, hertz) {
    const wav = join(folder, `${name}.wav`);
    writeFileSync(wav, tone(hertz));
    await this.told(name, "open", { library: "jssip", wav });
    return new Page(this, name);
  }

  async stop() {
    this.child.stdin.end();
    await Promise.race([once(this.child, "exit"), sleep(10_000)]);
    this.child.kill("SIGKILL");
  }
}

export class Page {
  constructor(browsers, name) {
    Object.assign(this, { browsers, name });
  }

  told(what, given) {
    return this.browsers.told(this.name, what, given);
  }

  does(what, ...given) {
    return this.told("run", { what, with: given });
  }

  tells(what, times, seconds = 60) {
    return this.does("until", what, times, seconds);
  }

  /** What it heard since it forgot: what it played, or what came in for it, where that cannot be
   * listened to any more (a track that was on hold). */
  async heard() {
    return Int16Array.from(await this.does(this.wasHeld ? "arrived" : "sound"));
  }
}

/** A tone of ten seconds as a WAV file of 48 kHz. */
function tone(hertz) {
  const rate = 48_000;
  const bytes = Buffer.alloc(44 + 20 * rate);
  bytes.write("RIFF", 0);
  bytes.writeUInt32LE(bytes.length - 8, 4);
  bytes.write("WAVEfmt ", 8);
  [[16, 16, 4], [20, 1, 2], [22, 1, 2], [24, rate, 4], [28, 2 * rate, 4], [32, 2, 2], [34, 16, 2]]
    .forEach(([at, value, size]) => bytes.writeUIntLE(value, at, size));
  bytes.write("data", 36);
  bytes.writeUInt32LE(bytes.length - 44, 40);
  for (let n = 0; n < 10 * rate; n += 1) {
    const sample = Math.sin((2 * Math.PI * hertz * (n % rate)) / rate) * LOUD * 32767;
    bytes.writeInt16LE(Math.round(sample), 44 + 2 * n);
  }
  return bytes;
}

/** How loud a tone is in a stretch of samples of 8 kHz, as a share of full scale. */
export function loudness(samples, hertz) {
  const w = (2 * Math.PI * hertz) / 8000;
  let [s1, s2] = [0, 0];
  for (const sample of samples) [s1, s2] = [sample / 32768 + 2 * Math.cos(w) * s1 - s2, s1];
  const power = s1 * s1 + s2 * s2 - 2 * Math.cos(w) * s1 * s2;
  return (2 * Math.sqrt(Math.max(power, 0))) / samples.length;
}

/** The share of tenths of a second in which a tone is there, at half its level or more. */
export function share(samples, hertz) {
  const windows = Math.floor(samples.length / 800);
  let there = 0;
  for (let n = 0; n < windows; n += 1) {
    if (loudness(samples.subarray(800 * n, 800 * (n + 1)), hertz) > LOUD / 2) there += 1;
  }
  return windows === 0 ? 0 : there / windows;
}

function decode(code) {
  const value = ~code & 0xff;
  const size = (((value & 0x0f) << 3) + 0x84) << ((value & 0x70) >> 4);
  return value & 0x80 ? 0x84 - size : size - 0x84;
}

function encode(sample) {
  const sign = sample < 0 ? 0x80 : 0;
  const size = Math.min(Math.abs(sample), 32635) + 0x84;
  const exponent = 31 - Math.clz32(size) - 7;
  return ~(sign | (exponent << 4) | ((size >> (exponent + 3)) & 0x0f)) & 0xff;
}

/** A caller's audio: it speaks a tone in PCMU, and keeps what it hears with its time. */
export class Voice {
  heard = [];
  target = null;
  #sent = 0;
  #began = 0;

  static async open(hertz) {
    const voice = new Voice();
    voice.hertz = hertz;
    voice.socket = await bound(CARRIER);
    voice.socket.on("message", (packet) => {
      if (packet[0] !== 0x80 || (packet[1] & 0x7f) !== 0) return;
      voice.heard.push({ at: performance.now(), samples: Int16Array.from(packet.subarray(12), decode) });
      if (voice.heard.length > 3000) voice.heard.splice(0, 1500);
    });
    voice.timer = setInterval(() => voice.#speak(), 10);
    return voice;
  }

  get port() {
    return this.socket.address().port;
  }

  #speak() {
    if (!this.target) return;
    const now = performance.now();
    this.#began ||= now;
    for (let due = Math.floor((now - this.#began) / 20); this.#sent < due; this.#sent += 1) {
      const packet = Buffer.alloc(172);
      packet.set([0x80, 0]);
      packet.writeUInt16BE(this.#sent & 0xffff, 2);
      packet.writeUInt32BE((this.#sent * 160) >>> 0, 4);
      packet.writeUInt32BE(0x5eed0000 + this.hertz, 8);
      for (let n = 0; n < 160; n += 1) {
        const at = (this.#sent * 160 + n) % 8000;
        packet[12 + n] = encode(Math.round(Math.sin((2 * Math.PI * this.hertz * at) / 8000) * LOUD * 32767));
      }
      this.socket.send(packet, ...this.target, () => {});
    }
  }

  /** All that was heard since then. */
  since(at) {
    const packets = this.heard.filter((one) => one.at >= at).map(({ samples }) => samples);
    const all = new Int16Array(packets.reduce((sum, { length }) => sum + length, 0));
    packets.reduce((to, samples) => (all.set(samples, to), to + samples.length), 0);
    return all;
  }

  close() {
    clearInterval(this.timer);
    this.socket.close();
  }
}

/** A carrier that makes calls over a trunk. */
export class Carrier {
  #calls = new Map();
  #number = 0;

  static async open(server) {
    const carrier = new Carrier();
    carrier.socket = await bound(CARRIER);
    carrier.server = server.split(":");
    carrier.socket.on("message", (bytes) => carrier.#hear(bytes.toString()));
    return carrier;
  }

  #send(text) {
    this.socket.send(text, Number(this.server[1]), this.server[0], () => {});
  }

  #hear(text) {
    const [head, body] = text.split("\r\n\r\n");
    const field = (name) => new RegExp(`^${name}: *(.*)$`, "mi").exec(head)?.[1].trim();
    const call = this.#calls.get(field("Call-ID"));
    if (head.startsWith("SIP/2.0 ")) {
      const status = Number(head.split(" ")[1]);
      if (!call || status < 200 || !field("CSeq").endsWith("INVITE")) return;
      call.to = field("To");
      call.target = /<([^>]+)>/.exec(field("Contact") ?? "")?.[1] ?? call.target;
      this.#send(this.#request(call, "ACK", call.cseq));
      if (status >= 300) return call.refused?.(new Error(`the call is refused: ${status}`));
      const port = Number(/^m=audio (\d+)/m.exec(body)[1]);
      call.voice.target = [port, /^c=IN IP4 (\S+)/m.exec(body)[1]];
      return call.answered?.(call);
    }
    const method = head.split(" ")[0];
    if (method === "ACK") return;
    const copied = head.split("\r\n").filter((line) => /^(Via|From|To|Call-ID|CSeq):/i.test(line));
    const offered = method === "INVITE" || (method === "UPDATE" && body);
    const sdp = call && offered ? this.#sdp(call) : "";
    const kind = sdp ? "Content-Type: application/sdp\r\n" : "";
    this.#send(`SIP/2.0 200 OK\r\n${copied.join("\r\n")}\r\nContact: <${this.#own()}>\r\n${kind}` +
      `Content-Length: ${sdp.length}\r\n\r\n${sdp}`);
    if (method === "BYE" && call) {
      call.over = true;
      call.voice.target = null;
    }
  }

  #own() {
    return `sip:carrier@${CARRIER}:${this.socket.address().port}`;
  }

  #sdp({ voice, id }) {
    return `v=0\r\no=- ${id} ${id} IN IP4 ${CARRIER}\r\ns=-\r\nc=IN IP4 ${CARRIER}\r\nt=0 0\r\n` +
      `m=audio ${voice.port} RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n`;
  }

  #request(call, method, cseq, body = "") {
    const kind = body ? "Content-Type: application/sdp\r\n" : "";
    return `${method} ${call.target} SIP/2.0\r\n` +
      `Via: SIP/2.0/UDP ${CARRIER}:${this.socket.address().port};branch=z9hG4bK-${call.id}-${cseq}-${method};rport\r\n` +
      `Max-Forwards: 70\r\nFrom: ${call.from}\r\nTo: ${call.to}\r\nCall-ID: ${call.name}\r\n` +
      `CSeq: ${cseq} ${method}\r\nContact: <${this.#own()}>\r\n${kind}` +
      `Content-Length: ${body.length}\r\n\r\n${body}`;
  }

  /** Calls the sales queue with a voice; there when the server has answered. */
  call(voice) {
    this.#number += 1;
    const id = this.#number;
    const target = `sip:+15550100@${this.server.join(":")}`;
    const call = {
      id, voice, target, to: `<${target}>`, name: `${id}-soak`, cseq: 1, over: false,
      from: `<sip:+49301234${id}@${CARRIER}>;tag=${id}`,
    };
    this.#calls.set(call.name, call);
    this.#send(this.#request(call, "INVITE", 1, this.#sdp(call)));
    return new Promise((answered, refused) => {
      Object.assign(call, { answered, refused });
      setTimeout(() => refused(new Error("nobody answers")), 10_000);
    });
  }

  hangUp(call) {
    call.voice.target = null;
    call.cseq += 1;
    this.#send(this.#request(call, "BYE", call.cseq));
    this.#calls.delete(call.name);
  }

  close() {
    this.socket.close();
  }
}
