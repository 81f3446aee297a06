// Forms drawn from the types of their fields: for settings and services.

import { t } from "./text.js";
import { fill, h, icon } from "./dom.js";
import { Refused } from "./api.js";
import { doing, field, form, trouble } from "./parts.js";
import { unsaved } from "./house.js";
import { reboot } from "./restart.js";
import { zoneField } from "./zones.js";

/** An input for a field of any type: how it looks, what it holds, and what stands below it. */
function typed(field, value) {
  if (field.secret || field.type === "secret") return hidden(field, value);
  if (field.type === "zone") return zoneField(value);
  switch (field.choices ? "enum" : field.type) {
    case "bool": {
      const input = h("input", { type: "checkbox", role: "switch", checked: value === true });
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

/** A form of fields; what was changed is marked, what is wrong is said at its field. `values()`: as typed. */
export function settingsForm(fields, values, send) {
  const rows = fields.map((spec) => {
    const [input, read, below, saved] = typed(spec, values[spec.name]);
    const row = field(spec.label, input, spec.help);
    if (below) row.append(below);
    row.querySelector("label").dataset.changed = t("changed");
    const one = { spec, row, read, input, saved, before: JSON.stringify(read()) };
    one.isChanged = () => JSON.stringify(read()) !== one.before;
    row.addEventListener("input", () => {
      row.classList.toggle("changed", one.isChanged());
      if (rows.some((other) => other.isChanged())) unsaved.add(element);
      else unsaved.delete(element);
    });
    return one;
  });
  const element = form(rows.map(({ row }) => row), t("save"), async (place) => {
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
      unsaved.delete(element);
      const restart = (answer?.restart ?? []).map((name) => rows.find((r) => r.spec.name === name)?.spec.label ?? name);
      const [now, said] = doing(t("saved.now"), reboot);
      fill(place, h("div.note", { role: "status" }, icon("good"), h("div", null,
        h("p", null, t("saved"), " ", restart.length ? t("saved.restart", { names: restart.join(", ") }) : ""),
        restart.length > 0 && [now, said])));
    } catch (error) {
      const wrong = rows.find((r) => r.spec.name === error.field);
      if (!wrong) throw error;
      wrong.input.setAttribute("aria-invalid", "true");
      // By its label, not by its name in the file.
      const words = error.message.replace(`${error.field}: `, "");
      wrong.row.append(trouble(new Refused(error.status, { code: "", message: `${wrong.spec.label}: ${words}`, hint: t("field.hint") })));
      wrong.input.focus();
    }
  });
  /** The row of a field, by its name. */
  element.row = (name) => rows.find((r) => r.spec.name === name)?.row;
  element.values = () => Object.fromEntries(rows.map((r) => [r.spec.name, r.read()]));
  return element;
}
