// A newcomer's first call, in three steps: switch the phone of this page on, be called or call
// in, and see everything as it happens. Only where `strowger demo --keep` runs; its phone stays
// while the call's page is looked at.

import { clockMillis } from "../format.js";
import { describe } from "../describe.js";
import { h, icon, pill, setPill, setText } from "../dom.js";
import { Line } from "../phone/line.js";
import { Sound } from "../phone/sound.js";
import { segment } from "../api.js";
import { t } from "../strings.js";

const MOST_EVENTS = 40;
const TONES = {
  connecting: "queued", registered: "available", waiting: "break", off: "offline",
};

/** The page. */
export function welcomeView({ api, model }) {
  const sound = new Sound();
  let stage = null;
  let line = null;
  let call = null;
  /** Since which event of the log this newcomer's call is looked for, and which call it is. */
  let since = Infinity;
  let own = null;

  const heading = h("h1", { tabindex: "-1", text: t("welcome.title") });
  const problem = h("p", { class: "problem", role: "alert" });
  const lineState = pill("offline", t("line.off"));
  const on = h("button", { class: "primary", text: t("welcome.on"), on: { click: turnOn } });
  const off = h("button", { class: "quiet", hidden: true, text: t("welcome.off"),
    on: { click: turnOff } });
  const about = h("p", { class: "step-text" });
  const callMe = choice("call_me", () => play("customer_calls", "welcome.coming"));
  const callIn = choice("call_in", callNumber);
  const said = h("p", { class: "welcome-said", role: "status", "aria-live": "assertive" });
  const answer = h("button", { class: "primary", hidden: true, text: t("welcome.answer"),
    on: { click: take } });
  const hangUp = h("button", { class: "danger", hidden: true, on: { click: () => call?.hangUp() } },
    icon("hangup"), h("span", { text: t("welcome.hang_up") }));
  const ownPhone = h("p", { class: "hint" });
  const log = h("ol", { class: "welcome-log", "aria-label": t("events.title") });
  const nothing = h("p", { class: "hint", text: t("welcome.nothing") });
  const open = h("a", { class: "button", hidden: true, href: "#/calls" });
  const steps = [
    step(1, [about, h("div", { class: "welcome-row" }, on, lineState, off), problem]),
    step(2, [h("p", { class: "step-text", text: t("welcome.step2_text") }),
      h("div", { class: "welcome-choices" }, callMe.element, callIn.element),
      h("div", { class: "welcome-call" }, said, answer, hangUp),
      h("details", {}, h("summary", { text: t("welcome.own") }), ownPhone)]),
    step(3, [h("p", { class: "step-text", text: t("welcome.step3_text") }), nothing, log,
      h("div", { class: "welcome-row" }, open)]),
  ];
  const list = h("ol", { class: "welcome-steps", hidden: true },
    steps.map(({ element }) => element));
  const missing = h("p", { class: "empty", hidden: true, text: t("welcome.no_demo") });
  const element = h("div", { class: "welcome" },
    heading, h("p", { class: "lead", text: t("welcome.lead") }), missing, list);

  async function load() {
    try {
      stage = await api.get("/welcome");
    } catch {
      missing.hidden = false;
      return;
    }
    list.hidden = false;
    tellNames();
    setText(ownPhone, t("welcome.own_text", { agent: stage.agent, number: stage.number,
      password: `${stage.agent}-secret`, domain: "acme.example", sip: stage.sip }));
    show();
  }

  function tellNames() {
    const { number } = stage;
    setText(about, t("welcome.step1_text", { agent: nameOf(stage.agent) }));
    setText(callIn.text, t("welcome.call_in_text", { number, agent: nameOf(stage.colleague) }));
  }

  function nameOf(id) {
    return model.agentName(id) ?? id;
  }

  async function turnOn() {
    on.disabled = true;
    problem.textContent = "";
    try {
      await sound.microphone();
    } catch (error) {
      problem.textContent = t("phone.no_microphone", { message: error.message });
      on.disabled = false;
      return;
    }
    line = new Line({ token, on: { state: show, call: rings, change: show } });
    line.start();
    show();
  }

  function turnOff() {
    line?.stop();
    line = null;
    show();
    on.focus();
  }

  async function token() {
    const path = `/agents/${segment(stage.agent)}/sip-token`;
    return (await api.post(path, { lifetime_s: 3600 })).data;
  }

  function rings(incoming) {
    call = incoming;
    show();
    answer.focus();
  }

  async function take() {
    await call?.accept(await sound.microphone());
    show();
    hangUp.focus();
  }

  async function play(scene, sentence) {
    begin();
    setText(said, t(sentence));
    try {
      await api.post("/welcome/scenes", { scene });
      return true;
    } catch (error) {
      setText(said, t("error.action", { message: error.message }));
      return false;
    }
  }

  async function callNumber() {
    const number = { number: stage.number };
    if (!await play("colleague_answers", "welcome.calling")) return;
    setText(said, t("welcome.calling", number));
    const microphone = await sound.microphone();
    line.dial(stage.number, microphone).catch(() => {});
    call = line.calls.at(-1) ?? null;
    show();
    hangUp.focus();
  }

  /** Another call: what was told of the last one goes. */
  function begin() {
    since = model.events.at(-1)?.sequence ?? -1;
    own = null;
    log.replaceChildren();
    open.hidden = true;
    nothing.hidden = false;
  }

  function show() {
    const state = line?.state ?? "off";
    setPill(lineState, TONES[state], t(`line.${state}`));
    const ready = state === "registered";
    on.hidden = line !== null;
    on.disabled = false;
    off.hidden = line === null;
    const is_up = call !== null && call.state !== "over";
    for (const { button } of [callMe, callIn]) button.disabled = !ready || is_up;
    answer.hidden = !(is_up && call.isIncoming && call.state === "ringing");
    hangUp.hidden = !is_up;
    sound.ring(answer.hidden ? "" : "rings");
    sound.play(is_up ? call.remote : null);
    if (call !== null) setText(said, sentenceOf(call));
    if (call?.state === "over") call = null;
    steps[0].done(ready);
    steps[1].done(own !== null);
    steps[1].enabled(ready);
  }

  function sentenceOf(one) {
    if (one.state === "over") return t("welcome.over");
    if (one.isIncoming && one.state === "ringing") return t("welcome.rings", { who: one.who });
    if (one.isIncoming) return t("welcome.talking", { who: one.who });
    return one.state === "talking"
      ? t("welcome.greeting")
      : t("welcome.calling", { number: stage.number });
  }

  /** The first call that starts after a button was pressed is the newcomer's. */
  function tell(events) {
    for (const event of events) {
      if (event.sequence <= since) continue;
      since = event.sequence;
      if (own === null && event.type === "call.started") own = event.call;
      if (own === null || event.call !== own) continue;
      nothing.hidden = true;
      log.append(h("li", { data: { kind: event.type } }, h("time", { text: clockMillis(event.at) }),
        h("span", { text: describe(event, model) })));
      if (log.childElementCount > MOST_EVENTS) log.firstElementChild.remove();
      const over = event.type === "call.ended" || event.type === "recording.completed";
      open.hidden = false;
      open.className = over ? "button primary" : "button";
      open.href = `#/calls/${segment(own)}`;
      if (over || open.textContent === "") {
        setText(open, t(over ? "welcome.open" : "welcome.open_live"));
      }
      steps[1].done(true);
      steps[2].done(over);
    }
  }

  const unsubscribe = model.subscribe((changed) => {
    if (changed.has("events")) tell(model.events);
    if (changed.has("agents") && stage !== null) tellNames();
  });
  load();
  return {
    element,
    title: t("welcome.title"),
    heading,
    close() {
      unsubscribe();
      line?.stop();
      sound.close();
    },
  };
}

/** A step with its number, which becomes a mark when it is done. */
function step(number, content) {
  const mark = h("span", { class: "step-mark", "aria-hidden": "true", text: String(number) });
  const state = h("span", { class: "unseen", text: "" });
  const element = h("li", { class: "panel welcome-step" },
    h("h2", {}, mark, t(`welcome.step${number}`), state),
    h("div", { class: "step-body" }, content));
  return {
    element,
    done(yes) {
      element.classList.toggle("done", yes);
      setText(mark, yes ? "✓" : String(number));
      setText(state, yes ? ` (${t("welcome.done")})` : "");
    },
    enabled(yes) {
      element.classList.toggle("waits", !yes);
    },
  };
}

/** One of the two ways to have a call. */
function choice(name, act) {
  const button = h("button", { class: "primary", disabled: true, text: t(`welcome.${name}`),
    on: { click: act } });
  const text = h("p", { text: name === "call_me" ? t("welcome.call_me_text") : "" });
  return { element: h("div", { class: "welcome-choice" }, button, text), button, text };
}
