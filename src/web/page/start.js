// The door and the house: setup, login, the way around, which view is shown, and what is said on
// every view: that the camera does not answer, and what it is doing.

import { loadSaid, loadTexts, span, t } from "./text.js";
import { fill, h, icon, say } from "./dom.js";
import { api, isPassing, line, session } from "./api.js";
import { closer, dialog, field, form, secretField, stepName, trouble } from "./parts.js";
import { again, brand, hasUnsaved, logout, lookNow, onStatus, unsaved, watch } from "./house.js";
import { percent } from "./verdict.js";
import { liveView } from "./live.js";
import { uploads, uploadWords } from "./upload.js";

const VIEWS = {
  live: () => liveView,
  home: async () => (await import("./home.js")).homeView,
  backups: async () => (await import("./backups.js")).backupsView,
  flash: async () => (await import("./flash.js")).flashView,
  chip: async () => (await import("./chip.js")).chipView,
  log: async () => (await import("./log.js")).logView,
  card: async () => (await import("./card.js")).cardView,
  services: async () => (await import("./services.js")).servicesView,
  settings: async () => (await import("./settings.js")).settingsView,
  camera: async () => (await import("./camera.js")).cameraView,
};
const USUAL = "live";
/** On a phone these have a place of their own. */
const FIRST = ["live", "home", "backups"];
const FIRMWARE = ["flash", "chip", "log"];
const REST = ["card", "services", "settings", "camera"];

/** Ends what the shown view does, and what the house does. */
let leave = new AbortController();
let close = new AbortController();
/** The address of the view that is shown. */
let shown = null;
/** A house with unsaved changes in it, while the door is shut. */
let kept = null;

const app = document.getElementById("app");

function showHouse() {
  const link = (name) => h("li", null, h("a", { href: "#/" + name, "data-view": name }, icon(name), t("nav." + name)));
  const more = h("button.plain", { type: "button", "aria-expanded": "false", "aria-controls": "more",
    onclick: () => menu(!nav.classList.contains("open")) }, icon("more"), t("nav.more"));
  const nav = h("nav", { "aria-label": t("nav") },
    h("ul.first", null, FIRST.map(link), h("li.menu", null, more)),
    h("div.rest", { id: "more" },
      h("h2", { id: "firmware" }, t("nav.firmware")), h("ul", { "aria-labelledby": "firmware" }, FIRMWARE.map(link)),
      h("ul", null, REST.map(link),
        h("li.leave", null, h("button.plain", { type: "button", onclick: logout }, icon("out"), t("logout"))))));

  function menu(open) {
    nav.classList.toggle("open", open);
    more.setAttribute("aria-expanded", String(open));
  }

  close.abort();
  close = new AbortController();
  const { signal } = close;
  addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !nav.classList.contains("open")) return;
    menu(false);
    more.focus();
  }, { signal });
  addEventListener("pointerdown", (event) => !nav.contains(event.target) && menu(false), { signal });
  addEventListener("view", () => menu(false), { signal });
  fill(app,
    h("a.skip", { href: "#main", onclick: (event) => {
      event.preventDefault();
      document.querySelector("main h1")?.focus();
    } }, t("skip")),
    h("div.house", null,
      h("header.side", null, brand(true), nav),
      h("div.middle", null, bars(signal), h("main", { id: "main" }))));
  watch(signal);
}

/** What is said on every view. */
function bars(signal) {
  const away = h("p.strip.away", { role: "alert", hidden: true });
  const job = h("a.strip.running", { hidden: true });
  const words = h("span");
  const progress = h("progress", { max: 100, value: 0, "aria-label": t("bar.progress") });
  job.append(icon("wait"), words, progress);
  const ended = h("div.place");
  const sending = h("div.place");
  const upload = () => fill(sending, uploadStrip());
  addEventListener("upload", upload, { signal });
  addEventListener("view", upload, { signal });
  upload();
  let running = null;
  const lineChanged = () => {
    document.querySelector(".house")?.classList.toggle("stale", !line.up);
    away.hidden = line.up;
    if (!line.up) fill(away, icon("look"), h("span", null, h("strong", null, t("offline") + ". "),
      t(running?.flashes ? "offline.flash" : "offline.again")));
  };
  addEventListener("line", lineChanged, { signal });
  // The view of a flash shows it itself.
  const hide = () => { job.hidden = !running || running.flashes && location.hash.startsWith("#/flash"); };
  addEventListener("view", hide, { signal });
  onStatus((status) => {
    running = runningThing(status);
    hide();
    if (running) {
      job.href = running.href;
      words.textContent = running.words;
      if (running.part === null) progress.removeAttribute("value");
      else progress.value = running.part;
    }
    fill(ended, status.flash_ended && endedStrip(status.flash_ended));
  }, signal);
  return h("div.strips", null, away, job, sending, ended);
}


