// The framegrabber's card: the program out of a zip that is sent, what is missing said, and the codec.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Demo, REPO, enter, open } from "./rig.mjs";
import { axe, fits } from "./views.mjs";

/** A 32-bit ARM program or library: its head, and nothing behind it. */
function elf(size) {
  const bytes = Buffer.alloc(size);
  bytes.write("\x7fELF\x01\x01\x01", "latin1");
  bytes.set([2, 0, 40, 0], 16);
  return bytes;
}

/** A zip as others pack it. */
function zipped(place, name, bytes) {
  const code = "import sys,zipfile; zipfile.ZipFile(sys.argv[1],'w',zipfile.ZIP_DEFLATED).writestr(sys.argv[2],sys.stdin.buffer.read())";
  assert.equal(spawnSync("python3", ["-c", code, place, name], { input: bytes }).status, 0);
  return place;
}

export const frames = {
  async "frames: the zip is sent, the program is on the card, the codec is switched and put back"(chrome) {
    const demo = await Demo.start();
    await demo.setUp();
    await demo.settled();
    const hack = join(demo.home, "../hacks/framegrabber");
    mkdirSync(hack, { recursive: true });
    copyFileSync(join(REPO, "rootfs-overlay/mnt/sdcard/hacks/framegrabber/hack.toml"), join(hack, "hack.toml"));
    const library = elf(48_540);
    const hash = createHash("sha256").update(library).digest("hex");
    library[0x4318] = 1;
    const place = join(demo.dir, "data/lib/libboardav.so.1.0.0");
    mkdirSync(join(demo.dir, "data/lib"), { recursive: true });
    writeFileSync(place, library);

    const page = await open(chrome, demo);
    await enter(page, demo);
    await page.goto("/#/services");
    const card = page.locator(".service").filter({ hasText: "Video of the camera" });
    const part = card.locator("details").filter({ hasText: "Program and codec" });
    await part.locator("summary").click();
    await part.getByText("There is no framegrabber for the model").waitFor();
    await part.getByText(hash).waitFor();
    await axe(page, "framegrabber");
    await fits(page, "framegrabber");

    const { json: { model } } = await demo.call("GET", "/api/v1/framegrabber");
    const wrong = zipped(join(demo.base, "wrong.zip"), "hacks/framegrabber/bin/zz9/framegrabber", elf(100));
    await part.locator("input[type=file]").setInputFiles(wrong);
    await part.getByRole("alert").filter({ hasText: "it has zz9" }).waitFor();
    const right = zipped(join(demo.base, "right.zip"), `sdcard/hacks/framegrabber/bin/${model}/framegrabber`, elf(100));
    await part.locator("input[type=file]").setInputFiles(right);
    await part.getByRole("status").filter({ hasText: "Saved" }).waitFor();
    await part.getByText(`The program for ${model} is on the card`).waitFor();
    assert.deepEqual(readFileSync(join(hack, "bin", model, "framegrabber")), elf(100));
    const { json: { images } } = await demo.call("GET", "/api/v1/images");
    assert.deepEqual(images, [], "neither zip stays");

    writeFileSync(join(demo.home, "known-libboardav.txt"), hash + "\n");
    await page.reload();
    await part.locator("summary").click();
    await part.getByText("Current codec: H265").waitFor();
    for (const [choice, byte] of [["H264", 2], ["Firmware default", 1]]) {
      await part.getByLabel("Codec", { exact: true }).selectOption({ label: choice });
      await part.getByRole("button", { name: "Save" }).click();
      await part.getByRole("status").filter({ hasText: "Restart to apply: Codec" }).waitFor();
      library[0x4318] = byte;
      assert.deepEqual(readFileSync(place), library, choice);
      await page.reload();
      await part.locator("summary").click();
      await part.getByText(`Current codec: ${byte === 2 ? "H264" : "H265"}`).waitFor();
    }
    assert.deepEqual(page.context().wrong, []);
    await page.context().close();
    await demo.stop();
  },
};
