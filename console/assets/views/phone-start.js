// What stands on the agent's page beside its calls: the panel that turns the phone on, and the
// field for a number to call.

import { announce } from "../announce.js";
import { h, setText } from "../dom.js";
import { picture } from "./phone-icons.js";
import { t } from "../strings.js";

/** What is shown while the phone is off: whose it is, and the button that turns it on. */
export function startPanel({ me, agent, onStart }) {
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
export function dialForm(dial) {
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
