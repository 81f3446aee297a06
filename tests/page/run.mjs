// Runs the page's tests, all or those whose names hold a word; at the end N passed, N failed.
// Lighthouse runs by its name only: its figures want a machine that does nothing else. So do the other
// browsers, which take minutes.
// Without a name, what measures comes first and has the machine to itself. Of the rest, which mostly
// waits, two thirds run in two processes of their own (`--row N`), and so does schemathesis.

import { spawn } from "node:child_process";
import { bad } from "./bad.mjs";
import { budgets } from "./budgets.mjs";
import { card } from "./card.mjs";
import { frames } from "./frames.mjs";
import { journeys } from "./journeys.mjs";
import { lighthouse } from "./lighthouse.mjs";
import { live } from "./live.mjs";
import { load } from "./load.mjs";
import { others } from "./others.mjs";
import { browser, tidy } from "./rig.mjs";
import { schema } from "./schema.mjs";
import { settings } from "./settings.mjs";
import { truth } from "./truth.mjs";
import { views } from "./views.mjs";
import { ways } from "./ways.mjs";
import { words } from "./words.mjs";

/** Longer than any of them takes, on any machine. */
const LIMIT = 600_000;

const ROWS = 3;
const ROW = "--row";
const row = process.argv[2] === ROW ? Number(process.argv[3]) : 0;
const word = row ? "" : (process.argv[2] ?? "").toLowerCase();
const isWhole = !word && !row;
const measured = { ...budgets, ...load };
const all = {
  ...measured, ...bad, ...card, ...frames, ...journeys, ...live, ...settings, ...truth, ...views, ...ways, ...words, ...(word ? schema : {}),
};
const byName = /^(firefox|webkit)/.test(word) ? others : all;
const tests = Object.entries(word.startsWith("lighthouse") ? lighthouse(word) : byName)
  .filter(([name]) => word.startsWith("lighthouse") || name.toLowerCase().includes(word))
  .filter(([name], at) => word || (name in measured ? 0 : at % ROWS) === row);

/** Tests in a process of its own: how many passed and failed. */
function apart(...names) {
  const child = spawn(process.execPath, [process.argv[1], ...names], { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => { said += data; });
  return new Promise((done) => child.once("close", () => {
    const counts = said.trimEnd().match(/(?:^|\n)(\d+) passed, (\d+) failed$/);
    console.log(counts ? said.slice(0, said.trimEnd().lastIndexOf(counts[0])) : `--- ${names.join(" ")}\n${said}`);
    done(counts ? [Number(counts[1]), Number(counts[2])] : [0, 1]);
  }));
}
let chrome = await browser();
let passed = 0;
let failed = 0;
let beside = [];
for (const [name, test] of tests) {
  if (isWhole && !beside.length && !(name in measured)) {
    beside = [apart("schemathesis")];
    for (let other = 1; other < ROWS; other += 1) beside.push(apart(ROW, String(other)));
  }
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
for (const [good, bad] of await Promise.all(beside)) {
  passed += good;
  failed += bad;
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(passed > 0 && failed === 0 ? 0 : 1);