/** What the camera is doing, as the bar shows it. */
function runningThing({ job, backup }) {
  if (job?.state === "running") {
    const flashes = ["flash", "restore"].includes(job.kind);
    const part = percent(job);
    const left = job.left_s ? t("bar.left", { time: span(job.left_s) }) : "";
    return { href: flashes ? "#/flash" : "#/backups", flashes, part,
      words: [stepName(job) + (part === null ? "" : `, ${part} %`), left].filter(Boolean).join(", ") };
  }
  if (backup.state !== "running") return null;
  const part = percent(backup);
  return { href: "#/backups", flashes: false, part, words: stepName(backup) + (part === null ? "" : `, ${part} %`) };
}

/** An upload, on every view but the one that shows it itself. */
function uploadStrip() {
  if (location.hash.startsWith("#/flash")) return null;
  const { now, ended } = uploads;
  if (now) {
    return h("div.strip", null, icon("wait"), h("a", { href: "#/flash" }, uploadWords(now)),
      h("progress", { max: 1, value: now.part, "aria-label": t("bar.progress") }),
      h("button", { type: "button", onclick: now.cancel }, t("upload.cancel")));
  }
  return ended && h("div.strip", { role: "status" }, icon("good"),
    h("a", { href: "#/flash" }, t("flash.arrived", { name: ended })));
}

/** A flash that ended while nobody could watch: said until it was read. */
function endedStrip(end) {
  const good = end.outcome === "done";
  const key = end.put_back ? "ended.back" : "ended." + end.outcome;
  return h(`div.strip.${good ? "good" : "bad"}`, { role: "status" }, icon(good ? "good" : "look"),
    h("span", null, t(key, { names: end.partitions.join(", ") })),
    h("button", { type: "button", onclick: async () => {
      await api("DELETE", "/flash/ended");
      await lookNow();
    } }, t("ended.read")));
}

/** The first password, or the password. */
function showDoor(error) {
  const house = document.querySelector(".house");
  // After a log out the reason is known.
  const ended = house && session.csrf;
  // What was typed is still there after the login.
  if (house && hasUnsaved()) kept = [...app.childNodes];
  else leave.abort();
  close.abort();
  document.cookie = "mi360d_in=0; Max-Age=0; SameSite=Strict";
  const setup = error.code === "setup-needed";
  const closed = error.code === "no-setup-code";
  const early = Object.fromEntries([...app.querySelectorAll("form [name]")].map((one) => [one.name, one.value]));
  document.title = `${t(setup ? "door.setup" : "door.login")} \u00b7 mi360d`;
  const code = h("input", { type: "text", name: "code", required: true, autocomplete: "one-time-code",
    autocapitalize: "characters", spellcheck: "false", placeholder: "XXXXX-XXXXX" });
  const [row, password] = secretField(t(setup ? "door.choose" : "password"), "password",
    setup ? "new-password" : "current-password", setup ? t("password.any") : null);
  if (setup) password.minLength = 8;
  const entry = form([
    h("input.unseen", { type: "text", name: "username", value: "admin", autocomplete: "username", tabindex: "-1", "aria-hidden": "true" }),
    setup && field(t("door.code"), code, t("door.code.help")), row,
  ], t(setup ? "door.set" : "door.enter"), async () => {
    const body = setup ? { code: code.value, password: password.value } : { password: password.value };
    const answer = await api("POST", setup ? "/setup" : "/login", body, { quiet: true });
    session.csrf = answer.csrf;
    if (kept) return comeBackIn();
    await route();
  });
  fill(app, h("main.door", { id: "main" }, h("div.sheet", null, brand(),
    h("h1", { tabindex: "-1" }, t(closed ? "door.closed" : setup ? "door.setup" : "door.login")),
    (kept || ended) && h("div.note", { role: "status" }, icon("wait"), h("p", null, t(kept ? "door.kept" : "door.ended"))),
    h("p.soft", null, t(closed ? "door.closed.why" : setup ? "door.setup.why" : "door.login.why")),
    setup && (early.code ? h("div.note", null, icon("good"), h("p", null, t("door.demo")))
      : h("ol.how", null, [1, 2, 3].map((step) => h("li", null, t("door.how." + step))))),
    !closed && entry,
    !setup && !closed && h("details", null, h("summary", null, t("door.forgot")), h("p", null, t("door.forgot.how"))))));
  code.value = early.code ?? "";
  password.value = early.password ?? "";
  if (!closed) (setup && !early.code ? code : password).focus();
}

