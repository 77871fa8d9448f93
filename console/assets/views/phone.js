// The agent's page: own state, the softphone with its calls, who calls, and what calls came to.

import { announce } from "../announce.js";
import { segment } from "../api.js";
import { h, setText } from "../dom.js";
import { Known } from "../phone/known.js";
import { Line } from "../phone/line.js";
import { MicrophoneWatch } from "../phone/microphone.js";
import { Sound } from "../phone/sound.js";
import { t } from "../strings.js";
import { callCard } from "./phone-call.js";
import { callerView } from "./phone-caller.js";
import { devicesView } from "./phone-devices.js";
import { picture } from "./phone-icons.js";
import { panel } from "./panel.js";
import { stateView } from "./phone-state.js";
import { steering } from "./phone-steering.js";
import { wrapUpView } from "./phone-wrap-up.js";

const KEPT = "strowger.phone";
const LINE_KINDS = {
  connecting: "queued", registered: "available", waiting: "break", off: "offline",
};
const LEVEL_MS = 100;
/** The server's figures of a call that talks, in seconds. */
const FIGURES_EVERY = 5;

/** Whether the phone was on before the page was loaded again. */
export function wasOn() {
  return sessionStorage.getItem(KEPT) !== null;
}

/** The page; its line stays while other pages are shown, until `close`. */
export function phoneView({ api, model, me, badge }) {
  const sound = new Sound({ onLost: microphoneLost });
  const known = new Known(api, () => show());
  const hearing = new MicrophoneWatch();
  const cards = new Map();
  let agent = sessionStorage.getItem(KEPT) ?? me.agent?.id ?? "";
  let line = null;
  /** Until when the next call that comes is one that was asked for: it is taken at once. */
  let expects = 0;
  let heard = "ok";
  let seconds = 0;
  /** The call that was last talked in: its wrap-up stays open until the next one. */
  let last = "";

  const heading = h("h1", { class: "unseen", tabindex: "-1", text: t("phone.title") });
  const start = startPanel({ me, agent, onStart: (chosen) => turnOn(chosen) });
  const state = stateView({ api, own: () => known.own, line: lineNow, onSignOut: signOff });
  const lost = h("div", { class: "desk-lost", role: "alert", hidden: true });
  const dialling = dialForm(dial);
  const calls = h("div", { class: "desk-calls" });
  const idle = h("div", { class: "desk-idle" }, picture("phone"),
    h("p", { class: "desk-idle-what", text: t("phone.none") }),
    h("p", { class: "hint", text: t("desk.idle_hint") }));
  const caller = callerView({ model });
  const wrapUp = wrapUpView({ api, onSaved: (id) => {
    known.refresh(id);
    known.take({ type: "", call: null, body: { agent } });
  } });
  const devices = devicesView({ sound, onMicrophone: speakWith });
  const desk = h("div", { class: "desk-grid" },
    h("div", { class: "desk-main" }, lost,
      panel("softphone", t("phone.title"), dialling.element, calls, idle), wrapUp.element),
    h("div", { class: "desk-side" }, caller.caller, caller.history, devices.element));
  const page = h("div", { class: "desk-on", hidden: true }, state.element, desk);
  const element = h("div", { class: "desk" }, heading, start.element, page);

  const steer = steering({ api, known, sound, line: () => line, rest, others: othersOf });
  const given = {
    ...steer, api, sound, rest, others: othersOf,
    of: (call) => known.of(call.number),
    nameOf,
    agent: () => agent,
    agentName: (id) => (id === null ? null : model.agentName(id)),
    queueName: (id) => (id === null ? "" : model.queueName(id)),
    microphone: () => heard,
  };
  const levels = setInterval(() => devices.show(), LEVEL_MS);
  const ticks = setInterval(tick, 1000);
  const unsubscribe = model.subscribe((changed) => {
    if (changed.has("agents")) start.fill(model.agents);
  });
  const unfollow = model.follow((event) => known.take(event));
  start.fill(model.agents);
  if (wasOn()) turnOn(agent);

  async function turnOn(chosen) {
    if (chosen === "" || line !== null) return;
    agent = chosen;
    start.busy(true);
    try {
      await sound.microphone();
      devices.load();
    } catch (error) {
      start.busy(false);
      return start.problem(t("phone.no_microphone", { message: error.message }));
    }
    sessionStorage.setItem(KEPT, agent);
    known.watch(agent);
    line = new Line({ token, on: { state: showLine, call: ringing, change: show } });
    line.start();
    start.element.hidden = true;
    page.hidden = false;
    show();
  }

  /** Goes off duty: no queue rings any more, and the phone is off. */
  async function signOff() {
    await wrapUp.save();
    try {
      await api.put(`/agents/${segment(agent)}/state`, { state: "offline" });
    } catch (error) {
      announce(t("error.action", { message: error.message }), "bad");
    }
    turnOff();
  }

  function turnOff() {
    sessionStorage.removeItem(KEPT);
    line?.stop();
    line = null;
    known.watch("");
    show();
    page.hidden = true;
    start.element.hidden = false;
    start.busy(false);
    start.focus();
  }

  async function token() {
    const answer = await api.post(`/agents/${segment(agent)}/sip-token`, { lifetime_s: 3600 });
    return answer.data;
  }

  function lineNow() {
    const now = line?.state ?? "off";
    return { kind: LINE_KINDS[now], text: t(`line.${now}`) };
  }

  function showLine(now) {
    lost.hidden = now !== "waiting";
    setText(lost, now === "waiting" ? t("desk.lost") : "");
    if (now === "registered") known.take({ type: "", call: null, body: { agent } });
    state.show();
  }

  async function ringing(call) {
    if (call.returns) {
      await call.accept(await sound.microphone());
      return announce(t("phone.returned", { who: call.who }));
    }
    if (performance.now() < expects) {
      expects = 0;
      for (const other of othersOf(call)) await rest(other);
      return call.accept(await sound.microphone());
    }
    announce(t("phone.rings", { who: call.who }));
    // Whoever writes notes goes on writing.
    const writes = ["INPUT", "TEXTAREA"].includes(document.activeElement?.tagName);
    if (!writes) cards.get(call)?.focus();
    return undefined;
  }

  async function dial(to) {
    if (line?.state !== "registered") return;
    for (const call of line.calls) await rest(call);
    await line.dial(to, await sound.microphone());
  }

  /** Only one call talks at a time. */
  async function rest(call) {
    if (call.state === "talking" && !call.held) await call.hold(true);
  }

  function speakWith(stream) {
    const [track] = stream.getAudioTracks();
    for (const call of line?.calls ?? []) call.speakWith(track).catch(() => {});
  }

  /** The microphone was unplugged: another one is taken, if there is one. */
  async function microphoneLost() {
    try {
      speakWith(await sound.choose("microphone", ""));
      announce(t("desk.other_microphone"), "bad");
    } catch {
      announce(t("desk.microphone_gone"), "bad");
    }
    devices.load().catch(() => {});
  }

  function othersOf(call) {
    return (line?.calls ?? []).filter((one) => one !== call && one.state === "talking");
  }

  /** What people call whoever is there. */
  function nameOf(call) {
    const { row } = known.of(call.number);
    return (row?.direction === "inbound" ? row.from_name : call.name) || call.who;
  }

  /** The call that the side of the page is about: whoever is asked, it is about the caller. */
  function inView(present) {
    const asked = present.find(({ consults }) => present.includes(consults));
    return asked?.consults ?? present.find(({ state: is, held }) => is === "talking" && !held)
      ?? present.find(({ state: is }) => is === "talking" || is === "answering")
      ?? present[0] ?? null;
  }

  function show() {
    const present = line?.calls ?? [];
    known.assign(present);
    for (const [call, card] of cards) {
      if (present.includes(call)) continue;
      cards.delete(call);
      card.element.remove();
      announce(t("phone.over", { who: call.who }));
    }
    for (const call of present) {
      if (!cards.has(call)) {
        const card = callCard({ call, desk: given });
        cards.set(call, card);
        calls.append(card.element);
      }
      cards.get(call).show();
    }
    idle.hidden = present.length > 0;
    showSide(inView(present), present);
    showSound(present);
    state.show();
    badge(present.length);
  }

  function showSide(call, present) {
    if (call !== null && call.number !== "" && call.state === "talking") last = call.number;
    const writes = known.own?.wrap_up?.call_id ?? "";
    if (writes !== "" && call === null) last = writes;
    const id = call?.number || last;
    const about = known.of(id);
    caller.show(id === "" ? null : about);
    const written = call === null || call.state === "talking" ? id : last;
    wrapUp.show({ id: written, form: known.of(written).form, own: known.own });
    known.keep([id, written, ...present.map(({ number }) => number)]);
  }

  function showSound(present) {
    sound.ring(present.some(({ state: is, isIncoming, returns }) =>
      is === "ringing" && isIncoming && !returns));
    const talking = present.find(({ state: is, held }) => is === "talking" && !held)
      ?? present.find(({ state: is }) => is === "ringing" || is === "calling");
    sound.play(talking?.remote ?? null);
  }

  function tick() {
    if (line === null) return;
    const talking = line.calls.find(({ state: is, held }) => is === "talking" && !held);
    const now = performance.now();
    if (talking === undefined || talking.muted) hearing.rest(now);
    heard = hearing.take(now, { level: sound.level("own"), ended: sound.ended });
    seconds += 1;
    if (talking !== undefined && seconds % FIGURES_EVERY === 0) known.refresh(talking.number);
    state.tick();
    wrapUp.tick();
    cards.forEach((card) => card.tick());
  }

  return {
    element,
    title: t("phone.title"),
    heading,
    /** Whose phone it is, and whether it is ready: `{agent, state}`, the state as of a `Line`. */
    line: () => ({ agent, state: line?.state ?? "off" }),
    /** Turns the phone of `wanted` on, if it is off. */
    turnOn,
    /** Takes the next call that comes within `ms` at once: the page itself has asked for it. */
    answerNext(ms) {
      expects = performance.now() + ms;
    },
    close() {
      clearInterval(levels);
      clearInterval(ticks);
      unsubscribe();
      unfollow();
      known.close();
      line?.stop();
      sound.close();
    },
  };
}

