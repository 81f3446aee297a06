// Backups: each set with its proof and what it is good for; made, read again, downloaded, written
// back, deleted.

import { bytes, moment, plain, t } from "./text.js";
import { fill, h, icon } from "./dom.js";
import { api, follow, Refused } from "./api.js";
import { bar, closer, dialog, doing, form, noteOf, trouble } from "./parts.js";
import { heading } from "./house.js";
import { downloadDialog } from "./download.js";

export async function backupsView(main, signal) {
  const place = h("div.stack");
  const running = h("div.place");
  const [make, said] = doing(t("backups.make"), async () => {
    await watch(await api("POST", "/backups"));
  }, { class: "main" });
  main.append(heading(t("backups.title"), t("backups.lead"), make), said, running, place);

  async function watch(job) {
    const shown = bar();
    fill(running, h("div.sheet", null, shown));
    const end = await follow(job, shown.show, signal);
    fill(running, end.error ? trouble(new Refused(409, end.error))
      : h("div.note", { role: "status" }, icon("good"), h("p", null,
        t(end.kind === "verify" ? "backups.verified" : "backups.made", { id: end.backup ?? "" }))));
    await refresh();
  }

  async function refresh() {
    const { backups } = await api("GET", "/backups", undefined, { signal });
    fill(place, backups.length ? backups.reverse().map((set) => setCard(set, watch, refresh))
      : h("p", null, t("backups.none")));
  }

  await refresh();
  const { job } = await api("GET", "/status", undefined, { signal });
  if (job?.state === "running" && ["backup", "verify"].includes(job.kind)) await watch(job);
}

function standingOf(set) {
  if (set.state !== "complete") return t("set." + set.state);
  if (set.pristine) return t("set.pristine");
  if (set.protected) return t("set.newest");
  return set.standing === "kept" ? t("set.kept") : t("set.spare");
}

function setCard(set, watch, refresh) {
  const size = set.files.reduce((sum, file) => sum + file.size, 0);
  const mark = { proven: "good", damaged: "bad" }[set.proof] ?? "wait";
  const [verify, said] = doing(t("verify"), async () => {
    await watch(await api("POST", `/backups/${set.id}/verify`));
  });
  const usable = set.state === "complete";
  return h("section.sheet.set", null,
    h("header", null, h("h2", null, set.id),
      h(`span.tag.${mark}`, null, icon(mark === "good" ? "good" : mark === "bad" ? "bad" : "wait"),
        t("proof." + set.proof))),
    h("p", null, standingOf(set)),
    h("dl", null, [
      [t("backups.when"), set.clock ? moment(set.clock)
        : set.boot_count && t("backups.start", { count: set.boot_count })],
      [t("identity"), set.identity && `${t("health." + set.identity)} (${set.fingerprint ?? "-"})`],
      [t("camera.model"), set.model], [t("col.size"), bytes(size)],
    ].filter(([, value]) => value).map(([name, value]) => [h("dt", null, name), h("dd", null, value)])),
    set.damage.map((damage) => noteOf({ severity: "danger", code: "damage",
      message: `${damage.file}: ${plain(damage.what)}`, hint: damage.offset === null ? ""
        : t("backups.offset", { offset: damage.offset }) })),
    h("div.buttons", null,
      h("button", { type: "button", onclick: () => downloadDialog(set, "set.zip") }, t("download")),
      verify,
      usable && h("a.button", { href: `#/flash?backup=${set.id}` }, t("restore")),
      !set.protected && h("button", { type: "button", onclick: () => deleteDialog(set, refresh) }, t("delete"))),
    said);
}

function deleteDialog(set, refresh) {
  const element = dialog(t("delete.title", { id: set.id }), h("p", null, t("delete.why")),
    form([], t("delete"), async () => {
      await api("DELETE", "/backups/" + set.id);
      element.close();
      await refresh();
    }, { danger: true, more: closer(t("cancel")) }));
}
