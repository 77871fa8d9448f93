// Drives agents' pages in Chromium, or in Firefox, for the tests: one JSON command a line on standard input, one
// answer a line on standard output. Each page has a browser of its own, whose microphone is a file.
//   node driver.mjs MODULES    MODULES: the folder that holds node_modules
import { X509Certificate, createHash } from "node:crypto";
import { createRequire } from "node:module";
import { readFile } from "node:fs/promises";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { dirname, extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { Firefox } from "./firefox.mjs";

const modules = process.argv[2];
const here = dirname(fileURLToPath(import.meta.url));
const need = createRequire(join(modules, "package.json"));
const { chromium } = need("playwright-core");
const types = { ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript" };
const pages = new Map();
/** This machine may do ten things at once. */
const PATIENCE_MS = 60_000;

// JsSIP comes as CommonJS: its files as they are, each in a function, behind a `require`.
function bundle(entry) {
  const known = new Map();
  const add = (path) => {
    if (known.has(path)) return known.get(path).number;
    const own = { number: known.size };
    known.set(path, own);
    const text = readFileSync(path, "utf8");
    const local = createRequire(path);
    const resolve = (name) => {
      if (name.startsWith(".")) return local.resolve(name);
      const found = local.resolve(`${name}/package.json`);
      const { browser, main } = JSON.parse(readFileSync(found, "utf8"));
      const file = typeof browser === "string" ? browser : (main ?? "index.js");
      return createRequire(found).resolve(`./${file}`.replace("././", "./"));
    };
    const find = /require\((['"])([^'"]+)\1\)/g;
    own.text = path.endsWith(".json")
      ? `module.exports = ${text}`
      : text.replace(find, (_, __, name) => `require(${add(resolve(name))})`);
    return own.number;
  };
  const first = add(entry);
  const all = [...known.values()].map(({ text }) => `function (module, exports, require) {${text}\n}`);
  return `(() => { const all = [${all.join(",\n")}], made = new Map();
    const process = { env: {} };
    const require = (number) => {
      if (!made.has(number)) {
        const module = { exports: {} };
        made.set(number, module);
        all[number].call(module.exports, module, module.exports, require);
      }
      return made.get(number).exports;
    };
    globalThis.JsSIP = require(${first}); })();`;
}

async function content(path) {
  if (path === "/jssip.js") return bundle(need.resolve("jssip"));
  const is_module = path.startsWith("/node_modules/");
  const file = normalize(join(is_module ? modules : here, path));
  if (!file.startsWith(is_module ? modules : here)) throw new Error("outside");
  return readFile(file);
}

const server = createServer(async (request, response) => {
  try {
    const { pathname } = new URL(request.url, "http://localhost");
    const body = await content(pathname);
    response.writeHead(200, { "content-type": types[extname(pathname)] ?? "text/plain" }).end(body);
  } catch (error) {
    response.writeHead(404).end(String(error));
  }
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const origin = `http://127.0.0.1:${server.address().port}`;

// A tone is what Chromium takes for noise: the microphone's audio is left as it is.
function plainMicrophone() {
  const media = navigator.mediaDevices;
  if (!media) return;
  const plain = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  const own = media.getUserMedia.bind(media);
  media.getUserMedia = ({ audio, ...rest }) =>
    own({ ...rest, audio: audio ? { ...(audio === true ? {} : audio), ...plain } : false });
}

/** The hash of a certificate's key, as Chromium names it. */
function keyOf(certificate) {
  const { publicKey } = new X509Certificate(readFileSync(certificate));
  const key = publicKey.export({ type: "spki", format: "der" });
  return createHash("sha256").update(key).digest("base64");
}

async function openFirefox(name, library, { hertz }) {
  const { ws: WebSocket } = need("playwright-core/lib/utilsBundle");
  const browser = await Firefox.launch(WebSocket, { hertz });
  const log = [];
  browser.on("console", (message) => log.push(message.text()));
  browser.on("pageerror", (error) => log.push(`error: ${error.message}`));
  pages.set(name, { browser, page: browser, log });
  await browser.addInitScript(plainMicrophone);
  await browser.goto(`${origin}/${library}.html`);
  await browser.waitForFunction("globalThis.phone");
  return {};
}

// The console's files as they lie in a folder, not as they were built in: for whoever works on them.
async function fromFolder(context) {
  const folder = process.env.STROWGER_ASSETS;
  if (!folder) return;
  const kinds = { ...types, ".css": "text/css", ".svg": "image/svg+xml" };
  await context.route("**/console/**", async (route) => {
    const { pathname } = new URL(route.request().url());
    const body = await readFile(join(folder, pathname.replace("/console/", "")));
    return route.fulfill({ body, contentType: kinds[extname(pathname)] });
  });
}

async function begin(name, { browser, context, page, url }) {
  page.setDefaultTimeout(PATIENCE_MS);
  const log = [];
  page.on("console", (message) => log.push(message.text()));
  page.on("pageerror", (error) => log.push(`error: ${error.stack ?? error}`));
  pages.set(name, { browser, context, page, log });
  await page.goto(url);
}

const commands = {
  // `beside`: in the browser of that page; `copies`: that page's tab once more, with what it keeps,
  // as a browser that duplicates it; `strict`: as browsers are, which ask for the microphone
  // and hold sound back; `init`: a script of `tests/browser` that runs before the page's.
  async open(given) {
    const { page: name, library, url, wav, show, secure, strict, init } = given;
    const { firefox, beside, copies } = given;
    if (firefox) return openFirefox(name, library, firefox);
    if (copies) {
      const { context, page: of } = pages.get(copies);
      const opened = of.waitForEvent("popup");
      // What a tab keeps goes along to one that it opens.
      await of.evaluate(() => void open("about:blank"));
      await begin(name, { browser: null, context, page: await opened, url: of.url() });
      return {};
    }
    if (beside) {
      const { context } = pages.get(beside);
      // It does not end with the browser of the other one.
      await begin(name, { browser: null, context, page: await context.newPage(), url });
      return {};
    }
    const browser = await chromium.launch({
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      headless: true,
      args: [
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        ...(strict ? ["--autoplay-policy=document-user-activation-required"]
          : ["--autoplay-policy=no-user-gesture-required", "--use-fake-ui-for-media-stream"]),
        "--use-fake-device-for-media-stream",
        ...(wav ? [`--use-file-for-fake-audio-capture=${wav}`] : []),
        // This one certificate is good, and its name is this machine's.
        ...(secure ? [`--ignore-certificate-errors-spki-list=${keyOf(secure.certificate)}`,
          `--host-resolver-rules=MAP ${secure.host} 127.0.0.1`] : []),
      ],
    });
    const context = await browser.newContext(show ?? {});
    await context.addInitScript(plainMicrophone);
    if (init) await context.addInitScript({ path: join(here, init) });
    await fromFolder(context);
    const page = await context.newPage();
    await begin(name, { browser, context, page, url: url ?? `${origin}/${library}.html` });
    if (library) await page.waitForFunction("globalThis.phone");
    return {};
  },
  // Calls a function of the page's phone.
  async run({ page, what, with: given = [] }) {
    const { page: of } = pages.get(page);
    await of.waitForFunction("globalThis.phone");
    return of.evaluate(([what, given]) => globalThis.phone[what](...given), [what, given]);
  },
  async evaluate({ page, script }) {
    return pages.get(page).page.evaluate(script);
  },
  async reload({ page }) {
    await pages.get(page).page.reload();
    return {};
  },
  async goto({ page, url }) {
    await pages.get(page).page.goto(url);
    return {};
  },
  async size({ page, width, height }) {
    await pages.get(page).page.setViewportSize({ width, height });
    return {};
  },
  async offline({ page, offline }) {
    await pages.get(page).context.setOffline(offline);
    return {};
  },
  async click({ page, selector }) {
    await pages.get(page).page.click(selector);
    return {};
  },
  async fill({ page, selector, text }) {
    await pages.get(page).page.fill(selector, text);
    return {};
  },
  // A key as Playwright names it: `Enter`, `Shift+Tab`.
  async press({ page, key }) {
    await pages.get(page).page.keyboard.press(key);
    return {};
  },
  async type({ page, text }) {
    await pages.get(page).page.keyboard.type(text);
    return {};
  },
  async see({ page, selector }) {
    const found = pages.get(page).page.locator(selector).first();
    await found.waitFor();
    // A drawing has no inner text.
    return found.evaluate((element) => element.innerText ?? element.textContent);
  },
  async picture({ page, path }) {
    await pages.get(page).page.screenshot({ path, fullPage: true });
    return {};
  },
  // What axe-core finds, of those that matter.
  async accessibility({ page }) {
    const { page: of } = pages.get(page);
    const axe = readFileSync(need.resolve("axe-core/axe.min.js"), "utf8");
    const found = await of.evaluate(async (axe) => {
      (0, eval)(axe);
      // Colours on their way to another theme are neither's.
      const changes = document.getAnimations().filter((one) => one instanceof CSSTransition);
      await Promise.allSettled(changes.map((change) => change.finished));
      const { violations } = await globalThis.axe.run();
      return violations.map(({ id, impact, nodes }) => ({ id, impact, html: nodes[0].html }));
    }, axe);
    return found.filter(({ impact }) => impact === "serious" || impact === "critical");
  },
  async log({ page }) {
    return pages.get(page).log;
  },
  // Whether the browser gives the page its microphone.
  async permit({ page, microphone }) {
    const { context } = pages.get(page);
    await context.clearPermissions();
    if (microphone) await context.grantPermissions(["microphone"]);
    return {};
  },
  async close({ page }) {
    const { browser, page: own } = pages.get(page);
    pages.delete(page);
    await (browser ?? own).close();
    return {};
  },
};

const say = (object) => process.stdout.write(`${JSON.stringify(object)}\n`);
const end = async () => {
  await Promise.allSettled([...pages.values()].map(({ browser }) => browser?.close()));
  process.exit(0);
};
const lines = createInterface({ input: process.stdin });
lines.on("line", async (line) => {
  const { id, do: what, ...given } = JSON.parse(line);
  try {
    say({ id, gives: (await commands[what](given)) ?? null });
  } catch (error) {
    say({ id, fails: String(error?.message ?? error), log: pages.get(given.page)?.log ?? [] });
  }
});
lines.on("close", end);
// Whatever the test that started it forgets.
setTimeout(end, Number(process.env.DRIVER_MINUTES ?? 10) * 60 * 1000).unref();
say({ ready: true, origin });
