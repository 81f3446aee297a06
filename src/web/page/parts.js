// The parts that views are made of: notes, buttons, fields, forms, dialogs, bars.

import { sentence, T, t, told } from "./text.js";
import { fill, h, icon, say } from "./dom.js";
import { Refused } from "./api.js";

/** What went wrong, to be put where it happened. */
export function trouble(error) {
  if (error.name === "AbortError") return null;
  const known = error instanceof Refused;
  return h("div.trouble", { role: "alert" },
    icon("look"),
    h("div", null, h("p", null, h("strong", null, sentence(known ? error.message : t("failed")))),
      h("p", null, known ? error.hint : String(error))));
}

/** A notice, a finding or a warning of a plan. */
export function noteOf(notice) {
  const severity = notice.severity ?? "warning";
  const words = notice.message ?? notice.reason;
  return h(`div.note.${severity}`, null, icon(severity !== "note" ? "look" : notice.code ? "bad" : "good"),
    h("div", null, h("p", null, h("strong", null, notice.partition && `${notice.partition}: `,
      sentence(told(notice.code, words)))),
    notice.hint && h("p", null, told(notice.code + ".hint", notice.hint))));
}

/** Brings into view what was just said, also above the bar of a phone. */
export function reveal(place) {
  if (place.hasChildNodes()) place.scrollIntoView({ block: "nearest", behavior: "smooth" });
}

/** A button that does something that takes a moment; what goes wrong stands behind it. */
export function doing(label, work, props = {}) {
  const place = h("div.place");
  const button = h("button", {
    type: "button", ...props,
    onclick: async () => {
      button.disabled = true;
      button.setAttribute("aria-busy", "true");
      fill(place);
      try {
        await work(place);
      } catch (error) {
        fill(place, trouble(error));
      }
      reveal(place);
      button.removeAttribute("aria-busy");
      button.disabled = false;
    },
  }, label);
  return [button, place];
}

/** A labelled field. */
export function field(label, input, help) {
  const id = "f" + (field.count = (field.count ?? 0) + 1);
  input.id = id;
  if (help) input.setAttribute("aria-describedby", id + "h");
  return h(input.type === "checkbox" ? "div.field.toggle" : "div.field", null, h("label", { for: id }, label), input,
    help && h("p.help", { id: id + "h" }, help));
}

/** A password with its eye. */
export function secretField(label, name, auto, help) {
  const input = h("input", { type: "password", name, autocomplete: auto, required: true,
    spellcheck: "false", autocapitalize: "none" });
  const row = field(label, input, help);
  const eye = h("button.plain.eye", { type: "button", "aria-pressed": "false",
    onclick: () => {
      const shown = input.type === "password";
      input.type = shown ? "text" : "password";
      eye.setAttribute("aria-pressed", String(shown));
    } }, t("show"));
  input.after(eye);
  row.classList.add("secret");
  return [row, input];
}

/** A form that sends something; wrong fields are named beside them. */
export function form(fields, label, send, props = {}) {
  const place = h("div.place");
  const button = h("button", { type: "submit", class: props.danger ? "danger" : "main" }, label);
  const element = h("form", {
    onsubmit: async (event) => {
      event.preventDefault();
      if (button.disabled) return;
      button.disabled = true;
      button.setAttribute("aria-busy", "true");
      fill(place);
      try {
        await send(place, element);
      } catch (error) {
        fill(place, trouble(error));
      }
      reveal(place);
      button.removeAttribute("aria-busy");
      button.disabled = false;
    },
  }, fields, place, h("div.buttons", null, button, props.more));
  element.go = button;
  return element;
}

/** A dialog; it is gone when it is closed, and the focus is back where it was. */
export function dialog(title, ...children) {
  const heading = h("h2", { id: "dialog" }, title);
  const element = h("dialog", { "aria-labelledby": "dialog", onclose: () => element.remove() },
    heading, children);
  document.body.append(element);
  element.showModal();
  return element;
}

export function closer(label = t("close")) {
  return h("button", { type: "button", onclick: (event) => event.target.closest("dialog").close() },
    label);
}

/** A text with a button that copies it, also where the browser trusts HTTPS alone. */
export function copyable(text, hasCode) {
  const [show, said] = hasCode ? qrButton(text) : [];
  const code = h("code.phrase", null, text);
  return h("div.bare", null, code, h("button", { type: "button", "aria-label": `${t("copy")}: ${text}`, onclick: async ({ currentTarget: target }) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      getSelection().selectAllChildren(code);
      document.execCommand("copy");
    }
    say(t("copied"));
    fill(target, t("copied"));
    setTimeout(() => fill(target, t("copy")), 3000);
  } }, t("copy")), show, said);
}

/** A button that shows an address as a QR code. */
export function qrButton(text) {
  return doing([icon("qr"), t("qr.show")], async () => (await import("./qr.js")).showQr(text), { "aria-label": `${t("qr.show")}: ${text}` });
}

/** A bar for a job that is no flash. */
export function bar() {
  const words = h("span");
  const element = h("progress", { max: 1, value: 0 });
  const whole = h("div.bar", null, h("label", null, words, element));
  whole.show = (job) => {
    words.textContent = stepWords(job);
    if (job.blocks) element.value = job.block / job.blocks;
    else element.removeAttribute("value");
  };
  return whole;
}

/** A job's step in this language, with its partition's name. */
export function stepName(job) {
  const words = T["step." + job.step_code];
  if (!words) return sentence(job.step).slice(0, -1);
  return words + (job.partition ? " " + job.partition : "");
}

function stepWords(job) {
  const step = stepName(job);
  return job.blocks ? `${step}, ${Math.floor(100 * job.block / job.blocks)} %` : step;
}
