// One call of the softphone: who it is, how it stands, how well it is heard, and what can be done.

import { announce } from "../announce.js";
import { duration } from "../format.js";
import { h, pill, setAttr, setPill, setText } from "../dom.js";
import { picture, setPicture } from "./phone-icons.js";
import { Quality } from "../phone/quality.js";
import { recordingSign } from "./phone-recording.js";
import { sendingForm } from "./phone-send.js";
import { t } from "../strings.js";

/** The states, as the API has them, of a call that nobody has answered. */
const UNANSWERED = ["setup", "ringing"];
const KEYS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "0", "#"];

/**
 * The card of a call. `desk` has `{api, microphone(), heard(), rest(call), others(call), of(call),
 * nameOf(call), send, consult, complete, add, merge, back, remove}`.
 */
export function callCard({ call, desk }) {
  const parts = frame(call);
  const { who, line, time, state, quality, microphone, people } = parts;
  const meter = new Quality();
  const recording = recordingSign({ api: desk.api, attempt });
  const button = (key, name, act, kind = "") => h("button", {
    class: `call-button ${kind}`, on: { click: () => attempt(act) },
  }, picture(name), h("span", { text: t(key) }));

  const accept = button("phone.accept", "accept", take, "accept");
  const decline = button("desk.decline", "hangup", () => call.hangUp(), "reject");
  const hold = button("phone.hold", "hold", async () => {
    if (call.held) for (const other of desk.others(call)) await desk.rest(other);
    await call.hold(!call.held);
  });
  const mute = button("phone.mute", "mute", () => call.mute(!call.muted));
  const keys = button("phone.keys", "keys", () => open("keys"));
  const transfer = button("phone.transfer", "send", () => open("send"));
  const add = button("desk.add", "add", () => open("add"));
  const hangUp = button("phone.hang_up", "hangup", () => call.hangUp(), "reject");
  const complete = button("desk.complete", "send", () => desk.complete(call), "accept");
  const together = button("desk.together", "add", () => desk.merge(call.consults, call));
  const back = button("desk.back", "back", () => desk.back(call));

  const pressed = h("output", { class: "call-pressed", "aria-live": "off" });
  const keypad = h("div", { class: "call-part call-keys", role: "group", hidden: true,
    "aria-label": t("phone.keys") }, pressed,
  KEYS.map((key) => h("button", { text: key, on: { click: () => press(key) } })));
  const sending = sendingForm({ id: call.id, attempt, act: {
    send: (to) => desk.send(call, to),
    consult: (to) => desk.consult(call, to),
    add: (to) => desk.add(call, to),
  } });
  const rings = h("div", { class: "call-actions call-rings" }, accept, decline);
  const consulting = h("div", { class: "call-actions call-consulting" }, complete, together, back);
  const talks = h("div", { class: "call-actions call-talks" },
    hold, mute, keys, transfer, add, hangUp);
  const element = h("article", { class: "call", "aria-label": call.who }, parts.top,
    h("div", { class: "call-signs" }, state, recording.element),
    h("div", { class: "call-signs" }, quality, microphone),
    people, rings, consulting, talks, keypad, sending.element);

  async function take() {
    const talked = desk.others(call).filter(({ held }) => !held);
    for (const other of talked) await desk.rest(other);
    await call.accept(await desk.microphone());
    // Whoever rang gave up meanwhile.
    if (call.state === "over") for (const other of talked) await other.hold(false);
  }

  async function attempt(act) {
    try {
      await act();
    } catch (error) {
      announce(t("error.action", { message: error.message }), "bad");
    }
  }

  function press(key) {
    call.press(key);
    setText(pressed, `${pressed.textContent}${key}`.slice(-24));
  }

  function open(which) {
    keypad.hidden = which === "keys" ? !keypad.hidden : true;
    if (which === "keys") sending.close();
    else sending.open(which === "add");
    showParts();
  }

  function showParts() {
    setAttr(keys, "aria-expanded", String(!keypad.hidden));
    setAttr(transfer, "aria-expanded", String(sending.shows() === "send"));
    setAttr(add, "aria-expanded", String(sending.shows() === "add"));
  }

  function show() {
    const known = desk.of(call);
    const { row } = known;
    const isTalking = call.state === "talking";
    const isRinging = call.isIncoming && call.state === "ringing";
    // The page was loaded again, and whom it had called has not answered yet.
    const isWaiting = isTalking && call.returns && UNANSWERED.includes(row?.state);
    const name = desk.nameOf(call);
    setText(who, name);
    setText(line, [name === call.who ? "" : call.who, desk.queueName(row?.queue ?? null)]
      .filter((part) => part).join(" · "));
    showState(isTalking, isWaiting);
    setAttr(element, "data-state", isTalking ? (call.held ? "held" : "talking") : call.state);
    rings.hidden = !isRinging;
    accept.disabled = call.isOld;
    const waits = desk.others(call).some(({ held }) => !held);
    setText(accept.lastChild, t(waits ? "desk.hold_and_accept" : "phone.accept"));
    talks.hidden = isRinging || call.state === "over";
    const isSent = call.sentTo !== "";
    for (const one of [mute, keys]) one.disabled = !isTalking;
    for (const one of [hold, transfer, add]) one.disabled = !isTalking || isWaiting || isSent;
    showToggles();
    showConsulting(isTalking && !isWaiting);
    if (!isTalking) for (const part of [keypad, sending.element]) part.hidden = true;
    showParts();
    recording.show(call.number, isTalking ? row : null);
    showPeople(row);
    tick();
  }

  function showState(isTalking, isWaiting) {
    if (isTalking && call.sentTo !== "") {
      return setPill(state, "queued", t("desk.sending", { to: call.sentTo }));
    }
    if (isWaiting) return setPill(state, "offered", t("phone.is_ringing"));
    const kind = isTalking ? (call.held ? "held" : "connected") : "offered";
    const words = isTalking ? (call.held ? "held" : "talking") : call.state;
    return setPill(state, kind, t(`phone.is_${words}`));
  }

  function showToggles() {
    setText(hold.lastChild, t(call.held ? "phone.resume" : "phone.hold"));
    setPicture(hold.firstChild, call.held ? "resume" : "hold");
    setAttr(hold, "aria-pressed", String(call.held));
    setText(mute.lastChild, t(call.muted ? "phone.unmute" : "phone.mute"));
    setPicture(mute.firstChild, call.muted ? "muted" : "mute");
    setAttr(mute, "aria-pressed", String(call.muted));
  }

  /** Who was asked first: hand the caller over, talk all together, or go back to the caller. */
  function showConsulting(isTalking) {
    const first = call.consults;
    const isOpen = first !== null && desk.others(call).includes(first);
    consulting.hidden = !isOpen;
    // One of two calls that waits has few buttons, and so has one that is about another.
    const waits = call.held && desk.others(call).length > 0;
    for (const one of [transfer, add]) one.hidden = isOpen || waits;
    for (const one of [mute, keys]) one.hidden = waits;
    for (const one of [hold, hangUp]) one.hidden = isOpen;
    if (!isOpen) return;
    const name = desk.nameOf(first);
    setText(complete.lastChild, t("desk.complete", { who: name }));
    setText(back.lastChild, t("desk.back", { who: name }));
    complete.disabled = !isTalking;
    together.disabled = !isTalking;
  }

  /** Whoever is in it besides the two, each to be let go. */
  function showPeople(row) {
    const legs = (row?.legs ?? []).filter(({ state: is, kind }) =>
      is !== undefined && kind !== "supervisor");
    const text = legs.length > 2 ? JSON.stringify(legs.map(({ leg, state: is }) => [leg, is])) : "";
    if (people.dataset.shown === text) return;
    people.dataset.shown = text;
    people.hidden = text === "";
    people.replaceChildren(...(text === "" ? [] : legs.map(person)));
  }

  function person({ leg, agent, number, state: is }) {
    const isMe = agent === desk.agent();
    const name = isMe ? t("desk.me") : desk.agentName(agent) ?? number;
    const gone = h("button", { class: "quiet", text: t("desk.remove"),
      "aria-label": t("desk.remove_who", { who: name }),
      on: { click: () => attempt(() => desk.remove(call, leg)) } });
    const note = is === "talking" ? "" : ` (${t(`desk.leg_${is}`)})`;
    return h("li", {}, h("span", { text: `${name}${note}` }), isMe ? null : gone);
  }

  function tick() {
    const since = call.talkingSince ?? call.startedAt;
    setText(time, duration((Date.now() - since) / 1000));
    recording.tick();
    measure().catch(() => {});
  }

  async function measure() {
    if (call.state !== "talking") return setSign(quality, null);
    const stats = [...(await call.peer.getStats()).values()];
    const legs = desk.of(call).row?.legs ?? [];
    const own = legs.find(({ agent, kind }) => kind === "agent" && agent === desk.agent());
    const { kind, word } = meter.take(stats, call.held ? null : own ?? null, call.trouble !== "");
    setSign(quality, kind, t(`desk.quality_${word}`));
    const heard = call.muted || call.held ? "ok" : desk.heard();
    setSign(microphone, heard === "ok" ? null : "poor", t(`desk.microphone_${heard}`));
    return undefined;
  }

  return { element, show, tick, focus: () => (rings.hidden ? hold : accept).focus() };
}

/** A sign with words; null takes them away, its place stays. */
function setSign(sign, kind, words = "") {
  sign.hidden = kind === null;
  if (kind !== null) setPill(sign, `quality-${kind}`, words);
}

function frame(call) {
  const who = h("h3", { class: "call-who", text: call.who });
  const line = h("p", { class: "call-line" });
  const time = h("p", { class: "call-time number" });
  const sign = () => h("span", { class: "pill", hidden: true }, h("span", { class: "pill-text" }));
  return {
    who, line, time,
    top: h("header", { class: "call-top" }, h("div", {}, who, line), time),
    state: pill("setup", ""),
    quality: sign(),
    microphone: sign(),
    people: h("ul", { class: "call-people", hidden: true, "aria-label": t("desk.people") }),
  };
}
