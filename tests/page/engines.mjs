// Firefox and WebKit, each driven with its own means, by the same few words: WebDriver BiDi (puppeteer)
// for Firefox, WebDriver for WebKit's MiniBrowser. Clicks and keys are real ones.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import puppeteer from "puppeteer-core";
import { LONG, freePort, until } from "./rig.mjs";

const FIREFOX = process.env.FIREFOX ?? "/usr/bin/firefox-esr";
const MINIBROWSER = process.env.MINIBROWSER ?? "/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser";
/** A refused call is an error to a browser, and a matter of the test. */
const REFUSED = /Failed to load resource/;
/** Of the means by which Firefox is driven, when a page is left: it has no place in any script. */
const DRIVER = 'Permission denied to access property "length"';

/** Ends a program, and waits until it has. */
function ended(child) {
  const gone = new Promise((done) => child.once("exit", done));
  child.kill();
  return child.exitCode === null ? gone : null;
}

/** A folder of a program that may not be done with it at once. */
function discard(folder) {
  rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
}

/** A sound server with one output that nobody hears but the test. */
export class Ear {
  static async start() {
    const one = new Ear();
    one.home = mkdtempSync(join(tmpdir(), "mi360d-ear-"));
    one.server = `unix:${join(one.home, "socket")}`;
    one.env = { ...process.env, HOME: one.home, XDG_RUNTIME_DIR: one.home, PULSE_SERVER: one.server };
    const { PULSE_SERVER: _, ...env } = one.env;
    one.process = spawn("pulseaudio", ["-n", "--exit-idle-time=-1", "--disable-shm=yes", "-L", "module-null-sink sink_name=ear",
      "-L", `module-native-protocol-unix auth-anonymous=1 socket=${join(one.home, "socket")}`], { env, stdio: "ignore" });
    await until("the sound server", () => spawnSync("pactl", ["info"], { env: one.env }).status === 0);
    return one;
  }

  /** The loudest of two seconds' samples, of 32768. */
  hears() {
    const { stdout } = spawnSync("parec", ["-d", "ear.monitor", "--format=s16le", "--rate=16000", "--channels=1"],
      { env: this.env, timeout: 2000 });
    let most = 0;
    for (let at = 0; at + 1 < stdout.length; at += 2) most = Math.max(most, Math.abs(stdout.readInt16LE(at)));
    return most;
  }

  async stop() {
    await ended(this.process);
    discard(this.home);
  }
}

/** What both have: waiting, and hands that find by what is read. */
class Engine {
  /** Waits until a function in the page has a value. */
  async until(what, fn, ...args) {
    try {
      return await until(what, () => this.run(fn, ...args).catch((error) => {
        // A page that changes has none at the moment.
        if (/context|navigat|detached|destroyed|stale|frame/i.test(String(error))) return null;
        throw error;
      }));
    } catch (error) {
      const page = await this.run(() => document.body.innerText.slice(0, 600)).catch(String);
      throw new Error(`${error.message}; on the page: ${page}; on the console: ${await this.faults().catch(String)}`);
    }
  }

  /** Clicks what is read so: a button or a link with this name, as soon as it is there. */
  async press(name, within = "body") {
    const find = (wanted, place) => [...document.querySelectorAll(place)].flatMap((one) =>
      [...one.querySelectorAll("button, a, summary")]).find((one) => one.getClientRects().length && !one.disabled
      && [one.textContent.trim(), one.getAttribute("aria-label"), one.title].includes(wanted));
    await until(`the button ${name}`, () => this.click(find, name, within).then(() => true, () => false));
  }

  /** Fills a field as fingers do. */
  async fill(selector, text) {
    await this.until(selector, (css) => Boolean(document.querySelector(css)?.getClientRects().length), selector);
    await this.click((css) => document.querySelector(css), selector);
    await this.run((css) => document.querySelector(css).select?.(), selector);
    await this.type(text);
  }

  /** What stands in the page's heading. */
  async heading(text) {
    await this.until(`the heading ${text}`, (wanted) => [...document.querySelectorAll("h1, h2")]
      .some((one) => one.textContent.trim() === wanted && one.getClientRects().length), text);
  }
}

export class Firefox extends Engine {
  static title = "Firefox";

  static async start(ear) {
    const one = new Firefox();
    one.wrong = [];
    one.home = mkdtempSync(join(tmpdir(), "mi360d-firefox-"));
    one.browser = await puppeteer.launch({ browser: "firefox", executablePath: FIREFOX, headless: true,
      defaultViewport: null, args: ["--width=1280", "--height=900"],
      userDataDir: join(one.home, "profile"), env: { ...process.env, HOME: one.home, PULSE_SERVER: ear.server },
      extraPrefsFirefox: { "intl.accept_languages": "en-US", "browser.download.folderList": 2, "browser.download.dir": one.home } });
    one.page = await one.browser.newPage();
    one.page.on("pageerror", (error) => {
      if (!error.message.endsWith(DRIVER) || error.stack.includes(".js")) one.wrong.push(`${error.message} ${error.stack}`);
    });
    one.page.on("console", (message) => {
      if (["error", "warn"].includes(message.type()) && !REFUSED.test(message.text())) one.wrong.push(message.text());
    });
    // What the policy refuses is no message of the page's own.
    await one.page.evaluateOnNewDocument(() => addEventListener("securitypolicyviolation",
      (event) => console.error(`refused: ${event.violatedDirective} ${event.blockedURI}`)));
    return one;
  }

