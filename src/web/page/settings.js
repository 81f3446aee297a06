// Settings drawn from their types; the log; the camera itself, who may come in, and the way out.

/** An input for a field of any type: how it looks, what it holds, and what stands below it. */
function typed(field, value) {
  if (field.secret || field.type === "secret") return hidden(field, value);
  switch (field.choices ? "enum" : field.type) {
    case "bool": {
      const input = h("input", { type: "checkbox", checked: value === true });
      return [input, () => input.checked];
    }
    case "integer": {
      const input = h("input", { type: "number", min: field.min, max: field.max, step: 1, required: true, value: value ?? "" });
      return [input, () => input.value === "" ? null : Number(input.value)];
    }
    case "enum": {
      const input = h("select", null, field.choices.map((choice) =>
        h("option", { value: choice }, field.words?.(choice) ?? choice)));
      input.value = value;
      return [input, () => input.value];
    }
    case "list": {
      const input = h("textarea", { value: (value ?? []).join("\n"), spellcheck: "false" });
      return [input, () => listOf(input)];
    }
    default: {
      const input = h("input", { type: "text", value: value ?? "", spellcheck: "false" });
      return [input, () => input.value];
    }
  }
}

const listOf = (input) => input.value.split("\n").map((line) => line.trim()).filter(Boolean);

/** A secret: what is set is never shown, an empty field changes nothing, and to remove it is said apart. */
function hidden(field, value) {
  const list = field.type === "list";
  const set = field.set ?? Boolean(value?.length);
  const props = { autocomplete: "new-password", spellcheck: "false", placeholder: set ? t("secret.set") : "" };
  const input = list ? h("textarea", props) : h("input", { type: "password", ...props });
  const gone = h("input", { type: "checkbox" });
  const label = h("label.check", { hidden: !set }, gone, t("secret.remove"));
  const read = () => gone.checked ? (list ? [] : "") : input.value === "" ? null : list ? listOf(input) : input.value;
  const saved = () => {
    const is = gone.checked ? false : input.value !== "" || !label.hidden;
    label.hidden = !is;
    input.placeholder = is ? t("secret.set") : "";
    input.value = "";
    gone.checked = false;
  };
  return [input, read, label, saved];
}

/** A form of fields; what was changed is marked, what is wrong is said at its field. */
function settingsForm(fields, values, send) {
  const rows = fields.map((spec) => {
    const [input, read, below, saved] = typed(spec, values[spec.name]);
    const row = field(spec.label, input, spec.help);
    if (below) row.append(below);
    row.querySelector("label").dataset.changed = t("changed");
    const one = { spec, row, read, input, saved, before: JSON.stringify(read()) };
    one.isChanged = () => JSON.stringify(read()) !== one.before;
    row.addEventListener("input", () => row.classList.toggle("changed", one.isChanged()));
    return one;
  });
  return form(rows.map(({ row }) => row), t("save"), async (place) => {
    for (const { row, input } of rows) {
      input.removeAttribute("aria-invalid");
      row.querySelector(".trouble")?.remove();
    }
    const changed = Object.fromEntries(rows.filter((r) => r.isChanged()).map((r) => [r.spec.name, r.read()]));
    try {
      const answer = await send(changed);
      for (const r of rows) {
        r.saved?.();
        r.before = JSON.stringify(r.read());
        r.row.classList.remove("changed");
      }
      const restart = answer?.restart ?? [];
      fill(place, h("div.note", { role: "status" }, icon("good"),
        h("p", null, t("saved"), " ", restart.length ? t("saved.restart", { names: restart.join(", ") }) : "")));
    } catch (error) {
      const wrong = rows.find((r) => r.spec.name === error.field);
      if (!wrong) throw error;
      wrong.input.setAttribute("aria-invalid", "true");
      wrong.row.append(trouble(error));
      wrong.input.focus();
    }
  });
}

