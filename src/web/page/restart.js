// A restart of the camera: waiting for it, and what runs after it against what ran before.

import { plain, sentence, t } from "./text.js";
import { h, icon } from "./dom.js";
import { api, pause } from "./api.js";
import { again, hasUnsaved, unsaved } from "./house.js";
import { closer, dialog, doing, form } from "./parts.js";

export function resumeThing(interrupted) {
  const [go, said] = doing(t(interrupted.source_is_here === false ? "resume.back" : "resume"), async () => {
    await api("POST", "/resume");
    if (location.hash.startsWith("#/flash")) again();
    else location.hash = "#/flash";
  });
  return h("section.next", null,
    h("div", null, h("h2", null, t("resume.title")),
      h("p", null, interrupted.damage ? sentence(plain(interrupted.damage))
        : t(interrupted.source_is_here === false ? "resume.gone" : "resume.why", { names: interrupted.partitions.join(", "), before: interrupted.before }))),
    !interrupted.damage && go, said);
}

/** Whether the camera restarts after this. */
export function willRestart(job) {
  return job.restarts;
}

/** How it ended: the mark, and which words. */
export function endOf(job) {
  if (job.state === "interrupted") return { mark: "bad", key: "partly" };
  if (job.put_back && job.outcome === "done") return { mark: "look", key: "back" };
  const key = job.outcome ?? (job.state === "done" ? "done" : "unchanged");
  return { mark: { done: "good", unchanged: "look", partly: "bad" }[key], key };
}

/** Asks once, then restarts the camera and comes back with it. */
export function reboot() {
  const element = dialog(t("reboot.ask"), h("p", null, t("reboot.why")),
    hasUnsaved() && h("p", null, h("strong", null, t("reboot.unsaved"))),
    form([], t("camera.reboot"), async () => {
      const before = await api("GET", "/status");
      await api("POST", "/reboot");
      unsaved.clear();
      element.close();
      await afterReboot(before);
    }, { more: closer(t("cancel")) }));
}

async function afterReboot(before) {
  const left = h("p.count", { "aria-hidden": "true" });
  const waiting = dialog(t("reboot.title"), left, h("p", null, t("reboot.waiting")));
  waiting.addEventListener("cancel", (event) => event.preventDefault());
  await comeBack(before, left);
}

/** Waits until the camera has restarted, and keeps what ran before for the comparison. */
export async function comeBack(before, left, job) {
  const { program, model, kernel, firmware, boot_count } = before;
  sessionStorage.setItem("before", JSON.stringify({ program, model, kernel, firmware, boot_count,
    outcome: job ? endOf(job).key : null }));
  const began = Date.now();
  for (;;) {
    await pause(1000);
    const seconds = Math.round((Date.now() - began) / 1000);
    left.textContent = t("span.seconds", { seconds: Math.max(0, 90 - seconds) });
    // This session lives in the memory of the camera that goes: when it is unknown, the new one is there.
    const status = await fetch("api/v1/status", { cache: "no-store", signal: AbortSignal.timeout(3000) })
      .then((answer) => answer.status, () => 0);
    if (status === 401) break;
    if (seconds === 90) left.replaceWith(h("p", { role: "status" }, t("reboot.long")));
  }
  location.hash = "#/home";
  location.reload();
}

/** After a restart: what runs now, against what ran before. */
export function cameBack(before, status) {
  const rows = [["program", "camera.program"], ["model", "camera.model"], ["kernel", "camera.kernel"],
    ["firmware", "camera.firmware"], ["boot_count", "camera.starts"]]
    .filter(([key]) => before[key] !== undefined || status[key] !== undefined);
  const same = (key) => before[key] === status[key];
  return h("section.sheet", null,
    h("h2", null, t("back.title")),
    before.outcome && h("p.answer.good", null, h("span.word", null, icon("good"), t("end." + before.outcome))),
    h("div.scroll", null, h("table", null,
      h("thead", null, h("tr", null, h("th", null, h("span.unseen", null, t("back.what"))),
        h("th", null, t("back.before")), h("th", null, t("back.now")))),
      h("tbody", null, rows.map(([key, label]) => h("tr", null, h("th", { scope: "row" }, t(label)),
        h("td", null, before[key] ?? "-"),
        h("td", null, same(key) ? status[key] ?? "-" : h("strong", null, status[key] ?? "-"))))))),
    h("div.buttons", null, h("button", { type: "button", onclick: (event) => {
      sessionStorage.removeItem("before");
      event.target.closest("section").remove();
    } }, t("back.good"))));
}
