// The supervisor's page: the wallboard, the calls and the agents, and the conversation one hears.

import { agentsPanel } from "./floor-agents.js";
import { callsPanel } from "./floor-calls.js";
import { h } from "../dom.js";
import { superviseBar, Supervisor } from "./floor-supervise.js";
import { t } from "../strings.js";
import { wallboardView } from "./wallboard.js";

/** The page; it stays as it is while another is shown. */
export function floorView({ api, model, me, phone, alarms }) {
  const heading = h("h1", { class: "unseen", tabindex: "-1", text: t("floor.title") });
  const supervisor = new Supervisor({ api, model, me, phone });
  const wall = wallboardView({ model, alarms });
  const calls = callsPanel({ api, model, supervisor });
  const agents = agentsPanel({ api, model, supervisor });
  const bar = superviseBar({ model, supervisor });
  const render = (changed) => {
    for (const view of [wall, calls, agents]) view.render(changed);
  };
  const unlisten = alarms.listen(() => wall.render(new Map([["figures", new Set()]])));
  let unsubscribe = () => {};
  // Whichever page is shown: who speaks should know it.
  document.body.append(bar.element);
  return {
    element: h("div", { class: "floor" }, heading, wall.element,
      h("div", { class: "floor-lists" }, calls.element, agents.element)),
    title: t("floor.title"),
    heading,
    shown() {
      unsubscribe = model.subscribe(render);
      render(model.everything());
    },
    left: () => unsubscribe(),
    close() {
      unsubscribe();
      unlisten();
      bar.element.remove();
      for (const view of [wall, calls, agents, bar, supervisor]) view.close();
    },
  };
}
