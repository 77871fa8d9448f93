// Firefox by WebDriver BiDi, as far as the tests' pages need it: what of Playwright's page they use.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const PREFERENCES = {
  "media.navigator.streams.fake": true,
  "media.navigator.permission.disabled": true,
  "media.autoplay.default": 0,
  "media.autoplay.blocking_policy": 0,
  "media.peerconnection.ice.loopback": true,
  "media.peerconnection.ice.obfuscate_host_addresses": false,
  "app.update.enabled": false,
  "browser.shell.checkDefaultBrowser": false,
  "datareporting.policy.dataSubmissionEnabled": false,
  "toolkit.telemetry.enabled": false,
};

/** One browser with one page. Its microphone is Firefox's own: a tone of so many hertz. */
export class Firefox {
  #number = 0;
  #waiting = new Map();
  #heard = { console: [], pageerror: [] };

  static async launch(WebSocket, { hertz, path = "firefox-esr" }) {
    const firefox = new Firefox();
    firefox.profile = mkdtempSync(join(tmpdir(), "strowger-firefox-"));
    const own = { ...PREFERENCES, "media.navigator.audio.fake_frequency": hertz };
    const lines = Object.entries(own).map(([name, value]) => `user_pref("${name}", ${value});\n`);
    writeFileSync(join(firefox.profile, "user.js"), lines.join(""));
    const args = ["--headless", "--no-remote", "--remote-debugging-port", "0", "--profile", firefox.profile];
    const env = { ...process.env, HOME: firefox.profile, MOZ_DISABLE_CONTENT_SANDBOX: "1" };
    firefox.child = spawn(path, args, { env, stdio: ["ignore", "ignore", "pipe"] });
    const url = await new Promise((resolve, reject) => {
      firefox.child.once("error", reject);
      firefox.child.once("exit", () => reject(new Error("Firefox ended")));
      createInterface({ input: firefox.child.stderr }).on("line", (line) => {
        const found = /WebDriver BiDi listening on (\S+)/.exec(line);
        if (found) resolve(found[1]);
      });
    });
    firefox.socket = new WebSocket(`${url}/session`);
    firefox.socket.on("message", (text) => firefox.#hear(JSON.parse(text)));
    await new Promise((resolve, reject) => {
      firefox.socket.once("open", resolve);
      firefox.socket.once("error", reject);
    });
    await firefox.#ask("session.new", { capabilities: {} });
    const { contexts } = await firefox.#ask("browsingContext.getTree", {});
    firefox.context = contexts[0].context;
    await firefox.#ask("session.subscribe", { events: ["log.entryAdded"] });
    return firefox;
  }

  #hear({ id, result, error, message, method, params }) {
    if (method === "log.entryAdded") {
      const kind = params.type === "console" ? "console" : "pageerror";
      for (const tell of this.#heard[kind]) tell({ text: () => params.text, message: params.text });
    }
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error) waiting?.reject(new Error(`${error}: ${message}`));
    else waiting?.resolve(result);
  }

  #ask(method, params) {
    this.#number += 1;
    const id = this.#number;
    this.socket.send(JSON.stringify({ id, method, params }));
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  on(what, tell) {
    this.#heard[what].push(tell);
  }

  async addInitScript(script) {
    await this.#ask("script.addPreloadScript", { functionDeclaration: String(script) });
  }

  async goto(url) {
    await this.#ask("browsingContext.navigate", { context: this.context, url, wait: "complete" });
  }

  async reload() {
    await this.#ask("browsingContext.reload", { context: this.context, wait: "complete" });
  }

  /** Runs a function, or an expression, in the page; what it gives. */
  async evaluate(what, given) {
    const code = typeof what === "function" ? `(${what})(...given)` : `(0, eval)(${JSON.stringify(what)})`;
    const { result, exceptionDetails } = await this.#ask("script.callFunction", {
      functionDeclaration: `async (text) => {
        const given = JSON.parse(text);
        return JSON.stringify((await ${code}) ?? null);
      }`,
      arguments: [{ type: "string", value: JSON.stringify([given ?? null]) }],
      target: { context: this.context },
      awaitPromise: true,
    });
    if (exceptionDetails) throw new Error(exceptionDetails.text);
    return JSON.parse(result.value);
  }

  async waitForFunction(expression, seconds = 60) {
    for (let turn = 0; turn < 20 * seconds; turn += 1) {
      if (await this.evaluate(`Boolean(${expression})`)) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`never ${expression}`);
  }

  async close() {
    this.socket?.close();
    this.child.removeAllListeners("exit");
    const ended = new Promise((resolve) => this.child.once("exit", resolve));
    this.child.kill("SIGTERM");
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 5000))]);
    this.child.kill("SIGKILL");
    rmSync(this.profile, { recursive: true, force: true });
  }
}
