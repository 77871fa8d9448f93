// The pictures on the softphone's buttons; always decoration, the words beside them say it.

import { svg } from "../dom.js";

const PATHS = {
  accept: "M5 3c-1.200 0-2 .9-2 2 0 6.500 5.500 12 12 12 1.100 0 2-.8 2-2v-2l-4-1.500-2 2"
    + "C8.500 12.200 7.800 11.500 6.500 9l2-2L7 3z",
  hangup: "M2.500 12.500c4-4.600 11-4.600 15 0l-2.200 2.200-2.900-1.500v-2.400"
    + "c-1.600-.5-3.200-.5-4.800 0v2.400l-2.900 1.500z",
  hold: "M7 4.500v11M13 4.500v11",
  resume: "M6.500 4.500l9 5.500-9 5.500z",
  mute: "M10 3a2.500 2.500 0 0 1 2.500 2.500v4a2.500 2.500 0 0 1-5 0v-4A2.500 2.500 0 0 1 10 3z"
    + "M5 9.500a5 5 0 0 0 10 0M10 14.500V17",
  muted: "M10 3a2.500 2.500 0 0 1 2.500 2.500v4a2.500 2.500 0 0 1-5 0v-4A2.500 2.500 0 0 1 10 3z"
    + "M5 9.500a5 5 0 0 0 10 0M10 14.500V17M3.500 3.500l13 13",
  keys: "M5 5h.01M10 5h.01M15 5h.01M5 10h.01M10 10h.01M15 10h.01M5 15h.01M10 15h.01M15 15h.01",
  send: "M3 10h11M10 5l5 5-5 5M17 4v12",
  add: "M7.500 9.500a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM2.500 16.500c0-3 2-4.500 5-4.500s5 1.500 5 4.500"
    + "M15.500 7v6M12.500 10h6",
  back: "M8 5L3.500 9.500 8 14M4 9.500h8.500a4 4 0 0 1 0 7H11",
  record: "M10 5.500a4.500 4.500 0 1 0 0 9 4.500 4.500 0 0 0 0-9z",
  phone: "M5 3c-1.200 0-2 .9-2 2 0 6.500 5.500 12 12 12 1.100 0 2-.8 2-2v-2l-4-1.500-2 2"
    + "C8.500 12.200 7.800 11.500 6.500 9l2-2L7 3z",
};

/** A picture by its name. */
export function picture(name) {
  const path = svg("path", { d: PATHS[name] });
  return svg("svg", { class: "icon", viewBox: "0 0 20 20", "aria-hidden": "true" }, path);
}

/** Puts another picture in the place of one. */
export function setPicture(element, name) {
  const path = element.firstChild;
  if (path.getAttribute("d") !== PATHS[name]) path.setAttribute("d", PATHS[name]);
}
