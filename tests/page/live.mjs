// The camera's picture in a real browser, from the demo's made-up scene.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Demo, PASSWORD, enter, freePort, open } from "./rig.mjs";
import { axe, fits } from "./views.mjs";

/** A demo whose streams have a port of their own: others may run on this machine. */
export async function withStreams() {
  const demo = await Demo.start();
  await demo.setUp();
  await demo.settled();
  demo.streams = await freePort();
  const { status } = await demo.call("PUT", "/api/v1/services/rtsp-server", { settings: { port: demo.streams } });
  assert.equal(status, 200);
  return demo;
}

export const live = {
  async "live: switched on, playing, watched, kept as a picture, told to other programs"(chrome) {
    const demo = await withStreams();
    const page = await open(chrome, demo);
    await enter(page, demo);
    await page.goto("/#/live");
    await page.getByRole("button", { name: "Turn on streams" }).click();
    const video = page.locator("video");
    await video.waitFor();
    const time = () => video.evaluate((element) => element.currentTime);
    await page.getByRole("status").filter({ hasText: /^Live$/ }).waitFor();
    const first = await time();
    await page.waitForFunction((since) => document.querySelector("video").currentTime > since + 3, first);
    const { width, played } = await video.evaluate((element) => ({ width: element.videoWidth,
      played: element.getVideoPlaybackQuality().totalVideoFrames }));
    console.log(`live: ${first.toFixed(1)} s to ${(await time()).toFixed(1)} s, ${width} pixels wide, ${played} pictures shown`);
    assert.ok(width > 0 && played > 0);

    // Sound is off until it is wanted, and then in step with the picture: both are one stream.
    assert.equal(await video.evaluate((element) => element.muted), true);
    await page.getByRole("button", { name: "Turn sound on" }).click();
    await page.waitForFunction(() => {
      const element = document.querySelector("video");
      return !element.muted && element.webkitAudioDecodedByteCount > 20000;
    });
    await page.getByRole("button", { name: "Turn sound off" }).click();
    await page.waitForFunction(() => document.querySelector("video").muted);
    await page.getByRole("status").filter({ hasText: /^Live$/ }).waitFor();

    // Who watches, and how much that is.
    const row = page.locator("tr").filter({ has: page.getByRole("rowheader", { name: "substream" }) });
    await row.filter({ hasText: /live.*H264.*bit\/s/ }).waitFor();
    await page.locator("tr").filter({ hasText: "this page" }).waitFor();
    await axe(page, "live, playing");
    await page.setViewportSize({ width: 360, height: 740 });
    await fits(page, "live, on a phone");
    await axe(page, "live, playing, on a phone");
    await page.setViewportSize({ width: 1280, height: 860 });
    const stopped = page.getByRole("status").filter({ hasText: /^Stopped$/ });
    await page.getByRole("button", { name: "Stop" }).click();
    await stopped.waitFor();
    await page.getByText("0 of at most").waitFor();

    await page.getByLabel("Stream", { exact: true }).selectOption("mainstream");
    const [kept] = await Promise.all([page.waitForEvent("download"),
      page.getByRole("button", { name: "Take snapshot" }).click()]);
    assert.match(kept.suggestedFilename(), /^mainstream-[-0-9T]+\.jpg$/);
    assert.equal(readFileSync(await kept.path()).readUInt16BE(0), 0xffd8, "it is a JPEG");

    await page.getByText(`rtsp://127.0.0.1:${demo.streams}/substream`, { exact: true }).waitFor();
    await page.getByRole("button", { name: `Copy: rtsp://127.0.0.1:${demo.streams}/mainstream` }).click();
    await page.getByRole("button", { name: "Show stream password" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.locator("input[type=password]").fill("wrong");
    await dialog.getByRole("button", { name: "Show" }).last().click();
    await dialog.getByRole("alert").waitFor();
    await dialog.locator("input[type=password]").fill(PASSWORD);
    await dialog.getByRole("button", { name: "Show" }).last().click();
    await dialog.waitFor({ state: "detached" });
    const { json } = await demo.call("POST", "/api/v1/video/login", { password: PASSWORD });
    await page.getByText(json.password, { exact: true }).waitFor();

    // Begun again, and left: nobody watches then.
    await page.getByRole("button", { name: "Play" }).click();
    await page.getByRole("status").filter({ hasText: /^Live$/ }).waitFor();
    await page.goto("/#/home");
    for (;;) {
      const { json: now } = await demo.call("GET", "/api/v1/video");
      if (now.server.viewers.length === 0) break;
    }
    const { wrong, foreign } = page.context();
    await page.context().close();
    assert.deepEqual([wrong, foreign], [[], []]);
    await demo.stop();
  },

  async "live: single pictures where the browser does not play the codec"(chrome) {
    const demo = await withStreams();
    await demo.call("PUT", "/api/v1/services/rtsp-server", { enabled: true });
    const page = await open(chrome, demo);
    await page.addInitScript(() => { MediaSource.isTypeSupported = () => false; });
    await enter(page, demo);
    await page.goto("/#/live");
    const image = page.locator(".screen img");
    await image.waitFor();
    const first = await image.getAttribute("src");
    await page.waitForFunction((src) => document.querySelector(".screen img").src !== src, first);
    assert.ok(await image.evaluate((element) => element.naturalWidth) > 0);
    await page.getByRole("status").filter({ hasText: "Single pictures" }).waitFor();
    assert.equal(await page.getByRole("button", { name: "Turn sound on" }).count(), 0, "nothing to hear it with");
    await axe(page, "live, single pictures");
    assert.deepEqual(page.context().wrong, []);
    await page.context().close();
    await demo.stop();
  },

  async "live: an event has a picture that opens large, and none is sent while the camera is off"(chrome) {
    const demo = await withStreams();
    await demo.call("PUT", "/api/v1/services/rtsp-server", { enabled: true });
    // Its JPEG pictures are there.
    while ((await fetch(demo.url + "/api/v1/snapshot?form=jpeg", { headers: demo.session })).status !== 200) {
      await new Promise((done) => setTimeout(done, 200));
    }
    const page = await open(chrome, demo);
    await enter(page, demo);
    await page.goto("/#/live");
    const events = page.locator(".events li");
    await events.first().waitFor();
    assert.equal(await events.locator("img").count(), 0);
    writeFileSync(join(demo.dir, "motion"), "");
    const picture = events.filter({ hasText: "Motion began" }).first().getByRole("button");
    await picture.click();
    const large = page.getByRole("dialog").locator("img");
    await page.waitForFunction(() => document.querySelector("dialog img").naturalWidth > 0);
    await axe(page, "live, an event's picture");
    const path = "/" + await large.getAttribute("src");
    const get = (headers) => fetch(demo.url + path, { headers });
    const file = await get(demo.session);
    assert.equal(file.headers.get("content-type"), "image/jpeg");
    assert.equal(Buffer.from(await file.arrayBuffer()).readUInt16BE(0), 0xffd8, "it is a JPEG");
    assert.equal((await get({})).status, 401);
    assert.equal((await fetch(`${demo.url}/api/v1/events/9999/picture`, { headers: demo.session })).status, 404);
    await page.getByRole("dialog").getByRole("button", { name: "Close" }).click();
    rmSync(join(demo.dir, "motion"));
    assert.equal((await demo.call("PUT", "/api/v1/controls/power", { value: false })).status, 200);
    assert.equal((await get(demo.session)).status, 409, "not while the camera is off");
    assert.deepEqual((await demo.call("GET", "/api/v1/events")).json.pictures, []);
    assert.deepEqual(page.context().wrong, []);
    await page.context().close();
    await demo.stop();
  },

  async "live: a control is set, shown when another program changes it, and undone"(chrome) {
    const demo = await withStreams();
    const page = await open(chrome, demo);
    await enter(page, demo);
    await page.goto("/#/live");
    await page.getByRole("heading", { name: "Camera controls" }).waitFor();
    const flip = page.getByRole("switch", { name: "Rotate picture 180°" });
    await flip.check();
    const row = page.locator('[data-control="flip"]');
    await row.getByRole("button", { name: "Undo change" }).waitFor();
    assert.equal((await demo.call("GET", "/api/v1/controls/flip")).json.value, true);
    // Changed elsewhere: the page follows.
    await demo.call("PUT", "/api/v1/controls/night", { value: "night" });
    await page.locator('[data-control="night"]').getByText("Now: night picture.").waitFor();
    assert.equal(await page.getByLabel("Night vision").inputValue(), "night");
    // Too soon after that: the camera's reason is shown next to it.
    await page.getByLabel("Night vision").selectOption("day");
    await page.locator('[data-control="night"]').getByRole("alert").waitFor();
    await row.getByRole("button", { name: "Undo change" }).click();
    await page.waitForFunction(() => !document.querySelector('[data-control="flip"] input').checked);
    await axe(page, "live, with controls");
    await page.context().close();
    await demo.stop();
  },

  async "live: the motors turned by buttons and by arrow keys, where there are motors"(chrome) {
    const demo = await withStreams();
    const page = await open(chrome, demo);
    await enter(page, demo);
    await page.goto("/#/live");
    await page.getByRole("heading", { name: "Turn the camera" }).waitFor();
    // The simulated camera's devicekit moves, and reports where it is.
    const at = async () => (await demo.call("GET", "/api/v1/ptz")).json.position;
    const until = async (there) => {
      while (!there(await at())) await new Promise((done) => setTimeout(done, 50));
    };
    assert.deepEqual(await at(), { pan: 50, tilt: 50 });
    const left = page.getByRole("button", { name: "Left" });
    await left.dispatchEvent("pointerdown", { button: 0, pointerId: 1 });
    await until(({ pan }) => pan <= 42);
    await left.dispatchEvent("pointerup", { button: 0, pointerId: 1 });
    await page.getByRole("button", { name: "Up" }).focus();
    await page.keyboard.down("ArrowDown");
    await until(({ tilt }) => tilt < 50);
    await page.keyboard.up("ArrowDown");
    await page.getByText("Saved positions").click();
    await page.getByLabel("Name", { exact: true }).fill("Door");
    await page.getByRole("button", { name: "Save this position" }).click();
    await page.getByRole("button", { name: "Door", exact: true }).waitFor();
    await page.getByRole("button", { name: "Center camera" }).click();
    await until(({ pan, tilt }) => pan === 50 && tilt === 50);
    await axe(page, "live, with motors");
    assert.deepEqual(page.context().wrong, []);
    await page.context().close();
    await demo.stop();
  },
};
