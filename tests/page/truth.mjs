// The page says what is so: after a lost connection, during and after a flash, about backups and
// restarts.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { BODY, tfImage } from "./images.mjs";
import { PASSWORD, PROGRAM, close, enter, open, ready, until } from "./rig.mjs";

const PHRASE = "FLASH KERNEL ROOTFS DATA WITHOUT RESCUE";

/** A flash by another process, whose power fails. */
function cutFlash(demo, file) {
  const { status } = spawnSync(PROGRAM, ["--sim", demo.dir, "flash", file, "--confirm", PHRASE],
    { env: { ...process.env, MI360D_SIM_FAULTS: "cut@900" }, stdio: "ignore" });
  assert.equal(status, 137, "the power is gone");
}

/** Lets the page see another status than the camera's. */
async function withStatus(page, change) {
  await page.route("**/api/v1/status", async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, json: change(await answer.json()) });
  });
}

export const truth = {
  async "truth: resuming without the image says before and after that the old content is put back"(chrome) {
    const demo = await ready();
    const before = demo.flash;
    const file = join(demo.base, "tf_recovery.img");
    writeFileSync(file, tfImage(PROGRAM));
    const page = await open(chrome, demo);
    await enter(page, demo);
    cutFlash(demo, file);
    rmSync(file);
    rmSync(join(demo.home, "images"), { recursive: true, force: true });
    await page.goto("/#/chip");
    await page.goto("/#/home");
    const next = page.locator(".next").filter({ hasText: "no longer on the card" });
    await next.waitFor();
    assert.match(await next.textContent(), /puts back what the chip contained before/);
    await next.getByRole("button", { name: "Put back previous content" }).click();
    await page.getByRole("heading", { name: "Log in" }).waitFor();
    assert.deepEqual(demo.flash.subarray(...BODY), before.subarray(...BODY));
    await page.locator("form input[type=password]").fill(PASSWORD);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "The camera is back" }).waitFor();
    await page.locator("main").filter({ hasText: "The previous content is back" }).waitFor();
    assert.equal(await page.getByText("is what you chose").count(), 0);
    await close(page, demo);
  },

  async "truth: without network every view says so, greys its data, and goes on by itself"(chrome) {
    const demo = await ready();
    const page = await open(chrome, demo);
    await enter(page, demo);
    for (const view of ["home", "live", "services", "log"]) {
      await page.goto("/#/" + view);
      await page.locator("main > :nth-child(2)").waitFor();
      await page.context().setOffline(true);
      const banner = page.getByRole("alert").filter({ hasText: "does not answer" });
      // An answer that was on its way already may still arrive, and shows the line as up once more.
      await until(`one banner, and ${view} in grey`, async () =>
        await banner.count() === 1 && await page.locator(".house.stale").count() === 1);
      // Longer than a single retry.
      await page.waitForTimeout(view === "home" ? 9000 : 500);
      assert.equal(await page.locator("main .trouble").count(), 0, "nothing gave up");
      page.context().asked.length = 0;
      await page.context().setOffline(false);
      await banner.waitFor({ state: "hidden" });
      assert.equal(await page.locator(".house.stale").count(), 0, view);
      const path = { home: "/api/v1/status", live: "/api/v1/video", services: "/api/v1/services", log: "/api/v1/log" }[view];
      while (!page.context().asked.includes(path)) await new Promise((done) => setTimeout(done, 100));
    }
    await page.context().close();
    await demo.stop();
  },

  async "truth: a flash that runs is shown on every view with per cent and time left"(chrome) {
    const demo = await ready({ env: { MI360D_SIM_PACE: "0.2" } });
    const recorded = join(demo.dir, "sdcard/MIJIA_RECORD_VIDEO/2026112714/05M09S_1795788309.mp4");
    mkdirSync(dirname(recorded), { recursive: true });
    writeFileSync(recorded, "a film");
    const page = await open(chrome, demo);
    await enter(page, demo);
    const sent = await demo.call("POST", "/api/v1/images", tfImage(PROGRAM), { "X-Filename": "tf_recovery.img" });
    const { json: plan } = await demo.call("POST", "/api/v1/plans", { image: sent.json.id });
    assert.equal((await demo.call("POST", "/api/v1/jobs", { plan: plan.id, confirm: plan.confirm })).status, 202);
    // Nothing else writes to the card meanwhile.
    for (const path of ["", "/05M09S_1795788309.mp4"]) {
      const { status, json } = await demo.call("DELETE", "/api/v1/recordings/2026112714" + path);
      assert.deepEqual([status, json.error?.code], [409, "busy"]);
    }
    assert.ok(existsSync(recorded));
    const strip = page.locator(".strip.running");
    for (const view of ["home", "settings", "backups"]) {
      await page.goto("/#/" + view);
      await strip.filter({ hasText: /\d %/ }).waitFor();
    }
    await strip.filter({ hasText: /Writing.*\d %, .* left/ }).waitFor();
    await strip.click();
    await page.getByRole("heading", { name: "Writing to the chip" }).or(page.locator(".live .cell.is-proven").first()).first().waitFor();
    assert.ok(await strip.isHidden(), "its own view shows it once");
    await page.getByRole("heading", { name: "Log in" }).waitFor();
    await page.context().close();
    await demo.stop();
  },

  async "truth: a flash that a start finished after a power cut is said until it was read"(chrome) {
    const demo = await ready();
    const file = join(demo.base, "tf_recovery.img");
    const image = tfImage(PROGRAM);
    writeFileSync(file, image);
    await demo.stopOnly();
    cutFlash(demo, file);
    await demo.run();
    while (!demo.flash.subarray(...BODY).equals(image.subarray(0, BODY[1] - BODY[0]))) {
      await new Promise((done) => setTimeout(done, 200));
    }
    const page = await open(chrome, demo);
    const strip = page.locator(".strip").filter({ hasText: "was finished and verified: " });
    // The simulated camera restarts after its flash, and forgets its jobs and sessions.
    for (;;) {
      await demo.call("POST", "/api/v1/login", { password: PASSWORD }).catch(() => {});
      const { json } = await demo.call("GET", "/api/v1/status").catch(() => ({ json: {} }));
      if (json.flash_ended && json.job?.kind !== "flash") break;
      await new Promise((done) => setTimeout(done, 300));
    }
    // It may restart once more meanwhile: then the door is there again.
    const within = (what, ms) => what.waitFor({ timeout: ms }).then(() => true, () => false);
    for (const end = Date.now() + 120_000; ;) {
      await page.goto("/#/live").catch(() => {});
      await page.reload().catch(() => {});
      const secret = page.locator("form input[type=password]");
      if (await within(secret, 3000)) {
        await secret.fill(PASSWORD);
        await page.locator("form button[type=submit]").click();
      }
      if (await within(strip, 10_000)) break;
      assert(Date.now() < end, "the end of the flash is not said");
    }
    await strip.getByRole("button", { name: "OK" }).click();
    await strip.waitFor({ state: "detached" });
    // The camera may restart once more, which ends the session, and the click with it.
    let status;
    for (const end = Date.now() + 60_000; ;) {
      await demo.call("POST", "/api/v1/login", { password: PASSWORD }).catch(() => {});
      status = (await demo.call("GET", "/api/v1/status").catch(() => ({ json: {} }))).json;
      if (status.program && (!status.flash_ended || Date.now() > end)) break;
      if (!status.program) continue;
      await page.reload().catch(() => {});
      const secret = page.locator("form input[type=password]");
      if (await within(secret, 3000)) {
        await secret.fill(PASSWORD);
        await page.locator("form button[type=submit]").click();
      }
      if (await within(strip, 5000)) await strip.getByRole("button", { name: "OK" }).click().catch(() => {});
    }
    assert.equal(status.flash_ended ?? null, null, "read once");
    await page.context().close();
    await demo.stop();
  },

  async "truth: a backup by hand contains DATA as it is now"(chrome) {
    const demo = await ready();
    const view = (await demo.call("GET", "/api/v1/flash")).json;
    const data = view.partitions.find((part) => part.name === "DATA");
    const chip = demo.flash;
    chip.fill(0x5a, data.offset + 0x1000, data.offset + 0x1100);
    writeFileSync(join(demo.dir, "flash.bin"), chip);
    const page = await open(chrome, demo);
    await enter(page, demo);
    await page.goto("/#/backups");
    await page.getByRole("button", { name: "Back up now" }).click();
    const said = page.getByRole("status").filter({ hasText: "DATA included" });
    await said.waitFor();
    const id = /Backup (\S+) contains/.exec(await said.textContent())[1];
    const saved = readFileSync(join(demo.home, "backups", id, "DATA.bin"));
    assert.deepEqual(saved, demo.flash.subarray(data.offset, data.offset + data.size));
    await close(page, demo);
  },

  async "truth: nothing is called OK during the first backup, or with the card pulled"(chrome) {
    const demo = await ready();
    for (const [what, change, says] of [
      ["the first backup at 70 %", (s) => ({ ...s, newest_backup: null, notices: [],
        backup: { state: "running", step: "reading the chip", step_code: "read-chip", done: 70, total: 100 } }), "first backup is being made"],
      ["a card that was pulled", (s) => ({ ...s, card: { state: "missing" },
        notices: [{ severity: "danger", code: "card-missing", message: "there is no card", hint: "Put it in." }] }), "Missing"],
    ]) {
      const page = await open(chrome, demo);
      await withStatus(page, change);
      await enter(page, demo);
      await page.locator("main").filter({ hasText: says }).waitFor();
      const words = await page.locator("main").textContent();
      assert.ok(!words.includes("Everything is OK"), what);
      if (what.includes("card")) assert.ok(!/Identity\s*Safe/.test(words) && words.includes("not available now"), words);
      await page.goto("/#/live");
      await page.locator(".line").filter({ hasText: what.includes("card") ? "no card" : "70 %" }).waitFor();
      await page.context().close();
    }
    await demo.stop();
  },

  async "truth: an alarm looks like one and has its button, a block that failed is said, and Copy says Copied"(chrome) {
    const demo = await ready();
    const page = await open(chrome, demo);
    await withStatus(page, (s) => ({ ...s, network: { ...s.network, cloud_problem: "no route", updates_problem: "no key" },
      notices: [{ severity: "danger", code: "backup-damaged", message: "a backup is damaged", hint: "Back up again." }] }));
    await enter(page, demo);
    const alarm = page.getByRole("alert").filter({ hasText: "backup" });
    assert.match(await alarm.getAttribute("class"), /alarm/);
    await alarm.getByRole("link").click();
    await page.getByRole("heading", { name: "Backups" }).waitFor();
    await page.goto("/#/settings");
    for (const words of ["cloud", "updates"]) await page.locator("#section-camera .note").filter({ hasText: words }).waitFor();
    await demo.call("PUT", "/api/v1/services/rtsp-server", { enabled: true });
    await page.goto("/#/live");
    const copy = page.getByRole("button", { name: /^Copy: rtsp/ }).first();
    await copy.click();
    await copy.filter({ hasText: "Copied" }).waitFor();
    await close(page, demo);
  },

  async "truth: a restart asks once, also about changes that are not saved"(chrome) {
    const demo = await ready();
    const page = await open(chrome, demo);
    await enter(page, demo);
    const count = async () => (await demo.call("GET", "/api/v1/status")).json.boot_count;
    const before = await count();
    await page.goto("/#/camera");
    const restart = page.getByRole("button", { name: "Restart", exact: true });
    await restart.click();
    await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
    assert.equal(await count(), before);
    await restart.click();
    await page.getByRole("dialog").getByRole("button", { name: "Restart" }).click();
    await page.getByRole("heading", { name: "Log in" }).waitFor();
    await demo.call("POST", "/api/v1/login", { password: PASSWORD });
    assert.equal(await count(), before + 1);
    await close(page, demo);
  },

  async "truth: an upload shows per cent and time left, goes on when its view is left, and can be cancelled"(chrome) {
    const demo = await ready();
    const page = await open(chrome, demo);
    await enter(page, demo);
    const cdp = await page.context().newCDPSession(page);
    await cdp.send("Network.enable");
    const slow = (rate) => cdp.send("Network.emulateNetworkConditions",
      { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: rate });
    const choose = () => page.locator("#file").setInputFiles({ name: "tf_recovery.img", mimeType: "", buffer: tfImage(PROGRAM) });
    await page.goto("/#/flash");
    await page.locator(".drop").waitFor();
    await slow(5 << 20);
    await choose();
    await page.locator(".drop .bar").filter({ hasText: /\d %, .* left/ }).waitFor();
    await page.goto("/#/home");
    const strip = page.locator(".strip").filter({ hasText: "tf_recovery.img" });
    await strip.filter({ hasText: /\d %/ }).waitFor();
    await strip.getByRole("button", { name: "Cancel upload" }).click();
    await strip.waitFor({ state: "detached" });
    assert.equal((await demo.call("GET", "/api/v1/images")).json.images.length, 0);
    await page.goto("/#/flash");
    await page.locator(".drop").waitFor();
    await choose();
    await page.locator(".drop .bar").waitFor();
    await page.goto("/#/home");
    await strip.filter({ hasText: /\d %/ }).waitFor();
    await slow(-1);
    await strip.filter({ hasText: "was uploaded" }).getByRole("link").click();
    await page.locator(".files li").filter({ hasText: "tf_recovery.img" }).waitFor();
    assert.equal(await strip.count(), 0);
    await close(page, demo);
  },
};
