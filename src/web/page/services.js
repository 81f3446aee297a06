// Services: whatever the camera runs beside the firmware, drawn from what each says of itself.

async function servicesView(main, signal) {
  const place = h("div.stack");
  main.append(heading(t("services.title"), t("services.lead")), place);
  const cards = new Map();
  for (;;) {
    const { services } = await api("GET", "/services", undefined, { signal });
    if (!services.length) fill(place, h("p.sheet", null, t("services.none")));
    for (const service of services) {
      let card = cards.get(service.id);
      if (!card) cards.set(service.id, card = serviceCard(service, place));
      card.show(service);
    }
    await pause(3000, signal);
  }
}

function serviceCard(service, place) {
  const state = h("span.tag");
  const reason = h("p.soft");
  const said = h("div.place");
  const facts = h("dl");
  const box = h("input", { type: "checkbox", role: "switch", onchange: async () => {
    fill(said);
    try {
      await api("PUT", "/services/" + service.id, { enabled: box.checked });
    } catch (error) {
      box.checked = !box.checked;
      fill(said, trouble(error));
    }
  } });
  const [restart, restarted] = doing(t("services.restart"), () => api("POST", `/services/${service.id}/restart`));
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
  const fields = service.settings?.fields ?? service.settings ?? [];
  const settings = Array.isArray(fields) && fields.length > 0 && h("details", null,
    h("summary", null, t("nav.settings")), settingsForm(
      fields.map((f) => ({ ...f, label: f.label ?? f.name, help: f.help ?? f.description })),
      Object.fromEntries(fields.map((f) => [f.name, f.value ?? f.default])),
      async (changed) => { await api("PUT", "/services/" + service.id, { settings: changed }); }));
  const card = h("section.sheet.service", null,
    h("header", null, h("h2", null, service.name ?? service.id), state),
    service.what ?? service.description ? h("p", null, service.what ?? service.description) : null,
    reason, facts,
    h("div.bare", null, h("label.switch", null, box, t("services.enabled")), restart), said, restarted,
    settings, log);
  place.append(card);
  return { show(now) {
    if (document.activeElement !== box) box.checked = Boolean(now.enabled);
    box.disabled = now.available === false;
    fill(state, icon(["running", "ready"].includes(now.state) ? "good"
      : ["failed", "broken", "unavailable"].includes(now.state) ? "look" : "wait"), T["state." + now.state] ?? now.state);
    reason.textContent = now.reason ? sentence(now.reason) : "";
    fill(facts, (now.facts ?? []).map((fact) => [h("dt", null, fact.name), h("dd", null, fact.value)]));
  } };
}
