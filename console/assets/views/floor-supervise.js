// Listening in: on whose phone, in which conversation, how; and the bar that says so meanwhile.

import { announce } from "../announce.js";
import { ask } from "../dialogs.js";
import { count as since } from "../ticker.js";
import { h, icon, setAttr, setText } from "../dom.js";
import { segment } from "../api.js";
import { t } from "../strings.js";

export const MODES = ["listen", "whisper", "barge"];
const KEPT = "strowger.supervisor";
/** How long the call that was asked for may take to ring here. */
const RINGS_MS = 20_000;
const READY_MS = 10_000;
/** What was heard before the page was loaded again is taken back within this time, or is over. */
const BACK_MS = 12_000;
const AGAIN_MS = 300;
const HEARD = "strowger.supervises";

/** Whether something was heard in this tab before the page was loaded again. */
export function wasSupervising() {
  return sessionStorage.getItem(HEARD) !== null;
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** A supervisor: an agent, who has a phone in this page or on the desk. */
export class Supervisor {
  /** `null`, or `{call, agent, of, mode, state: "rings" | "hears", since}`. */
  current = null;

  #api;
  #model;
  #me;
  #phone;
  #listeners = new Set();
  #closed = false;

  constructor({ api, model, me, phone }) {
    this.#api = api;
    this.#model = model;
    this.#me = me;
    this.#phone = phone;
    this.unfollow = model.follow((event) => this.#hear(event));
    this.unsubscribe = model.subscribe((changed) => changed.has("agents") && this.#recall());
    this.#goOn();
  }

  close() {
    this.#closed = true;
    this.unfollow();
    this.unsubscribe();
    this.#listeners.clear();
  }

  listen(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Whose phone it is; null if nobody has said. */
  get agent() {
    return this.#me.agent?.id ?? sessionStorage.getItem(KEPT);
  }

  /** Takes part in a call in that mode, or in another one if it does already. */
  async begin(call, mode) {
    const agent = this.agent;
    if (agent === null || !this.#isReady(agent)) return this.#askForPhone(call, mode);
    if (this.current?.call === call.id) return this.change(mode);
    if (this.current !== null) await this.end();
    return this.#ring(call, mode, agent);
  }

  async change(mode) {
    const { call, agent } = this.current;
    await this.#try(() => this.#api.patch(`${path(call)}/${segment(agent)}`, { mode }));
  }

  async end() {
    if (this.current === null) return;
    const { call, agent } = this.current;
    await this.#try(() => this.#api.delete(`${path(call)}/${segment(agent)}`));
    this.#become(null);
  }

  #isReady(agent) {
    return this.#ringsHere(agent) || this.#model.agents.get(agent)?.reachable === true;
  }

  /** Whether the phone is this page's. */
  #ringsHere(agent) {
    const line = this.#phone().line();
    return line.agent === agent && line.state === "registered";
  }

  async #ring(call, mode, agent) {
    const of = call.agent;
    if (this.#ringsHere(agent)) this.#phone().answerNext(call.id, RINGS_MS);
    this.#become({ call: call.id, agent, of, mode, state: "rings", since: Date.now() });
    const done = await this.#try(() => this.#api.post(path(call.id), { agent, mode }));
    if (!done) this.#become(null);
  }

  async #try(act) {
    try {
      await act();
      return true;
    } catch (error) {
      announce(t("error.action", { message: error.message }), "bad");
      return false;
    }
  }

  /** On whose phone, and where that is. */
  #askForPhone(call, mode) {
    const own = this.#me.agent?.id;
    const may = [...this.#model.agents.values()].filter(({ id, supervises }) =>
      supervises && (own === undefined || id === own));
    may.sort((a, b) => a.name.localeCompare(b.name));
    const choice = h("select", { class: "select" }, may.map(({ id, name }) =>
      h("option", { value: id, selected: id === this.agent, text: name })));
    const body = may.length === 0
      ? [h("p", { text: t("floor.phone.nobody") })]
      : [h("p", { class: "lead", text: t("floor.phone.lead") }),
        h("label", { class: "field" }, h("span", { text: t("floor.phone.who") }), choice)];
    ask({
      title: t("floor.phone.title"),
      body,
      confirm: t("floor.phone.confirm"),
      cancel: t("set.cancel"),
      act: async () => {
        if (may.length === 0) return;
        sessionStorage.setItem(KEPT, choice.value);
        if (!this.#isReady(choice.value)) await this.#turnOn(choice.value);
        await this.begin(call, mode);
      },
    });
  }

  async #turnOn(agent) {
    const phone = this.#phone();
    const { agent: whose, state } = phone.line();
    if (state !== "off" && whose !== agent) throw new Error(t("floor.phone.other"));
    await phone.turnOn(agent);
    const until = performance.now() + READY_MS;
    while (phone.line().state !== "registered") {
      if (performance.now() > until) throw new Error(t("floor.phone.not_ready"));
      await sleep(50);
    }
  }

  #hear({ type, call, body }) {
    const { current } = this;
    if (type === "call.supervised" && body.agent === this.agent) {
      const { agent, of, mode } = body;
      this.#become({ call, agent, of, mode, state: "hears", since: Date.now() });
    }
    if (current === null || call !== current.call || body.agent !== current.agent) return;
    if (type === "call.supervision_changed") this.#become({ ...current, mode: body.mode });
    // While the phone rings it is what was heard before the page was loaded again.
    if (type === "call.supervision_ended" && current.state === "hears") this.#become(null);
    if (type === "call.supervision_failed") {
      this.#become(null);
      announce(t("floor.supervise.failed"), "bad");
    }
  }

  /** A page that was loaded again finds what its supervisor is in. */
  async #recall() {
    const agent = this.agent;
    const [call] = this.#model.agents.get(agent)?.calls ?? [];
    if (this.current !== null || call === undefined || this.recalled === call) return;
    this.recalled = call;
    const { found, leg } = await this.#legIn(call, agent);
    if (leg === undefined || this.current !== null) return;
    const { mode } = leg;
    this.#become({ call, agent, of: found.agent, mode, state: "hears", since: Date.now() });
  }

  async #legIn(call, agent) {
    const found = await this.#api.get(`/calls/${segment(call)}`).catch(() => null);
    const leg = (found?.legs ?? []).find((one) =>
      one.kind === "supervisor" && one.agent === agent && one.state === "talking");
    return { found, leg };
  }

  /** What this page's phone heard before the page was loaded again: it asks for it anew. */
  async #goOn() {
    const heard = readJson(sessionStorage.getItem(HEARD));
    const { agent } = this;
    if (heard === null || agent === null) return;
    const { call, of, mode } = heard;
    this.#become({ call, agent, of, mode, state: "rings", since: Date.now() });
    const until = performance.now() + BACK_MS;
    let came = "waits";
    while (performance.now() < until && !this.#closed && this.current?.state === "rings") {
      if (this.#ringsHere(agent)) came = await this.#askAgain(call, { agent, mode, of });
      if (came === "rings") return;
      if (came === "over") break;
      await sleep(AGAIN_MS);
    }
    if (this.#closed || this.current?.state !== "rings") return;
    this.#become(null);
    announce(t("floor.supervise.lost"), "bad");
  }

  /**
   * `rings` when the phone rings for it, `over` when there is nothing to hear any more, else
   * `waits`: the page that is gone may still be in it for a moment.
   */
  async #askAgain(call, wish) {
    this.#phone().answerNext(call, RINGS_MS);
    try {
      await this.#api.post(path(call), wish);
      return "rings";
    } catch (error) {
      return ["CALL_ENDED", "CALL_NOT_FOUND"].includes(error.code) ? "over" : "waits";
    }
  }

  #become(current) {
    this.current = current;
    if (current === null) sessionStorage.removeItem(HEARD);
    else if (current.state === "hears" && this.#ringsHere(current.agent)) {
      const { call, of, mode } = current;
      sessionStorage.setItem(HEARD, JSON.stringify({ call, of, mode }));
    }
    for (const listener of this.#listeners) listener(current);
  }
}

function readJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function path(call) {
  return `/calls/${segment(call)}/supervise`;
}

/** What one hears now, in what mode, over the foot of the page: it moves nothing. */
export function superviseBar({ model, supervisor }) {
  const text = h("span", { class: "bar-text" });
  const time = h("span", { class: "number" });
  const modes = new Map(MODES.map((mode) => [mode, h("button", {
    text: t(`floor.mode.${mode}`),
    title: t(`floor.mode.${mode}.hint`),
    "aria-pressed": "false",
    on: { click: () => supervisor.change(mode) },
  })]));
  const end = h("button", { class: "danger", on: { click: () => supervisor.end() } },
    icon("hangup"), h("span", { text: t("floor.supervise.end") }));
  const element = h("div", {
    class: "supervise-bar", role: "region", "aria-label": t("floor.supervise.title"), hidden: true,
  }, h("div", { class: "bar-about" }, text, time),
    h("div", { class: "segments", role: "group", "aria-label": t("floor.mode") },
      [...modes.values()]), end);

  function show(current) {
    element.hidden = current === null;
    if (current === null) return;
    const { call, of, mode, state } = current;
    const names = { agent: model.agentName(of), from: model.calls.get(call)?.from };
    setText(text, t(`floor.supervise.${state}`, names));
    since(time, current.since);
    for (const [name, button] of modes) {
      setAttr(button, "aria-pressed", String(name === mode));
      button.disabled = state !== "hears";
    }
    element.dataset.mode = mode;
  }

  let told = "";
  const unlisten = supervisor.listen((current) => {
    show(current);
    const words = current === null ? t("floor.supervise.over") : current.state === "hears"
      ? t(`floor.mode.${current.mode}.hint`) : text.textContent;
    if (words !== told) announce(words);
    told = words;
  });
  show(supervisor.current);
  return { element, close: unlisten };
}
