// What both libraries' phones share: what happened, waiting for it, and being loaded again.
import { arrived, began, forget, sound } from "/ear.js";

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
    arrived,
    began,
    forget,
    sound,
  };
  if (kept) phone.register(kept).catch((error) => tell(`error ${error.message}`));
}

/** The ICE user name fragments of both ends: others after a restart. */
export function fragments({ localDescription, remoteDescription }) {
  return [localDescription, remoteDescription].map(({ sdp }) => /a=ice-ufrag:(.*)/.exec(sdp)[1].trim());
}
