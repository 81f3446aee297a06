// Flash: choose a file, see what it is, choose partitions, see the plan on the map, type the
// phrase, watch, and end in one of three honest states.

import { bytes, plain, sentence, span, t } from "./text.js";
import { fill, h, icon, put, say } from "./dom.js";
import { api, follow, Refused } from "./api.js";
import { doing, field, form, noteOf, stepName, trouble } from "./parts.js";
import { again, heading, lookSoon } from "./house.js";
import { comeBack, endOf, resumeThing, willRestart } from "./restart.js";
import { CELL, ChipMap, chipNow, inWords, JOB_STATES, legend, planCells } from "./map.js";
import { upload, uploadBar, uploads } from "./upload.js";
import { percent } from "./verdict.js";

export async function flashView(main, signal, query) {
  const steps = h("div.steps");
  main.append(heading(t("flash.title"), t("flash.lead")), steps);
  const status = await api("GET", "/status", undefined, { signal });
  const job = status.job;
  if (job && ["flash", "restore"].includes(job.kind)) {
    // Also one that is done: the camera restarts, and this page comes back with it.
    if (job.state === "running" || willRestart(job)) return watchFlash(steps, job, signal);
    steps.append(h("section.sheet", null, ending(job, false)));
  }
  if (status.interrupted && !(job && endOf(job).key === "partly")) steps.append(resumeThing(status.interrupted));
  const backup = query.get("backup");
  if (backup) return planStep(steps, { backup }, t("flash.fromset", { id: backup }), signal);
  await chooseStep(steps, signal);
}

/** The files on the card, and a place for another one. */
async function chooseStep(steps, signal) {
  const list = h("ul.files");
  const place = h("div.place");
  const input = h("input.unseen", { type: "file", id: "file", tabindex: "-1",
    onchange: () => input.files[0] && send(input.files[0]) });
  const drop = h("div.drop", {
    ondragover: (event) => { event.preventDefault(); drop.classList.add("over"); },
    ondragleave: () => drop.classList.remove("over"),
    ondrop: (event) => {
      event.preventDefault();
      drop.classList.remove("over");
      const { files, items } = event.dataTransfer;
      const one = files.length === 1 && !items[0].webkitGetAsEntry?.()?.isDirectory;
      if (one) send(files[0]);
      else if (files.length) fill(place, noteOf({ message: t("flash.one") }));
    },
  },
  h("h2", null, t("flash.drop")), h("p.soft", null, t("flash.kinds")),
  h("div.buttons", null, h("button.main", { type: "button", onclick: () => input.click() }, t("flash.choose"))),
  h("label.unseen", { for: "file" }, t("flash.choose")), input, place);

  async function send(file) {
    // What was said of another file is none of this one's.
    for (const old of steps.querySelectorAll(".after")) old.remove();
    fill(place);
    await arrival(upload(file));
    input.value = "";
  }

  /** Shows an upload, also one that was begun before this view was left. */
  async function arrival(sent) {
    if (uploads.now) fill(place, uploadBar(signal));
    try {
      const image = await sent;
      uploads.ended = signal.aborted ? image.name : null;
      dispatchEvent(new Event("upload"));
      if (signal.aborted) return;
      fill(place);
      say(t("flash.arrived", { name: image.name }));
      await refresh();
      showImage(image);
    } catch (error) {
      fill(place, trouble(error));
    }
  }

  async function refresh() {
    const { images } = await api("GET", "/images", undefined, { signal });
    fill(list, images.map((image) => {
      const [remove, said] = doing(t("delete"), async () => {
        await api("DELETE", "/images/" + image.id);
        await refresh();
      });
      return h("li", null,
        h("div", null, h("strong", null, image.name),
          h("p.soft", null, [plain(image.report.what), bytes(image.size)].filter(Boolean).join(", "))),
        h("div.bare", null, h("button", { type: "button", onclick: () => showImage(image) }, t("flash.look")),
          remove), said);
    }));
    known.hidden = !images.length;
  }

  function showImage(image) {
    for (const old of steps.querySelectorAll(".after")) old.remove();
    steps.append(...imageStep(steps, image, signal));
    steps.querySelector(".after h2").scrollIntoView({ behavior: "smooth", block: "center" });
  }

  const known = h("section.sheet", { hidden: true }, h("h2", null, t("flash.known")), list);
  steps.append(stepper(1), drop, known);
  await refresh();
  uploads.ended = null;
  dispatchEvent(new Event("upload"));
  if (uploads.now) arrival(uploads.now.done);
}

/** The three screens, and which one this is. */
function stepper(now) {
  return h("ol.stepper", { "aria-label": t("flash.steps") }, [1, 2, 3].map((step) =>
    h("li", { "aria-current": step === now ? "step" : null }, t("flash.step." + step))));
}

