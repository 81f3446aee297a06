// The chip: its map, what each partition is, and what is lost without it.

import { bytes, plain, T, t } from "./text.js";
import { h, icon } from "./dom.js";
import { api } from "./api.js";
import { noteOf } from "./parts.js";
import { heading } from "./house.js";
import { cellsOf, ChipMap, chipNow, inWords, legend, partClass } from "./map.js";

export async function chipView(main, signal) {
  const place = h("div.stack");
  main.append(heading(t("chip.title"), t("chip.lead")), place);
  const view = await api("GET", "/flash", undefined, { signal });
  if (!view.known_map) {
    place.append(noteOf({ code: "unknown-map", message: t("chip.unknown", { why: view.map_problem }) }));
  }
  const states = chipNow(view);
  const map = new ChipMap(view.partitions, states, t("chip.alt", { words: inWords(states) }));
  const kinds = ["data", "erased", "changed", "unreadable", "unknown"]
    .filter((kind) => kind === "changed" || kind === "data" || kind === "erased" || states.includes(kind));
  place.append(
    h("section.sheet", null, map.element, legend(kinds),
      h("p.help", null, view.compared_with ? t("chip.against", { id: view.compared_with }) : t("chip.noset"))),
    h("div.parts", null, view.partitions.map((part) => partCard(part, map))),
    h("details.sheet", null, h("summary", null, t("chip.table")), partTable(view)));
}

function partCard(part, map) {
  const states = part.offset === null ? [] : cellsOf(part);
  return h(`section.sheet.part.${partClass(part.name)}`, {
    onpointerenter: () => map.light(part.name), onpointerleave: () => map.light(null),
    onfocusin: () => map.light(part.name), onfocusout: () => map.light(null),
  },
  h("header", null, h("h2", null, part.name), h("span.soft", null, bytes(part.size))),
  h("p", null, T[`part.${part.name}`] ?? part.meaning),
  h("p.soft", null, T[`part.${part.name}.lost`]),
  h("div.tags", null,
    part.protected && h("span.tag", null, icon("lock"), t("protected")),
    h(`span.tag.${healthMark(part.health)}`, null, icon(healthMark(part.health) === "good" ? "good" : "look"),
      t("health." + part.health)),
    states.includes("changed") && h("span.tag.look", null, icon("look"), t("chip.changed"))),
  part.findings.map(noteOf));
}

function healthMark(health) {
  return { healthy: "good", blank: "look", damaged: "bad" }[health] ?? "wait";
}

function partTable(view) {
  const number = (value) => value === null ? "?" : "0x" + value.toString(16).padStart(6, "0");
  return h("div.scroll", { tabindex: "0" }, h("table", null,
    h("thead", null, h("tr", null, ["name", "offset", "size", "holds", "health", "cells"]
      .map((name) => h("th", { scope: "col" }, t("col." + name))))),
    h("tbody", null, view.partitions.map((part) => h("tr", null,
      h("th", { scope: "row" }, part.name), h("td.mono", null, number(part.offset)),
      h("td.mono", null, number(part.size)), h("td", null, plain(part.content)),
      h("td", null, t("health." + part.health)),
      h("td", null, part.offset === null ? "" : inWords(cellsOf(part))))))));
}
