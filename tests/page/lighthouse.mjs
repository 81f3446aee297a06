// Lighthouse on every view, phone and desktop. Its figures are of a machine that does nothing else:
// a load lowers them, so a view that falls short is looked at again.

import assert from "node:assert/strict";
import { launch } from "chrome-launcher";
import look from "lighthouse";
import desktop from "lighthouse/core/config/desktop-config.js";
import { Demo } from "./rig.mjs";
import { NAMES } from "./views.mjs";

const LEAST = 0.95;
const LOOKS = 3;
const PHONE = { extends: "lighthouse:default" };

async function judge(demo, chrome, name, config) {
  const { lhr } = await look(`${demo.url}/${name}`, {
    port: chrome.port, output: "json", logLevel: "silent",
    extraHeaders: name === "" ? {} : { Cookie: demo.session.Cookie },
    onlyCategories: ["performance", "accessibility", "best-practices"],
  }, config);
  return Object.values(lhr.categories).map(({ id, score, auditRefs }) => ({
    id, score, bad: auditRefs.map((ref) => lhr.audits[ref.id])
      .filter((audit) => audit.score !== null && audit.score < 0.9)
      .map((audit) => `${audit.id} ${audit.displayValue ?? ""}`).join(", "),
  }));
}

export const lighthouse = {
  async "lighthouse gives 95 or more for every view, phone and desktop"() {
    const demo = await Demo.start();
    await demo.setUp();
    await demo.settled();
    const chrome = await launch({
      chromePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      chromeFlags: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync"],
    });
    const poor = [];
    try {
      for (const [size, config] of Object.entries({ phone: PHONE, desktop })) {
        for (const name of ["", ...NAMES.map((n) => `#/${n}`)]) {
          let best;
          let looks = 0;
          do {
            const now = await judge(demo, chrome, name, config);
            best = now.map((one, i) => best && best[i].score >= one.score ? best[i] : one);
            looks += 1;
          } while (looks < LOOKS && best.some(({ score }) => score < LEAST));
          console.log(`lighthouse ${size} ${name || "door"}: ${best.map(({ score }) => Math.round(score * 100)).join(" ")}`
            + (looks > 1 ? ` (best of ${looks})` : ""));
          for (const { id, score, bad } of best) {
            if (!(score >= LEAST)) poor.push(`${size} ${name || "door"} ${id} ${score}: ${bad}`);
          }
        }
      }
    } finally {
      chrome.kill();
    }
    await demo.stop();
    assert.deepEqual(poor, []);
  },
};
