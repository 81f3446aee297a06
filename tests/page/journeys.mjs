// What an owner does, in a real browser, from the first password to a restored camera.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { BODY, release, tfImage } from "./images.mjs";
import { Demo, PASSWORD, PROGRAM, close, enter, open, ready, until } from "./rig.mjs";

async function send(page, name, bytes) {
  await page.goto("/#/home");
  await page.goto("/#/flash");
  await page.locator(".drop").waitFor();
  await page.locator("#file").setInputFiles({ name, mimeType: "application/octet-stream", buffer: bytes });
  await page.locator("section.after h2", { hasText: name }).waitFor();
}

/** From a sent file to the plan's phrase. */
async function plan(page) {
  await page.getByRole("button", { name: "Preview changes" }).click();
  return page.locator(".plan .phrase").textContent();
}

async function agree(page, phrase) {
  const input = page.locator(".plan form input[type=text]");
  const go = page.getByRole("button", { name: "Write to the chip" });
  await input.fill(phrase.toLowerCase());
  assert.ok(await go.isDisabled(), "another phrase begins nothing");
  await input.fill(phrase);
  await go.click();
}

/** Keeps, over reloads, how many cells were proven from one moment to the next. */
async function noteTheMap(page) {
  const note = () => {
    setInterval(() => {
      const now = document.querySelectorAll(".live .cell.is-proven").length;
      const seen = JSON.parse(sessionStorage.proven ?? "[]");
      if (now > 0 && now !== seen.at(-1)) sessionStorage.proven = JSON.stringify([...seen, now]);
    }, 20);
  };
  await page.addInitScript(note);
  await page.evaluate(note);
}

/** How many cells of the map on the page are in this state. */
const cells = (page, state) => page.locator(`.chip .cell.is-${state}`).count();

