// Bad conditions: a card that is full or read-only, a program that ends in the middle, two tabs at once.
// What is said is true, names no file and no number of the system, and says what to do, in both languages.

import assert from "node:assert/strict";
import { renameSync } from "node:fs";
import { join } from "node:path";
import { BODY, tfImage } from "./images.mjs";
import { Demo, PASSWORD, PROGRAM, close, enter, open, ready, until } from "./rig.mjs";

const LOCALES = ["en-US", "pt-PT"];

/** Chooses the image on Flash, on its way for some seconds; what is said of it then. */
async function upload(page, meanwhile) {
  const cdp = await page.context().newCDPSession(page);
  await cdp.send("Network.emulateNetworkConditions",
    { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: 8 << 20 });
  await page.goto("/#/flash");
  await page.locator(".drop").waitFor();
  await page.locator("#file").setInputFiles({ name: "tf_recovery.img", mimeType: "", buffer: tfImage(PROGRAM) });
  await page.locator(".drop .bar").filter({ hasText: /[1-9]\d? %/ }).waitFor();
  await meanwhile();
  const said = await page.locator(".drop .trouble").innerText();
  assert.doesNotMatch(said, /os error|sdcard|\.part/);
  await cdp.detach();
  return said;
}

/** From a sent file to its phrase, ready to be sent. */
async function prepare(page) {
  await page.goto("/#/flash");
  await page.locator(".drop").waitFor();
  await page.locator("#file").setInputFiles({ name: "tf_recovery.img", mimeType: "", buffer: tfImage(PROGRAM) });
  await page.getByRole("button", { name: "Preview changes" }).click();
  await page.locator(".plan form input[type=text]").fill(await page.locator(".plan .phrase").textContent());
}

