// Which page is shown: follows the address, keeps the pages that stay, and moves the focus along.

/** The pages of one signed-in console; see `ROUTES` in `main.js` for what a route says. */
export class Router {
  #routes;
  #home;
  #shell;
  #given;
  #kept = new Map();
  #current = { route: null, page: null, address: "" };

  constructor({ routes, home, shell, given }) {
    this.#routes = routes;
    this.#home = home;
    this.#shell = shell;
    this.#given = given;
    this.follow = () => this.#follow();
    addEventListener("hashchange", this.follow);
  }

  /** The page of a path that stays; it is made if it is not there yet. */
  page(path) {
    const route = this.#routes.find((one) => one.path === path);
    if (route === undefined) return null;
    if (!this.#kept.has(path)) this.#kept.set(path, this.#make(route, {}, new URLSearchParams()));
    return this.#kept.get(path);
  }

  close() {
    removeEventListener("hashchange", this.follow);
    this.#leave();
    for (const page of this.#kept.values()) page.close();
    this.#kept.clear();
  }

  #follow() {
    const found = find(this.#routes, location.hash);
    if (found === null) return location.replace(this.#home);
    const { route, params, query, address } = found;
    const { page: before, address: there } = this.#current;
    if (address === there && before.follow !== undefined) return before.follow({ query });
    this.#leave();
    const page = route.stays ? this.page(route.path) : this.#make(route, params, query);
    this.#current = { route, page, address };
    this.#shell.show(page, route);
    page.shown?.({ query });
    return undefined;
  }

  #leave() {
    const { route, page } = this.#current;
    if (page === null) return;
    page.left?.();
    if (!route.stays) page.close();
    this.#current = { route: null, page: null, address: "" };
  }

  #make(route, params, query) {
    return route.view({
      ...this.#given,
      ...params,
      query,
      phone: () => this.page("#/phone"),
      badge: (count) => this.#shell.showBadge(route.path, count),
    });
  }
}

/** The route of an address, with its parameters and query; null if there is none. */
function find(routes, hash) {
  const [address, query = ""] = hash.split("?", 2);
  const parts = address.split("/");
  for (const route of routes) {
    const pattern = route.path.split("/");
    if (pattern.length !== parts.length) continue;
    const params = {};
    const fits = pattern.every((piece, at) => {
      if (!piece.startsWith(":")) return piece === parts[at];
      params[piece.slice(1)] = readable(parts[at]);
      return params[piece.slice(1)] !== "";
    });
    if (fits) return { route, params, query: new URLSearchParams(query), address };
  }
  return null;
}

function readable(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return "";
  }
}
