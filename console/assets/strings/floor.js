// The words of the supervisor's pages. Keys begin with `floor.`.

/** By key. */
export const floor = {
  "floor.percent": "{percent} %",
};
