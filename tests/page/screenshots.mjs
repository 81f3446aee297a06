// Makes the pictures of the README anew, from a demo of this build: tests/page/run screenshots.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { tfImage } from "./images.mjs";
import { PROGRAM, REPO, browser, enter, open } from "./rig.mjs";
import { withStreams } from "./live.mjs";
import { show } from "./views.mjs";

const OUT = join(REPO, "docs/images");
mkdirSync(OUT, { recursive: true });
const demo = await withStreams();
const chrome = await browser();
const take = async (page, name) => {
  await page.waitForTimeout(400);
  await page.screenshot({ path: join(OUT, `${name}.png`) });
  console.log(`docs/images/${name}.png`);
};

const light = await open(chrome, demo, { viewport: { width: 1100, height: 760 }, reducedMotion: "reduce" });
await enter(light, demo);
await show(light, "home");
await take(light, "home");
await show(light, "chip");
await take(light, "chip");

await show(light, "flash");
await light.locator("#file").setInputFiles({ name: "tf_recovery.img", mimeType: "", buffer: tfImage(PROGRAM) });
await light.getByRole("button", { name: "Preview changes" }).click();
await light.locator(".plan .phrase").waitFor();
await light.locator(".plan .chip").scrollIntoViewIfNeeded();
await light.evaluate(() => document.querySelector(".plan").scrollIntoView({ block: "start" }));
await take(light, "plan");

await light.goto("/#/live");
await light.getByRole("button", { name: "Turn on streams" }).click();
await light.locator("video").waitFor();
const play = light.getByRole("button", { name: "Play" });
if (await play.count()) await play.click();
await light.waitForFunction(() => document.querySelector("video").currentTime > 2);
await light.locator("tr").filter({ hasText: "this page" }).waitFor();
await take(light, "live");

const phone = await open(chrome, demo, { viewport: { width: 390, height: 780 }, isMobile: true, hasTouch: true,
  colorScheme: "dark", reducedMotion: "reduce" });
await enter(phone, demo);
await show(phone, "chip");
await take(phone, "phone");

await chrome.close();
await demo.stop();
