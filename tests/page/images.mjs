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

/** A tar of these files. */
export function tar(files) {
  const parts = [];
  for (const [name, bytes] of Object.entries(files)) {
    const head = Buffer.alloc(512);
    head.write(name, 0);
    head.write("0000644\0" + "0000000\0".repeat(2), 100);
    head.write(bytes.length.toString(8).padStart(11, "0") + "\0" + "0".repeat(11) + "\0" + " ".repeat(8) + "0", 124);
    head.write("ustar\0" + "00", 257);
    head.write(head.reduce((sum, byte) => sum + byte).toString(8).padStart(6, "0") + "\0 ", 148);
    parts.push(head, bytes, Buffer.alloc(-bytes.length & 511));
  }
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}

function crc(bytes) {
  let sum = ~0;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
  }
  return ~sum >>> 0;
}

/** A zip of stored files: a release, as far as its list goes. */
export function release(files) {
  const parts = [], list = [];
  let at = 0;
  for (const [name, bytes] of Object.entries(files)) {
    const head = Buffer.alloc(26);
    head.writeUInt16LE(20, 0);
    head.writeUInt32LE(crc(bytes), 10);
    head.writeUInt32LE(bytes.length, 14);
    head.writeUInt32LE(bytes.length, 18);
    head.writeUInt16LE(name.length, 22);
    const where = Buffer.alloc(14);
    where.writeUInt32LE(at, 10);
    list.push(Buffer.from("PK\x01\x02\x14\0"), head, where, Buffer.from(name));
    const file = Buffer.concat([Buffer.from("PK\x03\x04"), head, Buffer.from(name), bytes]);
    parts.push(file);
    at += file.length;
  }
  const names = Buffer.concat(list), end = Buffer.alloc(18);
  end.writeUInt16LE(Object.keys(files).length, 4);
  end.writeUInt16LE(Object.keys(files).length, 6);
  end.writeUInt32LE(names.length, 8);
  end.writeUInt32LE(at, 12);
  return Buffer.concat([...parts, names, Buffer.from("PK\x05\x06"), end]);
}
