// The words of administration and the first run. Keys begin with `admin.`.

/** By key. */
export const admin = {
};
