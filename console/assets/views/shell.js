// The frame around every page: header, navigation, the state of the connection, the main region.

import { announce } from "../announce.js";
import { h, icon, setAttr, setText } from "../dom.js";
import { t } from "../strings.js";

const THEMES = ["system", "light", "dark"];
const THEME = "strowger.theme";
const PATIENCE_MS = 3000;

/**
 * The frame; `show(page, route)` puts `{element, title, heading}` into it. `onTenant(id)` hears
 * which tenant a platform's key is to act for.
 */
export function shellView({ me, tenant, routes, onSignOut, onTenant }) {
  const link = h("span", { class: "link-state", data: { kind: "connecting" } },
    h("span", { text: t("link.connecting") }));
  const warning = h("div", { class: "warning", role: "alert", hidden: true });
  const main = h("main", { id: "main", tabindex: "-1" });
  const skip = h("a", { class: "skip", href: "#main", text: t("app.skip") });
  skip.addEventListener("click", (event) => {
    event.preventDefault();
    main.focus();
  });
  const signOut = h("button", { class: "quiet", on: { click: onSignOut } },
    icon("exit"), h("span", { class: "wide-only", text: t("app.sign_out") }));
  signOut.setAttribute("aria-label", t("app.sign_out"));
  const nav = navigation(routes);
  const tools = h("div", { class: "top-tools" });
  const header = h("header", { class: "top" },
    h("a", { class: "brand", href: "#/", "aria-label": t("app.home") },
      h("img", { src: "/console/icon.svg", alt: "", width: "26", height: "26" }),
      h("span", { class: "wide-only", text: t("app.name") })),
    tenantPart(me, tenant, onTenant), nav.element, h("span", { class: "spacer" }),
    tools, link, whoPart(me), themeButton(), signOut);
  let lastLive = performance.now();
  let lost = false;
  let lostText = "";
  let failure = "";
  let shown = null;

  function showLink({ kind, seconds, refused = false }) {
    if (link.dataset.kind !== kind) link.dataset.kind = kind;
    setText(link.firstChild, t(`link.${kind}`, { seconds }));
    if (kind === "live") {
      if (lost) announce(t("link.back"));
      lastLive = Infinity;
      lost = false;
    } else if (lastLive === Infinity) {
      lastLive = performance.now();
    }
    // A connection that comes back at once is not worth an alarm.
    lostText = t(refused ? "link.refused" : "link.lost");
    if (kind === "stopped" || performance.now() - lastLive > PATIENCE_MS) lost = true;
    // What a role may not follow is no fault: its pages ask by themselves.
    if (refused && me.role === "agent") lost = false;
    link.hidden = refused && me.role === "agent";
    warn();
  }

  /** `error` is null when the lists were loaded. */
  function showLoad(error) {
    failure = error === null ? "" : t("error.load", { message: error.message });
    warn();
  }

  function warn() {
    const sentence = lost ? lostText : failure;
    setText(warning, sentence);
    warning.hidden = sentence === "";
  }

  function show(page, route) {
    const first = shown === null;
    shown = page;
    main.replaceChildren(page.element);
    nav.show(route);
    document.title = `${page.title} · ${t("app.name")}`;
    scrollTo(0, 0);
    main.scrollTo(0, 0);
    // A new page begins at its heading, for a screen reader too; the very first needs no push.
    if (!first) page.heading.focus();
  }

  return {
    element: h("div", { class: "shell" }, skip, header, warning, main),
    show,
    showLink,
    showLoad,
    showBadge: nav.showBadge,
    /** Puts something into the header, beside the state of the connection. */
    addTool: (element) => tools.append(element),
    close() {},
  };
}

/** The pages that this role may see. */
function navigation(routes) {
  const links = new Map();
  for (const { path, title } of routes) {
    if (title === undefined) continue;
    const badge = h("span", { class: "nav-badge", hidden: true });
    const name = h("span", { text: t(title) });
    links.set(path, h("a", { class: "nav-link", href: path }, name, badge));
  }
  const element = h("nav", { class: "nav", "aria-label": t("nav.title") },
    h("ul", {}, [...links.values()].map((link) => h("li", {}, link))));

  /** A page without a name of its own belongs to the one whose path its own begins with. */
  function show({ path }) {
    for (const [own, link] of links) {
      const here = own === path ? "page" : path.startsWith(`${own}/`) ? "true" : null;
      setAttr(link, "aria-current", here);
    }
  }

  function showBadge(path, count) {
    const badge = links.get(path)?.lastChild;
    if (badge === undefined) return;
    badge.hidden = count === 0;
    setText(badge, count === 0 ? "" : String(count));
  }

  return { element, show, showBadge };
}

/** The tenant's name; a choice for a key that may act for several. */
function tenantPart(me, tenant, onTenant) {
  const name = me.tenants.find(({ id }) => id === tenant)?.name ?? tenant;
  if (me.role !== "platform" || me.tenants.length < 2) {
    return h("span", { class: "tenant", text: name });
  }
  const choice = h("select", { class: "tenant-choice", "aria-label": t("app.tenant") },
    me.tenants.map(({ id, name }) =>
      h("option", { value: id, selected: id === tenant, text: name })));
  choice.addEventListener("change", () => onTenant(choice.value));
  return h("span", { class: "tenant" }, choice);
}

/** Who is signed in, and as what. */
function whoPart(me) {
  const name = me.agent?.name ?? me.name;
  return h("span", { class: "who wide-only" },
    h("span", { class: "who-name", text: name }),
    h("span", { class: "who-role", text: t(`role.${me.role}`) }));
}

function themeButton() {
  const button = h("button", { class: "quiet icon-only" }, icon("theme"));
  const root = document.documentElement;
  const current = () => root.dataset.theme ?? "system";
  const name = () => {
    const label = t("app.theme", { theme: t(`theme.${current()}`) });
    button.setAttribute("aria-label", label);
    button.title = label;
  };
  button.addEventListener("click", () => {
    const next = THEMES[(THEMES.indexOf(current()) + 1) % THEMES.length];
    if (next === "system") delete root.dataset.theme;
    else root.dataset.theme = next;
    try {
      localStorage.setItem(THEME, next);
    } catch {
      // Not kept then: the choice holds for this page.
    }
    name();
    announce(button.title);
  });
  name();
  return button;
}
