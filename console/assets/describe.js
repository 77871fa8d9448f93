// One event as one sentence.

import { agentState, causeOf, pick } from "./shape.js";
import { has, t, word } from "./strings.js";

/**
 * What `event` (of `eventOf`) says, in plain words with the names that `model` knows; its type when
 * we have no words for it.
 */
export function describe({ type, body }, model) {
  const turned = typeof body.on === "boolean" ? `.${body.on ? "on" : "off"}` : "";
  const key = `event.${type}${turned}`;
  if (!has(key)) return type;
  const agent = model.agentName(pick(body, "agent", "agent_id"));
  const { state, reason } = agentState(pick(body, "state", "to"), pick(body, "reason"));
  // A word of ours, or a sentence that is shown as it is.
  const why = pick(body, "why", "reason", "error");
  const stateText = word("agent", state);
  return t(key, {
    agent,
    queue: model.queueName(pick(body, "queue", "queue_id")),
    position: pick(body, "position"),
    from: pick(body, "from", "caller") ?? t("calls.anonymous"),
    to: pick(body, "to", "number"),
    flow: pick(body, "flow", "flow_id"),
    prompt: pick(body, "prompt", "prompt_id"),
    waiting: pick(body, "waiting"),
    cause: word("cause", causeOf(pick(body, "cause"))),
    why: typeof why === "object" ? word("cause", causeOf(why)) : word("cause", why),
    state: reason === null ? stateText : `${stateText} (${reason})`,
  });
}
