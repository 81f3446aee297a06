// What every view uses: words, elements, the API, dialogs, news of jobs. No view is here.

const T = JSON.parse(document.getElementById("texts").textContent);

/** A text by its key, with {names} filled in. */
function t(key, values = {}) {
  return (T[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

/** A message of the camera by its code, if this language has one; else as the camera said it. */
function told(code, said) {
  return T["say." + code] ?? said;
}

/** An element. Text is always text: nothing here ever becomes markup. */
function h(tag, props, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name || "div");
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "value" || key === "checked" || key === "disabled") element[key] = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  put(element, children);
  return element;
}

/** Appends texts, elements and lists of them. */
function put(element, children) {
  for (const child of [children].flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
  return element;
}

/** Puts new content in place of the old. */
function fill(element, ...children) {
  element.replaceChildren();
  return put(element, children);
}

const SVG = "http://www.w3.org/2000/svg";

/** An element of a drawing. */
function s(tag, props, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(props ?? {})) element.setAttribute(key, value);
  return put(element, children);
}

const ICONS = {
  home: "M3 11.5 12 4l9 7.5M6 10v9h12v-9",
  chip: "M7 7h10v10H7zM10 3v4M14 3v4M10 17v4M14 17v4M3 10h4M3 14h4M17 10h4M17 14h4",
  flash: "M13 3 5 14h6l-1 7 8-11h-6z",
  backups: "M4 7c0-2 16-2 16 0v10c0 2-16 2-16 0zM4 7c0 2 16 2 16 0M4 12c0 2 16 2 16 0",
  services: "M6 4h12v6H6zM6 14h12v6H6zM9 7h.01M9 17h.01",
  live: "M3 7h11v10H3zM14 11l7-4v10l-7-4",
  settings: "M4 7h9M17 7h3M4 12h3M11 12h9M4 17h11M19 17h1M13 5v4M7 10v4M15 15v4",
  log: "M5 5h14M5 10h14M5 15h9M5 20h6",
  camera: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8M4 4h16v16H4z",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  good: "m5 12.5 4.5 4.5L19 7.5",
  wait: "M12 7v5l3 2M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18",
  look: "M12 8v5M12 16.5h.01M12 3 2.5 20h19z",
  bad: "M12 7v6M12 16.5h.01M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18",
  lock: "M7 11h10v9H7zM9 11V8a3 3 0 0 1 6 0v3",
  out: "M10 4H5v16h5M14 8l4 4-4 4M18 12H9",
};

/** A line drawing that says nothing a word beside it does not say. */
function icon(name) {
  return s("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true" },
    s("path", { d: ICONS[name] }));
}

/** A refusal, in the camera's own words. */
class Refused extends Error {
  constructor(status, error) {
    super(told(error.code, error.message));
    this.status = status;
    this.code = error.code;
    this.hint = told(error.code + ".hint", error.hint);
    this.field = error.field;
  }
}

let csrf = "";

/** One call. A lost session brings the login back, whatever was asked. */
async function api(method, path, body, options = {}) {
  const headers = { "X-CSRF-Token": csrf };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch("api/v1" + path, {
      method, headers, signal: options.signal, cache: "no-store",
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, { code: "offline", message: t("offline"), hint: t("offline.hint") });
  }
  csrf = response.headers.get("X-CSRF-Token") ?? csrf;
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  const error = answer.error ?? { code: "internal", message: t("failed"), hint: "" };
  if (["login-needed", "setup-needed", "no-setup-code"].includes(error.code)
      && !options.quiet) showDoor(error);
  throw new Refused(response.status, error);
}

/** Says something to who does not see it. */
function say(text) {
  document.getElementById("said").textContent = text;
}

/** What went wrong, to be put where it happened. */
function trouble(error) {
  if (error.name === "AbortError") return null;
  const known = error instanceof Refused;
  return h("div.trouble", { role: "alert" },
    icon("look"),
    h("div", null, h("p", null, h("strong", null, sentence(known ? error.message : t("failed")))),
      h("p", null, known ? error.hint : String(error))));
}

