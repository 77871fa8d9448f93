// What a tab keeps for when its page is loaded again: since when calls are to ring in it, and how
// its calls stood (with whom, who was on hold, who was asked about whom, and whether the agent was
// muted), by the number that the API has each under. A browser that duplicates a tab copies all of
// that; the copy is a page of its own.

import { random } from "./message.js";

const KEPT = "strowger.calls";
const SINCE = "strowger.phone.since";
const TAB = "strowger.tab";
/** A tab that is loaded again has its name back at once; whose name another page has does not. */
const NAMED_WITHIN_MS = 1000;

let copied = null;

/**
 * Whether this tab is a copy of one that is open. It has forgotten then what the other one keeps,
 * and its phone comes to be when it is asked for.
 */
export function isCopy() {
  // One answer for each page: it has its name from then on.
  copied ??= takeName();
  return copied;
}

async function takeName() {
  // Without them (a page that is not secure has no phone either) all tabs are their own.
  if (navigator.locks === undefined) return false;
  const name = sessionStorage.getItem(TAB);
  if (name !== null && await hasName(name)) return false;
  const own = random(20);
  sessionStorage.setItem(TAB, own);
  hasName(own);
  if (name === null) return false;
  for (const kept of [KEPT, SINCE]) sessionStorage.removeItem(kept);
  return true;
}

/** Holds the name until the page is gone, if no other page does. */
function hasName(name) {
  return new Promise((resolve) => {
    const signal = AbortSignal.timeout(NAMED_WITHIN_MS);
    const held = () => {
      resolve(true);
      return new Promise(() => {});
    };
    navigator.locks.request(`${TAB}.${name}`, { signal }, held).catch(() => resolve(false));
  });
}

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

/** How a call stands: what is to be so again when it is back, or told when it is not. */
export function standing({ held, muted, consults }, who) {
  return { held, muted, consults: consults?.number ?? "", who };
}

/**
 * Keeps how those calls stand now, each with the name of whoever it is with, and how those stood
 * that are still astray.
 */
export function keepCalls(calls, nameOf, astray) {
  const known = calls.filter(({ number }) => number !== "");
  const all = [...astray, ...known.map((call) => [call.number, standing(call, nameOf(call))])];
  if (all.length === 0) sessionStorage.removeItem(KEPT);
  else sessionStorage.setItem(KEPT, JSON.stringify(Object.fromEntries(all)));
}

/** How all of them stood: `{held, muted, consults, who}` by number. */
export function keptCalls() {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT)) ?? {};
  } catch {
    return {};
  }
}