async function settingsView(main, signal) {
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

async function logView(main, signal) {
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
  for (;;) {
    if (live.checked && !document.hidden) await refresh();
    await pause(2000, signal);
  }
}

async function cameraView(main, signal) {
  const place = h("div.stack");
  main.append(heading(t("camera.title"), t("camera.lead")), place);
  const status = await api("GET", "/status", undefined, { signal });
  seen(status);
  const facts = [
    ["camera.model", status.model + (status.simulated ? ` (${t("simulated")})` : "")],
    ["camera.program", status.program], ["camera.firmware", status.firmware], ["camera.kernel", status.kernel],
    ["camera.uptime", span(status.uptime_seconds)], ["camera.starts", status.boot_count],
    ["camera.clock", moment(status.clock)],
    ["camera.memory", t("camera.memory.words", { used: bytes(status.memory.resident_kib * 1024),
      free: bytes(status.memory.available_kib * 1024) })],
    ["card", status.card.free === undefined ? status.card.state
      : t("card.free", { free: bytes(status.card.free), total: bytes(status.card.total) })],
    ["identity", status.identity.fingerprint ?? "-"],
    ...status.identity.fields.map((one) => [one.key, one.shown]),
  ];
  const [restart, said] = doing(t("camera.reboot"), reboot);
  const leave = doing(t("logout"), logout);
  put(place, [
    h("section.sheet", null, h("h2", null, t("camera.facts")),
      h("dl", null, facts.filter(([, value]) => value !== undefined && value !== null)
        .map(([key, value]) => [h("dt", null, T[key] ?? key), h("dd", null, value)])),
      h("div.buttons", null, restart, leave[0]), said, leave[1]),
    h("div.two", null, passwordSection(), await tokenSection(signal)),
    factsSection(),
    updateSection(signal),
    await uninstallSection(signal)]);
}

function factsSection() {
  return h("section.sheet", null, h("h2", null, t("facts.title")), h("p.soft", null, t("facts.lead")),
    h("p", null, h("a", { href: "api/v1/facts", download: "mi360d-facts.txt" }, t("facts.save"))));
}

function passwordSection() {
  const [oldRow, old] = secretField(t("password.old"), "current", "current-password");
  const [newRow, fresh] = secretField(t("password.new"), "new", "new-password", t("password.any"));
  return h("section.sheet", null, h("h2", null, t("password.title")),
    form([oldRow, newRow], t("password.change"), async (place, element) => {
      const answer = await api("POST", "/password", { current: old.value, password: fresh.value }, { quiet: true });
      csrf = answer.csrf;
      element.reset();
      fill(place, h("div.note", { role: "status" }, icon("good"), h("p", null, t("password.done"))));
    }));
}

async function tokenSection(signal) {
  const list = h("ul.files");
  const name = h("input", { type: "text", required: true, maxlength: 60, placeholder: "Home Assistant" });
  const made = h("div.place");
  async function refresh() {
    const { tokens } = await api("GET", "/tokens", undefined, { signal });
    fill(list, tokens.map((token) => {
      const [revoke, said] = doing(t("token.revoke"), async () => {
        await api("DELETE", "/tokens/" + token.id);
        await refresh();
      });
      return h("li", null, h("div", null, h("strong", null, token.name),
        h("p.soft", null, token.made ? moment(token.made) : "")), revoke, said);
    }));
  }
  await refresh();
  return h("section.sheet", null, h("h2", null, t("token.title")), h("p.soft", null, t("token.lead")), list,
    form([field(t("token.name"), name)], t("token.make"), async () => {
      const token = await api("POST", "/tokens", { name: name.value });
      name.value = "";
      fill(made, h("p", null, t("token.once")), h("code.phrase", null, token.token));
      await refresh();
    }), made);
}

async function uninstallSection(signal) {
  const { changes, confirm } = await api("GET", "/uninstall", undefined, { signal });
  const input = h("input", { type: "text", autocomplete: "off", spellcheck: "false", autocapitalize: "characters" });
  const element = form([h("p", null, t("uninstall.type"), h("br"), h("span.phrase", null, confirm)),
    field(t("plan.phrase"), input)], t("uninstall.go"), async () => {
    await api("POST", "/uninstall", { confirm: input.value.trim() });
    fill(section, h("h2", null, t("uninstall.done")), h("p", null, t("uninstall.done.why")));
  }, { danger: true });
  const check = () => { element.go.disabled = input.value.trim() !== confirm; };
  input.addEventListener("input", check);
  check();
  const section = h("details.sheet", null, h("summary", null, t("uninstall.title")),
    h("p", null, t("uninstall.lead")),
    h("div.scroll", { tabindex: "0" }, h("table", null, h("thead", null, h("tr", null, ["path", "what", "fate"].map((key) =>
      h("th", { scope: "col" }, t("uninstall." + key))))),
    h("tbody", null, changes.map((change) => h("tr", null, h("td.mono", null, change.path),
      h("td", null, T["thing." + change.thing] ?? change.what), h("td", null, t("fate." + change.fate))))))),
    element);
  return section;
}
