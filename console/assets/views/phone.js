// An agent's softphone: sign in as an agent, take and make calls, hold, mute, keys, transfers.

import { announce } from "../announce.js";
import { segment } from "../api.js";
import { askForAgentState } from "../dialogs.js";
import { h, pill, setPill } from "../dom.js";
import { Line } from "../phone/line.js";
import { Sound } from "../phone/sound.js";
import { t, word } from "../strings.js";
import { callCard } from "./phone-call.js";
import { devicesView } from "./phone-devices.js";
import { panel } from "./panel.js";

const KEPT = "strowger.phone";
const STATES = { connecting: "queued", registered: "available", waiting: "break", off: "offline" };
const LEVEL_MS = 100;

/** Whether the phone was on before the page was loaded again. */
export function wasOn() {
  return sessionStorage.getItem(KEPT) !== null;
}

/** The page; its line stays while other pages are shown, until `close`. */
export function phoneView({ api, model, me, badge }) {
  const sound = new Sound();
  let agent = sessionStorage.getItem(KEPT) ?? me.agent?.id ?? "";
  let line = null;
  /** Until when the next call that comes is one that was asked for: it is taken at once. */
  let expects = 0;
  const cards = new Map();

  const heading = h("h1", { class: "unseen", tabindex: "-1", text: t("phone.title") });
  const choice = h("select", { id: "phone-agent" });
  const problem = h("p", { class: "problem", role: "alert" });
  const on = h("button", { type: "submit", class: "primary", text: t("phone.on") });
  const start = h("form", { class: "phone-start", on: { submit: turnOn } },
    h("label", { for: "phone-agent", text: t("phone.agent") }), choice, on,
    h("p", { class: "hint", text: t("phone.hint") }), problem);

  const linePill = pill("offline", t("phone.off"));
  const statePill = pill("offline", t("agent.offline"));
  const change = h("button", { class: "quiet", text: t("phone.change_state"),
    on: { click: () => askForAgentState(api, own()) } });
  const off = h("button", { class: "quiet", text: t("phone.turn_off"), on: { click: turnOff } });
  const number = h("input", {
    id: "phone-number", type: "tel", autocomplete: "off", placeholder: t("phone.number"),
  });
  const dialForm = h("form", { class: "phone-dial", on: { submit: dial } },
    h("label", { for: "phone-number", class: "unseen", text: t("phone.number") }), number,
    h("button", { type: "submit", class: "primary", text: t("phone.call") }));
  const calls = h("div", { class: "phone-calls" });
  const none = h("p", { class: "empty", text: t("phone.none") });
  const desk = h("div", { class: "phone-desk", hidden: true },
    h("div", { class: "phone-states" }, linePill, statePill, h("span", { class: "spacer" }),
      change, off),
    dialForm, calls, none);
  const devices = devicesView({ sound, onMicrophone: speakWith });
  const element = h("div", { class: "phone" }, heading,
    panel("softphone", t("phone.title"), null, start, desk),
    panel("devices", t("devices.title"), null, devices.element));
  const levels = setInterval(() => devices.show(), LEVEL_MS);
  const ticks = setInterval(() => cards.forEach((card) => card.tick()), 1000);
  const unsubscribe = model.subscribe((changed) => {
    if (changed.has("agents")) showAgents();
  });
  showAgents();
  if (wasOn()) turnOn();

  function own() {
    return model.agents.get(agent) ?? { id: agent, name: agent, state: "offline" };
  }

  function showAgents() {
    const all = [...model.agents.values()].sort((a, b) => a.name.localeCompare(b.name));
    if (choice.options.length !== all.length) {
      const option = ({ id, name }) => h("option", { value: id, selected: id === agent }, name);
      choice.replaceChildren(...all.map(option));
    }
    const { state } = own();
    setPill(statePill, state, word("agent", state));
  }

  async function turnOn(event) {
    event?.preventDefault();
    agent = event === undefined ? agent : choice.value;
    if (agent === "") return;
    on.disabled = true;
    problem.textContent = "";
    try {
      await sound.microphone();
      devices.load();
    } catch (error) {
      problem.textContent = t("phone.no_microphone", { message: error.message });
      on.disabled = false;
      return;
    }
    sessionStorage.setItem(KEPT, agent);
    line = new Line({ token, on: { state: showLine, call: ringing, change: show } });
    line.start();
    start.hidden = true;
    desk.hidden = false;
    show();
  }

  function turnOff() {
    sessionStorage.removeItem(KEPT);
    line?.stop();
    line = null;
    show();
    start.hidden = false;
    desk.hidden = true;
    on.disabled = false;
    on.focus();
  }

  async function token() {
    const answer = await api.post(`/agents/${segment(agent)}/sip-token`, { lifetime_s: 3600 });
    return answer.data;
  }

  function showLine(state) {
    setPill(linePill, STATES[state], t(`line.${state}`));
    if (state === "waiting") announce(t("line.waiting"), "bad");
    showAgents();
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
    cards.get(call)?.focus();
  }

  async function dial(event) {
    event.preventDefault();
    const to = number.value.trim();
    if (to === "" || line?.state !== "registered") return;
    number.value = "";
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

  function show() {
    const present = line?.calls ?? [];
    for (const [call, card] of cards) {
      if (present.includes(call)) continue;
      cards.delete(call);
      card.element.remove();
      announce(t("phone.over", { who: call.who }));
    }
    for (const call of present) {
      if (!cards.has(call)) {
        const card = callCard({ call, line, sound, rest, others: () => othersOf(call) });
        cards.set(call, card);
        calls.append(card.element);
      }
      cards.get(call).show();
    }
    none.hidden = present.length > 0;
    sound.ring(present.some(({ state, isIncoming, returns }) =>
      state === "ringing" && isIncoming && !returns));
    const talking = present.find(({ state, held }) => state === "talking" && !held)
      ?? present.find(({ state }) => state === "ringing" || state === "calling");
    sound.play(talking?.remote ?? null);
    badge(present.length);
  }

  function othersOf(call) {
    return (line?.calls ?? []).filter((one) => one !== call && one.state === "talking");
  }

  return {
    element,
    title: t("phone.title"),
    heading,
    /** Whose phone it is, and whether it is ready: `{agent, state}`, the state as of a `Line`. */
    line: () => ({ agent, state: line?.state ?? "off" }),
    /** Turns the phone of `wanted` on, if it is off. */
    async turnOn(wanted) {
      if (line !== null) return;
      agent = wanted;
      await turnOn();
    },
    /** Takes the next call that comes within `ms` at once: the page itself has asked for it. */
    answerNext(ms) {
      expects = performance.now() + ms;
    },
    close() {
      clearInterval(levels);
      clearInterval(ticks);
      unsubscribe();
      line?.stop();
      sound.close();
    },
  };
}