/** Back in the house as it was left, with what was typed. */
function comeBackIn() {
  app.replaceChildren(...kept);
  kept = null;
  document.cookie = "mi360d_in=1; Max-Age=86400; SameSite=Strict";
  close = new AbortController();
  const strips = bars(close.signal);
  document.querySelector(".strips").replaceWith(strips);
  watch(close.signal);
  lookNow(close.signal).catch(() => {});
  say(t("door.kept.back"));
  document.querySelector("main h1")?.focus();
}

/** Asks before changes that are not saved are lost. */
function askToLeave(wanted) {
  history.replaceState(null, "", shown);
  const element = dialog(t("unsaved.title"), h("p", null, t("unsaved.why")),
    h("div.buttons", null,
      h("button.danger", { type: "button", onclick: () => {
        unsaved.clear();
        element.close();
        location.hash = wanted;
      } }, t("unsaved.discard")), closer(t("unsaved.stay"))));
}

/** Shows the view that the address names. */
async function route() {
  const wanted = location.hash || "#/" + USUAL;
  if (shown && wanted !== shown && document.querySelector(".house") && hasUnsaved()) return askToLeave(wanted);
  leave.abort();
  leave = new AbortController();
  const { signal } = leave;
  const [asked, query] = wanted.replace(/^#\/?/, "").split("?");
  const name = VIEWS[asked] ? asked : USUAL;
  try {
    if (!document.querySelector(".house")) {
      // Nothing is shown to a stranger, not even an empty house.
      await lookNow();
      // So that the next visit does not begin with the door.
      document.cookie = "mi360d_in=1; Max-Age=86400; SameSite=Strict";
      showHouse();
    }
    shown = wanted;
    unsaved.clear();
    dispatchEvent(new Event("view"));
    const main = fill(document.getElementById("main"));
    for (const link of document.querySelectorAll("nav a")) {
      if (link.dataset.view === name) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    document.querySelector("nav .menu").classList.toggle("here", !FIRST.includes(name));
    const [view] = await Promise.all([VIEWS[name](), name === USUAL ? null : loadSaid()]);
    if (signal.aborted) return;
    const begun = view(main, signal, new URLSearchParams(query));
    main.querySelector("h1")?.focus({ preventScroll: true });
    scrollTo(0, 0);
    await begun;
  } catch (error) {
    if (error.name === "AbortError" || signal.aborted || error.status === 401) return;
    const place = document.getElementById("main") ?? app;
    // A view that found no camera is shown again once there is one.
    if (isPassing(error)) addEventListener("line", again, { signal, once: true });
    if (isPassing(error) && place === app) setTimeout(again, 2000);
    if (place === app) fill(app, h("div.waiting", null, brand(), trouble(error)));
    else place.append(trouble(error) ?? "");
  }
}

addEventListener("hashchange", route);
addEventListener("door", (event) => showDoor(event.detail));
addEventListener("beforeunload", (event) => (kept || hasUnsaved() || uploads.now) && event.preventDefault());

async function begin() {
  while (!await loadTexts().then(() => true, () => false)) await new Promise((done) => setTimeout(done, 2000));
  const doors = { login: "login-needed", setup: "setup-needed", closed: "no-setup-code" };
  const door = doors[app.dataset.state];
  if (door) showDoor({ code: door });
  else await route();
  // The other views, before they are asked for.
  setTimeout(() => {
    import("./home.js").catch(() => {});
    loadSaid();
  }, 3000);
}

begin();
