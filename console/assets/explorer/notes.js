// What people wrote about a call, and a place to write more.

import { announce } from "../announce.js";
import { dateAndClock, millis } from "../format.js";
import { h } from "../dom.js";
import { t } from "../strings.js";

const LONGEST = 2000;

/** The notes of the call at `path`: `{element, load}`. */
export function notesView({ api, path }) {
  const list = h("ol", { class: "notes-list" });
  const text = h("textarea", { id: "note", rows: "3", maxlength: String(LONGEST) });
  const problem = h("p", { class: "problem", role: "alert" });
  const write = h("button", { type: "submit", text: t("notes.add") });
  const form = h("form", { class: "notes-form", on: { submit: add } },
    h("label", { for: "note", text: t("notes.new") }), text, problem, write);

  async function load() {
    try {
      show(await api.get(`${path}/notes`));
    } catch (error) {
      list.replaceChildren(h("li", { class: "empty", text: t("error.load",
        { message: error.message }) }));
    }
  }

  function show(notes) {
    list.replaceChildren(...notes.map((note) => h("li", {},
      h("p", { class: "note-text", text: note.text }),
      h("p", { class: "note-by" }, h("span", { text: note.author }),
        h("time", { text: dateAndClock(millis(note.at)) })))));
    list.hidden = notes.length === 0;
  }

  async function add(event) {
    event.preventDefault();
    if (text.value.trim() === "") return text.focus();
    write.disabled = true;
    problem.textContent = "";
    try {
      await api.post(`${path}/notes`, { text: text.value.trim() });
      text.value = "";
      announce(t("notes.added"));
      await load();
    } catch (error) {
      problem.textContent = t("error.action", { message: error.message });
    }
    write.disabled = false;
    return text.focus();
  }

  return { element: h("div", { class: "notes-body" }, list, form), load };
}
