// Two agents' browsers and two callers for as long as you like, over a network that loses a tenth and
// a fifth of all packets and delays others. While they talk, browsers' addresses change, ICE begins
// anew, pages are loaded again and calls are held. What everybody hears is judged by its content. It
// fails when a call is dropped, or when somebody is not heard again within five seconds.
//   node benches/browsers/soak.mjs --minutes 20 [--strowger FILE] [--modules FOLDER]
import { Browsers, Carrier, Path, Server, Voice, options, share, sleep } from "./rig.mjs";

const { minutes, strowger, modules } = options({
  minutes: 20, strowger: "target/release/strowger", modules: "target/test-node",
});
const AGENTS = { alice: 1000, bob: 700 };
// Whole periods in a packet: one that is lost leaves no gap in them.
const CALLERS = [450, 550];
const NETWORKS = [{ loss: 0, jitter: 0 }, { loss: 10, jitter: 30 }, { loss: 20, jitter: 60 }];
const BACK = 5000;
const CALL = 60_000;

const figures = { calls: 0, events: {}, worst_ms: {}, heard: {}, failures: [] };
const began = performance.now();
const until = began + minutes * 60_000;
const over = () => performance.now() > until;

function fail(what) {
  const at = Math.round((performance.now() - began) / 1000);
  figures.failures.push(`${at} s: ${what}`);
  console.error(`${at} s: ${what}`);
}

/** How long it takes until both hear each other for a second, from now on. */
async function both_hear({ voice, page, agent }) {
  const start = performance.now();
  await page.does("forget").catch(() => {});
  while (performance.now() - start < 3 * BACK) {
    await sleep(200);
    const recent = performance.now() - Math.min(1000, performance.now() - start);
    const by_caller = share(voice.since(recent), AGENTS[agent]);
    const heard = await page.heard().catch(() => new Int16Array(0));
    const by_agent = share(heard.subarray(-8000), voice.hertz);
    if (heard.length >= 4000 && by_caller > 0.7 && by_agent > 0.7) return performance.now() - start;
  }
  return undefined;
}

const EVENTS = {
  move: ({ path }) => path.moves(),
  restart: ({ page }) => page.does("restart"),
  async hold({ page }) {
    await page.does("hold");
    await sleep(2000);
    await page.does("resume");
    page.wasHeld = true;
  },
  async reload({ page }) {
    await page.told("reload");
    page.wasHeld = false;
  },
};

/** Whose page rings: the one whose tone the caller hears. */
async function whom(voice, free) {
  const until = performance.now() + 30_000;
  while (performance.now() < until) {
    await sleep(200);
    const heard = voice.since(performance.now() - 1000);
    const agent = free().find((name) => share(heard, AGENTS[name]) > 0.5);
    if (agent) return agent;
  }
  return undefined;
}

async function line(hertz, { path, pages, carrier, busy }) {
  for (let turn = 0; !over(); turn += 1) {
    const voice = await Voice.open(hertz);
    const call = await carrier.call(voice);
    const agent = await whom(voice, () => Object.keys(AGENTS).filter((name) => !busy.has(name)));
    if (!agent) {
      fail(`a caller of ${hertz} Hz hears no agent`);
    } else {
      busy.add(agent);
      pages[agent].wasHeld = false;
      figures.calls += 1;
      await talk({ path, voice, call, agent, page: pages[agent] }, turn);
      busy.delete(agent);
    }
    if (call.over) fail(`the call of ${agent} was dropped`);
    else carrier.hangUp(call);
    voice.close();
    // The agent's wrap-up.
    await sleep(4000);
  }
}

async function talk(with_whom, turn) {
  const ends = performance.now() + CALL;
  const names = Object.keys(EVENTS);
  for (let n = turn; performance.now() < ends && !with_whom.call.over && !over(); n += 1) {
    const name = names[n % names.length];
    figures.events[name] = (figures.events[name] ?? 0) + 1;
    try {
      const start = performance.now();
      await EVENTS[name](with_whom);
      const spent = name === "hold" ? performance.now() - start : 0;
      if ((await both_hear(with_whom)) === undefined) fail(`nobody is heard again after a ${name}`);
      // A second of what is heard is part of it. Both browsers move at once, whoever's turn it is.
      const since = Math.max(start + spent, with_whom.path.movedAt);
      const took = Math.round(performance.now() - since);
      figures.worst_ms[name] = Math.max(figures.worst_ms[name] ?? 0, took);
      if (took > BACK + 1000) fail(`after a ${name} of ${with_whom.agent} it took ${took} ms`);
    } catch (error) {
      fail(`${name} of ${with_whom.agent}: ${error.message}`);
    }
    await listen(with_whom);
  }
}

/** Ten undisturbed seconds: how much of them each hears of the other. */
async function listen({ path, voice, page, agent }) {
  const [loss, start] = [path.loss, performance.now()];
  await page.does("forget");
  await sleep(10_000);
  const heard = figures.heard[`${loss} %`] ??= { caller: [], agent: [] };
  heard.caller.push(share(voice.since(start), AGENTS[agent]));
  heard.agent.push(share(await page.heard(), voice.hertz));
}

const browsers = await Browsers.start(modules, minutes + 10);
const path = await Path.open();
const config = `[webrtc]\nport = ${path.port}\nadvertised = ["127.0.0.9"]\ntcp = false\n`;
const server = await Server.start(strowger, { config, origin: browsers.origin });
const carrier = await Carrier.open(server.sip);
const weather = setInterval(() => {
  const minute = Math.floor((performance.now() - began) / 60_000);
  Object.assign(path, NETWORKS[minute % NETWORKS.length]);
}, 1000);
try {
  const pages = {};
  for (const [name, hertz] of Object.entries(AGENTS)) {
    pages[name] = await browsers.page(server.folder, name, hertz);
    await pages[name].does("register", { ...(await server.token(name)), auto: true });
    await pages[name].tells("registered", 1);
  }
  const busy = new Set();
  await Promise.all(CALLERS.map((hertz) => line(hertz, { path, pages, carrier, busy })));
} catch (error) {
  fail(error.stack);
} finally {
  clearInterval(weather);
  carrier.close();
  await browsers.stop();
  await server.stop();
  path.close();
}
for (const heard of Object.values(figures.heard)) {
  for (const [who, shares] of Object.entries(heard)) {
    const mean = shares.reduce((sum, one) => sum + one, 0) / shares.length;
    heard[who] = { mean: Number(mean.toFixed(3)), least: Number(Math.min(...shares).toFixed(3)), times: shares.length };
  }
}
figures.packets = { passed: path.passed, lost: path.lost };
console.log(JSON.stringify(figures, null, 1));
process.exit(figures.failures.length === 0 ? 0 : 1);
