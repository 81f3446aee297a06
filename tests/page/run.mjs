// Runs the page's tests, all or those whose names hold a word; at the end N passed, N failed.
// Lighthouse runs by its name only: its figures want a machine that does nothing else.

import { budgets } from "./budgets.mjs";
import { card } from "./card.mjs";
import { frames } from "./frames.mjs";
import { journeys } from "./journeys.mjs";
import { lighthouse } from "./lighthouse.mjs";
import { live } from "./live.mjs";
import { load } from "./load.mjs";
import { browser, tidy } from "./rig.mjs";
import { schema } from "./schema.mjs";
import { truth } from "./truth.mjs";
import { views } from "./views.mjs";
import { ways } from "./ways.mjs";
import { words } from "./words.mjs";

/** Longer than any of them takes, on any machine. */
const LIMIT = 600_000;

const word = (process.argv[2] ?? "").toLowerCase();
const all = { ...budgets, ...card, ...frames, ...journeys, ...live, ...load, ...truth, ...views, ...ways, ...words, ...schema };
const tests = Object.entries(word.startsWith("lighthouse") ? lighthouse : all)
  .filter(([name]) => name.toLowerCase().includes(word));
let chrome = await browser();
let passed = 0;
let failed = 0;
for (const [name, test] of tests) {
  const began = Date.now();
  let verdict = "ok";
  if (!chrome.isConnected()) chrome = await browser();
  let timer;
  const late = new Promise((_, stop) => {
    timer = setTimeout(() => stop(new Error(`not done after ${LIMIT / 1000} s`)), LIMIT);
  });
  try {
    await Promise.race([test(chrome), late]);
    passed += 1;
  } catch (error) {
    failed += 1;
    verdict = "FAILED";
    console.log(`--- ${name}\n${error.stack ?? error}`);
  }
  clearTimeout(timer);
  await tidy(chrome);
  console.log(`page ${name} ... ${verdict} (${((Date.now() - began) / 1000).toFixed(1)} s)`);
}
await chrome.close();
console.log(`${passed} passed, ${failed} failed`);
process.exit(passed > 0 && failed === 0 ? 0 : 1);
