// The camera itself: facts, access, update, uninstall.

import { bytes, moment, plain, span, T, t } from "./text.js";
import { fill, h, icon, put } from "./dom.js";
import { api, session } from "./api.js";
import { doing, field, form, secretField } from "./parts.js";
import { heading, logout, lookNow } from "./house.js";
import { reboot } from "./restart.js";
import { updateSection } from "./update.js";

export async function cameraView(main, signal) {
  const place = h("div.stack");
  main.append(heading(t("camera.title"), t("camera.lead")), place);
  const status = await lookNow(signal);
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
      h("dl.cols", null, facts.filter(([, value]) => value !== undefined && value !== null)
        .map(([key, value]) => [h("dt", null, T["fact." + key] ?? T[key] ?? key), h("dd", null, plain(value))])),
      h("div.buttons", null, restart, leave[0]), said, leave[1]),
    h("div.two", null, passwordSection(), await tokenSection(signal)),
    factsSection(),
    updateSection(signal),
    await uninstallSection(signal)]);
}

function factsSection() {
  return h("section.sheet", null, h("h2", null, t("facts.title")), h("p.soft", null, t("facts.lead")),
    h("div.buttons", null, h("a.button", { href: "api/v1/facts", download: "mi360d-facts.txt" }, t("facts.save"))));
}

function passwordSection() {
  const [oldRow, old] = secretField(t("password.old"), "current", "current-password");
  const [newRow, fresh] = secretField(t("password.new"), "new", "new-password", t("password.any"));
  return h("section.sheet", null, h("h2", null, t("password.title")),
    form([oldRow, newRow], t("password.change"), async (place, element) => {
      const answer = await api("POST", "/password", { current: old.value, password: fresh.value }, { quiet: true });
      session.csrf = answer.csrf;
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
    const { changes: done } = await api("POST", "/uninstall", { confirm: input.value.trim() });
    const left = done.filter((change) => change.thing === "control" && change.fate === "kept");
    fill(section, h("h2", null, t("uninstall.done")), h("p", null, t("uninstall.done.why")),
      left.length ? h("p", null, t("uninstall.left", { names: left.map((change) => T["control." + change.path] ?? change.path).join(", ") })) : null);
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