export const bad = {
  async "bad: a card that fills up during an upload, and one that is read-only"(chrome) {
    const demo = await Demo.start({ card: "size=64m" });
    await demo.setUp();
    await demo.settled();
    const pages = {};
    for (const locale of LOCALES) {
      const page = pages[locale] = await open(chrome, demo, { locale });
      await enter(page, demo);
      const said = await upload(page, () => demo.atCard('cat /dev/zero >"$1/filler" 2>/dev/null; true'));
      assert.match(said, locale === "en-US" ? /No space left[^]*Delete old backups/ : /quase cheio[^]*Apague cópias/);
      demo.atCard('rm "$1/filler"');
    }
    assert.deepEqual((await demo.call("GET", "/api/v1/images")).json.images, []);
    demo.atCard('mount -o remount,ro "$1"');
    for (const [locale, words] of [["en-US", ["Read-only", "Safe", "Verified", "The card is read-only"]],
      ["pt-PT", ["Só de leitura", "Segura", "Verificada", "O cartão está só de leitura"]]]) {
      const page = pages[locale];
      await page.goto("/#/home");
      // What is on such a card can be read: identity and backup are as safe as before.
      for (const word of words) await page.locator("main").filter({ hasText: word }).waitFor();
      await page.goto("/#/settings");
      const keep = page.locator("#section-backup input[type=number]");
      await keep.fill("7");
      await page.locator("#section-backup button[type=submit]").click();
      const trouble = page.locator("#section-backup .trouble");
      assert.match(await trouble.innerText(), locale === "en-US" ? /Read-only[^]*switch/ : /só de leitura[^]*patilha/);
      assert.doesNotMatch(await trouble.innerText(), /os error|sdcard/);
      await close(page);
    }
    await demo.stop();
  },

  async "bad: a program killed during an upload, and a card pulled during a backup"(chrome) {
    const demo = await ready();
    for (const locale of LOCALES) {
      const page = await open(chrome, demo, { locale });
      await enter(page, demo);
      const said = await upload(page, async () => {
        demo.child.kill("SIGKILL");
        await demo.ended;
      });
      assert.match(said, locale === "en-US" ? /interrupted[^]*Upload it again/ : /interrompido[^]*Envie de novo/);
      await page.getByRole("alert").filter({ hasText: locale === "en-US" ? "does not answer" : "não responde" }).waitFor();
      await demo.run();
      await page.locator("form input[type=password]").waitFor();
      await page.context().close();
      // Nothing is taken while the start verifies the backup.
      await demo.call("POST", "/api/v1/login", { password: PASSWORD });
      await demo.settled();
    }
    assert.deepEqual((await demo.call("GET", "/api/v1/images")).json.images, []);
    renameSync(join(demo.dir, "sdcard"), join(demo.dir, "pulled"));
    for (const [locale, button, says] of [["en-US", "Back up now", /No card[^]*Insert a card/],
      ["pt-PT", "Fazer cópia agora", /Não há cartão[^]*Insira um cartão/]]) {
      const page = await open(chrome, demo, { locale });
      await enter(page, demo);
      await page.goto("/#/backups");
      await page.getByRole("button", { name: button }).click();
      const trouble = page.locator("main .trouble").filter({ hasText: says });
      await trouble.waitFor();
      assert.doesNotMatch(await trouble.innerText(), /os error|sdcard/);
      await close(page);
    }
    await demo.stop();
  },

  async "bad: a card pulled during a flash: no restart is promised, and none comes"(chrome) {
    const demo = await ready({ env: { MI360D_SIM_PACE: "0.1" } });
    const image = tfImage(PROGRAM);
    const pages = [];
    for (const locale of LOCALES) {
      const page = await open(chrome, demo, { locale });
      await enter(page, demo);
      pages.push(page);
    }
    const sent = await demo.call("POST", "/api/v1/images", image, { "X-Filename": "tf_recovery.img" });
    const { json: plan } = await demo.call("POST", "/api/v1/plans", { image: sent.json.id });
    const { json: job } = await demo.call("POST", "/api/v1/jobs", { plan: plan.id, confirm: plan.confirm });
    for (const page of pages) await page.goto("/#/flash");
    // In the middle: DATA is done, and KERNEL waits.
    await until("ROOTFS is written", async () => (await demo.call("GET", `/api/v1/jobs/${job.id}`)).json.partition === "ROOTFS");
    renameSync(join(demo.dir, "sdcard"), join(demo.dir, "pulled"));
    const { state, restarts } = await demo.wait(job);
    assert.deepEqual([state, restarts], ["done", false]);
    for (const [page, done, warning] of [[pages[0], "Done and verified", /could not be removed from the card\. Take the card out/],
      [pages[1], "Concluído e verificado", /não foi possível apagar .* do cartão\. Retire o cartão/i]]) {
      const end = page.locator(".end").filter({ hasText: done });
      await end.filter({ hasText: warning }).waitFor();
      assert.doesNotMatch(await end.innerText(), /os error|restarts now|está a reiniciar/);
    }
    assert.deepEqual(demo.flash.subarray(...BODY), image.subarray(0, BODY[1] - BODY[0]));
    assert.equal((await demo.call("GET", "/api/v1/status")).status, 200, "the session is still there");
    for (const page of pages) await close(page);
    await demo.stop();
  },

  async "bad: two tabs begin a flash at once, and one logs the other out"(chrome) {
    const demo = await ready({ env: { MI360D_SIM_PACE: "0.1" } });
    const one = await open(chrome, demo);
    await enter(one, demo);
    const two = await one.context().newPage();
    await two.goto("/#/home");
    for (const page of [one, two]) await prepare(page);
    for (const page of [one, two]) await page.getByRole("button", { name: "Write to the chip" }).click({ noWaitAfter: true });
    const refused = (page) => page.locator(".plan .trouble").filter({ hasText: /Another job is running[^]*Wait until it has ended/ });
    const writes = (page) => page.getByRole("heading", { name: "Writing the chip" });
    await until("one is refused, and the other writes", async () =>
      await refused(one).count() + await refused(two).count() === 1 && await writes(one).count() + await writes(two).count() === 1);
    // The one that was refused logs out: the other one is at the door, and says why.
    const [away, other] = await refused(one).count() ? [one, two] : [two, one];
    await away.getByRole("button", { name: "Log out" }).click();
    await away.getByRole("dialog").getByRole("button", { name: "Discard changes" }).click({ timeout: 1000 }).catch(() => {});
    await other.getByText("The session has ended").waitFor();
    await close(one, demo);
  },
};
