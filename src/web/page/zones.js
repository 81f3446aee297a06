// The time zone: a city is chosen, and saved as the camera needs it.

import { t } from "./text.js";
import { h } from "./dom.js";

/** City to time zone, as POSIX writes it. */
const cities = new Map();

export async function loadZones() {
  if (cities.size) return;
  // Without them a zone is typed as POSIX writes it.
  const zones = await fetch("zones.json").then((answer) => answer.json()).catch(() => ({}));
  for (const [zone, names] of Object.entries(zones)) for (const name of names) cities.set(name, zone);
}

const browsers = () => Intl.DateTimeFormat().resolvedOptions().timeZone;
/** "Europe/Lisbon" for people: "Lisbon (Europe)". */
const words = (name) => name.split("/").reverse().join(", ").replaceAll("_", " ").replace(/^(.*?), (.*)$/, "$1 ($2)");

/** A city of a zone: this browser's, if it is one of them. */
function cityOf(zone) {
  if (zone === "UTC0") return "UTC";
  if (cities.get(browsers()) === zone) return words(browsers());
  const first = [...cities].find(([, one]) => one === zone);
  return first ? words(first[0]) : zone;
}

/** What was typed as a zone; what is none is sent as it is, and refused. */
function zoneOf(typed) {
  const text = typed.trim();
  if (text.toUpperCase() === "UTC") return "UTC0";
  const wanted = text.toLowerCase();
  const found = [...cities].find(([name]) => words(name).toLowerCase() === wanted)
    ?? [...cities].find(([name]) => name.toLowerCase() === wanted || words(name).toLowerCase().startsWith(`${wanted} (`));
  return found ? found[1] : text;
}

/** The field: its input, what it holds, and what is below it. */
export function zoneField(value) {
  const list = h("datalist", { id: "zones" }, [...cities.keys()].sort().map((name) => h("option", { value: words(name) })));
  const input = h("input", { type: "text", list: "zones", value: cityOf(value), spellcheck: "false", autocomplete: "off" });
  const own = cities.has(browsers()) && h("button", { type: "button", onclick: () => {
    input.value = words(browsers());
    input.dispatchEvent(new Event("input", { bubbles: true }));
  } }, t("zone.browser", { city: words(browsers()) }));
  return [input, () => zoneOf(input.value), h("div.below", null, list, own)];
}
