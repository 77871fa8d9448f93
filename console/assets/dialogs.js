// Questions in a dialog; the two that several pages ask: end this call? and, into which state
// should this agent go?

import { announce } from "./announce.js";
import { h } from "./dom.js";
import { segment } from "./api.js";
import { t } from "./strings.js";

/** The states a person may set; the others follow from calls. */
const SETTABLE = ["available", "break", "offline"];
const LONGEST_REASON = 120;

/** Asks, then ends the call. */
export function askToEndCall(api, call) {
  const names = { from: call.from ?? t("calls.anonymous"), to: call.to };
  ask({
    title: t("end.title"),
    body: [h("p", { text: t("end.body", names) })],
    confirm: t("end.confirm"),
    cancel: t("end.cancel"),
    danger: true,
    act: async () => {
      await api.post(`/calls/${segment(call.id)}/end`);
      announce(t("end.done", names));
    },
  });
}

/** Asks for a state and sets it. */
export function askForAgentState(api, agent) {
  const current = SETTABLE.includes(agent.state) ? agent.state : SETTABLE[0];
  const choices = SETTABLE.map((state) =>
    h("label", { class: "choice" },
      h("input", { type: "radio", name: "state", value: state, checked: state === current }),
      h("span", { text: t(`agent.${state}`) })));
  const reason = h("input", { type: "text", maxlength: LONGEST_REASON, autocomplete: "off" });
  const group = h("fieldset", { class: "choices" },
    h("legend", { text: t("set.state") }), choices);
  ask({
    title: t("set.title", { agent: agent.name }),
    body: [group, h("label", { class: "field" }, h("span", { text: t("set.reason") }), reason)],
    confirm: t("set.confirm"),
    cancel: t("set.cancel"),
    act: async () => {
      const state = group.querySelector(":checked").value;
      const body = { state };
      if (reason.value.trim() !== "") body.reason = reason.value.trim();
      await api.put(`/agents/${segment(agent.id)}/state`, body);
      announce(t("set.done", { agent: agent.name, state: t(`agent.${state}`) }));
    },
  });
}

/**
 * A modal question; it stays open, with what went wrong, when the action fails. Gives the dialog;
 * the focus goes back to where it was when that closes.
 */
export function ask({ title, body, confirm, cancel, danger = false, wide = false, act }) {
  const problem = h("p", { class: "problem", role: "alert" });
  const yes = h("button", { type: "submit", class: danger ? "danger" : "primary", text: confirm });
  const no = h("button", { type: "button", text: cancel, on: { click: () => dialog.close() } });
  const form = h("form", { method: "dialog" },
    h("h2", { id: "ask-title", text: title }), body, problem,
    h("div", { class: "dialog-actions" }, no, yes));
  const dialog = h("dialog", { class: wide ? "wide-dialog" : "", "aria-labelledby": "ask-title" },
    form);
  form.addEventListener("submit", async (submit) => {
    submit.preventDefault();
    yes.disabled = true;
    problem.textContent = "";
    try {
      await act();
      dialog.close();
    } catch (error) {
      problem.textContent = t("error.action", { message: error.message });
      yes.disabled = false;
    }
  });
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}
