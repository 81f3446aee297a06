// Controls: what the camera's own firmware lets one set, next to the live picture. Each shows what
// the camera reports, also when the Mi Home app changed it.

import { T, t } from "./text.js";
import { fill, h, say } from "./dom.js";
import { api, pause } from "./api.js";
import { doing, field, trouble } from "./parts.js";

/** All controls; follows them until the signal. Hidden where this camera has none. */
export function controlSection(signal) {
  const rows = h("div.controls");
  const words = h("p.soft", { role: "status" });
  const [back, said] = doing(t("control.back-all"), async () => {
    draw(await api("DELETE", "/controls"));
    say(t("control.back-done"));
  });
  const section = h("section.sheet", { hidden: true }, h("h2", null, t("control.title")), words, rows,
    h("div.buttons", null, back), said);
  let updates = new Map();
  const draw = ({ connected, controls }) => {
    section.hidden = connected && !controls.length;
    words.textContent = connected ? "" : t("control.away");
    if (!connected) return;
    const ids = controls.map(({ id }) => id);
    if (ids.join() !== [...updates.keys()].join()) {
      updates = new Map();
      fill(rows, controls.map((control) => {
        const [row, update] = controlRow(control);
        updates.set(control.id, update);
        return row;
      }));
    }
    for (const control of controls) updates.get(control.id)(control);
    back.hidden = !controls.some(({ changed }) => changed);
  };
  followControls(draw, () => { section.hidden = true; }, signal);
  return section;
}

async function followControls(draw, none, signal) {
  let since = "";
  while (!signal.aborted) {
    try {
      const news = await api("GET", "/controls" + since, undefined, { signal });
      // Where no place to wait is free, the answer comes at once with nothing new.
      const next = `?wait=20&since=${news.seq}`, same = next === since;
      since = next;
      draw(news);
      await pause(same ? 2000 : 150, signal);
    } catch (error) {
      if (error.name === "AbortError") return;
      if (error.status) none();
      since = "";
      await pause(5000, signal).catch(() => {});
    }
  }
}

/** One control: its row, and how it takes what the camera reports. */
function controlRow(first) {
  const { id } = first;
  const said = h("div.place");
  const note = h("p.help");
  let now = first;
  let busy = false;
  const work = async (method, body) => {
    busy = true;
    row.setAttribute("aria-busy", "true");
    fill(said);
    try {
      now = await api(method, "/controls/" + id, body);
      say(`${label}: ${t("control.done")}`);
    } catch (error) {
      fill(said, trouble(error));
    }
    busy = false;
    row.removeAttribute("aria-busy");
    update(now);
  };
  const label = t("control." + id);
  const [input, show] = controlInput(first, label, (value) => work("PUT", { value }));
  const back = h("button.plain", { type: "button", onclick: () => work("DELETE") }, t("control.back"));
  const update = (control) => {
    now = control;
    if (busy) return;
    show(control);
    back.hidden = !control.changed;
    const words = [control.state && t("control.state." + control.state),
      control.value === null && t("control.unset"),
      control.changed && t("control.was", { value: controlWords(control, control.original) })];
    note.textContent = words.filter(Boolean).join(" ");
    note.hidden = !note.textContent;
  };
  const row = h("div.control", { "data-control": id }, input, h("div", null, note, back), said);
  return [row, update];
}

/** A value in words. */
function controlWords({ type, unit }, value) {
  if (value === null) return t("control.unset");
  if (type === "switch") return t(value ? "control.v.on" : "control.v.off");
  if (type === "choice") return t("control.v." + value);
  return type === "number" ? `${value} ${unit}` : t("control.areas");
}

/** The field of a control, and how it shows a value. */
function controlInput(control, label, send) {
  const help = T["control." + control.id + ".help"];
  if (control.type === "switch") {
    const input = h("input", { type: "checkbox", role: "switch", onchange: () => send(input.checked) });
    return [field(label, input, help), ({ value }) => {
      input.checked = value === true;
      input.indeterminate = value === null;
    }];
  }
  if (control.type === "choice") {
    const input = h("select", { onchange: () => send(input.value) },
      control.choices.map((word) => h("option", { value: word }, t("control.v." + word))));
    const row = field(label, input, help);
    row.classList.add("pick");
    return [row, ({ value }) => { input.value = value ?? ""; }];
  }
  if (control.type === "number") {
    const shown = h("output");
    const input = h("input", { type: "range", min: control.min, max: control.max, step: 1,
      oninput: () => { shown.textContent = `${input.value} ${control.unit}`; },
      onchange: () => send(Number(input.value)) });
    const row = field(label, input, help);
    row.append(shown);
    return [row, ({ value }) => {
      input.value = value ?? control.max;
      shown.textContent = value === null ? "" : `${value} ${control.unit}`;
    }];
  }
  return areasInput(label, help, send);
}

/** The areas of the picture: eight columns, four rows. Each press is one level more. */
function areasInput(label, help, send) {
  let cells = Array(32).fill(0);
  const words = (at) => t("control.cell", { row: Math.floor(at / 8) + 1, column: at % 8 + 1, level: t("control.level." + cells[at]) });
  const paint = (at) => {
    buttons[at].dataset.level = cells[at];
    buttons[at].setAttribute("aria-label", words(at));
  };
  const buttons = cells.map((_, at) => h("button.cell", { type: "button", onclick: () => {
    cells[at] = (cells[at] + 1) % 4;
    paint(at);
  } }));
  const save = h("button", { type: "button", onclick: () => send(cells) }, t("control.areas.save"));
  const element = h("details", null, h("summary", null, label), help && h("p.help", null, help),
    h("div.areas", { role: "group", "aria-label": label }, buttons), h("div.buttons", null, save));
  return [element, ({ value }) => {
    // What is being drawn is not taken away.
    if (!value || element.contains(document.activeElement) && document.activeElement.className === "cell") return;
    cells = [...value];
    cells.forEach((_, at) => paint(at));
  }];
}
