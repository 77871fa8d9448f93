// The agent's own state: what it is, since when, what comes next, and the buttons that change it.

import { announce } from "../announce.js";
import { h, pill, setAttr, setPill, setText } from "../dom.js";
import { duration, millis, since } from "../format.js";
import { segment } from "../api.js";
import { t, word } from "../strings.js";

const REASONS = ["pause", "lunch", "training", "meeting"];
const LONGEST_REASON = 120;

/** The bar; `own()` is the agent's row, `line()` the phone's state, `onSignOut` turns it off. */
export function stateView({ api, own, line, onSignOut }) {
  const state = pill("offline", t("agent.offline"));
  const reason = h("span", { class: "desk-reason" });
  const time = h("span", { class: "number desk-time" });
  const next = h("span", { class: "desk-next" });
  const quietSign = pill("break", t("desk.quiet"));
  quietSign.hidden = true;
  const name = h("span", { class: "desk-name" });
  const linePill = pill("offline", t("line.off"));
  const available = h("button", { class: "desk-choice", data: { kind: "available" },
    text: t("agent.available"), on: { click: () => choose("available") } });
  const pause = h("button", { class: "desk-choice", data: { kind: "break" },
    "aria-expanded": "false", "aria-haspopup": "true", text: t("desk.break"),
    on: { click: () => open(menu.hidden) } });
  const quiet = h("button", { class: "desk-choice", data: { kind: "quiet" },
    "aria-pressed": "false", title: t("desk.quiet_hint"), text: t("desk.quiet"),
    on: { click: turnQuiet } });
  const leave = h("button", { class: "desk-choice", text: t("desk.sign_out"),
    on: { click: onSignOut } });
  const other = h("input", { type: "text", maxlength: String(LONGEST_REASON), autocomplete: "off",
    "aria-label": t("desk.other_reason"), placeholder: t("desk.other_reason") });
  const menu = h("div", { class: "desk-menu", role: "group", "aria-label": t("desk.break_why"),
    hidden: true, on: { keydown: onKey, focusout: onLeave } },
  REASONS.map((key) => h("button", { class: "desk-menu-item", text: t(`desk.reason_${key}`),
    on: { click: () => choose("break", t(`desk.reason_${key}`)) } })),
  h("form", { class: "desk-other", on: { submit: chooseOther } }, other,
    h("button", { type: "submit", text: t("desk.break_begin") })));
  const choices = h("div", { class: "desk-choices", role: "group",
    "aria-label": t("desk.own_state") }, available,
  h("div", { class: "desk-menu-box" }, pause, menu), quiet, leave);
  const element = h("section", { class: "desk-bar", "aria-label": t("desk.own_state") },
    h("div", { class: "desk-now" }, name, state, reason, time, next,
      quietSign),
    h("span", { class: "spacer" }), linePill, choices);

  function open(shown) {
    menu.hidden = !shown;
    setAttr(pause, "aria-expanded", String(shown));
    if (shown) menu.querySelector("button").focus();
  }

  function onKey(event) {
    if (event.key !== "Escape") return;
    open(false);
    pause.focus();
  }

  function onLeave({ relatedTarget }) {
    if (relatedTarget !== null && !menu.contains(relatedTarget) && relatedTarget !== pause) {
      open(false);
    }
  }

  function chooseOther(event) {
    event.preventDefault();
    choose("break", other.value.trim());
  }

  async function choose(wanted, why = "") {
    const inMenu = menu.contains(document.activeElement);
    open(false);
    if (inMenu) pause.focus();
    const row = own();
    if (row === null) return;
    try {
      const body = why === "" ? { state: wanted } : { state: wanted, reason: why };
      await api.put(`/agents/${segment(row.id)}/state`, body);
      other.value = "";
      const later = ["busy", "ringing"].includes(row.state);
      announce(t(later ? "desk.state_later" : "desk.state_set", { state: word("agent", wanted) }));
    } catch (error) {
      announce(t("error.action", { message: error.message }), "bad");
    }
  }

  async function turnQuiet() {
    const row = own();
    if (row === null) return;
    const on = !row.do_not_disturb;
    try {
      await api.put(`/agents/${segment(row.id)}/do-not-disturb`, { on });
      announce(t(on ? "desk.is_quiet" : "desk.not_quiet"));
    } catch (error) {
      announce(t("error.action", { message: error.message }), "bad");
    }
  }

  function show() {
    const row = own();
    const kind = row?.state ?? "offline";
    setText(name, row?.name ?? "");
    setPill(state, kind, word("agent", kind));
    setText(reason, row?.reason ?? "");
    const after = ["busy", "ringing", "wrap_up"].includes(kind) && row.next !== "available";
    setText(next, after ? t("desk.then", { state: word("agent", row.next) }) : "");
    const chosen = after ? row.next : kind === "break" ? "break" : "available";
    setAttr(available, "aria-pressed", String(row !== null && chosen === "available"
      && kind !== "offline"));
    setAttr(pause, "aria-pressed", String(chosen === "break"));
    const isQuiet = row?.do_not_disturb === true;
    setAttr(quiet, "aria-pressed", String(isQuiet));
    quietSign.hidden = !isQuiet;
    const { kind: lineKind, text } = line();
    setPill(linePill, lineKind, text);
    tick();
  }

  function tick() {
    const row = own();
    setText(time, row === null ? "" : duration(since(millis(row.since))));
  }

  return { element, show, tick };
}