/** One verdict on a file, and the way on; all else is folded. */
function imageStep(steps, image, signal) {
  const report = image.report;
  const [go, said] = doing(t("flash.plan"), async () => {
    await planStep(steps, { image: image.id }, image.name, signal);
  }, { class: "main" });
  const facts = [
    [t("flash.firmware"), report.firmware],
    [t("camera.model"), report.model?.id],
    [t("col.size"), bytes(image.size)],
    ["SHA-256", h("code", null, image.sha256)],
  ].filter(([, value]) => value);
  const word = h("p.verdict.wait", { role: "status" }, icon("wait"), h("span", null, t("image.checking")));
  const why = h("div.place");
  const buttons = h("div.buttons", null);
  const judge = async () => {
    try {
      const plan = await api("POST", "/plans", { image: image.id }, { signal });
      const { mark, key, reasons } = judged(plan);
      word.className = "verdict " + mark;
      fill(word, icon(mark === "good" ? "good" : mark), h("span", null, t("image." + key)));
      fill(why, reasons.map((one) => noteOf({ severity: "blocker", ...one })));
      if (mark !== "bad" && plan.confirm !== null) buttons.append(go);
    } catch (error) {
      word.remove();
      fill(why, trouble(error));
    }
  };
  judge();
  return [h("section.sheet.after", null,
    h("h2", { tabindex: "-1" }, image.name), word,
    report.what !== "Not known to this program" && h("p", null, sentence(plain(report.what) ?? report.kind)), why, buttons, said,
    h("details", null, h("summary", null, t("image.details")),
      h("dl", null, facts.map(([name, value]) => [h("dt", null, name), h("dd", null, value)])),
      report.findings.map(noteOf)))];
}

/** What a plan for the whole file makes of it: right, partly, the same already, or not. */
function judged(plan) {
  if (plan.blockers.length === 0) return { mark: "good", key: plan.confirm === null ? "same" : "right", reasons: [] };
  const blocked = new Set(plan.blockers.map((one) => one.partition));
  const some = plan.partitions.some((part) => !blocked.has(part.name)) && !blocked.has(undefined) && !blocked.has(null);
  return { mark: some ? "look" : "bad", key: some ? "partly" : "wrong", reasons: plan.blockers };
}

/** The plan: on the map, with all that speaks against it, and the phrase. */
async function planStep(steps, source, name, signal) {
  const step = h("section.sheet.plan.after");
  const place = h("div.stack");
  put(step, [h("h2", { tabindex: "-1" }, t("plan.title", { name })), place]);
  const first = await api("POST", "/plans", source, { signal });
  const view = await api("GET", "/flash", undefined, { signal });
  fill(steps, stepper(2), step, h("div.buttons", null,
    h("a.button", { href: "#/flash", onclick: () => location.hash === "#/flash" && again() }, t("plan.back"))));
  const names = first.partitions.map((part) => part.name);
  const chosen = new Set(names);
  const choice = h("fieldset.choice", null, h("legend", null, t("plan.choose")),
    first.partitions.map((part) => {
      const box = h("input", { type: "checkbox", checked: true, onchange: async () => {
        if (box.checked) chosen.add(part.name); else chosen.delete(part.name);
        await again();
      } });
      return h("label.check", null, box, part.name, h("span.soft", null, bytes(part.size)));
    }));
  const body = h("div.stack");
  fill(place, names.length > 1 && choice, body);

  async function again() {
    if (!chosen.size) return fill(body, h("p", null, t("plan.none")));
    try {
      const only = names.filter((part) => chosen.has(part));
      show(await api("POST", "/plans", only.length === names.length ? source : { ...source, only }, { signal }));
    } catch (error) {
      fill(body, trouble(error));
    }
  }

  function show(plan) {
    const states = chipNow(view).map(() => "outside");
    for (const part of plan.partitions.filter((one) => one.offset !== null)) {
      planCells(part).forEach((state, i) => { states[part.offset / CELL + i] = state; });
    }
    const warnings = plan.warnings.filter(({ code }) => code !== COLD || plan.blockers.length > 0);
    const map = new ChipMap(view.partitions, states, t("plan.alt", { words: inWords(states) }));
    fill(body,
      map.element, legend(["same", "program", "erase", "outside"]),
      h("details", null, h("summary", null, t("plan.table")), planTable(plan)),
      plan.blockers.length > 0 && h("div", null, h("h3", null, t("plan.blockers")),
        plan.blockers.map((blocker) => noteOf({ severity: "blocker", ...blocker }))),
      plan.blockers.length === 0 && healsNote(plan),
      warnings.length > 0 && h("div", null, h("h3", null, t("plan.warnings")),
        warnings.map((warning) => noteOf({ severity: "warning", ...warning }))),
      plan.notes?.length > 0 && h("div", null, plan.notes.map((note) => noteOf({ severity: "note", ...note }))),
      plan.blockers.length === 0 && confirmForm(plan));
  }

  function confirmForm(plan) {
    if (plan.confirm === null) return h("p", null, h("strong", null, t("plan.nothing")));
    const input = h("input", { type: "text", autocomplete: "off", spellcheck: "false", autocapitalize: "characters" });
    const element = form([
      h("p", null, t("plan.estimate", { time: span(plan.estimate_s ?? 0) })),
      plan.away_s && h("div.note.warning.away", null, icon("look"),
        h("div", null, h("p", null, t("plan.away", { minutes: Math.ceil(plan.away_s / 60) })))),
      h("p", null, t("plan.type"), h("br"), h("span.phrase", null, plan.confirm)),
      field(t("plan.phrase"), input),
    ], t("plan.go"), async () => {
      const job = await api("POST", "/jobs", { plan: plan.id, confirm: input.value.trim() });
      fill(steps);
      await watchFlash(steps, job, signal);
    }, { danger: true });
    const check = () => { element.go.disabled = input.value.trim() !== plan.confirm; };
    input.addEventListener("input", check);
    check();
    return element;
  }

  show(first);
  step.querySelector("h2").focus({ preventScroll: true });
  step.scrollIntoView({ behavior: "smooth", block: "start" });
}

