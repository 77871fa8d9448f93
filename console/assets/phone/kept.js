// How the tab's calls stood, kept for when the page is loaded again: who was on hold, who was
// asked about whom, and whether the agent was muted. By the number that the API has each under.

const KEPT = "strowger.calls";

/** Keeps how those calls stand now. */
export function keepCalls(calls) {
  const known = calls.filter(({ number, state }) => number !== "" && state === "talking");
  const all = known.map(({ number, held, muted, consults }) =>
    [number, { held, muted, consults: consults?.number ?? "" }]);
  if (all.length === 0) sessionStorage.removeItem(KEPT);
  else sessionStorage.setItem(KEPT, JSON.stringify(Object.fromEntries(all)));
}

/** How all of them stood: `{held, muted, consults}` by number. */
export function keptCalls() {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT)) ?? {};
  } catch {
    return {};
  }
}
