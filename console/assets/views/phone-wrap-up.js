// What a call came to: its code and notes, written while it lasts or after it, kept in the tab
// until they are saved; and the time that is left for that.

import { announce } from "../announce.js";
import { h, setAttr, setText } from "../dom.js";
import { duration, millis, now } from "../format.js";
import { panel } from "./panel.js";
import { segment } from "../api.js";
import { t } from "../strings.js";

const KEPT = "strowger.wrap-up";
const LONGEST = 2000;
const MORE_S = 60;
/** What was saved a moment ago may not stand in what the server tells yet. */
const SETTLE_MS = 2500;

/** The panel. `show({id, form, own})` is of that call; `own` is the agent's row. */
export function wrapUpView({ api, onSaved }) {
  const codes = h("div", { class: "desk-codes", role: "radiogroup", "aria-label": t("desk.code") });
  const noCodes = h("p", { class: "hint", text: t("desk.no_codes") });
  const notes = h("textarea", { id: "desk-notes", rows: "4", maxlength: String(LONGEST),
    on: { input: onNotes, change: () => save() } });
  const said = h("p", { class: "desk-saved", role: "status" });
  const clock = h("p", { class: "desk-clock", hidden: true });
  const more = h("button", { type: "button", text: t("desk.more"), on: { click: extend } });
  const done = h("button", { type: "submit", class: "primary", text: t("desk.save") });
  const form = h("form", { class: "desk-wrap-up", on: { submit: finish } },
    h("p", { class: "desk-label", id: "desk-code-label", text: t("desk.code") }), codes, noCodes,
    h("label", { class: "desk-label", for: "desk-notes", text: t("desk.notes") }), notes, said,
    h("div", { class: "desk-wrap-up-actions" }, more, done));
  const none = h("p", { class: "empty", text: t("desk.no_wrap_up") });
  const element = panel("desk-wrap-panel", t("desk.wrap_up"), clock, form, none);
  let id = "";
  let own = null;
  let draft = { code: null, notes: "" };
  let stored = { code: null, notes: "" };
  let shownCodes = "";
  let savedAt = -SETTLE_MS;
  /** One after the other: what is written last is said last. */
  let saving = Promise.resolve(true);

  function show(given) {
    own = given.own;
    if (given.id !== id) begin(given.id);
    form.hidden = id === "";
    none.hidden = id !== "";
    if (given.form !== null) take(given.form);
    const writes = own?.wrap_up?.call_id === id && id !== "";
    element.classList.toggle("desk-due", writes);
    clock.hidden = !writes;
    more.hidden = !(writes && own.wrap_up.may_extend_s > 0);
    setText(done, t(writes ? "desk.save_and_finish" : "desk.save"));
    tick();
  }

  /** Another call: what was written of the one before is saved. */
  function begin(next) {
    if (id !== "" && !same(draft, stored)) save();
    id = next;
    stored = { code: null, notes: "" };
    draft = kept(id) ?? { ...stored };
    notes.value = draft.notes;
    shownCodes = "";
    codes.replaceChildren();
    noCodes.hidden = true;
    setText(said, "");
  }

  function take({ codes: list, said: all }) {
    const mine = all.find(({ agent }) => agent === own?.id);
    if (mine !== undefined && performance.now() - savedAt >= SETTLE_MS) {
      const before = stored;
      stored = { code: mine.code, notes: mine.notes ?? "" };
      // What another page of the agent's has said, unless something else is being written here.
      if (same(draft, before)) {
        draft = { ...stored };
        if (document.activeElement !== notes) notes.value = draft.notes;
      }
    }
    const text = JSON.stringify(list);
    noCodes.hidden = list.length > 0;
    if (text !== shownCodes) {
      shownCodes = text;
      codes.replaceChildren(...list.map(codeButton));
    }
    for (const one of codes.children) {
      one.firstChild.checked = one.firstChild.value === draft.code;
    }
    tell();
  }

  function codeButton({ code, name }) {
    const choice = h("input", { type: "radio", name: "desk-code", value: code, on: { change: () => {
      draft.code = code;
      keep();
      save();
    } } });
    return h("label", { class: "desk-code-choice" }, choice, h("span", { text: name }));
  }

  function onNotes() {
    draft.notes = notes.value;
    keep();
    tell();
  }

  function tell() {
    const empty = stored.code === null && stored.notes === "";
    const key = same(draft, stored) ? (empty ? "" : "desk.saved") : "desk.unsaved";
    setText(said, key === "" ? "" : t(key));
  }

  /** Says it to the server, if it is not said yet. True when it stands there. */
  function save() {
    const [of, sent] = [id, { code: draft.code, notes: draft.notes.trim() }];
    saving = saving.then(() => put(of, sent));
    return saving;
  }

  async function put(of, sent) {
    if (of === "" || (of === id && same(sent, stored))) return true;
    try {
      const body = { notes: sent.notes, ...(sent.code === null ? {} : { code: sent.code }) };
      await api.put(`/calls/${segment(of)}/wrap-up`, body);
      if (of === id) [stored, savedAt] = [sent, performance.now()];
      // What was written meanwhile is kept until it is saved itself.
      if (of !== id || same(draft, sent)) sessionStorage.removeItem(`${KEPT}.${of}`);
      tell();
      onSaved(of);
      return true;
    } catch (error) {
      announce(t("desk.not_saved", { message: error.message }), "bad");
      return false;
    }
  }

  async function finish(event) {
    event.preventDefault();
    const writes = own?.wrap_up?.call_id === id;
    if (!(await save())) return;
    if (!writes) return announce(t("desk.saved"));
    try {
      await api.post(`/agents/${segment(own.id)}/wrap-up/finish`);
      announce(t("desk.finished"));
    } catch (error) {
      // It was over a moment ago: that is what was wanted.
      if (error.status !== 409) announce(t("error.action", { message: error.message }), "bad");
    }
  }

  async function extend() {
    try {
      await api.post(`/agents/${segment(own.id)}/wrap-up/extend`, { seconds: MORE_S });
      onSaved(id);
    } catch (error) {
      announce(t("error.action", { message: error.message }), "bad");
    }
  }

  function keep() {
    sessionStorage.setItem(`${KEPT}.${id}`, JSON.stringify(draft));
  }

  function tick() {
    const until = millis(own?.wrap_up?.until ?? null);
    if (clock.hidden || until === null) return;
    const left = Math.max(0, (until - now()) / 1000);
    setText(clock, t("desk.left", { time: duration(left) }));
    setAttr(clock, "data-short", left < 10 ? "true" : null);
  }

  return { element, show, tick, save, focus: () => notes.focus() };
}

function same(one, other) {
  return one.code === other.code && one.notes.trim() === other.notes.trim();
}

function kept(id) {
  try {
    const draft = JSON.parse(sessionStorage.getItem(`${KEPT}.${id}`));
    return typeof draft?.notes === "string" ? draft : null;
  } catch {
    return null;
  }
}
