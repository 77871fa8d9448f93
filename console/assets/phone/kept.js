// What a tab keeps for when its page is loaded again: since when calls are to ring in it, and how
// its calls stood (who was on hold, who was asked about whom, and whether the agent was muted), by
// the number that the API has each under.

const KEPT = "strowger.calls";
const SINCE = "strowger.phone.since";

/** Calls are to ring in this tab, from now on; gives when that is. */
export function wantCalls() {
  const now = Date.now();
  sessionStorage.setItem(SINCE, String(now));
  return now;
}

/** Since when calls are to ring in this tab. */
export function wantedCalls() {
  return Number(sessionStorage.getItem(SINCE)) || wantCalls();
}

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
