// Makes the pictures in docs/images again, from a demo of this build: tests/page/run screenshots.
// Every view, one on a phone, and a strip of a flash.

import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tfImage } from "./images.mjs";
import { PROGRAM, REPO, browser, enter, open } from "./rig.mjs";
import { withStreams } from "./live.mjs";
import { show } from "./views.mjs";

const OUT = join(REPO, "docs/images");
/** The largest picture, in bytes: the repository keeps all of them for ever. */
const MOST = 150_000;
mkdirSync(OUT, { recursive: true });
const demo = await withStreams();
const chrome = await browser();

/** Writes pictures next to each other as one WebP; `width` is that of each. */
async function webp(name, pictures, width) {
  const page = await chrome.newPage();
  const data = await page.evaluate(async ([sources, each]) => {
    const images = await Promise.all(sources.map(async (source) => {
      const image = new Image();
      image.src = "data:image/png;base64," + source;
      await image.decode();
      return image;
    }));
    const gap = images.length > 1 ? 16 : 0;
    const canvas = document.createElement("canvas");
    canvas.width = images.length * (each + gap) - gap;
    canvas.height = Math.round(Math.max(...images.map((image) => image.height * each / image.width)));
    const context = canvas.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.fillStyle = "#fff";
    context.fillRect(0, 0, canvas.width, canvas.height);
    images.forEach((image, i) => context.drawImage(image, i * (each + gap), 0, each, image.height * each / image.width));
    return canvas.toDataURL("image/webp", .82);
  }, [pictures.map((picture) => picture.toString("base64")), width]);
  writeFileSync(join(OUT, name), Buffer.from(data.split(",")[1], "base64"));
  await page.close();
  tell(name);
}

function tell(name) {
  const { size } = statSync(join(OUT, name));
  console.log(`docs/images/${name}: ${size} bytes`);
  if (size > MOST) throw new Error(`${name} has more than ${MOST} bytes`);
}

const shot = async (page) => {
  await page.waitForTimeout(400);
  return page.screenshot();
};

const take = async (page, name) => {
  writeFileSync(join(OUT, name), await shot(page));
  tell(name);
};

// What the camera's firmware would have recorded.
const hour = join(demo.dir, "sdcard/MIJIA_RECORD_VIDEO/2026112714");
mkdirSync(hour, { recursive: true });
for (const minute of ["05", "06", "07"]) writeFileSync(join(hour, `${minute}M09S_17957883${minute}.mp4`), Buffer.alloc(4_300_000));

const light = await open(chrome, demo, { viewport: { width: 1100, height: 760 }, reducedMotion: "reduce" });
await enter(light, demo);
await light.goto("/#/live");
await light.getByRole("button", { name: "Turn on streams" }).click();
await light.locator("video").waitFor();
const play = light.getByRole("button", { name: "Play" });
if (await play.count()) await play.click();
await light.waitForFunction(() => document.querySelector("video").currentTime > 2);
await light.locator("tr").filter({ hasText: "this page" }).waitFor();
await take(light, "live.png");

for (const name of ["home", "chip"]) {
  await show(light, name);
  await take(light, `${name}.png`);
}
for (const name of ["backups", "services", "settings", "log", "camera"]) {
  await show(light, name);
  await webp(`${name}.webp`, [await shot(light)], 1100);
}
await show(light, "card");
await light.locator("details.day > summary").click();
await light.getByText("14:00").click();
await light.locator("li").filter({ hasText: "14:05:09" }).waitFor();
await webp("card.webp", [await shot(light)], 1100);

const phone = await open(chrome, demo, { viewport: { width: 390, height: 780 }, isMobile: true, hasTouch: true,
  colorScheme: "dark", reducedMotion: "reduce" });
await enter(phone, demo);
await show(phone, "home");
await take(phone, "phone.png");

// A flash: the file, the plan, the writing, the end.
const strip = [];
await show(light, "flash");
await light.locator("#file").setInputFiles({ name: "tf_recovery.img", mimeType: "", buffer: tfImage(PROGRAM) });
await light.locator(".after .verdict:not(.wait)").waitFor();
await light.evaluate(() => document.querySelector(".after").scrollIntoView({ block: "center" }));
strip.push(await shot(light));
await light.getByRole("button", { name: "Preview changes" }).click();
await light.locator(".plan .phrase").waitFor();
await light.evaluate(() => document.querySelector(".plan").scrollIntoView({ block: "start" }));
await take(light, "plan.png");
strip.push(readFileSync(join(OUT, "plan.png")));
const phrase = await light.locator(".plan .phrase").textContent();
await light.getByLabel("Confirmation phrase").fill(phrase);
await light.getByRole("button", { name: "Write to the chip" }).click();
await light.waitForFunction(() => document.querySelector("progress[aria-label=Progress]")?.value > .4
  && /Writing/.test(document.querySelector(".live .now")?.textContent));
strip.push(await light.screenshot());
await light.locator(".end.good").waitFor();
await light.evaluate(() => document.querySelector(".end").scrollIntoView({ block: "center" }));
strip.push(await light.screenshot());
await webp("flash.webp", strip, 520);

await chrome.close();
await demo.stop();
