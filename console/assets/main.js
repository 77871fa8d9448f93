// Starts the console: signs in, opens what the key's role may see, and follows the address.

import { Api, redeem } from "./api.js";
import { announce } from "./announce.js";
import { Alarms } from "./floor/alarms.js";
import { EventStream } from "./stream.js";
import { Model } from "./model.js";
import { Router } from "./router.js";
import { adminView } from "./views/admin.js";
import { alarmsView } from "./views/alarms.js";
import { boardView } from "./views/board.js";
import { callView } from "./views/call.js";
import { explorerView } from "./views/explorer.js";
import { floorView } from "./views/floor.js";
import { wasSupervising } from "./views/floor-supervise.js";
import { phoneView, wasOn } from "./views/phone.js";
import { shellView } from "./views/shell.js";
import { signInView } from "./views/signin.js";
import { t } from "./strings.js";
import { welcomeView } from "./views/welcome.js";

const EVERYBODY = ["agent", "supervisor", "admin", "platform"];
const ADMINS = ["admin", "platform"];
const SEE_ALL = ["supervisor", "admin", "platform"];

/**
 * The pages, in the navigation's order. `path` may end in a parameter (`:id`); `roles` may see it;
 * `title` is the key of its name in the navigation (without, it is not in it); `view` makes it from
 * `{api, model, me, alarms, query, phone, badge}` and the path's parameters, as
 * `{element, title, heading, close}`. What `stays` is made once and kept while others are shown:
 * it may have `shown()` and `left()`. A page that has `follow({query})` is told of another query
 * of its own address; else it is made anew. `phone()` is the phone's page; `badge(count)` shows a
 * number beside the page's name in the navigation.
 */
const ROUTES = [
  { path: "#/floor", roles: SEE_ALL, title: "nav.floor", view: floorView, stays: true },
  { path: "#/board", roles: SEE_ALL, title: "nav.board", view: boardView, stays: true },
  { path: "#/phone", roles: EVERYBODY, title: "nav.phone", view: phoneView, stays: true },
  { path: "#/calls", roles: EVERYBODY, title: "explorer.nav", view: explorerView, stays: true },
  { path: "#/calls/:id", roles: EVERYBODY, view: callView },
  { path: "#/admin", roles: ADMINS, title: "admin.nav", view: adminView },
  { path: "#/admin/:area", roles: ADMINS, view: adminView },
  { path: "#/admin/:area/:thing", roles: ADMINS, view: adminView },
  { path: "#/welcome", roles: SEE_ALL, view: welcomeView, stays: true },
];

/** Where each role begins. */
const HOME = { agent: "#/phone", supervisor: "#/floor", admin: "#/board", platform: "#/board" };

const ACCESS = "strowger.access";
const root = document.getElementById("app");
let close = () => {};

function begin(message = "") {
  const code = /^#\/welcome\/([0-9a-f]{32})$/.exec(location.hash)?.[1];
  if (code !== undefined) return welcome(code);
  const access = kept();
  if (access === null) openSignIn(message);
  else openConsole(access);
}

/** The demo's link: its code opens this tab, once, and goes from the address at once. */
async function welcome(code) {
  history.replaceState(null, "", "#/welcome");
  const key = await redeem(code);
  if (key !== null) await tryKey(key).catch((error) => openSignIn(error.message));
  else begin(kept() === null ? t("welcome.used") : "");
}

/** `{key, tenant, me}` of this tab, or null. */
function kept() {
  try {
    const access = JSON.parse(sessionStorage.getItem(ACCESS));
    return typeof access?.key === "string" && typeof access.me?.role === "string" ? access : null;
  } catch {
    return null;
  }
}

function keep(access) {
  sessionStorage.setItem(ACCESS, JSON.stringify(access));
}

function openSignIn(message) {
  close();
  close = () => {};
  document.title = `${t("signin.title")} · ${t("app.name")}`;
  const view = signInView({ message, tryKey });
  root.replaceChildren(view.element);
  view.focus();
}

/** Asks the server whose key it is before keeping it. */
async function tryKey(key) {
  const me = await new Api({ key }).get("/whoami");
  const tenant = me.tenant ?? me.tenants[0]?.id;
  if (tenant === undefined) throw new Error(t("signin.no_tenant"));
  keep({ key, tenant, me });
  begin();
}

/** Nothing of the tab is kept: neither the key nor whose phone was on. */
function signOut(message = "") {
  sessionStorage.clear();
  openSignIn(message);
}

function openConsole(access) {
  close();
  const { me } = access;
  const platform = me.role === "platform";
  const { key, tenant } = access;
  const api = new Api({ key, tenant: platform ? tenant : "" }, () => signOut(t("signin.expired")));
  const model = new Model(api, tenant);
  const routes = ROUTES.filter(({ roles }) => roles.includes(me.role));
  const shell = shellView({
    me,
    tenant,
    routes,
    onSignOut: () => signOut(),
    onTenant(chosen) {
      sessionStorage.clear();
      keep({ ...access, tenant: chosen });
      begin();
    },
  });
  model.onLoad = (error) => shell.showLoad(error);
  const alarms = me.role === "agent" ? null : new Alarms(model);
  const bell = alarms === null ? null : alarmsView({ api, alarms, model });
  if (bell !== null) shell.addTool(bell.element);
  const given = { api, model, me, alarms };
  const router = new Router({ routes, home: HOME[me.role], shell, given });

  const stream = new EventStream(api, {
    onEvent: (event) => model.take(event),
    onState(state) {
      shell.showLink(state);
      // A key that may not follow events can still see what its lists show.
      if (state.kind === "stopped") model.load();
    },
    onOpen: () => model.load(),
  });

  close = () => {
    stream.stop();
    model.close();
    router.close();
    bell?.close();
    alarms?.close();
    shell.close();
  };
  root.replaceChildren(shell.element);
  // One that was on keeps its call, whichever page is shown.
  if (wasOn()) router.page("#/phone");
  if (wasSupervising()) router.page("#/floor");
  router.follow();
  stream.start();
  announce("");
  learn(api, access);
}

/** What was kept may be old: the key may open something else by now. */
async function learn(api, access) {
  const me = await api.get("/whoami").catch(() => null);
  if (me === null || kept()?.key !== access.key) return;
  const was = access.me;
  const is_same = was.role === me.role && was.agent?.id === me.agent?.id
    && was.agent?.supervises === me.agent?.supervises
    && was.tenants.length === me.tenants.length;
  keep({ ...kept(), me });
  if (!is_same) begin();
}

begin();
