// One call of the softphone: who it is, how long, how well it is heard, and what can be done.

import { announce } from "../announce.js";
import { duration } from "../format.js";
import { h, pill, setAttr, setPill, setText } from "../dom.js";
import { t } from "../strings.js";

const KEYS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "0", "#"];
/** Lost packets in a hundred, and a round trip in seconds, from which speech is worse. */
const FAIR = { lost: 2, trip: 0.25 };
const POOR = { lost: 6, trip: 0.5 };

/** The card of a call. `rest(call)` holds it; `others()` are the calls it may be joined with. */
export function callCard({ call, line, sound, rest, others }) {
  const who = h("h3", { class: "phone-who", text: call.who });
  const name = h("p", { class: "note", text: call.name ?? "" });
  const state = pill("setup", "");
  const time = h("span", { class: "number" });
  const quality = pill("quality-good", "");
  quality.hidden = true;
  const button = (key, act, kind = "") => h("button", {
    class: kind, text: t(key), on: { click: () => attempt(act) },
  });
  const accept = button("phone.accept", async () => {
    for (const other of others()) await rest(other);
    await call.accept(await sound.microphone());
  }, "primary");
  const hold = button("phone.hold", async () => {
    if (call.held) for (const other of others()) await rest(other);
    await call.hold(!call.held);
  });
  const mute = button("phone.mute", () => call.mute(!call.muted));
  const keys = button("phone.keys", () => open(keypad, keys));
  const transfer = button("phone.transfer", () => {
    open(sending, transfer);
    showJoin();
    target.focus();
  });
  const hangUp = button("phone.hang_up", () => call.hangUp(), "danger");

  const keypad = h("div", { class: "phone-keys", role: "group", hidden: true,
    "aria-label": t("phone.keys") },
  KEYS.map((key) => h("button", { text: key, on: { click: () => call.press(key) } })));

  const field = `transfer-${call.id}`;
  const target = h("input", { id: field, type: "tel", autocomplete: "off" });
  const consult = h("button", { type: "button", text: t("phone.consult"), on: { click: () =>
    attempt(async () => {
      await rest(call);
      await line.dial(target.value, await sound.microphone());
    }) } });
  const join = h("button", { type: "button", text: "", hidden: true, on: { click: () =>
    attempt(() => tell(call.join(others()[0]))) } });
  const sending = h("form", { class: "phone-transfer", hidden: true, on: { submit: (event) => {
    event.preventDefault();
    attempt(() => tell(call.transfer(line.uriOf(target.value))));
  } } },
  h("label", { for: field, text: t("phone.transfer_to") }), target,
  h("button", { type: "submit", class: "primary", text: t("phone.send") }), consult, join);
  const actions = [accept, hold, mute, keys, transfer, hangUp];
  const element = h("article", { class: "phone-call", "aria-label": call.who },
    h("div", { class: "phone-about" }, h("div", {}, who, name),
      h("span", { class: "spacer" }), quality, state, time),
    h("div", { class: "phone-actions" }, actions), keypad, sending);
  let before = null;

  async function tell(asked) {
    announce(t((await asked) ? "phone.sent" : "phone.not_sent"));
  }

  async function attempt(act) {
    try {
      await act();
    } catch (error) {
      announce(t("error.action", { message: error.message }), "bad");
    }
  }

  function open(part, by) {
    part.hidden = !part.hidden;
    setAttr(by, "aria-expanded", String(!part.hidden));
  }

  function showJoin() {
    const [other] = others();
    join.hidden = other === undefined;
    if (other !== undefined) setText(join, t("phone.join", { who: other.who }));
  }

  function show() {
    const talks = call.state === "talking";
    const kind = talks ? (call.held ? "held" : "connected") : "offered";
    const words = talks ? (call.held ? "held" : "talking") : call.state;
    setPill(state, kind, t(`phone.is_${words}`));
    accept.hidden = !(call.isIncoming && call.state === "ringing");
    for (const one of [hold, mute, keys, transfer]) one.hidden = !talks;
    setText(hold, t(call.held ? "phone.resume" : "phone.hold"));
    setAttr(hold, "aria-pressed", String(call.held));
    setText(mute, t(call.muted ? "phone.unmute" : "phone.mute"));
    setAttr(mute, "aria-pressed", String(call.muted));
    showJoin();
    tick();
  }

  function tick() {
    const since = call.talkingSince ?? call.startedAt;
    setText(time, duration((Date.now() - since) / 1000));
    measure().catch(() => {});
  }

  async function measure() {
    if (call.state !== "talking") return;
    const stats = [...(await call.peer.getStats()).values()];
    const { packetsLost = 0, packetsReceived = 0 } =
      stats.find(({ type }) => type === "inbound-rtp") ?? {};
    const trip = stats.find(({ type }) => type === "remote-inbound-rtp")?.roundTripTime ?? 0;
    const [gone, came] = [packetsLost - (before?.[0] ?? 0), packetsReceived - (before?.[1] ?? 0)];
    before = [packetsLost, packetsReceived];
    const lost = gone <= 0 ? 0 : (100 * gone) / (gone + came);
    const over = (limit) => lost > limit.lost || trip > limit.trip;
    const grade = call.trouble !== "" || over(POOR) ? "poor" : over(FAIR) ? "fair" : "good";
    quality.hidden = grade === "good";
    const words = call.trouble === "" ? t(`phone.${grade}`) : t("phone.no_audio");
    setPill(quality, `quality-${grade}`, words);
  }

  return { element, show, tick, focus: () => accept.focus() };
}
