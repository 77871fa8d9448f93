// Starts the console: signs in, builds the board, keeps the event stream, follows the address.

import { Api } from "./api.js";
import { announce } from "./announce.js";
import { EventStream } from "./stream.js";
import { Model } from "./model.js";
import { boardView } from "./views/board.js";
import { callView } from "./views/call.js";
import { phoneView, wasOn } from "./views/phone.js";
import { shellView } from "./views/shell.js";
import { signInView } from "./views/signin.js";
import { t } from "./strings.js";

const ACCESS = "strowger.access";
const root = document.getElementById("app");
let close = () => {};

function begin(message = "") {
  const access = kept();
  if (access === null) openSignIn(message);
  else openConsole(access);
}

/** `{key, tenant}` of this tab, or null. */
function kept() {
  try {
    const access = JSON.parse(sessionStorage.getItem(ACCESS));
    return typeof access?.key === "string" ? access : null;
  } catch {
    return null;
  }
}

function openSignIn(message) {
  close();
  close = () => {};
  document.title = `${t("signin.title")} · ${t("app.name")}`;
  const view = signInView({ message, tryKey });
  root.replaceChildren(view.element);
  view.focus();
}

/** Asks the server with the key before keeping it. */
async function tryKey(access) {
  await new Api(access).page("/calls", { per_page: 1 });
  sessionStorage.setItem(ACCESS, JSON.stringify(access));
  begin();
}

function signOut(message = "") {
  sessionStorage.removeItem(ACCESS);
  openSignIn(message);
}

function openConsole(access) {
  close();
  const api = new Api(access, () => signOut(t("signin.expired")));
  const model = new Model(api);
  const shell = shellView({ model, onSignOut: () => signOut() });
  const board = boardView({ api, model });
  let page = null;
  /** It stays, with its calls, while other pages are shown. */
  let phone = null;
  model.onLoad = (error) => shell.showLoad(error);

  const stream = new EventStream(api, {
    onEvent: (event) => model.take(event),
    onState(state) {
      shell.showLink(state);
      // A key that may not follow events can still see what its lists show.
      if (state.kind === "stopped") model.load();
    },
    onOpen: () => model.load(),
  });

  function follow() {
    const id = /^#\/calls\/([^/]+)$/.exec(location.hash)?.[1];
    page?.close();
    page = id === undefined ? null : callView({ api, model, id: decodeURIComponent(id) });
    const rings = location.hash === "#/phone";
    // One that was on keeps its call, whichever page is shown.
    if (rings || wasOn()) phone ??= phoneView({ api, model, onCalls: shell.showCalls });
    shell.show(page ?? (rings ? phone : board));
  }

  addEventListener("hashchange", follow);
  close = () => {
    removeEventListener("hashchange", follow);
    stream.stop();
    model.close();
    page?.close();
    board.close();
    phone?.close();
    shell.close();
  };
  root.replaceChildren(shell.element);
  follow();
  stream.start();
  announce("");
}

begin();
