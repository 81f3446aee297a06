// Settings drawn from their types, and their export and import.

import { loadSaid, moment, plain, sentence, T, t } from "./text.js";
import { fill, h, icon, put, say } from "./dom.js";
import { api, Refused } from "./api.js";
import { doing, noteOf, trouble } from "./parts.js";
import { heading, lookSoon, onStatus } from "./house.js";
import { settingsForm } from "./forms.js";
import { timesSection } from "./times.js";
import { loadZones } from "./zones.js";

export async function settingsView(main, signal, query) {
  const place = h("div.stack");
  const jump = h("div.jump", { role: "group", "aria-label": t("settings.parts") });
  main.append(heading(t("settings.title"), t("settings.lead")), jump, place);
  const [config, { fields }] = await Promise.all([
    api("GET", "/config", undefined, { signal }), api("GET", "/config/fields", undefined, { signal }), loadZones(), loadSaid()]);
  const flat = flatten(config);
  // A setting that nobody described is drawn by its value.
  const all = [...fields, ...Object.keys(flat).filter((name) => !fields.some((f) => f.name === name))
    .map((name) => ({ name, type: typeOf(flat[name]), help: "" }))]
    // What unlocks a partition stands on the card alone; times have their own table.
    .filter((spec) => !["services", "hacks"].includes(spec.name.split(".")[0])
      && !["flash.unlock", "camera.schedule", "camera.reboot"].includes(spec.name));
  const parts = [];
  const sections = [...new Set([...ORDER, ...all.map(sectionOf)])];
  for (const section of sections) {
    const own = all.filter((spec) => sectionOf(spec) === section)
      .map((spec) => ({ ...spec, type: spec.name === "camera.time_zone" ? "zone" : spec.type, label: T["set." + spec.name] ?? spec.name, help: T[`set.${spec.name}.help`] ?? spec.help,
        words: (choice) => T["choice." + choice] }))
      // What sets the clock is together, and first.
      .sort((a, b) => CLOCK.indexOf(b.name) - CLOCK.indexOf(a.name));
    const shown = settingsForm(own, flat, async (changed) => {
      const answer = await api("PUT", "/config", unflatten(changed));
      lookSoon();
      return answer;
    });
    parts.push(h("section.sheet.part-of", { id: "section-" + section }, h("h2", { tabindex: "-1" }, T["section." + section] ?? section),
      EXTRAS[section]?.(signal, shown), shown));
    if (section === "camera") parts.push(await timesSection(signal));
  }
  // All at once: nothing that is read is pushed away.
  put(place, [parts, fileSection()]);
  const show = (part) => {
    part?.scrollIntoView();
    part?.querySelector("h2").focus({ preventScroll: true });
  };
  fill(jump, [...place.children].map((part) =>
    h("button", { type: "button", onclick: () => show(part) }, part.querySelector("h2").textContent)));
  show(place.querySelector(`#section-${CSS.escape(query.get("section") ?? "none")}`));
}

/** Where a field is shown: `camera` has more than one section. */
const sectionOf = ({ name }) => /motion|hook/.test(name) ? "events" : name.split(".")[0];

/** What sets the clock, the first of them last. */
const CLOCK = ["camera.time_servers", "camera.set_clock", "camera.time_zone"];

/** The sections that an owner looks for first; what is not here follows. */
const ORDER = ["camera", "events", "mqtt", "web", "backup", "flash", "log"];

/** What a section has besides its fields: how it is now, and what can be tried. */
const EXTRAS = { camera: networkNow, events: hookNow, mqtt: brokerNow };

/** The web hook's test, and why it did not take an event. */
function hookNow(signal, form) {
  const hook = h("div.place");
  const [test, tested] = doing(t("hook.test"), async (place) => {
    const address = form.values()["camera.web_hook"];
    if (!address) throw new Refused(422, { code: "", message: t("hook.none"), hint: t("hook.none.hint") });
    show(place, await tried(form, "/web-hook/test", { address }), "hook.", hookWords);
  });
  form.row("camera.web_hook")?.append(h("div.buttons", null, test), tested, hook);
  onStatus(({ network: { web_hook: why } }) =>
    fill(hook, why && noteOf({ severity: "warning", code: "", message: t("hook.bad"), hint: hookWords(why) })), signal);
  return null;
}

