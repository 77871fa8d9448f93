// The HTTP API: one place that knows its address, its key and the form of its answers.

import { learnClock } from "./format.js";
import { t } from "./strings.js";

const BASE = "/api/v1";
const TIMEOUT_MS = 15_000;

/** What went wrong, in words a person can read (`message`) and for code (`status`, `code`). */
export class ApiError extends Error {
  constructor(message, status = 0, code = "", details = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.details = details;
  }
}

/** A client of one tenant with one API key, which travels in a header and never in a URL. */
export class Api {
  /**
   * `access` is `{key, tenant}`; the tenant is empty but for a platform's key, which may act for
   * any. `onRefused` is called when the server no longer accepts the key (401).
   */
  constructor({ key, tenant = "" }, onRefused = () => {}) {
    this.headers = { Authorization: `Bearer ${key}` };
    if (tenant !== "") this.headers["X-Tenant"] = tenant;
    this.onRefused = onRefused;
  }

  /** The `data` of a GET. */
  async get(path, query = {}) {
    return (await this.page(path, query)).data;
  }

  /** The whole answer of a GET: `data` and, of a list, its paging fields. */
  async page(path, query = {}) {
    const answer = await this.#json("GET", withQuery(path, query));
    return answer !== null && typeof answer === "object" && "data" in answer
      ? answer
      : { data: answer };
  }

  /** A POST; each one is safe to repeat by its idempotency key. */
  async post(path, body = {}) {
    return this.#json("POST", path, body, { "Idempotency-Key": randomKey() });
  }

  /** A DELETE. */
  async delete(path) {
    return this.#json("DELETE", path);
  }

  /** A PUT. */
  async put(path, body) {
    return this.#json("PUT", path, body);
  }

  /** A PATCH. */
  async patch(path, body) {
    return this.#json("PATCH", path, body);
  }

  /** A DELETE. */
  async delete(path) {
    return this.#json("DELETE", path);
  }

  /** A PUT of a file. */
  async upload(path, file, type) {
    const signal = AbortSignal.timeout(4 * TIMEOUT_MS);
    const headers = { Accept: "application/json", "Content-Type": type };
    return (await this.#fetch("PUT", path, { headers, body: file, signal })).json();
  }

  /** An answer as it comes, for streams and audio. Throws `ApiError` unless it is a success. */
  async open(path, { headers = {}, signal } = {}) {
    return this.#fetch("GET", path, { headers, signal });
  }

  async #json(method, path, body, headers = {}) {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const sent = { Accept: "application/json", ...headers };
    if (body !== undefined) sent["Content-Type"] = "application/json";
    const text = body === undefined ? undefined : JSON.stringify(body);
    const response = await this.#fetch(method, path, { headers: sent, body: text, signal });
    if (response.status === 204) return null;
    try {
      return await response.json();
    } catch (cause) {
      throw unreachable(cause);
    }
  }

  async #fetch(method, path, { headers, body, signal }) {
    let response;
    try {
      response = await fetch(BASE + path, {
        method,
        body,
        signal,
        cache: "no-store",
        credentials: "omit",
        headers: { ...this.headers, ...headers },
      });
    } catch (cause) {
      throw unreachable(cause);
    }
    learnClock(response.headers.get("Date"));
    if (response.ok) return response;
    if (response.status === 401) this.onRefused();
    throw await refusal(response);
  }
}

/** The key that the code of a link stands for, once; null if it stands for none any more. */
export async function redeem(code) {
  const response = await fetch(`${BASE}/welcome/sign-in`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ code }),
    cache: "no-store",
    credentials: "omit",
  }).catch(() => null);
  return response?.ok ? (await response.json()).data.key : null;
}

function unreachable(cause) {
  if (cause.name === "AbortError") return cause;
  return new ApiError(t(cause.name === "TimeoutError" ? "error.timeout" : "error.network"));
}

async function refusal(response) {
  let said = {};
  try {
    said = (await response.json()) ?? {};
  } catch {
    // Not one of our errors: a proxy's page, perhaps. The status has to do.
  }
  const message = said.error || t("error.http", { status: response.status });
  return new ApiError(message, response.status, said.code, said.details);
}

function withQuery(path, query) {
  const text = new URLSearchParams(query).toString();
  return text === "" ? path : `${path}?${text}`;
}

/** 128 random bits. `crypto.randomUUID` is missing on plain HTTP, `getRandomValues` is not. */
function randomKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** One path segment, safe whatever is in it. */
export function segment(value) {
  return encodeURIComponent(value);
}
