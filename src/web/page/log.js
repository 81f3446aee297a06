// The log: by level, searched, followed, kept as a file; and the file for those who help.

import { dateWords, t } from "./text.js";
import { fill, h, say } from "./dom.js";
import { api, poll } from "./api.js";
import { field } from "./parts.js";
import { heading } from "./house.js";

/** A moment of a line: the time, and the day where it is another one than today. */
function clock(ms) {
  const when = new Date(ms);
  const isToday = when.toDateString() === new Date().toDateString();
  return dateWords(when, isToday ? { timeStyle: "medium" } : { dateStyle: "short", timeStyle: "medium" });
}

export async function logView(main, signal) {
  const lines = h("pre.log", { tabindex: "0", role: "log", "aria-live": "off", "aria-label": t("log.title") });
  const level = h("select", null, ["debug", "info", "warn", "error"].map((name) =>
    h("option", { value: name }, t("choice." + name))));
  level.value = "info";
  const search = h("input", { type: "search", spellcheck: "false", autocomplete: "off" });
  const live = h("input", { type: "checkbox", checked: true });
  const save = h("button", { type: "button", onclick: () => {
    const url = URL.createObjectURL(new Blob([wanted().join("\n") + "\n"], { type: "text/plain" }));
    h("a", { href: url, download: `mi360d-log-${new Date().toISOString().slice(0, 19).replaceAll(":", "-")}.txt` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
  } }, t("log.save"));
  let last = [];
  /** When the camera got its power, by the clock of this browser: the camera's own may not be set. */
  let power = null;
  let shown = null;

  /** The lines that hold what is searched for. */
  function wanted() {
    const words = search.value.trim().toLowerCase();
    return last.filter((line) => line.toLowerCase().includes(words));
  }

  function show() {
    const found = wanted();
    const text = found.join("\n");
    if (text === shown) return;
    const atEnd = shown === null || lines.scrollHeight - lines.scrollTop - lines.clientHeight < 40;
    shown = text;
    fill(lines, found.length ? found.map((line) => h("span", {
      class: (/ \[(ERROR|WARN|DEBUG)/i.exec(line)?.[1] ?? "").toLowerCase() || null }, line + "\n"))
      : t(last.length ? "log.nothing" : "log.empty"));
    if (atEnd) lines.scrollTop = lines.scrollHeight;
  }

  async function refresh() {
    const { lines: said, at, uptime } = await api("GET", `/log?lines=400&level=${level.value}`, undefined, { signal });
    const began = Date.now() - 1000 * uptime;
    // After a restart it is another moment.
    if (power === null || Math.abs(began - power) > 5000) power = began;
    last = said.map((line, i) => `${clock(power + 1000 * at[i])} ${line}`);
    show();
  }

  search.addEventListener("input", () => {
    show();
    say(t("log.found", { count: wanted().length }));
  });
  level.addEventListener("change", () => refresh().catch(() => {}));
  main.append(heading(t("log.title"), t("log.lead")),
    h("div.stack", null,
      h("div.bare.tools", null, field(t("log.search"), search), field(t("log.level"), level), h("label.switch", null, live, t("log.live"))),
      lines,
      h("div.buttons", null, save, h("a.button", { href: "api/v1/facts", download: "mi360d-facts.txt" }, t("log.facts"))),
      h("p.help", null, t("log.facts.why"))));
  let asked = false;
  await poll(signal, 2000, async () => {
    if (live.checked || !asked) await refresh();
    asked = true;
  });
}
