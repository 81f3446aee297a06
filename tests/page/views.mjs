// Every view, on phone and desktop: axe-core finds nothing, nothing sticks out, Lighthouse gives 95.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { launch } from "chrome-launcher";
import lighthouse from "lighthouse";
import { Demo, PASSWORD, enter, open } from "./rig.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
export const NAMES = ["home", "chip", "flash", "backups", "services", "settings", "log", "camera"];
export const SIZES = {
  phone: { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true },
  desktop: { viewport: { width: 1280, height: 860 } },
};
const LEAST = 0.95;

/** Shows a view and waits until it stands. */
export async function show(page, name) {
  await page.goto(`/#/${name}`);
  await page.locator("main h1").waitFor();
  await page.locator("main > :nth-child(2)").waitFor({ state: "attached" });
  await page.waitForLoadState("networkidle").catch(() => {});
}

async function axe(page, what) {
  // The policy lets no script in but the page's own; a test comes in by the debugger.
  const { violations } = await page.evaluate(`${AXE}; axe.run(document, { resultTypes: ["violations"] })`);
  const told = violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html.slice(0, 120)).join(" | ")}`);
  assert.deepEqual(told, [], what);
}

async function fits(page, what) {
  const width = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(width <= 0, `${what} sticks out by ${width} pixels`);
}

export const views = {
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

  async "Lighthouse gives 95 or more for every view, phone and desktop"() {
    const demo = await Demo.start();
    await demo.setUp();
    await demo.settled();
    await demo.call("POST", "/api/v1/login", { password: PASSWORD });
    const chrome = await launch({
      chromePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      chromeFlags: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync"],
    });
    const poor = [];
    for (const size of Object.keys(SIZES)) {
      for (const name of ["", ...NAMES.map((n) => `#/${n}`)]) {
        const headers = name === "" ? {} : { Cookie: demo.session.Cookie };
        const desktop = size === "desktop";
        const { lhr } = await lighthouse(`${demo.url}/${name}`, {
          port: chrome.port, output: "json", logLevel: "silent", extraHeaders: headers,
          onlyCategories: ["performance", "accessibility", "best-practices"],
        }, {
          extends: "lighthouse:default",
          settings: {
            formFactor: size === "desktop" ? "desktop" : "mobile",
            screenEmulation: { mobile: !desktop, width: SIZES[size].viewport.width,
              height: SIZES[size].viewport.height, deviceScaleFactor: 1, disabled: false },
            throttlingMethod: "simulate",
            maxWaitForLoad: 20_000,
          },
        });
        const scores = Object.fromEntries(Object.values(lhr.categories).map((c) => [c.id, c.score]));
        console.log(`lighthouse ${size} ${name || "door"}: ${Object.values(scores).map((s) => Math.round(s * 100)).join(" ")}`);
        for (const [id, score] of Object.entries(scores)) {
          if (score >= LEAST) continue;
          const bad = lhr.categories[id].auditRefs.map((ref) => lhr.audits[ref.id])
            .filter((audit) => audit.score !== null && audit.score < 0.9).map((audit) => `${audit.id} ${audit.displayValue ?? ""}`);
          poor.push(`${size} ${name || "door"} ${id} ${score}: ${bad.join(", ")}`);
        }
      }
    }
    chrome.kill();
    await demo.stop();
    assert.deepEqual(poor, []);
  },
};
