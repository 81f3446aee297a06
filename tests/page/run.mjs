// Runs the page's tests, all or those whose names hold a word; at the end N passed, N failed.

import { budgets } from "./budgets.mjs";
import { journeys } from "./journeys.mjs";
import { browser } from "./rig.mjs";
import { schema } from "./schema.mjs";
import { views } from "./views.mjs";

const word = process.argv[2] ?? "";
const tests = Object.entries({ ...budgets, ...schema, ...journeys, ...views }).filter(([name]) => name.includes(word));
const chrome = await browser();
let passed = 0;
let failed = 0;
for (const [name, test] of tests) {
  const began = Date.now();
  let verdict = "ok";
  try {
    await test(chrome);
    passed += 1;
  } catch (error) {
    failed += 1;
    verdict = "FAILED";
    console.log(`--- ${name}\n${error.stack ?? error}`);
    for (const context of chrome.contexts()) await context.close();
  }
  console.log(`page ${name} ... ${verdict} (${((Date.now() - began) / 1000).toFixed(1)} s)`);
}
await chrome.close();
console.log(`${passed} passed, ${failed} failed`);
process.exit(passed > 0 && failed === 0 ? 0 : 1);
