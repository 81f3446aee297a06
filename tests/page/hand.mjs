// A browser at a camera that another test has (tests/rtsp/hand.py): logs in, opens Live, and does what
// it reads, a JSON document a line, each with one line as the answer.
//
//   node hand.mjs ADDRESS PASSWORD

import { createInterface } from "node:readline";
import { browser, open } from "./rig.mjs";

const [url, password] = process.argv.slice(2);
const chrome = await browser();
const page = await open(chrome, { url });
const rowOf = (id) => page.locator(`[data-control="${id}"]`);

/** In the page: what a control's row shows. */
const shown = (row) => {
  const input = row.querySelector("input, select");
  if (!input) return [...row.querySelectorAll(".cell")].map((cell) => Number(cell.dataset.level));
  if (input.type === "checkbox") return input.indeterminate ? null : input.checked;
  if (input.type === "range") return row.querySelector("output").textContent ? Number(input.value) : null;
  return input.value || null;
};

const does = {
  /** The next step towards a value: a click, a choice, a slider, the areas and their button. */
  async set({ id, value, again }) {
    const row = rowOf(id);
    await row.waitFor();
    const kind = await row.evaluate((element) => element.querySelector("input, select")?.type ?? "areas");
    const now = await row.evaluate(shown);
    if (again || JSON.stringify(now) !== JSON.stringify(value)) {
      if (kind === "checkbox") await row.locator("input").click();
      else if (kind === "range") await row.locator("input").fill(String(value));
      else if (kind === "areas") await areas(row, value);
      else await row.locator("select").selectOption(value);
    }
    await page.waitForFunction((name) => !document.querySelector(`[data-control="${name}"]`).ariaBusy, id);
    const refused = await row.getByRole("alert").allTextContents();
    return { value: await row.evaluate(shown), note: await row.locator(".help").allTextContents(), refused };
  },

  /** Waits until the page shows it, and says when that was. */
  async await({ id, value }) {
    const wanted = JSON.stringify(value);
    while (JSON.stringify(await rowOf(id).evaluate(shown)) !== wanted) {
      await new Promise((done) => setTimeout(done, 20));
    }
    return { at: Date.now() / 1000 };
  },

  async words({ id, text }) {
    await rowOf(id).getByText(text).waitFor();
    return {};
  },

  async press({ name }) {
    await page.getByRole("button", { name, exact: true }).click();
    return {};
  },

  /** A button of the motors, held until the camera is there. */
  async hold({ name, ms }) {
    const button = page.getByRole("button", { name, exact: true });
    await button.dispatchEvent("pointerdown", { button: 0, pointerId: 1 });
    await new Promise((done) => setTimeout(done, ms));
    await button.dispatchEvent("pointerup", { button: 0, pointerId: 1 });
    return {};
  },

  async end() {
    const { wrong, foreign } = page.context();
    return { wrong, foreign };
  },
};

async function areas(row, levels) {
  if (!await row.locator("details").evaluate((element) => element.open)) await row.locator("summary").click();
  const cells = row.locator(".cell");
  for (const [at, level] of levels.entries()) {
    const has = Number(await cells.nth(at).getAttribute("data-level"));
    for (let press = has; press % 4 !== level; press += 1) await cells.nth(at).click();
  }
  await row.getByRole("button", { name: "Save areas" }).click();
}

await page.goto("/");
await page.locator("form .eye").waitFor();
await page.locator("form input[type=password]").fill(password);
await page.locator("form button[type=submit]").click();
await page.locator(".house main h1").waitFor();
await page.goto("/#/live");
await page.getByRole("heading", { name: "Camera controls" }).waitFor();
console.log(JSON.stringify({}));
for await (const line of createInterface({ input: process.stdin })) {
  const { does: what, ...more } = JSON.parse(line);
  let answer;
  try {
    answer = await does[what](more);
  } catch (error) {
    answer = { error: String(error) };
  }
  console.log(JSON.stringify(answer));
}
await chrome.close();
