// One event as one sentence.

import { agentState, causeOf, pick } from "./shape.js";
import { has, snake, t, word } from "./strings.js";

/** What an event says that makes it another sentence than its kind alone: one of these fields. */
const TELLING = {
  "call.caller_verified": "verdict", "call.digits": "outcome", "call.answered_by": "by",
  "call.supervised": "mode", "call.supervision_changed": "mode", "call.quality": "quality",
  "call.talking": "talking", "agent.do_not_disturb_changed": "on",
  "trunk.state_changed": "state", "alarm.raised": "alarm",
};
/** Kinds that are of somebody outside when no agent is named. */
const PERHAPS_OUTSIDE = ["call.ringing", "call.connected", "call.dial_failed"];

/** The key of an event's sentence. */
function keyOf(type, body) {
  const value = body[TELLING[type]];
  const turned = typeof value === "boolean" ? (value ? "on" : "off") : snake(value ?? "");
  const isOutside = PERHAPS_OUTSIDE.includes(type) && pick(body, "agent", "agent_id") === null;
  const closer = `event.${type}.${isOutside ? "outside" : turned}`;
  return has(closer) ? closer : `event.${type}`;
}

/**
 * What `event` (of `eventOf`) says, in plain words with the names that `model` knows; its type when
 * we have no words for it.
 */
export function describe({ type, body }, model) {
  const key = keyOf(type, body);
  if (!has(key)) return type;
  const agent = model.agentName(pick(body, "agent", "agent_id"));
  const { state, reason } = agentState(pick(body, "state", "to"), pick(body, "reason"));
  // A word of ours, or a sentence that is shown as it is.
  const why = pick(body, "why", "reason", "error");
  const stateText = word("agent", state);
  const count = pick(body, "count");
  return t(key, {
    agent,
    queue: model.queueName(pick(body, "queue", "queue_id")),
    position: pick(body, "position"),
    from: pick(body, "from", "caller") ?? t("calls.anonymous"),
    to: pick(body, "to", "number"),
    who: agent ?? pick(body, "number", "to", "trunk") ?? word("side", pick(body, "kind")),
    // Agents by their names, keys by theirs.
    by: model.agentName(pick(body, "by")),
    of: model.agentName(pick(body, "of")),
    server: pick(body, "server"),
    trunk: pick(body, "trunk"),
    digits: pick(body, "digits") ?? t("digits.hidden", { count }),
    heard: word("heard", pick(body, "heard")),
    flow: pick(body, "flow", "flow_id"),
    prompt: pick(body, "prompt", "prompt_id"),
    waiting: pick(body, "waiting"),
    cause: word("cause", causeOf(pick(body, "cause"))),
    why: typeof why === "object" ? word("cause", causeOf(why)) : word("cause", why),
    state: reason === null ? stateText : `${stateText} (${reason})`,
  });
}
