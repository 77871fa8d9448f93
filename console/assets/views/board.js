// The board: the five figures, calls, queues, agents and events on one page.

import { agentsView } from "./agents.js";
import { callsView } from "./calls.js";
import { eventsView } from "./events.js";
import { h } from "../dom.js";
import { queuesView } from "./queues.js";
import { t } from "../strings.js";
import { tallyView } from "./tally.js";

/** The board; it stays as it is while another page is shown, and is current when it is back. */
export function boardView({ api, model }) {
  const heading = h("h1", { class: "unseen", tabindex: "-1", text: t("tally.title") });
  const tally = tallyView({ model });
  const calls = callsView({ api, model });
  const queues = queuesView({ model });
  const agents = agentsView({ api, model });
  const events = eventsView({ model });
  const render = (changed) => {
    for (const view of [tally, calls, queues, agents, events]) view.render(changed);
  };
  let unsubscribe = () => {};
  return {
    element: h("div", { class: "board" }, heading, tally.element,
      calls.element, h("div", { class: "side" }, queues.element, agents.element), events.element),
    title: t("calls.title"),
    heading,
    shown() {
      unsubscribe = model.subscribe(render);
      render(model.everything());
    },
    left: () => unsubscribe(),
    close: () => unsubscribe(),
  };
}
