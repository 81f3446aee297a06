// The journey from the first password to a flashed chip, against any camera's page:
// node vcam.mjs URL CODE IMAGE. The virtual camera's test drives it (tests/vcam/test_page.py).

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { browser, enter, open } from "./rig.mjs";

const [url, code, image] = process.argv.slice(2);
const chrome = await browser();
const page = await open(chrome, { url, code });
page.context().setDefaultTimeout(600_000);
await enter(page, { code });
await page.locator(".answer.good", { hasText: "Verified" }).waitFor();

await page.goto("/#/backups");
await page.getByRole("button", { name: "Verify" }).first().click();
await page.getByRole("status").filter({ hasText: "was verified" }).waitFor();

await page.goto("/#/flash");
await page.locator(".drop").waitFor();
await page.locator("#file").setInputFiles({
  name: "tf_recovery.img", mimeType: "application/octet-stream", buffer: readFileSync(image),
});
await page.getByRole("button", { name: "Preview changes" }).click();
const phrase = await page.locator(".plan .phrase").textContent();
console.log(`phrase: ${phrase}`);
await page.locator(".plan form input[type=text]").fill(phrase);
await page.getByRole("button", { name: "Write to the chip" }).click();

// The map fills: more cells are proven from one look to the next.
await page.locator(".live .cell.is-proven").first().waitFor();
let looks = 0;
let proven = 0;
while (await page.getByRole("heading", { name: "Done and verified" }).count() === 0) {
  const now = await page.locator(".cell.is-proven").count();
  assert.ok(now >= proven, "the map never goes back");
  if (now > proven) looks += 1;
  proven = now;
  await page.waitForTimeout(300);
}
console.log(`the map grew ${looks} times, to ${await page.locator(".cell.is-proven").count()} cells`);
assert.ok(looks >= 2, "it filled live");
assert.deepEqual(page.context().foreign, []);
assert.deepEqual(page.context().wrong, []);
await chrome.close();
