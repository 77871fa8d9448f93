// Where calls go: on to somebody, to somebody who is asked first, or together.

import { announce } from "../announce.js";
import { segment } from "../api.js";
import { t } from "../strings.js";

/** What a card's buttons do; each throws what the server says. */
export function steering({ api, known, microphone, line, rest, others }) {
  async function told(asked) {
    announce(t((await asked) ? "phone.sent" : "phone.not_sent"), (await asked) ? "ok" : "bad");
  }

  /** The address of a call's parties. */
  function participants(call) {
    if (call.number === "") throw new Error(t("desk.not_known"));
    return `/calls/${segment(call.number)}/participants`;
  }

  return {
    /** On to somebody, at once. */
    send: (call, to) => told(call.transfer(line().uriOf(to))),

    /** Somebody is asked first: the caller waits. */
    async consult(call, to) {
      for (const other of others(null)) await rest(other);
      const own = await microphone();
      line().dial(to, own, call).catch(() => {});
    },

    /** Whoever was asked gets the caller. */
    complete: (call) => told(call.consults.join(call)),

    /** Whoever was asked, the caller and we talk. */
    async merge(first, second) {
      await api.post(participants(first), { call: second.number });
      await first.hold(false);
      announce(t("desk.all_together"));
      known.refresh(first.number);
    },

    /** Whoever was asked is let go, and the caller taken back. */
    async back(call) {
      const first = call.consults;
      call.hangUp();
      await first.hold(false);
    },

    /** Somebody is called into the conversation. */
    async add(call, to) {
      await api.post(participants(call), { to });
      announce(t("desk.is_called", { who: to }));
      known.refresh(call.number);
    },

    /** Somebody is let go of it. */
    async remove(call, leg) {
      await api.delete(`${participants(call)}/${segment(String(leg))}`);
      known.refresh(call.number);
    },
  };
}
