// The ways around: the first run, the phone's menu, the log, and what a right image says.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { tfImage } from "./images.mjs";
import { withStreams } from "./live.mjs";
import { Demo, PASSWORD, PROGRAM, enter, open } from "./rig.mjs";
import { SIZES, axe, fits } from "./views.mjs";

export const ways = {
  async "ways: setup says how to get the code, fills it in for a demo, and wants 8 characters"(chrome) {
    const demo = await Demo.start();
    const page = await open(chrome, demo);
    await page.goto("/");
    await page.locator("form .eye").waitFor();
    assert.equal(await page.locator("input[name=code]").inputValue(), demo.code);
    await page.getByText("This is a demo.").waitFor();
    const short = await demo.call("POST", "/api/v1/setup", { code: demo.code, password: "7 chars" });
    assert.deepEqual([short.status, short.json.error.code], [422, "short-password"]);
    // A real camera's page has no code in it.
    await page.route("**/", async (route) => {
      const answer = await route.fetch();
      await route.fulfill({ response: answer, body: (await answer.text()).replace(demo.code, "") });
    });
    await page.reload();
    await page.locator("form .eye").waitFor();
    await page.locator(".how li").filter({ hasText: "take out its SD card" }).waitFor();
    await page.locator(".how li").filter({ hasText: "mi360d/setup-code.txt" }).waitFor();
    assert.equal(await page.locator("input[name=code]").inputValue(), "");
    await page.context().close();
    await demo.stop();
  },

  async "ways: the first view is Live with the first steps, which go as they are done"(chrome) {
    // Streams of another program on this machine are none of this camera's.
    const demo = await withStreams();
    const page = await open(chrome, demo, { timezoneId: "Europe/Lisbon" });
    await enter(page, demo);
    await page.goto("/");
    await page.getByRole("heading", { name: "Streams are off" }).waitFor();
    await page.locator(".line").filter({ hasText: "has not been downloaded yet" }).waitFor();
    const todo = page.locator(".todo");
    const left = () => todo.locator("li:not(.done)").count();
    await todo.waitFor();
    assert.equal(await left(), 4);
    await demo.call("PUT", "/api/v1/config", { camera: { time_zone: "WET0WEST,M3.5.0/1,M10.5.0" } });
    await page.reload();
    await todo.waitFor();
    assert.equal(await left(), 3);
    await todo.getByRole("button", { name: "Hide this list" }).click();
    await page.reload();
    await page.locator(".line .icon").waitFor();
    assert.ok(await todo.isHidden());
    await page.context().close();
    await demo.stop();
  },

  async "ways: a right image is one verdict with folded details, and asks for nothing more"(chrome) {
    const demo = await Demo.start();
    await demo.setUp();
    await demo.settled();
    const page = await open(chrome, demo);
    await enter(page, demo);
    await page.goto("/#/flash");
    await page.locator(".drop").waitFor();
    await page.locator("#file").setInputFiles({ name: "tf_recovery.img", mimeType: "", buffer: tfImage(PROGRAM) });
    await page.locator(".after .verdict.good").waitFor();
    assert.equal(await page.locator(".after .verdict").count(), 1);
    assert.equal(await page.locator(".after .note:visible").count(), 0);
    assert.equal(await page.locator(".after details[open]").count(), 0);
    await page.getByRole("button", { name: "Preview changes" }).waitFor();
    assert.equal(await page.locator(".stepper [aria-current]").textContent(), "File");
    await page.context().close();
    await demo.stop();
  },

  async "ways: on a phone More closes by Esc and by a tap outside, and shows where one is"(chrome) {
    const demo = await Demo.start();
    await demo.setUp();
    await demo.settled();
    const page = await open(chrome, demo, SIZES.phone);
    await enter(page, demo);
    const more = page.getByRole("button", { name: "More" });
    const log = page.getByRole("link", { name: "Log", exact: true });
    await more.click();
    await log.waitFor();
    await axe(page, "the phone's menu");
    await fits(page, "the phone's menu");
    await page.keyboard.press("Escape");
    await log.waitFor({ state: "hidden" });
    assert.equal(await more.evaluate((button) => button === document.activeElement), true, "the focus is back");
    await more.click();
    await page.touchscreen.tap(180, 60);
    await log.waitFor({ state: "hidden" });
    await more.click();
    await log.click();
    await page.getByRole("heading", { name: "Log" }).waitFor();
    assert.equal(await log.isVisible(), false);
    assert.equal(await page.locator("nav .menu.here").count(), 1, "it shows where one is");
    await page.goto("/#/home");
    await page.locator(".answers").waitFor();
    assert.equal(await page.locator("nav .menu.here").count(), 0);
    await page.context().close();
    await demo.stop();
  },

  async "ways: the log is searched, and kept as a file; the file for support holds no secret"(chrome) {
    const demo = await Demo.start();
    await demo.setUp();
    await demo.settled();
    const page = await open(chrome, demo);
    await enter(page, demo);
    await page.goto("/#/log");
    const log = page.getByRole("log");
    await log.filter({ hasText: "starts" }).waitFor();
    await page.getByLabel("Search").fill("FIRST password");
    await log.filter({ hasNotText: "starts" }).waitFor();
    assert.match(await log.textContent(), /first password was set/);
    const keep = async (role, name) => {
      const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole(role, { name }).click()]);
      return readFileSync(await file.path(), "utf8");
    };
    assert.match(await keep("button", "Download log"), /^\d.* \[INFO\] the first password was set.*\n$/);
    const facts = await keep("link", "Download file for support");
    assert.ok(facts.length > 200 && !facts.includes(PASSWORD));
    await page.getByLabel("Search").fill("nothing of this kind");
    await log.filter({ hasText: "No line contains this." }).waitFor();
    assert.deepEqual(page.context().wrong, []);
    await page.context().close();
    await demo.stop();
  },
};
