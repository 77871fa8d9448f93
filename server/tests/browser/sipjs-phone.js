// A phone of SIP.js as it comes: what the test tells it to do.
import { Inviter, Registerer, SessionState, UserAgent } from "/node_modules/sip.js/lib/index.js";
import { listen } from "/ear.js";
import { fragments, isReturn, offer, tell } from "/common.js";

let ua;
let registerer;
let account;
/** The newest last. */
const calls = [];
const current = () => calls.at(-1);
const described = { constraints: { audio: true, video: false } };

function watch(session) {
  const hear = (handler) => {
    handler.peerConnectionDelegate = { ontrack: ({ track, receiver }) => listen(track, receiver) };
  };
  session.delegate = { onSessionDescriptionHandler: hear };
  session.stateChange.addListener((state) => {
    if (state === SessionState.Established) tell("confirmed");
    if (state !== SessionState.Terminated) return;
    tell("ended");
    calls.splice(calls.indexOf(session), 1);
  });
  calls.push(session);
}

const register = () => registerer.register({
  requestDelegate: {
    onAccept: () => tell("registered"),
    onReject: ({ message }) => tell(`refused ${message.statusCode}`),
  },
});

async function holds(hold) {
  const session = current();
  session.sessionDescriptionHandlerOptionsReInvite = { hold };
  await session.invite({
    requestDelegate: { onAccept: () => tell(hold ? "hold local" : "unhold local") },
  });
}

const senders = () => current().sessionDescriptionHandler.peerConnection.getSenders();

offer({
  async register(given) {
    account = given;
    ua = new UserAgent({
      uri: UserAgent.makeURI(account.uri),
      transportOptions: { server: account.ws },
      authorizationUsername: account.user,
      authorizationPassword: account.password,
      displayName: "A page",
      // A page that is loaded again is to keep its call.
      autoStop: false,
      reconnectionAttempts: 20,
      reconnectionDelay: 1,
      logLevel: "error",
      sessionDescriptionHandlerFactoryOptions: {
        iceGatheringTimeout: 500,
        peerConnectionConfiguration: { iceServers: [], encodedInsertableStreams: true },
      },
      delegate: {
        onInvite(session) {
          watch(session);
          tell("ringing");
          const returns = isReturn((name) => session.request.getHeader(name));
          if (account.auto || returns) {
            session.accept({ sessionDescriptionHandlerOptions: described });
          }
        },
        onNotify(notification) {
          notification.accept();
          const { request } = notification;
          if (request.getHeader("Event") !== "strowger-page") return;
          tell(`rings ${JSON.parse(request.body).rings}`);
        },
        onDisconnect: () => tell("disconnected"),
        onConnect: () => register(),
      },
    });
    registerer = new Registerer(ua);
    await ua.start();
  },
  call(to) {
    const session = new Inviter(ua, UserAgent.makeURI(to), {
      sessionDescriptionHandlerOptions: described,
    });
    watch(session);
    session.invite({ requestDelegate: {
      onProgress: () => tell("progress"),
      onReject: ({ message }) => tell(`failed ${message.statusCode}`),
    } });
  },
  answer: () => void current().accept({ sessionDescriptionHandlerOptions: described }),
  hangup: () => void current().bye(),
  hold: () => holds(true),
  resume: () => holds(false),
  restart: () => new Promise((resolve, reject) => {
    const session = current();
    session.sessionDescriptionHandlerOptionsReInvite = { offerOptions: { iceRestart: true } };
    session.invite({ requestDelegate: {
      onAccept: () => resolve(null),
      onReject: ({ message }) => reject(new Error(String(message.statusCode))),
    } });
  }),
  fragments: () => fragments(current().sessionDescriptionHandler.peerConnection),
  mute: (muted) => senders().forEach(({ track }) => { if (track) track.enabled = !muted; }),
  dtmf: (keys) => void current().sessionDescriptionHandler.sendDtmf(keys),
  transfer: (to) => current().refer(UserAgent.makeURI(to), {
    requestDelegate: { onAccept: () => tell("referred") },
    onNotify: (notification) => {
      notification.accept();
      if (notification.request.body.includes(" 200 ")) tell("transferred");
    },
  }).then(() => null),
  join() {
    const [first, second] = calls;
    return first.refer(second, {
      requestDelegate: { onAccept: () => tell("joined") },
      onNotify: (notification) => notification.accept(),
    }).then(() => null);
  },
  drop: () => void ua.transport._ws.close(),
  calls: () => calls.length,
});
