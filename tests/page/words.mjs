// Portuguese is whole: no English sentence of the page or the camera is left on any view.

import assert from "node:assert/strict";
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { tar, tfImage } from "./images.mjs";
import { PROGRAM, REPO, enter, open } from "./rig.mjs";
import { withStreams } from "./live.mjs";
import { NAMES, show } from "./views.mjs";

/** English, and no word of Portuguese or of a name. */
const ENGLISH = /\b(the|is|are|was|and|not|with|this|that|from|your|of|it|its|there|has|have|cannot|by|which|needs|waits|be)\b/i;

/** What is read on the page, but for what is no sentence: logs, paths, code. */
async function english(page, what) {
  for (const more of await page.locator("main details").all()) await more.evaluate((d) => { d.open = true; });
  await page.waitForTimeout(300);
  const lines = await page.evaluate(() => {
    const copy = document.body.cloneNode(true);
    for (const one of copy.querySelectorAll("pre, code, .mono, .phrase, script")) one.remove();
    const labels = [...copy.querySelectorAll("[aria-label], [title], [placeholder]")]
      .flatMap((one) => ["aria-label", "title", "placeholder"].map((name) => one.getAttribute(name) ?? ""));
    const walker = document.createTreeWalker(copy, NodeFilter.SHOW_TEXT);
    const texts = [];
    while (walker.nextNode()) texts.push(walker.currentNode.data);
    return [...texts, ...labels].map((text) => text.trim()).filter(Boolean);
  });
  assert.deepEqual(lines.filter((line) => ENGLISH.test(line)), [], what);
  assert.ok(lines.length > 4, `${what}: ${lines.length} lines`);
}

export const words = {
  async "words: in Portuguese no English sentence is left: views, plans, findings, notices, services"(chrome) {
    const demo = await withStreams();
    // All hacks that come with the program, as a card has them.
    cpSync(join(REPO, "rootfs-overlay/mnt/sdcard/hacks"), join(demo.dir, "sdcard/hacks"), { recursive: true });
    while ((await demo.call("GET", "/api/v1/services")).json.services.length < 3) await new Promise((done) => setTimeout(done, 200));
    const page = await open(chrome, demo, { locale: "pt-PT" });
    await page.goto("/");
    await page.locator("form .eye").waitFor();
    await english(page, "door");
    await enter(page, demo);
    for (const name of NAMES) {
      await show(page, name);
      await english(page, name);
    }
    // A service that cannot run says why.
    await demo.call("PUT", "/api/v1/services/framegrabber", { enabled: true });
    await demo.call("PUT", "/api/v1/services/ssh-server", { enabled: true });
    await show(page, "services");
    await page.locator(".service p.soft").filter({ hasText: "nova tentativa" }).first().waitFor();
    await english(page, "services that do not run");
    const fields = page.locator("form").filter({ has: page.getByLabel("Espectadores em simultâneo") });
    await fields.getByLabel("Espectadores em simultâneo").evaluate((input) => input.removeAttribute("max"));
    await fields.getByLabel("Espectadores em simultâneo").fill("99");
    await fields.getByRole("button", { name: "Guardar" }).click();
    await fields.getByText("indique um número de 1 a 16").waitFor();
    await fields.getByLabel("Espectadores em simultâneo").fill("10");
    await fields.getByRole("button", { name: "Guardar" }).click();
    await fields.getByRole("status").waitFor();

    await show(page, "flash");
    const send = async (name, buffer) => {
      await page.locator("#file").setInputFiles({ name, mimeType: "", buffer });
      await page.locator(".after").filter({ hasText: name }).locator(".verdict:not(.wait)").waitFor();
      await english(page, name);
    };
    await send("page.html", Buffer.from("<!DOCTYPE html><html></html>"));
    await send("firmware.zip", Buffer.concat([Buffer.from("PK\x03\x04"), Buffer.alloc(4000)]));
    const image = tfImage(PROGRAM);
    await send("half.img", image.subarray(0, 9_000_000));
    await send("dump.bin", demo.flash.fill(0x55, 0x60000, 0x61000));
    await send("parts.tar", tar({ mtdblock1: image.subarray(0, 0x210000), mtdblock2: image.subarray(0x210000, 0x960000) }));
    await page.getByText("Ficheiros de partições de uma câmara: KERNEL, ROOTFS").first().waitFor();
    // Several files, or a folder, are not taken for the first of them.
    const files = await page.evaluateHandle(() => {
      const both = new DataTransfer();
      for (const name of ["mtdblock1", "mtdblock2"]) both.items.add(new File(["x"], name));
      return both;
    });
    await page.locator(".drop").dispatchEvent("drop", { dataTransfer: files });
    await page.locator(".drop").getByText("Largue um ficheiro de cada vez").waitFor();
    await send("tf_recovery.img", image);
    await page.getByRole("button", { name: "Ver alterações" }).click();
    await page.locator(".plan .phrase").waitFor();
    await english(page, "plan");
    const { json } = await demo.call("GET", "/api/v1/backups");
    await page.goto(`/#/flash?backup=${json.backups[0].id}`);
    await page.locator(".plan .chip").waitFor();
    await english(page, "plan of a backup");

    // A damaged backup, and what the camera says of it.
    rmSync(join(demo.home, "backups", json.backups[0].id, "KERNEL.bin"));
    await show(page, "backups");
    await page.getByRole("button", { name: "Verificar" }).first().click();
    await page.locator(".trouble, .note").first().waitFor();
    await english(page, "backups, damaged");
    await show(page, "home");
    await page.getByText("não pode ser usada").first().waitFor();
    await english(page, "home, a backup damaged");
    assert.deepEqual(page.context().wrong, []);
    await page.context().close();
    await demo.stop();
  },
};