/** What is shown while the phone is off: whose it is, and the button that turns it on. */
function startPanel({ me, agent, onStart }) {
  const choice = h("select", { id: "phone-agent", class: "select" });
  const label = h("label", { for: "phone-agent", text: t("phone.agent") });
  const problem = h("p", { class: "problem", role: "alert" });
  const on = h("button", { type: "submit", class: "primary desk-turn-on" }, picture("phone"),
    h("span", { text: t("phone.on") }));
  const is_own = me.agent !== null && me.role === "agent";
  label.hidden = is_own;
  choice.hidden = is_own;
  const element = h("form", { class: "desk-start panel", on: { submit: (event) => {
    event.preventDefault();
    problem.textContent = "";
    onStart(is_own ? agent : choice.value);
  } } },
  h("h2", { text: is_own ? t("desk.hello", { name: me.agent.name }) : t("phone.title") }),
  h("p", { class: "lead", text: t("desk.start") }), label, choice, on,
  h("p", { class: "hint", text: t("phone.hint") }), problem);

  function fill(agents) {
    const all = [...agents.values()].sort((a, b) => a.name.localeCompare(b.name));
    if (choice.options.length === all.length) return;
    choice.replaceChildren(...all.map(({ id, name }) =>
      h("option", { value: id, selected: id === agent }, name)));
  }

  return {
    element,
    fill,
    busy: (is) => (on.disabled = is),
    problem: (text) => setText(problem, text),
    focus: () => on.focus(),
  };
}

/** A number or name to call. */
function dialForm(dial) {
  const number = h("input", { id: "phone-number", type: "text", inputmode: "tel",
    autocomplete: "off", placeholder: t("phone.number") });
  const element = h("form", { class: "desk-dial", on: { submit: (event) => {
    event.preventDefault();
    const to = number.value.trim();
    if (to === "") return number.focus();
    number.value = "";
    return dial(to).catch((error) =>
      announce(t("error.action", { message: error.message }), "bad"));
  } } },
  h("label", { for: "phone-number", class: "unseen", text: t("phone.number") }), number,
  h("button", { type: "submit" }, picture("accept"), h("span", { text: t("phone.call") })));
  return { element };
}