  version() {
    return this.browser.version();
  }

  /** It notes them from the beginning. */
  async listen() {}

  async faults() {
    return this.wrong;
  }

  goto(url) {
    return this.page.goto(url, { timeout: LONG, waitUntil: "domcontentloaded" });
  }

  run(fn, ...args) {
    return this.page.evaluate(fn, ...args);
  }

  /** By the mouse at its place: puppeteer's own click leaves an error in Firefox's console. */
  async click(find, ...args) {
    const place = await this.run(`((...all) => {
      const found = (${find})(...all);
      if (!found) return null;
      found.scrollIntoView({ block: "center", behavior: "instant" });
      const { x, y, width, height } = found.getBoundingClientRect();
      return { x: x + width / 2, y: y + height / 2 };
    })(...${JSON.stringify(args)})`);
    assert.ok(place, `nothing to click: ${args}`);
    await this.page.mouse.click(place.x, place.y);
  }

  type(text) {
    return this.page.keyboard.type(text);
  }

  key(name) {
    return this.page.keyboard.press(name);
  }

  async choose(selector, path) {
    await (await this.page.$(selector)).uploadFile(path);
  }

  async stop() {
    await this.browser.close();
    discard(this.home);
  }
}

/** WebDriver's codes of keys. */
const KEYS = { Enter: "\ue007", Tab: "\ue004", Escape: "\ue00c", Space: " ", ArrowDown: "\ue015" };

export class WebKit extends Engine {
  static title = "WebKit";

  static async start(ear) {
    const one = new WebKit();
    one.home = mkdtempSync(join(tmpdir(), "mi360d-webkit-"));
    one.processes = [];
    const screen = spawn("Xvfb", ["-displayfd", "3", "-screen", "0", "1400x1000x24", "-nolisten", "tcp"],
      { stdio: ["ignore", "ignore", "ignore", "pipe"] });
    one.processes.push(screen);
    const display = await new Promise((done) => screen.stdio[3].once("data", (data) => done(`:${String(data).trim()}`)));
    const port = await freePort();
    one.processes.push(spawn("WebKitWebDriver", [`--port=${port}`], { stdio: "ignore", env: { ...process.env,
      HOME: one.home, PULSE_SERVER: ear.server, DISPLAY: display, GDK_BACKEND: "x11", LANGUAGE: "en_US", LIBGL_ALWAYS_SOFTWARE: "1" } }));
    one.base = `http://127.0.0.1:${port}`;
    await until("WebKit's driver", () => fetch(`${one.base}/status`).then(() => true, () => false));
    const { sessionId, capabilities } = await one.call("POST", "/session", { capabilities: { alwaysMatch: {
      "webkitgtk:browserOptions": { binary: MINIBROWSER, args: ["--automation"] } } } });
    one.base += `/session/${sessionId}`;
    one.told = `WebKitGTK ${capabilities.browserVersion}`;
    await one.call("POST", "/timeouts", { script: LONG, pageLoad: LONG });
    return one;
  }

  async call(method, path, body) {
    const answer = await fetch(this.base + path, { method, body: body && JSON.stringify(body) });
    const { value } = await answer.json();
    if (!answer.ok) throw new Error(`${path}: ${value.error}: ${value.message}`);
    return value;
  }

  /** WebDriver does not tell of the console: from here on the document notes its faults itself. */
  listen() {
    return this.run(() => {
      const note = (...words) => { sessionStorage.wrong = `${sessionStorage.wrong ?? ""}${words.join(" ")}\n`; };
      console.error = console.warn = note;
      addEventListener("error", (event) => note(event.message, event.filename));
      addEventListener("unhandledrejection", (event) => note(event.reason));
      addEventListener("securitypolicyviolation", (event) => note(event.violatedDirective, event.blockedURI));
    });
  }

  async faults() {
    return (await this.run(() => sessionStorage.wrong ?? "")).split("\n").filter(Boolean);
  }

  async version() {
    return this.told;
  }

  async goto(url) {
    await this.call("POST", "/url", { url });
    await this.listen();
  }

  run(fn, ...args) {
    return this.call("POST", "/execute/async", { args: args.map((arg) => arg ?? null), script:
      `const all = [...arguments], done = all.pop();
       (async () => (${fn})(...all))().then((value) => done({ value }), (error) => done({ error: String(error) }));` })
      .then(({ value, error }) => {
        if (error) throw new Error(error);
        return value;
      });
  }

  async click(find, ...args) {
    const found = await this.call("POST", "/execute/sync", { script: `return (${find})(...arguments)`, args });
    assert.ok(found, `nothing to click: ${args}`);
    await this.call("POST", `/element/${Object.values(found)[0]}/click`, {});
  }

  async type(text) {
    const active = await this.call("GET", "/element/active");
    await this.call("POST", `/element/${Object.values(active)[0]}/value`, { text });
  }

  async key(name) {
    const value = KEYS[name];
    await this.call("POST", "/actions", { actions: [{ type: "key", id: "keys",
      actions: [{ type: "keyDown", value }, { type: "keyUp", value }] }] });
  }

  async choose(selector, path) {
    const found = await this.call("POST", "/element", { using: "css selector", value: selector });
    await this.call("POST", `/element/${Object.values(found)[0]}/value`, { text: path });
  }

  async stop() {
    await this.call("DELETE", "").catch(() => {});
    for (const child of this.processes.reverse()) await ended(child);
    discard(this.home);
  }
}
