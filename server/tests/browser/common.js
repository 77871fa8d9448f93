// What both libraries' phones share: what happened, waiting for it, and being loaded again.
import { forget, sound } from "/ear.js";

export const told = [];
const waiting = new Set();

export function tell(what) {
  told.push(what);
  console.log(what);
  for (const look of [...waiting]) look();
}

/** Waits until that has been told so many times. */
export function until(what, times = 1, seconds = 60) {
  return new Promise((resolve, reject) => {
    const over = setTimeout(() => {
      waiting.delete(look);
      reject(new Error(`no ${what} (${times}), but ${JSON.stringify(told)}`));
    }, seconds * 1000);
    const look = () => {
      if (told.filter((one) => one === what).length < times) return;
      clearTimeout(over);
      waiting.delete(look);
      resolve(null);
    };
    waiting.add(look);
    look();
  });
}

/** Whether an INVITE says that the page had the call before it was loaded again. */
export function isReturn(header) {
  return header("Answer-Mode") === "Auto" && Boolean(header("X-Strowger-Returns"));
}

/** Makes the phone the test's to use; one that was registered before the page was loaded again
 * registers by itself. */
export function offer(phone) {
  const kept = JSON.parse(sessionStorage.getItem("account") ?? "null");
  globalThis.phone = {
    ...phone,
    async register(account) {
      sessionStorage.setItem("account", JSON.stringify(account));
      return phone.register(account);
    },
    until,
    told: () => told,
    forget,
    sound,
  };
  if (kept) phone.register(kept).catch((error) => tell(`error ${error.message}`));
}

/** Waits until what comes in is no silence. Chromium gives a page's own graph nothing more of a track
 * that was on hold, though it plays it: so this is asked of its figures. */
export async function sounds(connection, seconds = 30) {
  const energy = async () => {
    const stats = [...(await connection.getStats()).values()];
    const inbound = stats.filter(({ type }) => type === "inbound-rtp");
    return inbound.reduce((sum, { totalAudioEnergy = 0 }) => sum + totalAudioEnergy, 0);
  };
  for (let turn = 0; turn < 4 * seconds; turn += 1) {
    const before = await energy();
    await new Promise((resolve) => setTimeout(resolve, 250));
    if ((await energy()) - before > 0.002) return;
  }
  throw new Error("nothing is heard");
}
