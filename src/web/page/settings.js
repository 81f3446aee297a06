// Settings drawn from their types, and their export and import.

import { T, t } from "./text.js";
import { fill, h, icon } from "./dom.js";
import { api, Refused } from "./api.js";
import { doing, trouble } from "./parts.js";
import { heading } from "./house.js";
import { settingsForm } from "./forms.js";

export async function settingsView(main, signal) {
  const place = h("div.stack");
  main.append(heading(t("settings.title"), t("settings.lead")), place);
  const [config, { fields }] = await Promise.all([
    api("GET", "/config", undefined, { signal }), api("GET", "/config/fields", undefined, { signal })]);
  const flat = flatten(config);
  // A setting that nobody described is drawn by its value.
  const all = [...fields, ...Object.keys(flat).filter((name) => !fields.some((f) => f.name === name))
    .map((name) => ({ name, type: typeOf(flat[name]), help: "" }))]
    // What unlocks a partition stands on the card alone.
    .filter((spec) => !["services", "hacks"].includes(spec.name.split(".")[0]) && spec.name !== "flash.unlock");
  const sections = [...new Set(all.map((spec) => spec.name.split(".")[0]))];
  for (const section of sections) {
    const own = all.filter((spec) => spec.name.split(".")[0] === section)
      .map((spec) => ({ ...spec, label: T["set." + spec.name] ?? spec.name, help: T[`set.${spec.name}.help`] ?? spec.help,
        words: (choice) => T["choice." + choice] }));
    place.append(h("section.sheet", null, h("h2", null, T["section." + section] ?? section),
      settingsForm(own, flat, (changed) => api("PUT", "/config", unflatten(changed)))));
  }
  place.append(fileSection());
}

function typeOf(value) {
  if (Array.isArray(value)) return "list";
  return { boolean: "bool", number: "integer" }[typeof value] ?? "text";
}

function flatten(config, prefix = "") {
  return Object.assign({}, ...Object.entries(config).map(([key, value]) =>
    value !== null && typeof value === "object" && !Array.isArray(value)
      ? flatten(value, `${prefix}${key}.`) : { [prefix + key]: value }));
}

function unflatten(flat) {
  const config = {};
  for (const [name, value] of Object.entries(flat)) {
    const keys = name.split(".");
    const last = keys.pop();
    keys.reduce((at, key) => at[key] ??= {}, config)[last] = value;
  }
  return config;
}

function fileSection() {
  const place = h("div.place");
  const input = h("input.unseen", { type: "file", id: "settings-file", accept: ".json", tabindex: "-1",
    onchange: async () => {
      try {
        const text = await input.files[0].text();
        let file;
        try {
          file = JSON.parse(text);
        } catch {
          throw new Refused(422, { code: "settings-file", message: t("file.notours"), hint: t("file.notours.hint") });
        }
        const done = await api("POST", "/settings-file", file);
        fill(place, h("div.note", { role: "status" }, icon("good"), h("div", null,
          h("p", null, done.changed.length ? t("file.changed", { names: done.changed.join(", ") }) : t("file.same")),
          done.ignored.map((line) => h("p.soft", null, line)))));
      } catch (error) {
        fill(place, trouble(error));
      }
      input.value = "";
    } });
  const [save, said] = doing(t("file.save"), async () => {
    const text = JSON.stringify(await api("GET", "/settings-file"), null, 2);
    const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    h("a", { href: url, download: "mi360d-settings.json" }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
  });
  return h("section.sheet", null, h("h2", null, t("file.title")), h("p.soft", null, t("file.lead")),
    h("div.buttons", null, save,
      h("button", { type: "button", onclick: () => input.click() }, t("file.load"))),
    h("label.unseen", { for: "settings-file" }, t("file.load")), input, said, place);
}
