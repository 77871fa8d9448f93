// What would happen if somebody called a number now: the rules of a real call, and no call.

import { flowOf } from "./flow-branches.js";
import { h } from "../dom.js";
import { knownOf } from "./flow-kinds.js";
import { t } from "../strings.js";

/** The question, and below it the answer. */
export function explainPanel({ api, provisioned }) {
  const number = h("input", { type: "text", id: "explain-number", inputmode: "tel",
    autocomplete: "off", spellcheck: "false" });
  const answer = h("div", { class: "explained", role: "status" });
  const form = h("form", { class: "explain" },
    h("label", { for: "explain-number", text: t("admin.explain.label") }), number,
    h("button", { type: "submit", text: t("admin.explain.ask") }));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const found = await api.get("/provisioning/explain", { number: number.value });
      answer.replaceChildren(...inWords(found, knownOf(provisioned)));
    } catch (error) {
      answer.replaceChildren(h("p", { class: "field-fault", text: error.message }));
    }
  });
  return h("div", { class: "explain-panel" }, form, answer);
}

function inWords({ number, trunk, flow, reasons, refusal }, known) {
  if (refusal !== null) {
    return [h("p", { class: "field-fault", text: t("admin.explain.refused", { why: refusal }) })];
  }
  return [
    h("p", { text: t("admin.explain.found", { number, trunk }) }),
    h("ul", { class: "explain-reasons" }, reasons.map((text) => h("li", { text }))),
    flowOf(flow, known),
  ];
}
