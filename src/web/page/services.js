// Services: whatever the camera runs beside the firmware, drawn from what each says of itself.

import { nameOf, plain, sentence, T, t } from "./text.js";
import { fill, h, icon } from "./dom.js";
import { api, poll } from "./api.js";
import { doing, field, form, noteOf, trouble } from "./parts.js";
import { heading } from "./house.js";
import { settingsForm } from "./forms.js";
import { framesPart } from "./frames.js";

export async function servicesView(main, signal) {
  const above = h("div.place");
  const place = h("div.stack");
  main.append(heading(t("services.title"), t("services.lead")));
  const keys = await sshKeys(signal);
  const cards = new Map();
  await poll(signal, 3000, async () => {
    const { services, off } = await api("GET", "/services", undefined, { signal });
    fill(above, off && h("div.note.warning", null, icon("look"), h("p", null, sentence(plain(off)))),
      !services.length && !off && h("p.sheet", null, t("services.none")));
    for (const service of services) {
      let card = cards.get(service.id);
      if (!card) cards.set(service.id, card = serviceCard(service, place, signal));
      card.show(service);
    }
    // All of it at once: nothing that is read is pushed away.
    if (!place.isConnected) main.append(h("div.stack", null, above, place, keys));
  });
}

function serviceCard(service, place, signal) {
  const name = nameOf(service);
  const state = h("span.tag");
  const reason = h("p.soft");
  const said = h("div.place");
  const facts = h("div.place");
  const box = h("input", { type: "checkbox", role: "switch", "aria-label": `${name}: ${t("services.enabled")}`, onchange: async () => {
    fill(said);
    try {
      await api("PUT", "/services/" + service.id, { enabled: box.checked });
    } catch (error) {
      box.checked = !box.checked;
      fill(said, trouble(error));
    }
  } });
  const [restart, restarted] = doing(t("services.restart"), () => api("POST", `/services/${service.id}/restart`),
    { "aria-label": `${name}: ${t("services.restart")}` });
  const lines = h("pre.log", { tabindex: "0" });
  const log = h("details", { ontoggle: async () => {
    if (!log.open) return;
    try {
      const { lines: last } = await api("GET", `/services/${service.id}/log`);
      lines.textContent = last.join("\n") || t("log.empty");
    } catch (error) {
      lines.textContent = error.message;
    }
  } }, h("summary", null, t("nav.log")), lines);
  // The hacks that come with mi360d have texts in each language, others those of their hack.toml.
  const own = (name) => T[`hack.${service.id}.${name}`];
  const fields = service.settings;
  const settings = fields.length > 0 && h("details", null,
    h("summary", null, t("nav.settings")), settingsForm(
      fields.map((f) => ({ ...f, label: own(f.name) ?? (f.label || f.name), help: own(f.name + ".help") ?? f.help })),
      Object.fromEntries(fields.map((f) => [f.name, f.value])),
      async (changed) => { await api("PUT", "/services/" + service.id, { settings: changed }); }));
  const card = h("section.sheet.service", null,
    h("header", null, h("h2", null, name), state),
    service.description && h("p", null, own("about") ?? service.description),
    reason, facts,
    h("div.bare", null, h("label.switch", null, box, t("services.enabled")), restart), said, restarted,
    service.id === "framegrabber" && framesPart(signal), settings, log);
  place.append(card);
  return { show(now) {
    if (document.activeElement !== box) box.checked = Boolean(now.enabled);
    box.disabled = now.available === false;
    fill(state, icon(now.state === "running" ? "good"
      : ["pausing", "broken", "unavailable", "ended"].includes(now.state) ? "look" : "wait"), T["state." + now.state] ?? now.state);
    reason.textContent = now.reason ? sentence(plain(now.reason)) : "";
    fill(facts, now.fault && noteOf({ severity: "warning", code: "hack", hint: now.fault.hint,
      message: (now.fault.line ? t("services.line", { line: now.fault.line }) + " " : "") + now.fault.message }));
  } };
}

/** Who may log in by SSH. */
async function sshKeys(signal) {
  const ssh = await api("GET", "/ssh/keys", undefined, { signal });
  const input = h("textarea", { value: ssh.authorized_keys, spellcheck: "false", rows: 4 });
  return h("details.sheet", null, h("summary", null, t("ssh.title")),
    ssh.host_key && h("p.soft", null, t("ssh.host"), " ", h("code", null, ssh.host_key)),
    form([field(t("ssh.keys"), input, t("ssh.keys.help"))], t("save"), async (place) => {
      await api("PUT", "/ssh/keys", { authorized_keys: input.value });
      fill(place, h("div.note", { role: "status" }, icon("good"), h("p", null, t("saved"))));
    }));
}
