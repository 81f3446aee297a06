// What the page weighs on the wire, and how soon it can be used on a slow network.

import assert from "node:assert/strict";
import { get } from "node:http";
import { gunzipSync } from "node:zlib";
import { Demo, LONG, enter, open } from "./rig.mjs";

const KIB = 1024;
/** The slow network: bytes in a second, and seconds until the first of them comes. */
const RATE = 50_000;
const DELAY = 0.4;
const ASSETS = ["/mi360d.css", "/mi360d.js", "/more.js", "/en.json", "/pt.json", "/pt-said.json"];

/** An answer as it is on the wire. */
function raw(url, headers) {
  return new Promise((done, failed) => get(url, { headers }, (answer) => {
    const parts = [];
    answer.on("data", (part) => parts.push(part));
    answer.on("end", () => done({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(parts) }));
  }).on("error", failed));
}

/** Notes what each answer takes on the wire, by the browser's own count. */
async function weigh(page) {
  const cdp = await page.context().newCDPSession(page);
  const asked = new Map();
  await cdp.send("Network.enable");
  cdp.on("Network.requestWillBeSent", ({ requestId, request }) =>
    asked.set(requestId, { path: new URL(request.url).pathname, bytes: 0 }));
  cdp.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => {
    if (asked.has(requestId)) asked.get(requestId).bytes = encodedDataLength;
  });
  return { cdp, list: () => [...asked.values()].filter(({ path }) => !path.startsWith("data:") && path !== "/api/v1/live") };
}

export const budgets = {
  async "assets are sent as gzip to a browser, plain to others, and kept by their tags"() {
    const demo = await Demo.start();
    for (const path of ASSETS) {
      const packed = await raw(demo.url + path, { "Accept-Encoding": "gzip, deflate" });
      const plain = await raw(demo.url + path, {});
      assert.equal(packed.headers["content-encoding"], "gzip", path);
      assert.equal(plain.headers["content-encoding"], undefined, path);
      assert.deepEqual(gunzipSync(packed.body), plain.body, path);
      assert.ok(packed.body.length < plain.body.length / 2, path);
      assert.equal(packed.headers.vary, "Accept-Encoding");
      assert.notEqual(packed.headers.etag, plain.headers.etag);
      for (const [one, encoding] of [[packed, "gzip"], [plain, "identity"]]) {
        const again = await raw(demo.url + path, { "Accept-Encoding": encoding, "If-None-Match": one.headers.etag });
        assert.deepEqual([again.status, again.body.length], [304, 0], path);
      }
    }
    for (const path of ["/", ...ASSETS]) {
      const { headers, body } = await raw(demo.url + path, {});
      const policy = headers["content-security-policy"];
      assert.ok(policy.includes("default-src 'none'") && !policy.includes("unsafe-"), policy);
      // A HOST in capitals stands for the owner's own in an explanation.
      assert.ok(!/https?:\/\/(?!www\.w3\.org\/2000\/svg|[A-Z]+[:/])/.test(String(body)), `${path} names another host`);
    }
    await demo.stop();
  },

  async "the first view has at most 60 KiB on the wire, and the door can be used within 2 s at 50 KB/s"(chrome) {
    const demo = await Demo.start();
    for (const locale of ["en", "pt"]) {
      const page = await open(chrome, demo, { locale });
      const wire = await weigh(page);
      // What the network alone takes, whatever this machine does meanwhile: the page, then all it names.
      await page.goto("/");
      await page.locator("form .eye").waitFor();
      const door = wire.list();
      const bytes = door.reduce((sum, one) => sum + one.bytes, 0);
      const seconds = 2 * DELAY + bytes / RATE;
      console.log(`door (${locale}): ${door.map((one) => `${one.path} ${one.bytes}`).join(", ")}: `
        + `${(bytes / KIB).toFixed(1)} KiB, ${seconds.toFixed(2)} s of network at 50 KB/s and 400 ms`);
      assert.ok(door.length <= 4 && door.every((one) => one.bytes > 0), "one round after the page");
      assert.ok(seconds <= 2, `${seconds}`);
      await page.context().close();
    }
    await demo.setUp();
    const page = await open(chrome, demo, { locale: "pt" });
    await enter(page, demo);
    const wire = await weigh(page);
    await wire.cdp.send("Network.setCacheDisabled", { cacheDisabled: true });
    await page.goto("/#/live");
    await page.reload();
    await page.locator(".line .icon").waitFor();
    await page.locator(".picture").waitFor();
    const first = wire.list().filter(({ path }) => path !== "/more.js" && path !== "/pt-said.json");
    const bytes = first.reduce((sum, one) => sum + one.bytes, 0);
    console.log(`first view: ${first.map((one) => `${one.path} ${one.bytes}`).join(", ")}: ${(bytes / KIB).toFixed(1)} KiB`);
    assert.ok(bytes > 10 * KIB && bytes <= 60 * KIB, `${bytes}`);
    await page.context().close();
    await demo.stop();
  },

  async "at 50 KB/s the door is there to read and fill in before the script, which keeps what was typed"(chrome) {
    const demo = await Demo.start();
    for (const setUp of [false, true]) {
      if (setUp) await demo.setUp();
      const page = await open(chrome, demo, {});
      let pass;
      const held = new Promise((done) => { pass = done; });
      await page.route("**/mi360d.js", async (route) => { await held; await route.continue(); });
      await page.goto("/", { waitUntil: "commit" });
      await page.getByRole("heading", { name: setUp ? "Log in" : "Set a password" }).waitFor();
      await page.getByLabel(setUp ? "Password" : "New password").fill("typed before");
      await page.keyboard.press("Enter");
      pass();
      await page.locator("form .eye").waitFor();
      assert.equal(await page.getByLabel(setUp ? "Password" : "New password", { exact: true }).inputValue(), "typed before");
      await page.context().close();
    }
    const page = await open(chrome, demo, {});
    const { cdp } = await weigh(page);
    await cdp.send("Network.emulateNetworkConditions",
      { offline: false, latency: 1000 * DELAY, downloadThroughput: RATE, uploadThroughput: RATE });
    const began = performance.now();
    await page.goto("/", { waitUntil: "commit" });
    await page.locator("form .eye").waitFor({ timeout: LONG });
    console.log(`door at 50 KB/s and 400 ms, on this machine now: usable after ${((performance.now() - began) / 1000).toFixed(1)} s`);
    await page.context().close();
    await demo.stop();
  },
};
