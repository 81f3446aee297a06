// What the page weighs and asks for.

import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { Demo, enter, open } from "./rig.mjs";

const KIB = 1024;

export const budgets = {
  async "all assets together have at most 60 KiB gzipped, without another host in them"() {
    const demo = await Demo.start();
    let total = 0;
    for (const [path, languages] of [["/", ["en", "pt"]], ["/mi360d.css", ["en"]], ["/mi360d.js", ["en"]]]) {
      for (const language of languages) {
        const answer = await fetch(demo.url + path, { headers: { "Accept-Language": language } });
        const text = await answer.text();
        const policy = answer.headers.get("content-security-policy");
        assert.ok(policy.includes("default-src 'none'") && !policy.includes("unsafe-"), policy);
        assert.ok(!/https?:\/\/(?!www\.w3\.org\/2000\/svg)/.test(text), `${path} names another host`);
        const size = gzipSync(text, { level: 9 }).length;
        total += size;
        console.log(`${path} (${language}): ${text.length} bytes, ${size} gzipped`);
      }
    }
    console.log(`all of it: ${(total / KIB).toFixed(1)} KiB gzipped`);
    assert.ok(total <= 60 * KIB, `${total}`);
    await demo.stop();
  },

  async "the first view takes at most four requests, logged in or not"(chrome) {
    const demo = await Demo.start();
    const page = await open(chrome, demo);
    await page.goto("/");
    await page.locator("form").waitFor();
    assert.ok(page.context().asked.length <= 4, String(page.context().asked));
    await enter(page, demo);
    page.context().asked.length = 0;
    await page.reload();
    await page.locator(".answers").waitFor();
    const asked = [...page.context().asked];
    console.log(`the first view asks for ${asked.join(", ")}`);
    assert.ok(asked.length <= 4, String(asked));
    assert.deepEqual(page.context().foreign, []);
    await page.context().close();
    await demo.stop();
  },
};
