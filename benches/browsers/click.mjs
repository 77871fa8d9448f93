// How long it takes from a click on Accept until the caller hears the agent, and the agent the
// caller: on loopback, with JsSIP in Chromium. It asserts no time.
//   node benches/browsers/click.mjs --calls 40 [--strowger FILE] [--modules FOLDER]
import { Browsers, Carrier, LOUD, Server, Voice, loudness, options, sleep } from "./rig.mjs";

const [AGENT, CALLER] = [1000, 440];
const { calls, strowger, modules } = options({
  calls: 40, strowger: "target/release/strowger", modules: "target/test-node",
});

/** When a tone began in packets of 20 ms, each with its time. */
const begun = (packets, hertz) =>
  packets.find(({ samples }) => loudness(samples, hertz) > LOUD / 2)?.at;

async function once_there(look, what) {
  const until = performance.now() + 10_000;
  while (performance.now() < until) {
    const found = await look();
    if (found !== undefined) return found;
    await sleep(20);
  }
  throw new Error(`never ${what}`);
}

const at = (times, part) => {
  const sorted = [...times].sort((one, other) => one - other);
  return Math.round(sorted[Math.min(sorted.length - 1, Math.ceil(part * sorted.length) - 1)]);
};
const shown = (times) =>
  ({ median_ms: at(times, 0.5), p95_ms: at(times, 0.95), most_ms: at(times, 1) });

const browsers = await Browsers.start(modules, 30);
const server = await Server.start(strowger, { origin: browsers.origin });
const carrier = await Carrier.open(server.sip);
try {
  const page = await browsers.page(server.folder, "alice", AGENT);
  await page.does("register", await server.token("alice"));
  await page.tells("registered", 1);
  // Two clocks: the page's, and ours. Read in turns, the difference is known to half the time between.
  const offset = async () => {
    let best = { width: Infinity };
    for (let n = 0; n < 10; n += 1) {
      const before = performance.now();
      const theirs = await page.told("evaluate", { script: "performance.now()" });
      const after = performance.now();
      if (after - before < best.width) best = { width: after - before, is: (before + after) / 2 - theirs };
    }
    return best.is;
  };
  const [to_caller, to_agent] = [[], []];
  for (let n = 1; n <= calls; n += 1) {
    const voice = await Voice.open(CALLER);
    const call = await carrier.call(voice);
    await page.tells("ringing", n);
    await sleep(300);
    await page.does("forget");
    const clock = await offset();
    const clicked = (await page.does("clicks")) + clock;
    to_caller.push((await once_there(() => begun(voice.heard.filter((one) => one.at > clicked), AGENT),
      "heard by the caller")) - clicked);
    to_agent.push((await once_there(async () => (await page.does("began", CALLER)) ?? undefined,
      "heard by the agent")) + clock - clicked);
    carrier.hangUp(call);
    voice.close();
    await sleep(2500);
  }
  console.log(JSON.stringify({ calls, caller_hears: shown(to_caller), agent_hears: shown(to_agent) }));
} finally {
  carrier.close();
  await browsers.stop();
  await server.stop();
}
