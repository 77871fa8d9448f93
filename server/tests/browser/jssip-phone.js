// A phone of JsSIP as it comes: what the test tells it to do.
import { listen } from "/ear.js";
import { fragments, isReturn, offer, tell } from "/common.js";

const media = { mediaConstraints: { audio: true, video: false }, pcConfig: { iceServers: [], encodedInsertableStreams: true } };
let ua;
let account;
/** The newest last. */
const calls = [];
const current = () => calls.at(-1);

function watch(session) {
  const hear = (connection) =>
    connection.addEventListener("track", ({ track, receiver }) => listen(track, receiver));
  if (session.connection) hear(session.connection);
  session.on("peerconnection", ({ peerconnection }) => hear(peerconnection));
  session.on("progress", () => tell("progress"));
  session.on("confirmed", () => tell("confirmed"));
  session.on("failed", ({ cause }) => tell(`failed ${cause}`));
  session.on("ended", ({ originator }) => tell(`ended ${originator}`));
  session.on("hold", ({ originator }) => tell(`hold ${originator}`));
  session.on("unhold", ({ originator }) => tell(`unhold ${originator}`));
  for (const over of ["failed", "ended"]) {
    session.on(over, () => calls.splice(calls.indexOf(session), 1));
  }
  calls.push(session);
}

/** What JsSIP does in its own time: while an earlier offer is in the air it does not begin at all. */
const done = (begin) => new Promise((told, failed) => {
  const attempt = () => {
    try {
      if (!begin(told)) setTimeout(attempt, 50);
    } catch (error) {
      failed(error);
    }
  };
  attempt();
});

offer({
  async register(given) {
    account = given;
    ua = new JsSIP.UA({
      sockets: [new JsSIP.WebSocketInterface(account.ws)],
      uri: account.uri,
      authorization_user: account.user,
      password: account.password,
      display_name: "A page",
      connection_recovery_min_interval: 1,
      connection_recovery_max_interval: 2,
    });
    ua.on("registered", () => tell("registered"));
    ua.on("registrationFailed", ({ response, cause }) =>
      tell(`refused ${response?.status_code ?? cause}`));
    ua.on("disconnected", () => tell("disconnected"));
    ua.on("sipEvent", ({ event, request }) => {
      if (event.event === "strowger-page") tell(`rings ${JSON.parse(request.body).rings}`);
    });
    ua.on("newRTCSession", ({ session, originator, request }) => {
      watch(session);
      if (originator !== "remote") return;
      tell("ringing");
      if (account.auto || isReturn((name) => request.getHeader(name))) session.answer(media);
    });
    ua.start();
  },
  call: (to) => void ua.call(to, media),
  answer: () => void current().answer(media),
  // The same, and when that was.
  clicks() {
    const at = performance.now();
    current().answer(media);
    return at;
  },
  hangup: () => void current().terminate(),
  hold: () => done((told) => current().hold({}, told)),
  resume: () => done((told) => current().unhold({}, told)),
  mute: (muted) => void (muted ? current().mute({ audio: true }) : current().unmute({ audio: true })),
  dtmf: (keys, how) => void current().sendDTMF(keys, { transportType: how }),
  transfer: (to) => void current().refer(to, {
    eventHandlers: { accepted: () => tell("transferred"), failed: () => tell("not transferred") },
  }),
  // Joins the two calls that there are.
  join() {
    const [first, second] = calls;
    first.refer(second.remote_identity.uri.toString(), {
      replaces: second,
      eventHandlers: { accepted: () => tell("joined"), failed: () => tell("not joined") },
    });
  },
  restart: () => new Promise((resolve, reject) => {
    const begun = current().renegotiate({ rtcOfferConstraints: { iceRestart: true } }, resolve);
    if (!begun) reject(new Error("not now"));
  }).then(() => null),
  fragments: () => fragments(current().connection),
  drop: () => void ua.transport.socket._ws.close(),
  connection: () => current().connection,
  codec: async () => codec(current().connection),
  calls: () => calls.length,
});

async function codec(connection) {
  const stats = [...(await connection.getStats()).values()];
  const used = stats.find(({ type, kind }) => type === "inbound-rtp" && kind === "audio");
  return stats.find(({ id }) => id === used?.codecId)?.mimeType ?? null;
}
