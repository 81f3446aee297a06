// The log.

import { t } from "./text.js";
import { fill, h } from "./dom.js";
import { api, poll } from "./api.js";
import { field } from "./parts.js";
import { heading } from "./house.js";

export async function logView(main, signal) {
  const lines = h("pre.log", { tabindex: "0", role: "log", "aria-live": "off", "aria-label": t("log.title") });
  const level = h("select", null, ["debug", "info", "warn", "error"].map((name) =>
    h("option", { value: name }, t("choice." + name))));
  level.value = "info";
  const live = h("input", { type: "checkbox", checked: true });
  level.addEventListener("change", () => refresh());
  main.append(heading(t("log.title"), t("log.lead")),
    h("div.stack", null, h("div.bare", null, field(t("log.level"), level), h("label.switch", null, live, t("log.live"))), lines));
  let shown = "";
  async function refresh() {
    const { lines: last } = await api("GET", `/log?lines=400&level=${level.value}`, undefined, { signal });
    const text = last.join("\n");
    if (text === shown) return;
    const atEnd = lines.scrollHeight - lines.scrollTop - lines.clientHeight < 40;
    shown = text;
    fill(lines, last.length ? last.map((line) => h("span", {
      class: (/^\s*\[?(ERROR|WARN|DEBUG)/i.exec(line)?.[1] ?? "").toLowerCase() || null }, line + "\n")) : t("log.empty"));
    if (atEnd) lines.scrollTop = lines.scrollHeight;
  }
  await poll(signal, 2000, async () => {
    if (live.checked) await refresh();
  });
}
