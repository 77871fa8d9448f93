// The board: the five figures, calls, queues, agents and events on one page.

import { agentsView } from "./agents.js";
import { callsView } from "./calls.js";
import { eventsView } from "./events.js";
import { h } from "../dom.js";
import { queuesView } from "./queues.js";
import { t } from "../strings.js";
import { tallyView } from "./tally.js";

/** The board; it stays alive, and current, while a call's page is shown over it. */
export function boardView({ api, model }) {
  const heading = h("h1", { class: "unseen", tabindex: "-1", text: t("tally.title") });
  const tally = tallyView({ model });
  const calls = callsView({ api, model });
  const queues = queuesView({ model });
  const agents = agentsView({ api, model });
  const events = eventsView({ model });
  const unsubscribe = model.subscribe((changed) => {
    for (const view of [tally, calls, queues, agents, events]) view.render(changed);
  });
  return {
    element: h("div", { class: "board" }, heading, tally.element,
      calls.element, h("div", { class: "side" }, queues.element, agents.element), events.element),
    title: t("calls.title"),
    heading,
    close: unsubscribe,
  };
}
