// Lighthouse on every view, phone and desktop. Its figures are of a machine that does nothing else:
// a load lowers them, so a view that falls short is looked at again.

import assert from "node:assert/strict";
import { launch } from "chrome-launcher";
import look from "lighthouse";
import { chromium } from "playwright-core";
import desktop from "lighthouse/core/config/desktop-config.js";
import { Demo } from "./rig.mjs";
import { NAMES } from "./views.mjs";

const LEAST = 0.95;
const LOOKS = 3;
const PHONE = { extends: "lighthouse:default" };

/** One look, with a browser of its own that has the session's cookie: the page's own, set by its script,
 * would replace a header. */
async function judge(demo, name, config) {
  const chrome = await launch({
    chromePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    chromeFlags: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
      "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
  if (name !== "") {
    const control = await chromium.connectOverCDP(`http://127.0.0.1:${chrome.port}`);
    const [session, value] = demo.session.Cookie.split("=");
    await control.contexts()[0].addCookies([
      { name: session, value, url: demo.url }, { name: "mi360d_in", value: "1", url: demo.url }]);
    await control.close();
  }
  const { lhr, artifacts } = await look(`${demo.url}/${name}`, {
    port: chrome.port, output: "json", logLevel: "silent",
    disableStorageReset: true,
    onlyCategories: ["performance", "accessibility", "best-practices", "seo"],
  }, config).finally(() => chrome.kill());
  const isIn = artifacts.AnchorElements.some(({ rawHref }) => rawHref === "#/settings");
  assert.equal(isIn, name !== "", `${name}: this is what was looked at`);
  return Object.values(lhr.categories).map(({ id, score, auditRefs }) => ({
    id, score, bad: auditRefs.map((ref) => lhr.audits[ref.id])
      .filter((audit) => audit.score !== null && audit.score < 0.9)
      .map((audit) => `${audit.id} ${audit.displayValue ?? ""}`).join(", "),
  }));
}

/** The test; `lighthouse`, or `lighthouse phone`, or `lighthouse phone live` measures fewer. */
export const lighthouse = (word) => ({
  async "lighthouse gives 95 or more for every view, phone and desktop"() {
    const [, onlySize, onlyView] = word.split(" ");
    const demo = await Demo.start();
    await demo.setUp();
    await demo.settled();
    const poor = [];
    let measured = 0;
    for (const [size, config] of Object.entries({ phone: PHONE, desktop })) {
      for (const name of ["", ...NAMES.map((n) => `#/${n}`)]) {
        const called = name.slice(2) || "door";
        if ((onlySize ?? size) !== size || (onlyView ?? called) !== called) continue;
        let best;
        let looks = 0;
        do {
          const now = await judge(demo, name, config);
          best = now.map((one, i) => best && best[i].score >= one.score ? best[i] : one);
          looks += 1;
        } while (looks < LOOKS && best.some(({ score }) => score < LEAST));
        measured += 1;
        console.log(`lighthouse ${size} ${called}: ${best.map(({ score }) => Math.round(score * 100)).join(" ")}`
          + (looks > 1 ? ` (best of ${looks})` : ""));
        for (const { id, score, bad } of best) {
          if (!(score >= LEAST)) poor.push(`${size} ${called} ${id} ${score}: ${bad}`);
        }
      }
    }
    await demo.stop();
    assert.deepEqual(poor, []);
    assert.ok(measured > 0, `no such view: ${word}`);
  },
});
