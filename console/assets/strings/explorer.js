// The words of the call explorer and the page of a call. Keys begin with `explorer.`.

/** By key. */
export const explorer = {
};
