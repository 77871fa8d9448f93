// A titled region of a page.

import { h } from "../dom.js";

/** A titled region of the board. */
export function panel(id, title, controls, ...content) {
  return h("section", { class: `panel ${id}`, "aria-labelledby": `${id}-title` },
    h("div", { class: "panel-head" },
      h("h2", { id: `${id}-title`, text: title }), h("span", { class: "spacer" }), controls),
    content);
}