/** The clock, and why the cloud or the updates are not blocked where they should be. */
function networkNow(signal) {
  const clock = h("p.soft");
  const notes = h("div.place");
  const [set, said] = doing(t("clock.browser"), async (place) => {
    await api("POST", "/clock", { utc: Math.floor(Date.now() / 1000) });
    fill(place, h("p", { role: "status" }, t("clock.done")));
    lookSoon();
  });
  onStatus((status) => {
    clock.textContent = t("clock.now", { time: moment(status.clock) });
    const { cloud_problem: cloud, updates_problem: updates } = status.network;
    fill(notes, [["network.cloud", cloud], ["network.updates", updates]].map(([key, why]) => why
      && noteOf({ severity: "warning", code: key, message: t(key), hint: plainly(why) })));
  }, signal);
  return h("div.now", null, clock, h("div.buttons", null, set), said, notes);
}

/** Whether the broker is connected, and the test of what is typed. */
function brokerNow(signal, form) {
  const state = h("div.place");
  const [test, said] = doing(t("mqtt.test"), async (place) => {
    const typed = form.values();
    const body = { broker: typed["mqtt.broker"], user: typed["mqtt.user"] };
    if (!body.broker) throw new Refused(422, { code: "", message: t("mqtt.why.none"), hint: t("mqtt.none.hint") });
    if (typed["mqtt.password"] !== null) body.password = typed["mqtt.password"];
    show(place, await tried(form, "/mqtt/test", body), "mqtt.", brokerWords);
  });
  form.go.after(test);
  form.append(said, state);
  onStatus(({ network }) => {
    const problem = network.mqtt;
    const isSet = problem === null || problem && !problem.includes("no broker");
    fill(state, isSet && noteOf(problem === null ? { severity: "note", code: "", message: t("mqtt.connected") }
      : { severity: "warning", code: "", message: t("mqtt.away"), hint: brokerWords(problem) }));
  }, signal);
  return null;
}

/** Tests what is typed; a wrong field is named by its label. */
async function tried(form, path, body) {
  try {
    return await api("POST", path, body);
  } catch (error) {
    const label = error.field && form.row(error.field)?.querySelector("label").textContent;
    if (!label) throw error;
    throw new Refused(error.status, { code: "", message: `${label}: ${error.message.replace(`${error.field}: `, "")}`, hint: t("field.hint") });
  }
}

/** What a test came to, where its button is. */
function show(place, { connected, problem }, kind, words) {
  const message = t(kind + (connected ? "good" : "bad"));
  fill(place, noteOf({ severity: connected ? "note" : "warning", code: "", message, hint: connected ? "" : words(problem) }));
  say(message);
}

/** Why a web hook did not take an event, in this language where the reason is a known one. */
function hookWords(problem) {
  const [, status, moved] = /answered (\d+)(; redirects)?/.exec(problem) ?? [];
  if (status) return t(moved ? "hook.why.moved" : "hook.why.status", { status });
  return problem.includes("not HTTP") ? t("hook.why.nohttp") : brokerWords(problem, "hook.why.");
}

/** Why there is no connection, in this language where the reason is a known one. */
function brokerWords(problem, kind = "mqtt.why.") {
  const known = [["refused (os", "refused"], ["no address", "noname"], ["lookup", "noname"], ["not known", "noname"], ["does not answer", "silent"],
    ["timed out", "silent"], ["temporarily", "silent"], ["entity not found", "noname"], ["user", "login"], ["closed the connection", "hungup"], ["no broker", "none"], ["unreachable", "unreachable"]];
  const found = known.find(([words]) => problem.includes(words));
  return T[kind + found?.[1]] ?? plainly(problem);
}

/** Without the system's number of an error, which helps nobody here. */
function plainly(words) {
  return sentence(plain(words.replace(/ \(os error \d+\)/g, "")));
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
  return h("section.sheet.part-of", null, h("h2", null, t("file.title")), h("p.soft", null, t("file.lead")),
    h("div.buttons", null, save,
      h("button", { type: "button", onclick: () => input.click() }, t("file.load"))),
    h("label.unseen", { for: "settings-file" }, t("file.load")), input, said, place);
}
