// The first page: one field, an API key.

import { h } from "../dom.js";
import { t } from "../strings.js";

/** The key that `strowger demo` provisions; the server takes it on loopback addresses only. */
const DEMO_KEY = "demo-acme-admin";
const LOOPBACK = ["localhost", "127.0.0.1", "[::1]"];

/** The sign-in page; `tryKey(key)` throws an error when the server refuses it. */
export function signInView({ message, tryKey }) {
  const problem = h("p", { class: "problem", id: "key-problem", role: "alert", text: message });
  const field = h("input", {
    type: "password",
    id: "key",
    autocomplete: "current-password",
    spellcheck: "false",
    autocapitalize: "none",
    "aria-describedby": "key-problem key-hint",
  });
  const submit = h("button", { type: "submit", class: "primary wide", text: t("signin.submit") });
  const form = h("form", { class: "signin-card", method: "post", on: { submit: send } },
    h("img", { src: "/console/icon.svg", alt: "", width: "44", height: "44" }),
    h("h1", { text: t("app.name") }),
    h("p", { class: "lead", text: t("signin.lead") }),
    h("label", { for: "key", text: t("signin.key") }),
    field,
    problem,
    submit,
    h("p", { class: "hint", id: "key-hint", text: t("signin.hint") }),
    LOOPBACK.includes(location.hostname) ? demoHint(field) : null);

  async function send(event) {
    event.preventDefault();
    const key = field.value.trim();
    if (key === "") return fail(t("signin.empty"));
    submit.disabled = true;
    submit.textContent = t("signin.busy");
    try {
      await tryKey(key);
    } catch (error) {
      fail(error.status === 401 ? t("signin.wrong") : error.message);
    }
  }

  function fail(sentence) {
    submit.disabled = false;
    submit.textContent = t("signin.submit");
    field.setAttribute("aria-invalid", "true");
    problem.textContent = sentence;
    field.select();
    field.focus();
  }

  return { element: h("main", { class: "signin" }, form), focus: () => field.focus() };
}

function demoHint(field) {
  const use = h("button", { type: "button", class: "link", text: t("signin.demo_use") });
  use.addEventListener("click", () => {
    field.value = DEMO_KEY;
    field.form.requestSubmit();
  });
  return h("p", { class: "hint demo" },
    `${t("signin.demo")} `, h("code", { text: DEMO_KEY }), " ", use);
}
