// The answer to a digest challenge (RFC 7616 §3.4) with SHA-256, which every browser has.

import { parameter, random } from "./message.js";

/** The header field that answers a 401 or 407, as `[name, value]`; null if we cannot. */
export async function answer(challenged, { method, uri, user, password }) {
  const is_proxy = challenged.status === 407;
  const challenges = challenged.all(is_proxy ? "proxy-authenticate" : "www-authenticate");
  const challenge = challenges.find((one) => parameter(one, "algorithm") === "SHA-256");
  if (challenge === undefined) return null;
  const [realm, nonce] = ["realm", "nonce"].map((name) => parameter(challenge, name));
  const [cnonce, nc, qop] = [random(16), "00000001", "auth"];
  const secret = await hash(`${user}:${realm}:${password}`);
  const asked = await hash(`${method}:${uri}`);
  const proof = await hash([secret, nonce, nc, cnonce, qop, asked].join(":"));
  const value = `Digest username="${user}", realm="${realm}", nonce="${nonce}", uri="${uri}", ` +
    `response="${proof}", algorithm=SHA-256, cnonce="${cnonce}", qop=${qop}, nc=${nc}`;
  return [is_proxy ? "Proxy-Authorization" : "Authorization", value];
}

async function hash(text) {
  const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
