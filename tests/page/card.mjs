// The card with the recordings of the camera's own firmware; the WiFi, and the QR codes, which
// another program reads.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Demo, REPO, enter, open } from "./rig.mjs";
import { axe, fits } from "./views.mjs";
import { withStreams } from "./live.mjs";

/** What OpenCV reads in a picture. */
function decoded(picture) {
  const code = "import sys, cv2; print(cv2.QRCodeDetector().detectAndDecode(cv2.imread(sys.argv[1]))[0])";
  return execFileSync(join(REPO, "target/page/python/bin/python"), ["-c", code, picture], { encoding: "utf8" }).trim();
}

/** A film that this program made: the picture of the demo. */
async function film(demo) {
  await demo.call("PUT", "/api/v1/services/rtsp-server", { enabled: true });
  for (;;) {
    const answer = await fetch(`${demo.url}/api/v1/snapshot?form=mp4`, { headers: demo.session });
    if (answer.ok) return Buffer.from(await answer.arrayBuffer());
    await new Promise((done) => setTimeout(done, 200));
  }
}

export const card = {
  async "card: recordings by day are played in parts, downloaded, and deleted after a question"(chrome) {
    const demo = await withStreams();
    const mp4 = await film(demo);
    const top = join(demo.dir, "sdcard/MIJIA_RECORD_VIDEO");
    const hours = ["2026112612", "2026112714", "2026112715"];
    for (const hour of hours) {
      mkdirSync(join(top, hour), { recursive: true });
      for (const kind of ["mp4", "jpeg"]) writeFileSync(join(top, hour, `05M09S_1795788309.${kind}`), mp4);
    }
    const file = join(top, "2026112714/05M09S_1795788309.mp4");
    writeFileSync(join(top, "2026112714/06M09S_1795788369.mp4"), mp4);
    writeFileSync(join(top, "2026112715/notes.txt"), "the owner's");
    // Links are none of the firmware's: a card's file system has none.
    symlinkSync(join(demo.home, "backups"), join(top, "2026112716"));
    symlinkSync(join(demo.home, "config.toml"), join(top, "2026112714/config.mp4"));

    const get = (path, headers = {}) => fetch(demo.url + "/api/v1/recordings" + path, { headers: { ...demo.session, ...headers } });
    const path = "/2026112714/05M09S_1795788309.mp4";
    for (const [range, status, from, until] of [["bytes=0-99", 206, 0, 100], ["bytes=100-", 206, 100, mp4.length],
      ["bytes=-7", 206, mp4.length - 7, mp4.length], [`bytes=${mp4.length}-`, 416, 0, 0], ["bytes=0-1,4-5", 200, 0, mp4.length]]) {
      const answer = await get(path, { Range: range });
      assert.equal(answer.status, status, range);
      assert.deepEqual(Buffer.from(await answer.arrayBuffer()), mp4.subarray(from, until), range);
      if (status === 206) assert.equal(answer.headers.get("content-range"), `bytes ${from}-${until - 1}/${mp4.length}`);
    }
    for (const out of ["/2026112716/0001-00000000.mp4", "/2026112714/config.mp4", "/..%2F..%2Fmi360d/config.mp4", "/2026112714/..%2f2026112612", "/mi360d", "/2026112716"]) {
      assert.equal((await get(out)).status, 404, out);
      assert.equal((await demo.call("DELETE", "/api/v1/recordings" + out)).status, 404, out);
    }
    assert.equal((await fetch(demo.url + "/api/v1/recordings" + path)).status, 401);
    const { Cookie } = demo.session;
    for (const [method, headers] of [["DELETE", { Cookie }], ["DELETE", {}]]) {
      const { status } = await fetch(demo.url + "/api/v1/recordings" + path, { method, headers });
      assert.equal(status, headers.Cookie ? 403 : 401);
    }
    assert.ok(existsSync(file) && existsSync(join(demo.home, "config.toml")));

    const page = await open(chrome, demo);
    await enter(page, demo);
    await page.getByRole("link", { name: "Open SD card" }).click();
    await page.locator("dl").filter({ hasText: "Recordings and other files" }).waitFor();
    const days = page.locator("details.day");
    await days.first().waitFor();
    assert.equal(await days.count(), 2, "of what the firmware made");
    const friday = days.filter({ hasText: "27" });
    await friday.locator("summary").first().click();
    await friday.getByText("14:00").click();
    const row = friday.locator("li").filter({ hasText: "14:05:09" });
    await row.waitFor();
    assert.equal(await friday.locator("li").count(), 2);
    await axe(page, "card");
    const asked = page.waitForRequest((request) => request.url().endsWith(path));
    await row.getByRole("button", { name: "Play" }).click();
    assert.match((await (await asked).allHeaders()).range ?? "", /^bytes=0-/);
    await page.waitForFunction(() => document.querySelector("dialog video").readyState >= 2);
    await axe(page, "card, playing");
    await page.getByRole("dialog").getByRole("button", { name: "Close" }).click();
    const [download] = await Promise.all([page.waitForEvent("download"), row.getByRole("link", { name: "Download" }).click()]);
    assert.deepEqual(readFileSync(await download.path()), mp4);

    const remove = row.getByRole("button", { name: "Delete" });
    await remove.click();
    await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
    assert.ok(existsSync(file));
    await remove.click();
    await page.getByRole("dialog").filter({ hasText: "cannot be restored" }).getByRole("button", { name: "Delete" }).click();
    await row.waitFor({ state: "detached" });
    assert.ok(!existsSync(file) && !existsSync(file.replace("mp4", "jpeg")));
    assert.ok(existsSync(join(top, "2026112714/06M09S_1795788369.mp4")));
    await friday.getByRole("button", { name: "Delete this day's recordings" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Delete", exact: true }).click();
    await friday.waitFor({ state: "detached" });
    assert.ok(!existsSync(join(top, "2026112715/05M09S_1795788309.mp4")));
    assert.ok(existsSync(join(top, "2026112715/notes.txt")) && existsSync(join(demo.home, "config.toml")));
    assert.ok(existsSync(join(top, hours[0])), "another day stays");
    await page.setViewportSize({ width: 360, height: 740 });
    await fits(page, "card, on a phone");
    assert.deepEqual(page.context().wrong, []);
    await page.context().close();
    await demo.stop();
  },

  async "card: the WiFi with its signal, network and address, and QR codes of the addresses that a phone can read"(chrome) {
    const demo = await withStreams();
    for (const colorScheme of ["light", "dark"]) {
      const page = await open(chrome, demo, { colorScheme });
      await enter(page, demo);
      const wifi = page.locator(".answer").filter({ has: page.getByRole("heading", { name: "WiFi" }) });
      assert.match(await wifi.textContent(), /synthetic-network.*-56 dBm.*127\.0\.0\.1/);
      const read = async (button, wanted) => {
        await button.click();
        const picture = join(demo.base, "qr.png");
        const dialog = page.getByRole("dialog");
        await dialog.locator("svg.qr").screenshot({ path: picture });
        await axe(page, "QR code");
        assert.equal(decoded(picture), wanted);
        await dialog.getByRole("button", { name: "Close" }).click();
      };
      await read(wifi.getByRole("button", { name: "QR code" }), `${demo.url}/`);
      await demo.call("PUT", "/api/v1/services/rtsp-server", { enabled: true });
      await page.goto("/#/live");
      const address = `rtsp://127.0.0.1:${demo.streams}/mainstream`;
      await read(page.getByRole("button", { name: `QR code: ${address}` }), address);
      assert.deepEqual([page.context().wrong, page.context().foreign], [[], []]);
      await page.context().close();
    }
    await demo.stop();
  },

  async "card: each line of the log has its time, by this browser's clock"(chrome) {
    const demo = await Demo.start();
    await demo.setUp();
    await demo.settled();
    const page = await open(chrome, demo, { locale: "en-US" });
    await enter(page, demo);
    const began = Date.now();
    await page.goto("/#/log");
    const line = page.locator(".log span").last();
    await line.waitFor();
    const [, time] = /^(\d?\d:\d\d:\d\d\s[AP]M) \[/.exec(await line.textContent());
    const then = new Date(`${new Date(began).toDateString()} ${time.replace(/\s/, " ")}`).getTime();
    assert.ok(Math.abs(began - then) < 600_000, time);
    await page.context().close();
    await demo.stop();
  },
};
