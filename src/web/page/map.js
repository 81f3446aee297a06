// The chip, drawn: one cell for each 64 KiB, told apart by shape and not only by colour; the
// partitions as shores around them, with their names. The same drawing shows what is there, what
// would change, and what is being written.

import { t } from "./text.js";
import { fill, h, s } from "./dom.js";

export const CELL = 65536;

// A cell has ten units each way. Each state has a shape of its own.
const SHAPES = {
  data: "M2 0h6a2 2 0 0 1 2 2v6a2 2 0 0 1-2 2H2a2 2 0 0 1-2-2V2a2 2 0 0 1 2-2z",
  erased: "M5 3.2a1.8 1.8 0 1 0 0 3.6 1.8 1.8 0 0 0 0-3.6z",
  changed: "M2 0h8L0 10V2a2 2 0 0 1 2-2zM10 2.6V8a2 2 0 0 1-2 2H2.6z",
  unreadable: "M1 2.4 2.4 1 5 3.6 7.6 1 9 2.4 6.4 5 9 7.6 7.6 9 5 6.4 2.4 9 1 7.6 3.6 5z",
  unknown: "M4 4h2v2H4z",
  outside: "M4.4 4.4h1.2v1.2H4.4z",
  same: "M2.5 2.5h5v5h-5z",
  program: "M0 5h10v3a2 2 0 0 1-2 2H2a2 2 0 0 1-2-2zM0 2a2 2 0 0 1 2-2h6a2 2 0 0 1 2 2v1H0z",
  erase: "M5 0 10 5 5 10 0 5z",
  waiting: "M2 0h6a2 2 0 0 1 2 2v6a2 2 0 0 1-2 2H2a2 2 0 0 1-2-2V2a2 2 0 0 1 2-2zM2 1.6a.4.4 0 0 0-.4.4v6c0 .2.2.4.4.4h6c.2 0 .4-.2.4-.4V2a.4.4 0 0 0-.4-.4z",
  active: "M5-1 11 5 5 11-1 5zM5 2 2 5l3 3 3-3z",
  proven: "M5 0a5 5 0 1 1 0 10A5 5 0 0 1 5 0zM4.3 7.5 8 3.8l-1-1-2.7 2.7L3 4.2l-1 1z",
  failed: "M0 2 2 0l3 3 3-3 2 2-3 3 3 3-2 2-3-3-3 3-2-2 3-3z",
};

/** The cells of a partition, from blocks of any size. */
export function cellsOf(part) {
  const count = Math.ceil(part.size / CELL);
  const perCell = Math.max(1, CELL / part.erase_size);
  const perBlock = Math.max(1, part.erase_size / CELL);
  const worst = ["unreadable", "changed", "unknown", "data"];
  return Array.from({ length: count }, (_, i) => {
    const from = Math.floor(i / perBlock) * perCell;
    const blocks = part.blocks.slice(from, from + perCell);
    return worst.find((state) => blocks.includes(state)) ?? "erased";
  });
}

/** The same for a plan: one letter for each erase block. */
export function planCells(part) {
  const perCell = Math.max(1, CELL / part.erase_size);
  const letters = { s: "same", p: "program", e: "erase" };
  const worst = ["e", "p", "s"];
  return Array.from({ length: Math.ceil(part.size / CELL) }, (_, i) => {
    const from = Math.floor(i * CELL / part.erase_size);
    const blocks = part.cells.slice(from, from + perCell);
    return letters[worst.find((letter) => blocks.includes(letter))] ?? "same";
  });
}

export const JOB_STATES = { s: "same", w: "waiting", a: "active", d: "proven", x: "failed" };

/** Draws partitions ({name, offset, size}) with a state for each cell of the chip. */
export class ChipMap {
  constructor(parts, states, label) {
    this.parts = parts.filter((part) => part.offset !== null)
      .sort((a, b) => a.offset - b.offset);
    this.states = states;
    this.label = label;
    this.element = h("figure.chip");
    this.wide = matchMedia("(min-width: 46rem)");
    this.redraw = () => this.element.isConnected || !this.drawn
      ? this.draw() : this.wide.removeEventListener("change", this.redraw);
    this.wide.addEventListener("change", this.redraw);
    this.draw();
  }

