// A demo camera of this build, and Debian's Chromium before it. Every request to another host is
// refused and counted.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

export const REPO = resolve(process.env.MI360D_REPO ?? join(import.meta.dirname, "../.."));
export const PROGRAM = process.env.MI360D_PROGRAM ?? join(REPO, "target/release/mi360d");
export const PASSWORD = "p\u00e4ss \"w\u00f8rd\" $1 '\\' \u65e5\u672c";
/** How long anything may take on a loaded machine. */
export const LONG = 120_000;

/** The demos that run; a test that fails leaves its own behind. */
const running = new Set();

/** Ends what a test left behind. */
export async function tidy(chrome) {
  for (const demo of running) await demo.stop().catch(() => {});
  for (const context of chrome.contexts()) await context.close().catch(() => {});
}

/** A mount namespace of one's own: for root as it is, for others with a user namespace. */
const isRoot = process.getuid() === 0;

/** A simulated camera with its daemon. */
export class Demo {
  /** `card`: options of a tmpfs that is its card, as in `size=64m`. */
  static async start({ env = {}, dir, card } = {}) {
    const demo = new Demo();
    demo.card = card;
    demo.base = dir ?? mkdtempSync(join(tmpdir(), "mi360d-page-"));
    demo.dir = join(demo.base, "camera");
    demo.home = join(demo.dir, "sdcard/mi360d");
    // It restarts by itself after a flash, and must be found again.
    demo.port = await freePort();
    running.add(demo);
    if (card) {
      spawnSync(PROGRAM, ["sim", "create", demo.dir]);
      mkdirSync(join(demo.dir, "sdcard"), { recursive: true });
    }
    await demo.run(env);
    return demo;
  }

  /** Starts the daemon. */
  async run(env = {}) {
    const line = ["demo", this.dir, "--listen", `127.0.0.1:${this.port}`];
    const mounted = `mount -t tmpfs -o ${this.card} tmpfs "$2/sdcard" && exec "$0" "$@"`;
    const [program, words] = this.card ? ["unshare", [isRoot ? "-m" : "-rm", "sh", "-c", mounted, PROGRAM, ...line]] : [PROGRAM, line];
    this.child = spawn(program, words, { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "ignore"] });
    this.ended = new Promise((done) => this.child.once("exit", (code) => done(code)));
    for await (const line of createInterface({ input: this.child.stdout })) {
      if (line.startsWith("Setup code: ")) this.code = line.slice(12).trim();
      if (/^(Setup code|Log in)/.test(line)) break;
    }
    this.child.stdout.resume();
    this.url = `http://127.0.0.1:${this.port}`;
  }

  /** A shell script where its card is mounted; `$1` is the card. */
  atCard(script) {
    const { status, stderr } = spawnSync("nsenter", ["-t", String(this.child.pid), ...(isRoot ? [] : ["-U", "--preserve-credentials"]), "-m",
      "sh", "-c", script, "sh", join(this.dir, "sdcard")], { encoding: "utf8" });
    assert.equal(status, 0, stderr);
  }

  get flash() {
    return readFileSync(join(this.dir, "flash.bin"));
  }

  /** Ends the daemon; the camera stays. */
  async stopOnly() {
    this.child.kill("SIGTERM");
    await this.ended;
    delete this.session;
  }

  async stop() {
    running.delete(this);
    this.child.kill("SIGKILL");
    await this.ended;
    if (!process.env.MI360D_KEEP) rmSync(this.base, { recursive: true, force: true });
  }

  /** A call of the API as a script makes it; the session is kept. */
  async call(method, path, body, headers = {}) {
    const raw = body instanceof Uint8Array;
    const ask = () => fetch(this.url + path, {
      method,
      headers: { ...(this.session ?? {}), ...headers },
      body: body === undefined || raw ? body : JSON.stringify(body),
    });
    // The gate may drop whoever is slow; a machine under load is. Asking is repeated, doing is not.
    let answer = null;
    for (let tries = 0; !answer; tries += 1) {
      try {
        answer = await ask();
      } catch (error) {
        if (method !== "GET" || tries === 5) throw error;
        await new Promise((done) => setTimeout(done, 500));
      }
    }
    const cookie = answer.headers.get("set-cookie");
    const json = await answer.json().catch(() => ({}));
    if (cookie && json.csrf) this.session = { Cookie: cookie.split(";")[0], "X-CSRF-Token": json.csrf };
    return { status: answer.status, json };
  }

  async setUp() {
    return this.call("POST", "/api/v1/setup", { code: this.code, password: PASSWORD });
  }

  /** Waits for a job's end. */
  async wait(job) {
    let now = job;
    while (now.state === "running") {
      now = (await this.call("GET", `/api/v1/jobs/${now.id}?wait=20&since=${now.seq}`)).json;
    }
    return now;
  }

  /** Waits until no job runs; a backup is there then. */
  async settled() {
    for (;;) {
      const { json } = await this.call("GET", "/api/v1/status");
      if (json.job && json.job.state !== "running" && json.backup.state !== "waiting") return json;
      await new Promise((done) => setTimeout(done, 200));
    }
  }
}

