// Settings, of the camera and of a hack: wrong values at their fields, what a test of an address says,
// and changes that are not saved.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer as serveHttp } from "node:http";
import { createServer } from "node:net";
import { join } from "node:path";
import { PASSWORD, close, enter, open, ready, until } from "./rig.mjs";
import { axe } from "./views.mjs";

/** What listens where a broker would, and answers each greeting with this code. */
function broker(code) {
  return new Promise((done) => {
    const server = createServer((line) => {
      line.on("error", () => {});
      line.once("data", () => line.write(Buffer.from([0x20, 2, 0, code])));
    }).listen(0, "127.0.0.1", () => done(server));
  });
}

export const settings = {
  async "settings: a wrong value said at its field, a right one kept, the language changed"(chrome) {
    const demo = await ready();
    writeFileSync(join(demo.home, "config.toml"), "# mine\n[backup]\nkeep = 5 # five\n");
    const page = await open(chrome, demo);
    await enter(page, demo);
    await page.goto("/#/settings");
    const keep = page.getByLabel("Number of backups to keep");
    await keep.evaluate((input) => { input.removeAttribute("max"); });
    await keep.fill("5000");
    const form = page.locator("form").filter({ has: keep });
    await form.getByRole("button", { name: "Save" }).click();
    await form.getByRole("alert").filter({ hasText: "1 to 1000" }).waitFor();
    assert.equal(await keep.getAttribute("aria-invalid"), "true");
    await keep.fill("7");
    await form.getByRole("button", { name: "Save" }).click();
    await form.getByRole("status").filter({ hasText: "Saved" }).waitFor();
    const { json } = await demo.call("GET", "/api/v1/config");
    assert.equal(json.backup.keep, 7);
    await page.getByLabel("Language").selectOption("pt");
    await page.locator("form").filter({ has: page.getByLabel("Language") }).getByRole("button", { name: "Save" }).click();
    await page.getByRole("status").filter({ hasText: "Saved" }).last().waitFor();
    await page.goto("/");
    await page.reload();
    await page.getByRole("heading", { name: "Ao vivo" }).waitFor();
    assert.equal(await page.locator("html").getAttribute("lang"), "pt");
    await close(page);
    await demo.stop();
  },

  async "settings: a time is added for some days, shown with its next one, and deleted"(chrome) {
    const demo = await ready();
    await demo.call("PUT", "/api/v1/config", { camera: { time_zone: "CET-1", reboot: "sun 04:30" } });
    const page = await open(chrome, demo, { timezoneId: "Asia/Kathmandu" });
    await enter(page, demo);
    await page.goto("/#/settings");
    const table = page.locator("#section-times");
    const rows = table.getByRole("row");
    await rows.filter({ hasText: "04:30" }).filter({ hasText: "Restart" }).waitFor();
    const kept = async () => (await demo.call("GET", "/api/v1/config")).json.camera;
    for (const day of ["Sat", "Sun"]) await table.getByLabel(day, { exact: true }).uncheck();
    await table.getByLabel("Time", { exact: true }).fill("07:30");
    await table.getByLabel("Action").selectOption({ label: "Camera on" });
    await table.getByRole("button", { name: "Add" }).click();
    const added = rows.filter({ hasText: "Mon, Tue, Wed, Thu, Fri" });
    await added.waitFor();
    // The next time is one of the camera's zone, and not of this browser's.
    assert.match(await added.innerText(), /07:30\s+Camera on\s+(Mon|Tue|Wed|Thu|Fri)\D+\d+\D+0?7:30/);
    // The restart as earlier versions wrote it is now one of the times.
    const { schedule, reboot } = await kept();
    assert.deepEqual([schedule, reboot], [["sun 04:30 restart", "mon,tue,wed,thu,fri 07:30 power on"], undefined]);
    await axe(page, "settings, with times");
    await added.getByRole("button", { name: "Delete: Mon, Tue, Wed, Thu, Fri 07:30 Camera on" }).click();
    await added.waitFor({ state: "detached" });
    assert.deepEqual((await kept()).schedule, ["sun 04:30 restart"]);
    // Without a day nothing is sent.
    for (const day of ["Mon", "Tue", "Wed", "Thu", "Fri"]) await table.getByLabel(day, { exact: true }).uncheck();
    await table.getByRole("button", { name: "Add" }).click();
    assert.ok(await table.getByLabel("Mon", { exact: true }).evaluate((box) => !box.validity.valid));
    assert.equal(await rows.count(), 2);
    await close(page);
    await demo.stop();
  },

  async "a hack's form: every type of setting shown, checked and kept, a secret never shown"(chrome) {
    const demo = await ready();
    mkdirSync(join(demo.home, "../hacks/sample"), { recursive: true });
    writeFileSync(join(demo.home, "../hacks/sample/hack.toml"), SAMPLE);
    const page = await open(chrome, demo);
    await enter(page, demo);
    await page.goto("/#/services");
    const card = page.locator(".service").filter({ hasText: "A sample" });
    await card.locator("summary").filter({ hasText: "Settings" }).click();
    assert.deepEqual(await card.getByLabel("How", { exact: true }).locator("option").allTextContents(), ["auto", "<b>loud</b>"]);
    await card.getByLabel("How", { exact: true }).selectOption("<b>loud</b>");
    await card.getByLabel("Key", { exact: true }).fill("short");
    await card.getByRole("button", { name: "Save" }).click();
    await card.getByRole("alert").filter({ hasText: "at least 8" }).waitFor();
    assert.equal(await card.getByLabel("Key", { exact: true }).getAttribute("aria-invalid"), "true");
    await card.getByLabel("Key", { exact: true }).fill("long enough");
    await card.getByLabel("Many").fill("one\ntwo");
    await card.getByRole("button", { name: "Save" }).click();
    await card.getByRole("status").filter({ hasText: "Saved" }).waitFor();
    await demo.call("POST", "/api/v1/login", { password: PASSWORD });
    const read = async () => {
      const { json } = await demo.call("GET", "/api/v1/services/sample");
      assert.ok(!JSON.stringify(json).includes("long enough"));
      return Object.fromEntries(json.settings.map((one) => [one.name, one.secret ? one.set : one.value]));
    };
    assert.deepEqual(await read(), { how: "<b>loud</b>", key: true, many: ["one", "two"], often: 3 });
    assert.match(readFileSync(join(demo.home, "config.toml"), "utf8"), /long enough/);
    // After a reload the secret is said to be set; saving something else leaves it so.
    await page.reload();
    await card.locator("summary").filter({ hasText: "Settings" }).click();
    assert.equal(await card.getByLabel("Key", { exact: true }).inputValue(), "");
    assert.match(await card.getByLabel("Key", { exact: true }).getAttribute("placeholder"), /hidden/);
    await card.getByLabel("How often").fill("4");
    await card.getByRole("button", { name: "Save" }).click();
    await card.getByRole("status").filter({ hasText: "Saved" }).waitFor();
    assert.deepEqual(await read(), { how: "<b>loud</b>", key: true, many: ["one", "two"], often: 4 });
    await card.getByLabel("Remove").check();
    await card.getByRole("button", { name: "Save" }).click();
    await until("the secret is gone", async () => (await read()).key === false);
    await close(page);
    await demo.stop();
  },

  async "truth: a city is a time zone, what is none is refused at its field, and the browser knows its own"(chrome) {
    const demo = await ready();
    const page = await open(chrome, demo, { timezoneId: "Asia/Kathmandu" });
    await enter(page, demo);
    await page.goto("/#/settings");
    const zone = page.getByLabel("Time zone");
    const form = page.locator("form").filter({ has: zone });
    const save = form.getByRole("button", { name: "Save" });
    await zone.fill("Nowhere");
    await save.click();
    await form.getByRole("alert").filter({ hasText: /Time zone: expected/ }).waitFor();
    const now = async () => (await demo.call("GET", "/api/v1/config")).json.camera.time_zone;
    assert.equal(await now(), "UTC0");
    await zone.fill("Lisbon");
    await save.click();
    await form.getByRole("status").filter({ hasText: "Saved" }).waitFor();
    assert.equal(await now(), "WET0WEST,M3.5.0/1,M10.5.0");
    await form.getByRole("button", { name: "Use this browser's" }).click();
    await save.click();
    while (await now() !== "<+0545>-5:45") await new Promise((done) => setTimeout(done, 100));
    assert.equal((await demo.call("PUT", "/api/v1/config", { camera: { time_zone: "Lisbon" } })).status, 422);
    await page.getByRole("button", { name: "Set the clock from this browser" }).click();
    await page.getByRole("alert").filter({ hasText: "clock of this PC" }).waitFor();
    await close(page, demo);
  },

  async "truth: why the broker is not connected is said, and Test tries what is typed"(chrome) {
    const demo = await ready();
    const [good, bad] = [await broker(0), await broker(5)];
    const page = await open(chrome, demo);
    await enter(page, demo);
    await page.goto("/#/settings?section=mqtt");
    const section = page.locator("#section-mqtt");
    const test = async (port, says) => {
      await section.getByLabel("Broker", { exact: true }).fill(`127.0.0.1:${port}`);
      await section.getByRole("button", { name: "Test connection" }).click();
      await section.locator(".note").filter({ hasText: says }).waitFor();
    };
    await section.getByRole("button", { name: "Test connection" }).click();
    await section.locator(".trouble").filter({ hasText: "No broker is set" }).waitFor();
    await test(good.address().port, "accepted this camera");
    await test(bad.address().port, "does not accept this user");
    await test(1, "Nothing answers at this address");
    assert.equal((await demo.call("GET", "/api/v1/config")).json.mqtt.broker, undefined, "a test saves nothing");
    await section.getByRole("button", { name: "Save" }).click();
    await section.locator(".note").filter({ hasText: "Not connected to the broker" }).waitFor();
    assert.ok(!(await section.textContent()).includes("os error"));
    good.close();
    bad.close();
    await close(page, demo);
  },

  async "truth: the web hook's test says what the server answered, and saves nothing"(chrome) {
    const demo = await ready();
    const taken = [];
    const server = serveHttp((request, answer) => {
      let body = "";
      request.on("data", (data) => { body += data; });
      request.on("end", () => {
        if (request.url === "/moved") answer.writeHead(302, { Location: "/hook" });
        else if (request.url !== "/hook") answer.writeHead(404);
        else taken.push(JSON.parse(body));
        answer.end();
      });
    });
    await new Promise((done) => server.listen(0, "127.0.0.1", done));
    const other = createServer((line) => line.on("error", () => {}).end("SSH-2.0-x\r\n"));
    await new Promise((done) => other.listen(0, "127.0.0.1", done));
    const page = await open(chrome, demo);
    await enter(page, demo);
    await page.goto("/#/settings?section=events");
    const row = page.locator("#section-events .field").filter({ has: page.getByLabel("Web hook", { exact: true }) });
    const test = async (address, says) => {
      await row.getByLabel("Web hook").fill(address);
      await row.getByRole("button", { name: "Send test event" }).click();
      await row.locator(".note, .trouble").filter({ hasText: says }).waitFor();
    };
    const base = `http://127.0.0.1:${server.address().port}`;
    await test("", "No address to test");
    await test("https://127.0.0.1/", "HTTPS is not supported");
    await test(base + "/wrong", "answered 404");
    await test(base + "/moved", "Redirects are not followed");
    await test(`http://127.0.0.1:${other.address().port}/`, "not a web server");
    await test("http://127.0.0.1:1/", "Nothing answers at this address");
    assert.deepEqual(taken, []);
    await test(base + "/hook", "accepted the test event");
    assert.equal(taken.length, 1);
    assert.equal(taken[0].event.kind, "test");
    assert.equal((await demo.call("GET", "/api/v1/config")).json.camera.web_hook, undefined, "a test saves nothing");
    server.close();
    other.close();
    await close(page, demo);
  },

  async "truth: settings that are not saved are asked about, and survive a login"(chrome) {
    const demo = await ready();
    const page = await open(chrome, demo);
    await enter(page, demo);
    await page.goto("/#/settings");
    const keep = page.getByLabel("Number of backups to keep");
    await keep.fill("9");
    await page.getByRole("link", { name: "Backups" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Keep editing" }).click();
    assert.equal(await keep.inputValue(), "9");
    // The session ends meanwhile.
    await page.context().clearCookies();
    const form = page.locator("form").filter({ has: keep });
    await form.getByRole("button", { name: "Save" }).click();
    await page.getByText("Your unsaved changes are kept.").waitFor();
    await page.locator("form input[type=password]").fill(PASSWORD);
    await page.keyboard.press("Enter");
    await keep.waitFor();
    assert.equal(await keep.inputValue(), "9");
    await form.getByRole("button", { name: "Save" }).click();
    await form.getByRole("status").filter({ hasText: "Saved" }).waitFor();
    const { json } = await demo.call("GET", "/api/v1/config");
    assert.equal(json.backup.keep, 9);
    await keep.fill("8");
    await page.getByRole("link", { name: "Backups" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Discard changes" }).click();
    await page.getByRole("heading", { name: "Backups" }).waitFor();
    // Without changes it says why there is a login.
    await page.context().clearCookies();
    await page.getByText("The session has ended").waitFor();
    await close(page, demo);
  },
};

/** A hack with a setting of each kind that has an input of its own. */
const SAMPLE = `id = "sample"
name = "A sample"
about = "Does nothing."
exec = ["./nothing", "{settings.how}"]

[settings.how]
type = "enum"
title = "How"
choices = ["auto", "<b>loud</b>"]
default = "auto"

[settings.key]
type = "secret"
title = "Key"
min_length = 8
file = "key"

[settings.many]
type = "list"
title = "Many"

[settings.often]
type = "integer"
title = "How often"
min = 1
max = 9
default = 3
`;
