// What leads to a flow: the numbers, and the other flows that go on in it.

import { h } from "../dom.js";
import { segment } from "../api.js";
import { t } from "../strings.js";

/** The sentence, with a link to each. */
export function leadsTo(tenant, id) {
  const numbers = (tenant.numbers ?? []).filter(({ flow }) => flow === id);
  const flows = (tenant.flows ?? []).filter(({ steps }) => steps.some((step) =>
    step.flow === id || (step.choices ?? []).some(({ flow }) => flow === id)));
  const links = [
    ...numbers.map(({ number }) =>
      h("a", { href: "#/admin/numbers", class: "number", text: number })),
    ...flows.map((flow) => h("a", { href: `#/admin/flows/${segment(flow.id)}`, text: flow.id })),
  ];
  if (links.length === 0) return h("p", { class: "hint flow-from", text: t("flow.from_nowhere") });
  return h("p", { class: "flow-from" }, t("flow.from"), " ",
    links.flatMap((link, at) => (at === 0 ? [link] : [", ", link])));
}