/** A port that nobody has now. */
export function freePort() {
  return new Promise((done) => {
    const probe = createServer();
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => done(port));
    });
  });
}

/** A browser that reaches nothing but loopback. */
export async function browser() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
      "--disable-background-networking", "--disable-component-update"],
  });
}

/** A page on a demo; what it asks for elsewhere, and what goes wrong in it, is noted. */
export async function open(chrome, demo, options = {}) {
  const context = await chrome.newContext({ baseURL: demo.url, ...options });
  context.setDefaultTimeout(LONG);
  context.foreign = [];
  context.asked = [];
  context.wrong = [];
  await context.route("**", (route) => {
    const url = route.request().url();
    if (!url.startsWith(demo.url) && !url.startsWith("blob:") && !url.startsWith("data:")) {
      context.foreign.push(url);
      return route.abort();
    }
    if (url.startsWith(demo.url)) context.asked.push(new URL(url).pathname);
    return route.continue();
  });
  const page = await context.newPage();
  page.on("pageerror", (error) => context.wrong.push(String(error)));
  page.on("console", (message) => {
    // A refused call is an error to Chromium, and a matter of the test.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) {
      context.wrong.push(message.text());
    }
  });
  return page;
}

/** Comes in through the door, by the first password or the password, and to Home. */
export async function enter(page, demo) {
  await page.goto("/");
  // The button with the eye: the script has come.
  await page.locator("form .eye").waitFor();
  const code = page.locator("input[name=code]");
  if (await code.count()) await code.fill(demo.code);
  await page.locator("form input[type=password]").fill(PASSWORD);
  await page.locator("form button[type=submit]").click();
  await page.locator(".house main h1").waitFor();
  await page.goto("/#/home");
  await page.locator(".answers").waitFor();
}

/** Waits until something is so; the deadline is long, the wait is not. */
export async function until(what, condition) {
  const deadline = Date.now() + LONG;
  for (;;) {
    const value = await condition();
    if (value) return value;
    assert.ok(Date.now() < deadline, `waited in vain: ${what}`);
    await new Promise((done) => setTimeout(done, 100));
  }
}

/** A demo that is set up and has its first backup. */
export async function ready(options) {
  const demo = await Demo.start(options);
  assert.equal((await demo.setUp()).status, 200);
  await demo.settled();
  return demo;
}

/** Nothing went wrong in this browser, and nothing was asked of another host. With a demo, this ends too. */
export async function close(page, demo) {
  const { wrong, foreign } = page.context();
  await page.context().close();
  assert.deepEqual(wrong, [], "errors in the page");
  assert.deepEqual(foreign, [], "requests to other hosts");
  await demo?.stop();
}
