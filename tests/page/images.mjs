// Images of a firmware that this camera does not hold: slices of another synthetic camera.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Where a tf image lies on the chip (docs/formats.md). */
export const BODY = [0x050000, 0xfe0000];

/** A tf image: KERNEL, ROOTFS and DATA of another camera, and a trailer that nobody signed. */
export function tfImage(program) {
  const base = mkdtempSync(join(tmpdir(), "mi360d-donor-"));
  execFileSync(program, ["sim", "create", join(base, "donor")], { stdio: "ignore" });
  const chip = readFileSync(join(base, "donor/flash.bin"));
  rmSync(base, { recursive: true });
  return Buffer.concat([chip.subarray(...BODY), Buffer.alloc(80)]);
}
