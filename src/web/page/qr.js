// A QR code (ISO/IEC 18004), drawn here: bytes, versions 1 to 5, correction L, which are all of one
// block, and the first mask. For addresses; never for a password.

import { t } from "./text.js";
import { h, s } from "./dom.js";
import { closer, dialog } from "./parts.js";

/** For each version: how many bytes it holds, and how many correct them. */
const SIZES = [[19, 7], [34, 10], [55, 15], [80, 20], [108, 26]];
/** The format bits of correction L and mask 0, with their own correction. */
const FORMAT = 0x77c4;
/** Light modules around the code. */
const MARGIN = 4;

/** Powers of 2 in the field of 256 elements, and their logarithms. */
const POWER = [];
const LOG = [];
for (let i = 0, x = 1; i < 255; i += 1, x = x << 1 ^ (x > 127 ? 0x11d : 0)) {
  POWER[i] = x;
  LOG[x] = i;
}
const times = (a, b) => a && b ? POWER[(LOG[a] + LOG[b]) % 255] : 0;

/** The bytes that correct these (Reed and Solomon). */
function correction(data, count) {
  let generator = [1];
  for (let i = 0; i < count; i += 1) {
    generator = [...generator, 0].map((c, j) => c ^ times(generator[j - 1] ?? 0, POWER[i]));
  }
  const rest = [...data, ...Array(count).fill(0)];
  data.forEach((_, i) => {
    const lead = rest[i];
    generator.forEach((c, j) => { rest[i + j] ^= times(c, lead); });
  });
  return rest.slice(data.length);
}

/** All bits of a text, and the version; null where it is too long. */
function encode(text) {
  const bytes = [...new TextEncoder().encode(text)];
  const version = SIZES.findIndex(([room]) => room >= bytes.length + 2);
  if (version < 0) return null;
  const [room, count] = SIZES[version];
  const bits = (byte) => byte.toString(2).padStart(8, "0");
  const head = "0100" + [bytes.length, ...bytes].map(bits).join("") + "0000";
  const data = head.match(/.{8}/g).map((byte) => parseInt(byte, 2));
  for (let fill = 0xec; data.length < room; fill ^= 0xec ^ 0x11) data.push(fill);
  return { version: version + 1, bits: [...data, ...correction(data, count)].map(bits).join("") };
}

/** The modules of a text as rows of 0 and 1; null where it is too long. */
export function modules(text) {
  const code = encode(text);
  if (!code) return null;
  const size = 17 + 4 * code.version;
  const rows = Array.from({ length: size }, () => Array(size).fill(null));
  const square = (row, column, from, dark) => {
    for (let y = -from; y <= from; y += 1) {
      for (let x = -from; x <= from; x += 1) {
        if (rows[row + y]?.[column + x] !== undefined) rows[row + y][column + x] = dark(Math.max(Math.abs(x), Math.abs(y)));
      }
    }
  };
  for (let i = 8; i < size - 8; i += 1) rows[6][i] = rows[i][6] = 1 - i % 2;
  for (const [row, column] of [[3, 3], [3, size - 4], [size - 4, 3]]) square(row, column, 4, (ring) => Number(ring < 2 || ring === 3));
  if (code.version > 1) square(size - 7, size - 7, 2, (ring) => Number(ring !== 1));
  const format = (i) => FORMAT >> i & 1;
  for (let i = 0; i < 8; i += 1) {
    rows[8][i < 6 ? i : i + 1] = format(14 - i);
    rows[size - 1 - i][8] = i === 7 ? 1 : format(14 - i);
    rows[8][size - 1 - i] = format(i);
    if (i < 7) rows[i < 6 ? i : 7][8] = format(i);
  }
  let at = 0;
  for (let right = size - 1, up = true; right > 0; right -= 2, up = !up) {
    if (right === 6) right = 5;
    for (let i = 0; i < size; i += 1) {
      const row = up ? size - 1 - i : i;
      for (const column of [right, right - 1]) {
        if (rows[row][column] === null) rows[row][column] = Number(code.bits[at++] ?? 0) ^ Number((row + column) % 2 === 0);
      }
    }
  }
  return rows;
}

/** Shows an address as a QR code. */
export function showQr(text) {
  const rows = modules(text);
  const size = (rows?.length ?? 0) + 2 * MARGIN;
  const path = rows?.flatMap((row, y) => row.map((dark, x) => dark ? `M${x + MARGIN} ${y + MARGIN}h1v1h-1z` : "")).join("");
  dialog(t("qr.title"), h("p", null, t("qr.why")),
    rows && s("svg", { class: "qr", viewBox: `0 0 ${size} ${size}`, role: "img", "aria-label": t("qr.alt", { text }) },
      s("path", { fill: "#fff", d: `M0 0h${size}v${size}H0z` }), s("path", { fill: "#000", d: path })),
    h("p", null, h("code.phrase", null, text)), h("div.buttons", null, closer()));
}
