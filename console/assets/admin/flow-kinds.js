// The steps of a flow: of each kind what it is called, the fields of its form, and a step in words.

import { t } from "../strings.js";

/** In the order in which they are offered. */
export const KINDS = ["play", "say", "menu", "collect", "queue", "dial", "branch", "hangup"];

const SAYINGS = ["digits", "number", "money", "date", "time"];
const SIGNATURES = ["A", "B", "C", "failed", "none", "unchecked"];
const CAUSES = ["normal", "busy", "unavailable"];
const LANGUAGES = ["en", "de"];
const END_KEYS = ["#", "*", "0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
/** A choice of a list cannot be empty; the key of nothing is called so there. */
const NO_KEY = "none";

const field = (name, type, more = {}) => ({ name, type, label: t(`flow.field.${name}`), ...more });
const wordsOf = (prefix, ids) => ids.map((id) => ({ id, name: t(`flow.${prefix}.${id}`) }));
const one = (name, options, more = {}) =>
  field(name, "choice", { options, unchosen: true, needed: true, ...more });
const maybe = (name, options, none) => field(name, "choice", { options, optional: none });

const WAITING = [
  field("wait.first_s", "number", { least: 1, more: true, hint: t("flow.hint.first_s") }),
  field("wait.next_s", "number", { least: 1, more: true, hint: t("flow.hint.next_s") }),
  field("wait.tries", "number", { least: 1, more: true, hint: t("flow.hint.tries") }),
];
const ASKING = [
  ...WAITING,
  field("uninterruptible", "check", { more: true }),
  field("type_ahead", "check", { more: true }),
];
const asked = (known) => [
  maybe("prompt", known.prompts, t("flow.silence")),
  maybe("invalid", known.prompts, t("flow.nothing")),
];

const FIELDS = {
  play: (known) => [one("prompt", known.prompts)],
  say: () => [
    one("say", wordsOf("saying", SAYINGS)),
    field("value", "suggested", { needed: true, hint: t("flow.hint.value"), options:
      wordsOf("value", ["$caller", "$called"]) }),
    maybe("language", wordsOf("language", LANGUAGES), t("flow.language.own")),
  ],
  menu: (known) => [
    ...asked(known),
    field("extensions", "check", { hint: t("flow.hint.extensions") }),
    ...ASKING,
  ],
  collect: (known) => [
    ...asked(known),
    field("into", "text", { needed: true, hint: t("flow.hint.into") }),
    field("min", "number", { least: 1, hint: t("flow.hint.min") }),
    field("max", "number", { least: 1, needed: true }),
    field("end", "choice", {
      options: [...END_KEYS.slice(1).map((id) => ({ id })),
        { id: NO_KEY, name: t("flow.no_key") }],
      optional: END_KEYS[0],
      shown: (value) => (value === "" ? NO_KEY : value === END_KEYS[0] ? "" : value),
      said: (value) => (value === NO_KEY ? "" : value),
    }),
    field("secret", "check"), field("show", "check"),
    ...ASKING,
  ],
  queue: (known) => [one("queue", known.queues)],
  dial: (known) => [
    field("to", "suggested", { options: known.people, needed: true, hint: t("flow.hint.to") }),
    field("ring_s", "number", { least: 5, hint: t("flow.hint.ring_s") }),
    maybe("on_machine", wordsOf("on_machine", ["tell", "next"]), t("flow.nothing")),
  ],
  branch: (known) => [
    field("signature", "several", { options: wordsOf("signature", SIGNATURES), needed: true }),
    one("flow", known.flows),
  ],
  hangup: () => [maybe("cause", wordsOf("cause", CAUSES.slice(1)), t("flow.cause.normal"))],
};

/** The fields of a step; none of a kind that is not known here. */
export function fieldsOf(step, known) {
  return FIELDS[step.do]?.(known) ?? [];
}

/** A new step, with what can only be one thing filled in. */
export function freshStep(kind, known) {
  const only = (things) => (things.length === 1 ? { id: things[0].id } : {});
  const fresh = {
    play: () => ({ prompt: only(known.prompts).id }),
    say: () => ({ say: "digits" }),
    menu: () => ({ choices: [{ digits: "1" }] }),
    collect: () => ({ max: 16 }),
    queue: () => ({ queue: only(known.queues).id }),
  };
  const step = { do: kind, ...fresh[kind]?.() };
  return JSON.parse(JSON.stringify(step));
}

/** What of a step is missing, as the server would tell it: `{path, problem}`. */
export function missing(steps, known) {
  const empty = (value) => value === undefined || value === "";
  return steps.flatMap((step, at) => [
    ...fieldsOf(step, known)
      .filter(({ name, needed }) => needed && empty(step[name]))
      .map(({ name }) => ({ path: `[${at}].${name}`, problem: t("flow.needed") })),
    ...(step.choices ?? []).flatMap((choice, nth) => {
      const path = `[${at}].choices[${nth}]`;
      const target = targetOf(choice);
      return [["digits", choice.digits], ...(target === null ? [] : [[target, choice[target]]])]
        .filter(([, value]) => empty(value))
        .map(([name]) => ({ path: `${path}.${name}`, problem: t("flow.needed") }));
    }),
  ]);
}

/** What a choice leads to: `queue`, `flow`, `dial`, or null: the next step. */
export function targetOf(choice) {
  return ["queue", "flow", "dial"].find((kind) => kind in choice) ?? null;
}

/** What a choice leads to, in words. */
export function choiceInWords(choice, known) {
  const target = targetOf(choice);
  if (target === null) return t("flow.to.next");
  return t(`flow.to.${target}`, { name: nameOf(known, target, choice[target]) });
}

/** What a step is called. */
export function titleOf({ do: kind }) {
  return KINDS.includes(kind) ? t(`flow.kind.${kind}`) : String(kind);
}

/** What a step does, in words, behind its title. */
export function inWords(step, known) {
  const name = (kind, id) => nameOf(known, kind, id);
  const words = {
    play: () => name("prompt", step.prompt),
    say: () => `${t(`flow.saying.${step.say}`)}: ${said(step.value)}`,
    menu: () => t("flow.words.menu", { count: (step.choices ?? []).length,
      prompt: step.prompt === undefined ? t("flow.silence") : name("prompt", step.prompt) }),
    collect: () => t("flow.words.collect", { into: step.into, min: step.min ?? 1, max: step.max }),
    queue: () => name("queue", step.queue),
    dial: () => (step.ring_s === undefined ? name("dial", step.to)
      : t("flow.words.dial", { to: name("dial", step.to), seconds: step.ring_s })),
    branch: () => (step.signature ?? []).map((id) => t(`flow.signature.${id}`)).join(", "),
    hangup: () => t(`flow.cause.${step.cause ?? "normal"}`),
  };
  return words[step.do]?.() ?? t("flow.words.unknown");
}

function said(value) {
  return ["$caller", "$called"].includes(value) ? t(`flow.value.${value}`) : (value ?? t("none"));
}

function nameOf(known, kind, id) {
  const things = { prompt: known.prompts, queue: known.queues, flow: known.flows,
    dial: known.people }[kind];
  if (id === undefined || id === "") return t("none");
  return things.find((thing) => thing.id === id)?.name || id;
}

/** What steps may name: lists of `{id, name}`, and the `steps` of other flows. */
export function knownOf({ tenant, inherited }) {
  const named = (things) => (things ?? []).map(({ id, name }) => ({ id, name: name || id }));
  const dialled = (things) => named(things).concat(
    (things ?? []).filter(({ extension }) => extension)
      .map(({ id, name, extension }) => ({ id: extension, name: name || id })));
  const own = new Set((tenant.prompts ?? []).map(({ id }) => id));
  const above = (inherited?.prompts ?? []).filter((id) => !own.has(id)).map((id) => ({ id }));
  return {
    prompts: named([...(tenant.prompts ?? []), ...above]),
    queues: named(tenant.queues),
    flows: named(tenant.flows),
    people: [...dialled(tenant.agents), ...dialled(tenant.queues)],
    steps: new Map((tenant.flows ?? []).map(({ id, steps }) => [id, steps])),
  };
}