/** A whole sentence of what the camera says in lower case. */
function sentence(text) {
  const trimmed = String(text ?? "").trim();
  const begun = trimmed.charAt(0).toUpperCase() + trimmed.slice(1);
  return /[.!?]$/.test(begun) ? begun : begun + ".";
}

/** A button that does something that takes a moment; what goes wrong stands behind it. */
function doing(label, work, props = {}) {
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
      button.removeAttribute("aria-busy");
      button.disabled = false;
    },
  }, label);
  return [button, place];
}

/** A labelled field. */
function field(label, input, help) {
  const id = "f" + (field.count = (field.count ?? 0) + 1);
  input.id = id;
  if (help) input.setAttribute("aria-describedby", id + "h");
  return h("div.field", null, h("label", { for: id }, label), input,
    help && h("p.help", { id: id + "h" }, help));
}

/** A password with its eye. */
function secretField(label, name, auto, help) {
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
function form(fields, label, send, props = {}) {
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
      button.removeAttribute("aria-busy");
      button.disabled = false;
    },
  }, fields, place, h("div.buttons", null, button, props.more));
  element.go = button;
  return element;
}

/** A dialog; it is gone when it is closed, and the focus is back where it was. */
function dialog(title, ...children) {
  const heading = h("h2", { id: "dialog" }, title);
  const element = h("dialog", { "aria-labelledby": "dialog", onclose: () => element.remove() },
    heading, children);
  document.body.append(element);
  element.showModal();
  return element;
}

function closer(label = t("close")) {
  return h("button", { type: "button", onclick: (event) => event.target.closest("dialog").close() },
    label);
}

/** Bytes for people. */
function bytes(count) {
  if (count >= 1 << 30) return (count / (1 << 30)).toFixed(1) + " GiB";
  if (count >= 1 << 20) return (count / (1 << 20)).toFixed(count < 10 << 20 ? 1 : 0) + " MiB";
  if (count >= 1 << 10) return Math.round(count / 1024) + " KiB";
  return count + " B";
}

/** Seconds for people. */
function span(seconds) {
  const days = Math.floor(seconds / 86400);
  const hours = Math.floor(seconds / 3600) % 24;
  const minutes = Math.floor(seconds / 60) % 60;
  if (days) return t("span.days", { days, hours });
  if (hours) return t("span.hours", { hours, minutes });
  if (minutes) return t("span.minutes", { minutes });
  return t("span.seconds", { seconds: Math.floor(seconds) });
}

/** A moment, in the reader's own manner. */
function moment(utc) {
  return utc ? new Date(utc).toLocaleString(document.documentElement.lang,
    { dateStyle: "medium", timeStyle: "short" }) : t("clock.unset");
}

const pause = (ms, signal) => new Promise((done, stop) => {
  const timer = setTimeout(done, ms);
  signal?.addEventListener("abort", () => {
    clearTimeout(timer);
    stop(new DOMException("left", "AbortError"));
  });
});

/** Follows a job until it ends, whoever began it; `news` gets each of its states. */
async function follow(job, news, signal) {
  news(job);
  let failures = 0;
  while (job.state === "running") {
    try {
      job = await api("GET", `/jobs/${job.id}?wait=20&since=${job.seq}`, undefined, { signal });
      failures = 0;
      news(job);
    } catch (error) {
      // A camera under load may need a moment; a job that is gone is gone.
      if (error.name === "AbortError" || error.status === 404 || error.status === 401) throw error;
      if (++failures > 30) throw error;
      await pause(1000, signal);
    }
    await pause(120, signal);
  }
  return job;
}

/** A bar for a job that is no flash. */
function bar() {
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
function stepName(job) {
  const words = T["step." + job.step_code];
  if (!words) return sentence(job.step).slice(0, -1);
  return words + (job.partition ? " " + job.partition : "");
}

function stepWords(job) {
  const step = stepName(job);
  return job.blocks ? `${step}, ${Math.floor(100 * job.block / job.blocks)} %` : step;
}