function planTable(plan) {
  const kinds = ["total", "same", "program", "erase"];
  return h("div.scroll", { tabindex: "0" }, h("table", null,
    h("thead", null, h("tr", null, h("th", { scope: "col" }, t("col.name")),
      kinds.map((kind) => h("th.number", { scope: "col" }, t("plan." + kind))))),
    h("tbody", null, plan.partitions.map((part) => h("tr", null, h("th", { scope: "row" }, part.name),
      kinds.map((kind) => h("td.number", null, part.blocks[kind])))))));
}

/** Only a PC heals: the note on the power says why, so that the camera's own warning need not say it again. */
const COLD = "without-rescue";

/** What a power cut would mean, said before it can happen. */
function healsNote(plan) {
  if (plan.confirm === null) return null;
  const cold = plan.warnings.find(({ code }) => code === COLD);
  const severity = { itself: "note", "boot-loader": "note", "needs-pc": "danger" }[plan.heals] ?? "warning";
  return h(`div.note.${severity}`, null, icon(severity === "note" ? "good" : "look"),
    h("div", null, h("p", null, h("strong", null, t("heals." + plan.heals))),
      h("p", null, t(`heals.${plan.heals}.why`)),
      cold && [h("p", null, sentence(plain((cold.message ?? cold.reason).split(": ").slice(1).join(": ")))), h("p", null, plain(cold.hint))]));
}

/** A flash that runs, drawn live; also after a reload, and from a second browser. */
async function watchFlash(steps, job, signal) {
  const view = await api("GET", "/flash", undefined, { signal });
  const before = await api("GET", "/status", undefined, { signal });
  const empty = chipNow(view).map(() => "outside");
  const states = (cells) => empty.map((state, i) => JOB_STATES[cells[i]] ?? state);
  const map = new ChipMap(view.partitions, states(job.cells), t("flash.live"));
  const words = h("strong");
  const count = h("span.soft");
  const progress = h("progress", { max: 1, value: 0, "aria-label": t("flash.progress") });
  const sheet = h("section.sheet.live", null,
    h("div.running", null, h("h2", { tabindex: "-1" }, t(job.kind === "restore" ? "flash.restoring" : "flash.running")),
      h("p.soft", null, t("flash.stay")), h("div.now", null, words, count), progress), map.element,
    legend(["same", "waiting", "active", "proven", "failed"]));
  fill(steps, stepper(3), sheet);
  let step = "";
  job = await follow(job, (news) => {
    words.textContent = stepName(news);
    const part = percent(news);
    count.textContent = [part === null ? "" : `${part} %`, news.left_s ? t("bar.left", { time: span(news.left_s) }) : ""].filter(Boolean).join(", ");
    if (news.blocks) progress.value = news.block / news.blocks;
    map.update(states(news.cells));
    if (news.step !== step) {
      say(words.textContent);
      lookSoon();
    }
    step = news.step;
  }, signal);
  const restarts = willRestart(job);
  lookSoon();
  sheet.querySelector(".running").replaceWith(ending(job, restarts));
  sheet.querySelector("h2").focus({ preventScroll: true });
  sheet.querySelector(".end").scrollIntoView({ behavior: "smooth", block: "center" });
  say(t("end." + endOf(job).key));
  if (restarts) await comeBack(before, sheet.querySelector(".count"), job);
}

/** The three honest ends. */
function ending(job, restarts) {
  const { mark, key } = endOf(job);
  return h(`div.end.${mark}`, null, icon(mark === "good" ? "good" : "look"), h("div", null,
    h("h2", { tabindex: "-1" }, t("end." + key)), h("p", null, t(`end.${key}.why`)),
    job.error && trouble(new Refused(409, job.error)),
    job.what_is_where.length > 0 && h("ul.facts", null, job.what_is_where.map((line) => h("li", null, sentence(plain(line))))),
    restarts && h("p", null, t("end.restarts")),
    key === "partly" && h("div.buttons", null, ...doing(t("resume"), async () => {
      await api("POST", "/resume");
      again();
    }, { class: "main" }))),
  restarts && h("p.count", { "aria-hidden": "true" }));
}
