// SIP messages (RFC 3261 §7) as text and as objects, as far as a phone in a page needs them.

const SHORT = { v: "via", f: "from", t: "to", i: "call-id", m: "contact", l: "content-length",
  c: "content-type", s: "subject", k: "supported", r: "refer-to" };

/** A message as it came: `method` and `uri`, or `status` and `reason`; null if it is none. */
export function parse(text) {
  const at = text.indexOf("\r\n\r\n");
  if (at < 0) return null;
  const [first, ...lines] = text.slice(0, at).replace(/\r\n[ \t]+/g, " ").split("\r\n");
  const headers = lines.map((line) => {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon).trim().toLowerCase();
    return [SHORT[name] ?? name, line.slice(colon + 1).trim()];
  });
  const body = text.slice(at + 4);
  const response = /^SIP\/2\.0 (\d{3}) ?(.*)$/.exec(first);
  const request = /^([A-Z]+) (\S+) SIP\/2\.0$/.exec(first);
  if (response !== null) return message({ status: Number(response[1]), reason: response[2] });
  if (request !== null) return message({ method: request[1], uri: request[2] });
  return null;

  function message(start) {
    const all = (name) => headers.filter(([key]) => key === name).map(([, value]) => value);
    return { ...start, headers, body, all, header: (name) => all(name)[0] ?? "" };
  }
}

/** A request as text. */
export function request({ method, uri, headers, body = "" }) {
  return text(`${method} ${uri} SIP/2.0`, headers, body);
}

/** A response to `asked` as text; `tag` goes into To if it has none. */
export function response(asked, status, reason, { tag, headers = [], body = "" }) {
  const to = asked.header("to");
  const same = (name, value) => [name, value];
  return text(`SIP/2.0 ${status} ${reason}`, [
    ...asked.all("via").map((via) => same("Via", via)),
    same("From", asked.header("from")),
    same("To", /;\s*tag=/i.test(to) ? to : `${to};tag=${tag}`),
    same("Call-ID", asked.header("call-id")),
    same("CSeq", asked.header("cseq")),
    ...asked.all("record-route").map((route) => same("Record-Route", route)),
    ...headers,
  ], body);
}

function text(first, headers, body) {
  const length = new TextEncoder().encode(body).length;
  const lines = headers.map(([name, value]) => `${name}: ${value}`);
  return [first, ...lines, `Content-Length: ${length}`, "", body].join("\r\n");
}

/** A parameter of a header field's value, such as `tag`. */
export function parameter(value, name) {
  const found = new RegExp(`[;\\s]${name}=("[^"]*"|[^;,\\s]*)`, "i").exec(value);
  return found === null ? "" : found[1].replaceAll('"', "");
}

/** `{name, uri, user}` of a From, To or Contact. */
export function address(value) {
  const inside = /^(.*)<([^>]*)>/.exec(value);
  const uri = inside === null ? value.split(";")[0].trim() : inside[2];
  const shown = inside === null ? "" : inside[1].trim();
  const name = shown.replace(/^"|"$/g, "").replace(/\\(.)/g, "$1");
  const user = /^sips?:([^@;>]*)@/.exec(uri)?.[1] ?? "";
  return { name, uri, user: decodeURIComponent(user) };
}

/** Random letters, for tags, branches and names of our own. */
export function random(length = 12) {
  const letters = "abcdefghijklmnopqrstuvwxyz0123456789";
  const bytes = crypto.getRandomValues(new Uint8Array(length));
  return Array.from(bytes, (byte) => letters[byte % letters.length]).join("");
}
