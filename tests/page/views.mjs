// Every view, on phone and desktop: axe-core finds nothing, and nothing sticks out.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { Demo, enter, open } from "./rig.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
export const NAMES = ["home", "chip", "flash", "backups", "live", "card", "services", "settings", "log", "camera"];
export const SIZES = {
  phone: { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true },
  desktop: { viewport: { width: 1280, height: 860 } },
};

/** Shows a view and waits until it stands. */
export async function show(page, name) {
  await page.goto(`/#/${name}`);
  await page.locator("main h1").waitFor();
  await page.locator("main > :nth-child(2)").waitFor({ state: "attached" });
  await page.waitForLoadState("networkidle").catch(() => {});
}

export async function axe(page, what) {
  // The policy lets no script in but the page's own; a test comes in by the debugger.
  const { violations } = await page.evaluate(`${AXE}; axe.run(document, { resultTypes: ["violations"] })`);
  const told = violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html.slice(0, 120)).join(" | ")}`);
  assert.deepEqual(told, [], what);
}

export async function fits(page, what) {
  const width = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(width <= 0, `${what} sticks out by ${width} pixels`);
}

/** The views whose parts come one after the other, and how far they may move what is read. */
const GROWING = ["live", "settings", "log"];
const MOST_SHIFT = .1;

export const views = {
  async "nothing that is read is pushed away while a view comes, and large text fits"(chrome) {
    const demo = await Demo.start();
    await demo.setUp();
    await demo.settled();
    const page = await open(chrome, demo, SIZES.phone);
    await page.addInitScript(() => {
      window.shift = 0;
      new PerformanceObserver((list) => {
        for (const { value } of list.getEntries()) window.shift += value;
      }).observe({ type: "layout-shift", buffered: true });
    });
    await enter(page, demo);
    for (const name of GROWING) {
      await show(page, name);
      await page.reload();
      await page.locator(name === "live" ? ".control" : name === "log" ? ".log:not(:empty)" : "#section-log").first().waitFor();
      await page.waitForTimeout(500);
      const shift = await page.evaluate(() => window.shift);
      assert.ok(shift <= MOST_SHIFT, `${name}: ${shift}`);
    }
    // A phone with text of 200 % has half the width.
    await page.setViewportSize({ width: 195, height: 390 });
    for (const name of NAMES) {
      await show(page, name);
      await fits(page, `${name}, large text`);
    }
    await page.context().close();
    await demo.stop();
  },

  async "axe-core finds nothing on any view, light and dark, phone and desktop"(chrome) {
    const demo = await Demo.start();
    await demo.setUp();
    await demo.settled();
    for (const [size, options] of Object.entries(SIZES)) {
      for (const colorScheme of ["light", "dark"]) {
        const page = await open(chrome, demo, { ...options, colorScheme, reducedMotion: "reduce" });
        await page.goto("/");
        await page.locator("form").waitFor();
        await axe(page, `door, ${size}, ${colorScheme}`);
        await enter(page, demo);
        for (const name of NAMES) {
          await show(page, name);
          for (const more of await page.locator("main details").all()) await more.evaluate((d) => { d.open = true; });
          await axe(page, `${name}, ${size}, ${colorScheme}`);
          await fits(page, `${name}, ${size}`);
        }
        await page.context().close();
      }
    }
    await demo.stop();
  },
};
