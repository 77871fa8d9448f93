// The frame around every page: header, the state of the connection, the main region.

import { announce } from "../announce.js";
import { h, icon, setAttr, setText } from "../dom.js";
import { t } from "../strings.js";

const THEMES = ["system", "light", "dark"];
const THEME = "strowger.theme";
const PATIENCE_MS = 3000;

/** The frame; `show(page)` puts `{element, title, heading}` into it. */
export function shellView({ model, onSignOut }) {
  const tenant = h("span", { class: "tenant" });
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
  const nav = navigation();
  const header = h("header", { class: "top" },
    h("a", { class: "brand", href: "#/", "aria-label": t("app.home") },
      h("img", { src: "/console/icon.svg", alt: "", width: "26", height: "26" }),
      h("span", { text: t("app.name") })),
    tenant, nav.element, h("span", { class: "spacer" }), link, themeButton(), signOut);
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

  function show(page) {
    const first = shown === null;
    shown = page;
    main.replaceChildren(page.element);
    nav.show();
    document.title = `${page.title} · ${t("app.name")}`;
    scrollTo(0, 0);
    // A new page begins at its heading, for a screen reader too; the very first needs no push.
    if (!first) page.heading.focus();
  }

  const unsubscribe = model.subscribe(() => setText(tenant, model.tenant ?? ""));
  return {
    element: h("div", { class: "shell" }, skip, header, warning, main),
    show,
    showLink,
    showLoad,
    showCalls: nav.showCalls,
    close: unsubscribe,
  };
}

/** The pages that are always there. */
function navigation() {
  const pages = [["#/", t("nav.board")], ["#/phone", t("nav.phone")]];
  const links = pages.map(([href, text]) => h("a", { class: "phone-link", href, text }));
  const badge = h("span", { class: "phone-badge" });
  links[1].append(" ", badge);
  const show = () => {
    const here = location.hash || "#/";
    for (const link of links) {
      setAttr(link, "aria-current", link.getAttribute("href") === here ? "page" : null);
    }
  };
  const showCalls = (number) => setText(badge, number === 0 ? "" : `(${number})`);
  return { element: h("nav", { "aria-label": t("nav.title") }, links), show, showCalls };
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
