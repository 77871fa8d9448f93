// The agent's page: own state, the softphone with its calls, who calls, and what calls came to.

import { announce } from "../announce.js";
import { segment } from "../api.js";
import { h, setText } from "../dom.js";
import { isCopy, keepCalls, keptCalls, wantCalls, wantedCalls } from "../phone/kept.js";
import { Known } from "../phone/known.js";
import { Line } from "../phone/line.js";
import { MicrophoneWatch } from "../phone/microphone.js";
import { Sound } from "../phone/sound.js";
import { t } from "../strings.js";
import { callCard } from "./phone-call.js";
import { callerView } from "./phone-caller.js";
import { devicesView } from "./phone-devices.js";
import { goneCalls, isRung } from "./phone-gone.js";
import { noticesView } from "./phone-notices.js";
import { panel } from "./panel.js";
import { picture } from "./phone-icons.js";
import { dialForm, startPanel } from "./phone-start.js";
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
/** Why a call came to nothing, by its status. */
const REFUSALS = {
  403: "forbidden", 404: "unknown", 408: "away", 480: "away", 484: "unknown", 486: "busy",
  600: "busy", 603: "declined", 604: "unknown",
};
/** Why a browser gives no microphone, by the name of its error. */
const NO_MICROPHONE = {
  NotAllowedError: "refused", NotFoundError: "none", NotReadableError: "taken",
};

/** Whether the phone was on before the page was loaded again. */
export function wasOn() {
  return sessionStorage.getItem(KEPT) !== null;
}

