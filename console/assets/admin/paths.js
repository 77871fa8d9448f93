// Values within a thing, by the path of their names (`forward.no_answer_s`).

/** The value there, or undefined. */
export function valueAt(thing, name) {
  return name.split(".").reduce((inner, part) => inner?.[part], thing);
}

/** Puts a value there; what is undefined is left out, and so is what has nothing in it any more. */
export function put(thing, name, value) {
  const [first, ...rest] = name.split(".");
  if (rest.length > 0) {
    const inner = { ...thing[first] };
    put(inner, rest.join("."), value);
    put(thing, first, Object.keys(inner).length === 0 ? undefined : inner);
  } else if (value === undefined) {
    delete thing[first];
  } else {
    thing[first] = value;
  }
}