  draw() {
    this.drawn = true;
    const columns = this.wide.matches ? 32 : 16;
    const rows = Math.ceil(this.states.length / columns);
    const [pitch, high, left] = [12, 20, 17];
    const at = (i) => [left + (i % columns) * pitch, 8 + Math.floor(i / columns) * high];
    const width = left + columns * pitch + 2;
    const svg = s("svg", { viewBox: `0 0 ${width} ${rows * high + 10}`, role: "img",
      "aria-label": this.label });
    for (let row = 0; row < rows; row++) {
      const address = row * columns * CELL / (1 << 20);
      svg.append(s("text", { class: "address", x: left - 4, y: 8 + row * high + 7.5 },
        `${address}M`));
    }
    for (const part of this.parts) svg.append(this.shore(part, columns, at, pitch));
    this.cells = this.states.map((state, i) => {
      const [x, y] = at(i);
      const cell = s("path", { transform: `translate(${x} ${y})` });
      svg.append(cell);
      return cell;
    });
    this.states.forEach((state, i) => this.paint(i, state));
    for (const part of this.parts) svg.append(this.name(part, columns, at));
    fill(this.element, svg);
  }

  /** The ground under a partition: one strip for each row that it touches. */
  shore(part, columns, at, pitch) {
    const first = part.offset / CELL;
    const last = first + Math.ceil(part.size / CELL) - 1;
    const group = s("g", { class: `shore ${partClass(part.name)}` });
    for (let i = first; i <= last;) {
      const end = Math.min(last, i - i % columns + columns - 1);
      const [x, y] = at(i);
      group.append(s("rect", { x: x - 1, y: y - 1.5, width: (end - i) * pitch + 12, height: 13,
        rx: 2.5 }));
      i = end + 1;
    }
    return group;
  }

  /** A partition's name over its first cell, or at its last one's right where it would not fit. */
  name(part, columns, at) {
    const first = part.offset / CELL;
    const room = (columns - first % columns) * 12;
    const small = part.name.length * 4.4 > Math.min(room, Math.ceil(part.size / CELL) * 12);
    const [x, y] = at(first);
    // Two small ones beside each other: one above, one below.
    const below = small && first === this.states.length - 1;
    return s("text", {
      class: `name ${partClass(part.name)}`,
      x: small ? x + 10.5 : x, y: below ? y + 18.3 : y - 2.6,
      "text-anchor": small ? "end" : "start",
    }, part.name);
  }

  paint(i, state) {
    const cell = this.cells[i];
    const part = this.partAt(i);
    cell.setAttribute("d", SHAPES[state] ?? SHAPES.unknown);
    cell.setAttribute("class", `cell is-${state} ${part ? partClass(part.name) : ""}`);
  }

  partAt(i) {
    return this.parts.find((part) => i * CELL >= part.offset && i * CELL < part.offset + part.size);
  }

  /** Takes new states; only what changed is drawn. */
  update(states) {
    states.forEach((state, i) => {
      if (state === this.states[i] || !this.cells[i]) return;
      this.states[i] = state;
      this.paint(i, state);
    });
  }

  /** Lets one partition stand out; none with null. */
  light(name) {
    this.element.classList.toggle("lit", Boolean(name));
    for (const mark of this.element.querySelectorAll(".cell, .shore, .name")) {
      mark.classList.toggle("on", Boolean(name) && mark.classList.contains(partClass(name)));
    }
  }
}

/** The colour of a partition, by its name. */
export function partClass(name) {
  return ["BOOT", "KERNEL", "ROOTFS", "DATA", "CONFIG", "FACTORY"].includes(name)
    ? "p-" + name.toLowerCase() : "p-other";
}

/** The map of what is there now. */
export function chipNow(view) {
  const states = Array.from({ length: Math.ceil((view.chip_size ?? 0) / CELL) }, () => "outside");
  for (const part of view.partitions) {
    if (part.offset === null) continue;
    cellsOf(part).forEach((state, i) => { states[part.offset / CELL + i] = state; });
  }
  return states;
}

/** What the shapes mean. */
export function legend(states) {
  return h("ul.legend", { "aria-label": t("legend") }, states.map((state) => h("li", null,
    s("svg", { viewBox: "-1 -1 12 12", "aria-hidden": "true" },
      s("path", { class: `cell is-${state}`, d: SHAPES[state] })),
    t("cell." + state))));
}

/** How many cells are how, in words: the map for who does not see it. */
export function inWords(states) {
  const counts = {};
  for (const state of states) counts[state] = (counts[state] ?? 0) + 1;
  return Object.entries(counts).filter(([state]) => state !== "outside")
    .map(([state, count]) => `${count} ${t("cell." + state)}`).join(", ");
}