export const journeys = {
  async "the first password, a wrong one, the log out, and back in"(chrome) {
    const demo = await Demo.start();
    const page = await open(chrome, demo);
    await page.goto("/");
    await page.locator("input[name=code]").fill("AAAAA-AAAAA");
    await page.locator("form input[type=password]").fill(PASSWORD);
    await page.getByRole("button", { name: "Set password" }).click();
    await page.getByRole("alert").filter({ hasText: "not the code" }).waitFor();
    await page.locator("input[name=code]").fill(demo.code.toLowerCase());
    await page.getByRole("button", { name: "Set password" }).click();
    await page.locator(".house main h1").waitFor();
    await page.getByRole("button", { name: "Log out" }).click();
    await page.getByRole("heading", { name: "Log in" }).waitFor();
    await page.locator("form input[type=password]").fill("wrong");
    await page.keyboard.press("Enter");
    await page.getByRole("alert").filter({ hasText: "the password is wrong" }).waitFor();
    await page.locator("form input[type=password]").fill(PASSWORD);
    await page.keyboard.press("Enter");
    await page.locator(".house main h1").waitFor();
    await page.reload();
    await page.locator(".house main h1").waitFor();
    assert.equal((await demo.call("GET", "/api/v1/status")).status, 401, "a stranger stays outside");
    await close(page);
    await demo.stop();
  },

  async "home asks for a copy of the identity until one has been downloaded"(chrome) {
    const demo = await ready();
    const page = await open(chrome, demo);
    await enter(page, demo);
    const next = page.locator(".next");
    await next.filter({ hasText: "Download your backup now" }).waitFor();
    await next.getByRole("button").click();
    const dialog = page.getByRole("dialog");
    await dialog.locator("input[type=password]").fill("wrong");
    await dialog.getByRole("button", { name: "Download" }).click();
    await dialog.getByRole("alert").waitFor();
    await dialog.locator("input[type=password]").fill(PASSWORD);
    const [download] = await Promise.all([
      page.waitForEvent("download"), dialog.getByRole("button", { name: "Download" }).click(),
    ]);
    assert.match(download.suggestedFilename(), /^mi360d-0001-[0-9a-f]{8}-set\.zip$/);
    assert.ok(await download.path());
    await next.filter({ hasText: "Everything is OK" }).waitFor();
    await close(page);
    await demo.stop();
  },

  async "a newer release is looked at, agreed to by its phrase, and a damaged one refused"(chrome) {
    const demo = await ready();
    const page = await open(chrome, demo);
    await enter(page, demo);
    await page.goto("/#/camera");
    const section = page.locator("section").filter({ has: page.getByRole("heading", { name: "Update mi360d" }) });
    const program = Buffer.concat([Buffer.from("\x7fELF\x01\x01\x01".padEnd(16, "\0") + "\x02\0\x28\0", "latin1"), randomBytes(90_000)]);
    const files = { "manu_test/entrypoint.sh": Buffer.from("one"), "manu_test/manu.sh": Buffer.from("two"), "mi360d/mi360d": program };
    const lines = Object.entries(files).map(([name, bytes]) =>
      `${createHash("sha256").update(bytes).digest("hex")}  ${name}\n`);
    const zip = release({ ...files, "mi360d/release.txt": Buffer.from("mi360d 9.9.9\n" + lines.join("")) });
    const damaged = Buffer.from(zip);
    damaged[60_000] ^= 1;
    const choose = (name, buffer) =>
      section.locator("input[type=file]").setInputFiles({ name, mimeType: "application/zip", buffer });
    await choose("damaged.zip", damaged);
    await section.getByRole("alert").filter({ hasText: "damaged" }).waitFor();
    await choose("mi360d.zip", zip);
    await section.getByText("New: 9.9.9").waitFor();
    const phrase = await section.locator(".phrase").textContent();
    assert.match(phrase, /^INSTALL UNSIGNED 9\.9\.9 [0-9a-f]{8}$/);
    const go = section.getByRole("button", { name: "Install and restart mi360d" });
    assert.ok(await go.isDisabled(), "without the phrase nothing is installed");
    await section.locator("input[type=text]").fill(phrase);
    await go.click();
    // On a PC there is no card to change: that is said.
    await section.getByRole("alert").filter({ hasText: "simulated" }).waitFor();
    assert.equal(await (await fetch(demo.url + "/healthz")).text(), "ok");
    await close(page);
    await demo.stop();
  },

  async "a backup made and read again by hand"(chrome) {
    const demo = await ready();
    const page = await open(chrome, demo);
    await enter(page, demo);
    await page.goto("/#/backups");
    await page.locator(".set").waitFor();
    await page.getByRole("button", { name: "Back up now" }).click();
    await page.getByRole("status").filter({ hasText: "contains the whole chip" }).waitFor();
    await page.getByRole("button", { name: "Verify" }).click();
    await page.getByRole("status").filter({ hasText: "was verified" }).waitFor();
    await close(page);
    await demo.stop();
  },

  async "flash: an image sent, planned, agreed to, watched through a reload and by two, proven"(chrome) {
    // The chip takes its time, as a real one does.
    const demo = await ready({ env: { MI360D_SIM_PACE: "0.1" } });
    const image = tfImage(PROGRAM);
    const page = await open(chrome, demo);
    await enter(page, demo);
    await send(page, "tf_recovery.img", image);
    const phrase = await plan(page);
    assert.equal(phrase, "FLASH KERNEL ROOTFS DATA WITHOUT RESCUE");
    assert.ok(await cells(page, "erase") > 50);
    assert.match(await page.locator(".plan").textContent(), /repair needs a PC/);
    const second = await open(chrome, demo);
    await enter(second, demo);
    await noteTheMap(page);
    await noteTheMap(second);
    await agree(page, phrase);
    await page.locator(".live .cell.is-proven").first().waitFor();
    await page.reload();
    await second.goto("/#/flash");
    for (const browser of [page, second]) await browser.locator(".live .cell.is-proven").first().waitFor();
    // It restarts by itself; this browser finds it again.
    await page.getByRole("heading", { name: "Log in" }).waitFor();
    for (const browser of [page, second]) {
      const seen = await browser.evaluate(() => JSON.parse(sessionStorage.proven ?? "[]"));
      console.log(`proven cells, as they were seen: ${seen.join(" ")}`);
      assert.deepEqual(seen, [...seen].sort((a, b) => a - b), "the map never goes back, not by a reload either");
      assert.ok(seen.length >= 3, "it filled live");
    }
    assert.deepEqual(demo.flash.subarray(...BODY), image.subarray(0, BODY[1] - BODY[0]));
    await page.locator("form input[type=password]").fill(PASSWORD);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "The camera is back" }).waitFor();
    await page.locator("main").filter({ hasText: "Done and verified" }).waitFor();
    await close(second);
    await close(page);
    await demo.stop();
  },

  async "restore: a backup written back over another firmware"(chrome) {
    const demo = await ready();
    const before = demo.flash;
    await flashByScript(demo, tfImage(PROGRAM));
    assert.notDeepEqual(demo.flash.subarray(...BODY), before.subarray(...BODY));
    const page = await open(chrome, demo);
    await enter(page, demo);
    await page.goto("/#/backups");
    await page.locator(".set").filter({ hasText: "0001-" }).getByRole("link", { name: "Restore" }).click();
    const phrase = await page.locator(".plan .phrase").textContent();
    assert.match(phrase, /^FLASH KERNEL ROOTFS DATA/);
    await agree(page, phrase);
    await page.getByRole("heading", { name: "Log in" }).waitFor();
    assert.deepEqual(demo.flash.subarray(...BODY), before.subarray(...BODY));
    await close(page);
    await demo.stop();
  },

  async "wrong files: refused in words, and nothing to agree to"(chrome) {
    const demo = await ready();
    const before = demo.flash;
    const page = await open(chrome, demo);
    await enter(page, demo);
    const whole = tfImage(PROGRAM);
    const flipped = Buffer.from(whole);
    flipped[200_000] ^= 1;
    for (const [name, bytes] of [
      ["noise.bin", randomBytes(300_000)], ["short.img", whole.subarray(0, 9_000_000)],
      ["flipped.img", flipped], ["<img src=x onerror=alert(1)>.txt", Buffer.from("hello")],
    ]) {
      await send(page, name, bytes);
      // Before any plan is asked for: one verdict, with its reasons.
      const verdict = page.locator(".after .verdict");
      await verdict.filter({ hasText: /cannot be flashed|Only some/ }).waitFor();
      await page.locator(".after .blocker").first().waitFor();
      const preview = page.getByRole("button", { name: "Preview changes" });
      if (await verdict.filter({ hasText: "cannot be" }).count()) {
        assert.equal(await preview.count(), 0, name);
      } else {
        await preview.click();
        await page.locator(".plan .blocker").first().waitFor();
      }
      assert.equal(await page.locator(".plan form").count(), 0, name);
      assert.equal(await page.locator("main img").count(), 0, "a name is text");
    }
    await page.goto("/#/home");
    await page.goto("/#/flash");
    await page.locator("#file").setInputFiles({ name: "huge.img", mimeType: "", buffer: Buffer.alloc(17 << 20) });
    await page.locator(".drop .trouble").waitFor();
    assert.deepEqual(demo.flash, before);
    await close(page);
    await demo.stop();
  },

  async "a power cut in the middle: told, gone on with, and proven"(chrome) {
    const demo = await ready();
    await demo.stopOnly();
    await demo.run({ MI360D_SIM_FAULTS: "cut@900" });
    await demo.call("POST", "/api/v1/login", { password: PASSWORD });
    await demo.settled();
    const image = tfImage(PROGRAM);
    const page = await open(chrome, demo);
    await enter(page, demo);
    await send(page, "tf_recovery.img", image);
    await agree(page, await plan(page));
    assert.equal(await demo.ended, 137, "the power is gone");
    assert.notDeepEqual(demo.flash.subarray(...BODY), image.subarray(0, BODY[1] - BODY[0]));
    // It comes up again, and goes on by itself.
    await demo.run();
    await until("the image is on the chip", () => demo.flash.subarray(...BODY).equals(image.subarray(0, BODY[1] - BODY[0])));
    await page.goto("/");
    await page.getByRole("heading", { name: "Log in" }).waitFor();
    await page.locator("form input[type=password]").fill(PASSWORD);
    await page.keyboard.press("Enter");
    await page.locator(".house main h1").waitFor();
    await page.context().close();
    await demo.stop();
  },

  async "an interrupted flash: offered on Home, gone on with by one button, and proven"(chrome) {
    const demo = await ready();
    const image = tfImage(PROGRAM);
    const file = join(demo.base, "tf_recovery.img");
    writeFileSync(file, image);
    const page = await open(chrome, demo);
    await enter(page, demo);
    // Another process begins it, and its power fails.
    const phrase = "FLASH KERNEL ROOTFS DATA WITHOUT RESCUE";
    const { status } = spawnSync(PROGRAM, ["--sim", demo.dir, "flash", file, "--confirm", phrase],
      { env: { ...process.env, MI360D_SIM_FAULTS: "cut@900" }, stdio: "ignore" });
    assert.equal(status, 137, "the power is gone");
    assert.notDeepEqual(demo.flash.subarray(...BODY), image.subarray(0, BODY[1] - BODY[0]));
    await page.goto("/#/chip");
    await page.goto("/#/home");
    const next = page.locator(".next").filter({ hasText: "A flash was interrupted" });
    await next.getByRole("button", { name: "Continue flashing" }).click();
    await page.getByRole("heading", { name: "Log in" }).waitFor();
    assert.deepEqual(demo.flash.subarray(...BODY), image.subarray(0, BODY[1] - BODY[0]));
    await page.locator("form input[type=password]").fill(PASSWORD);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "The camera is back" }).waitFor();
    await page.locator("main").filter({ hasText: "Done and verified" }).waitFor();
    assert.equal(await page.locator(".next").filter({ hasText: "A flash was interrupted" }).count(), 0);
    await close(page);
    await demo.stop();
  },

  async "a chip that fails: what is where is said, and going on is offered"(chrome) {
    const demo = await ready();
    await demo.stopOnly();
    await demo.run({ MI360D_SIM_FAULTS: "stuck@0x500000" });
    await demo.call("POST", "/api/v1/login", { password: PASSWORD });
    await demo.settled();
    const page = await open(chrome, demo);
    await enter(page, demo);
    await send(page, "tf_recovery.img", tfImage(PROGRAM));
    await agree(page, await plan(page));
    await page.getByRole("heading", { name: "Partly done" }).waitFor();
    assert.ok(await cells(page, "failed") >= 1);
    await page.goto("/#/home");
    await page.locator(".next").filter({ hasText: "A flash was interrupted" }).waitFor();
    await demo.stopOnly();
    await demo.run();
    await until("it went on by itself", async () => {
      await demo.call("POST", "/api/v1/login", { password: PASSWORD });
      const { json } = await demo.call("GET", "/api/v1/status");
      return json.interrupted === null && json.job?.state !== "running";
    });
    await page.context().close();
    await demo.stop();
  },

  async "everything by the keyboard alone"(chrome) {
    const demo = await ready();
    const page = await open(chrome, demo);
    await enter(page, demo);
    await page.locator("h1").first().waitFor();
    // From the heading through the page: every stop is seen, and the chip's link is one of them.
    const seen = [];
    for (let i = 0; i < 40 && !seen.includes("Chip"); i++) {
      await page.keyboard.press("Tab");
      const stop = await page.evaluate(() => {
        const { outlineStyle } = getComputedStyle(document.activeElement);
        return { text: document.activeElement.textContent.trim(), outline: outlineStyle };
      });
      seen.push(stop.text);
      if (stop.text !== "" && stop.text.length < 40) assert.notEqual(stop.outline, "none", stop.text);
    }
    assert.ok(seen.includes("Chip"), String(seen));
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Flash chip", exact: true }).waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.tagName), "H1", "the focus follows");
    await close(page);
    await demo.stop();
  },
};

/** A flash as a script does it. */
async function flashByScript(demo, image) {
  const sent = await demo.call("POST", "/api/v1/images", image, { "X-Filename": "tf_recovery.img" });
  assert.equal(sent.status, 201, JSON.stringify(sent.json));
  const { json: made } = await demo.call("POST", "/api/v1/plans", { image: sent.json.id });
  const begun = await demo.call("POST", "/api/v1/jobs", { plan: made.id, confirm: made.confirm });
  assert.equal(begun.status, 202, JSON.stringify(begun.json));
  await until("the camera has restarted", async () => (await demo.call("GET", "/api/v1/status").catch(() => ({}))).status === 401);
  await demo.call("POST", "/api/v1/login", { password: PASSWORD });
  await demo.settled();
}