/** The page; its line stays while other pages are shown, until `close`. */
export function phoneView({ api, model, me, badge }) {
  const sound = new Sound({
    microphone: otherMicrophone,
    speaker: () => announce(t("desk.other_speaker"), "bad"),
    change: () => devices.load().catch(() => {}),
  });
  let before = keptCalls();
  const known = new Known(api, () => show());
  const gone = goneCalls({ api, model, nameOf, agent: () => agent, show: () => show() });
  const hearing = new MicrophoneWatch();
  const cards = new Map();
  let agent = sessionStorage.getItem(KEPT) ?? me.agent?.id ?? "";
  let line = null;
  /** The call that was asked for: it is taken at once, if it comes in time. */
  let expected = { number: "", until: 0 };
  let heard = "ok";
  let seconds = 0;
  /** The call that was last talked in: its wrap-up stays open until the next one. */
  let last = "";

  const heading = h("h1", { class: "unseen", tabindex: "-1", text: t("phone.title") });
  const start = startPanel({ me, agent, onStart: (chosen) => turnOn(chosen) });
  const state = stateView({ api, own: () => known.own, line: lineNow, onSignOut: signOff });
  const notices = noticesView({
    useHere: () => line?.takeOver(wantCalls()),
    letSound: () => sound.allow(),
    seen: () => gone.seen(),
    async findMicrophone() {
      if (!(await sound.again())) devices.focus();
    },
  });
  const dialling = dialForm(dial);
  const calls = h("div", { class: "desk-calls" });
  const idleText = h("p", { class: "desk-idle-what", text: t("phone.none") });
  const idle = h("div", { class: "desk-idle" }, picture("phone"), idleText,
    h("p", { class: "hint", text: t("desk.idle_hint") }));
  const caller = callerView({ model });
  const wrapUp = wrapUpView({ api, onSaved: (id) => {
    known.refresh(id);
    known.take({ type: "", call: null, body: { agent } });
  } });
  const devices = devicesView({ sound, onMicrophone: speakWith });
  const desk = h("div", { class: "desk-grid" },
    h("div", { class: "desk-main" }, notices.element,
      panel("softphone", t("phone.title"), dialling.element, calls, idle), wrapUp.element),
    h("div", { class: "desk-side" }, caller.caller, caller.history, devices.element));
  const page = h("div", { class: "desk-on", hidden: true }, state.element, desk);
  const element = h("div", { class: "desk" }, heading, start.element, page);

  const steer = steering({ api, known, microphone, line: () => line, rest, others: othersOf });
  const given = {
    ...steer, api, microphone, rest, others: othersOf,
    of: (call) => known.of(call.number),
    nameOf,
    agent: () => agent,
    agentName: (id) => (id === null ? null : model.agentName(id)),
    queueName: (id) => (id === null ? "" : model.queueName(id)),
    heard: () => heard,
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
      await microphone();
      devices.load();
    } catch (error) {
      start.busy(false);
      return start.problem(error.message);
    }
    // The other tab's calls are its own.
    if (await isCopy()) before = {};
    gone.expectAll(before);
    const since = wasOn() ? wantedCalls() : wantCalls();
    sessionStorage.setItem(KEPT, agent);
    known.watch(agent);
    line = new Line({ token, since, on: {
      state: showLine, call: ringing, over, change: show, rings: showRings,
      notTaken: (call, { to }) => announce(t("desk.not_taken", { who: nameOf(call), to }), "bad"),
    } });
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
    gone.forgetAll();
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

  /** The microphone, or in plain words why there is none. */
  async function microphone() {
    return sound.microphone().catch((error) => {
      const why = NO_MICROPHONE[error.name];
      const words = why === undefined ? t("phone.no_microphone", { message: error.message })
        : t(`desk.microphone_${why}`);
      throw new Error(words);
    });
  }

  function lineNow() {
    const now = line?.state ?? "off";
    if (now === "registered" && !line.rings) return { kind: "break", text: t("line.elsewhere") };
    return { kind: LINE_KINDS[now], text: t(`line.${now}`) };
  }

  function showLine(now) {
    if (now === "registered") known.take({ type: "", call: null, body: { agent } });
    gone.line(now, line?.calls ?? []);
    if (now === "waiting") show();
    showNotices();
    state.show();
  }

  function showRings(here) {
    showLine(line?.state);
    show();
    if (here) announce(t("desk.rings_here"));
  }

  function showNotices() {
    const { state: now = "off", rings = true, calls: present = [] } = line ?? {};
    notices.show({ state: now, rings, hasCalls: present.length > 0, held: sound.held,
      lost: sound.lost, went: gone.words() });
  }

  async function ringing(call) {
    gone.rings(call.number);
    if (call.returns) return takeBack(call);
    if (call.number === expected.number && performance.now() < expected.until) {
      expected = { number: "", until: 0 };
      for (const other of othersOf(call)) await rest(other);
      return call.accept(await microphone());
    }
    announce(t("phone.rings", { who: call.who }));
    // Whoever writes notes, or talks, goes on with that: a key that is pressed now is for it.
    const writes = ["INPUT", "TEXTAREA"].includes(document.activeElement?.tagName);
    if (!writes && othersOf(call).length === 0) cards.get(call)?.focus();
    return undefined;
  }

  /** The page was loaded again: the call is as it was. */
  async function takeBack(call) {
    const { held = false, muted = false } = before[call.number] ?? {};
    call.mute(muted);
    await call.accept(await microphone());
    for (const one of line.calls) {
      const about = before[one.number]?.consults ?? "";
      if (about !== "") one.consults = line.calls.find(({ number }) => number === about) ?? null;
    }
    if (held) await call.hold(true);
    announce(t("phone.returned", { who: call.who }));
    show();
  }

  function over(call) {
    const { who, why, number } = call;
    if (why === "again") return undefined;
    if (why === "gone") return gone.findOut(call);
    if (why === "lost") {
      if (number !== "") before[number] = gone.expect(call);
      return announce(t("desk.comes_back", { who }), "bad");
    }
    gone.forget(number);
    if (why === "") return announce(t("phone.over", { who }));
    return announce(t(`desk.refused_${REFUSALS[why] ?? "failed"}`, { who }), "bad");
  }

  async function dial(to) {
    if (line?.state !== "registered") return;
    for (const call of line.calls) await rest(call);
    await line.dial(to, await microphone());
  }

  /** Only one call talks at a time. */
  async function rest(call) {
    if (call.state === "talking" && !call.held) await call.hold(true);
  }

  function speakWith(stream) {
    for (const call of line?.calls ?? []) call.speakWith(stream).catch(() => {});
  }

  /** The microphone was unplugged, or is there again. */
  function otherMicrophone({ stream, kind, name }) {
    if (stream === null) {
      // The notice says it.
      announce("");
    } else {
      speakWith(stream);
      announce(t(`desk.microphone_${kind}`, { name }), kind === "back" ? "ok" : "bad");
    }
    devices.load().catch(() => {});
    show();
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
    gone.present(present);
    for (const [call, card] of cards) {
      if (present.includes(call)) continue;
      cards.delete(call);
      card.element.remove();
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
    setText(idleText, t(line?.rings === false ? "desk.none_here"
      : known.own?.do_not_disturb ? "desk.none_at_all" : "phone.none"));
    showSide(inView(present), present);
    showSound(present);
    showNotices();
    state.show();
    keepCalls(present, nameOf, gone.standings());
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
    const rings = present.some((call) => isRung(call) && !call.isOld);
    const isBusy = present.some(({ state: is, held }) => is === "talking" && !held);
    sound.ring(rings ? (isBusy ? "waits" : "rings") : "");
    const talking = present.find(({ state: is, held }) => is === "talking" && !held)
      ?? present.find(({ state: is }) => is === "ringing" || is === "calling");
    sound.play(talking?.remote ?? null);
  }

  function tick() {
    if (line === null) return;
    const talking = line.calls.find(({ state: is, held }) => is === "talking" && !held);
    const now = performance.now();
    if (talking === undefined || talking.muted) hearing.rest(now);
    heard = hearing.take(now, { level: sound.level("own"), lost: sound.lost });
    showNotices();
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
    /** Takes that call at once, if it comes within `ms`: the page itself has asked for it. */
    answerNext(number, ms) {
      expected = { number, until: performance.now() + ms };
    },
    close() {
      clearInterval(levels);
      clearInterval(ticks);
      unsubscribe();
      unfollow();
      known.close();
      gone.forgetAll();
      line?.stop();
      sound.close();
    },
  };
}
