// The words of the agent's page. Keys begin with `desk.`.

/** By key. */
export const desk = {
};
