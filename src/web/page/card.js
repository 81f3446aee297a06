// The card: what is on it and how much, and the recordings of the camera's own firmware by day.

import { bytes, dateWords, t } from "./text.js";
import { fill, h, icon, say } from "./dom.js";
import { api } from "./api.js";
import { closer, dialog, form, noteOf, trouble } from "./parts.js";
import { heading, lookNow } from "./house.js";

export async function cardView(main, signal) {
  const place = h("div.stack");
  main.append(heading(t("card"), t("cards.lead")), place);
  const get = (path) => api("GET", path, undefined, { signal });
  const [{ card }, { backups }, { images }, { hours }] = await Promise.all([lookNow(signal), get("/backups"), get("/images"), get("/recordings")]);
  place.append(usage(card, backups, images), recordings(hours, signal));
}

/** What takes how much room. */
function usage(card, backups, images) {
  if (card.total === undefined) return h("section.sheet", null, h("p", null, t("card.missing")));
  const sum = (sizes) => sizes.reduce((all, size) => all + size, 0);
  const own = sum(backups.flatMap((set) => set.files.map((file) => file.size)));
  const sent = sum(images.map((image) => image.size));
  const rows = [["backups", own], ["images", sent], ["rest", Math.max(0, card.total - card.free - own - sent)], ["free", card.free]];
  return h("section.sheet", null, h("h2", null, t("cards.room")),
    h("div.room", { "aria-hidden": "true" }, rows.map(([key, size]) => {
      const part = h("span." + key);
      part.style.flexGrow = size / card.total;
      return part;
    })),
    h("dl", null, rows.map(([key, size]) => [h("dt", null, h("span.swatch." + key), t("cards." + key)), h("dd", null, bytes(size))]),
      h("dt", null, t("cards.total")), h("dd", null, bytes(card.total))),
    card.state === "read-only" && h("p", null, t("card.readonly")));
}

/** The recordings, the newest day first. */
function recordings(hours, signal) {
  const days = new Map();
  for (const hour of hours.toReversed()) {
    const day = hour.slice(0, 8);
    days.set(day, [...days.get(day) ?? [], hour]);
  }
  return h("section.sheet", null, h("h2", null, t("rec.title")), h("p.soft", null, t(days.size ? "rec.lead" : "rec.none")),
    [...days].map(([day, list]) => dayPart(day, list, signal)));
}

/** A day in words, as the camera counts them. */
function dayName(day) {
  const date = new Date(`${day.slice(0, 4)}-${day.slice(4, 6)}-${day.slice(6)}T12:00:00Z`);
  return isNaN(date) ? day : dateWords(date, { dateStyle: "full", timeZone: "UTC" });
}

function dayPart(day, hours, signal) {
  const name = dayName(day);
  const part = h("details.day", null, h("summary", null, name, h("span.soft", null, t("rec.hours", { count: hours.length }))),
    hours.map((hour) => hourPart(hour, name, signal)),
    h("div.buttons", null, h("button", { type: "button", onclick: () => deleteDialog(name, async () => {
      for (const hour of hours) await forget("/recordings/" + hour);
      part.remove();
    }) }, t("rec.delete.day"))));
  return part;
}

/** What is deleted already is as it should be. */
async function forget(path) {
  await api("DELETE", path).catch((error) => {
    if (error.status !== 404) throw error;
  });
}

function hourPart(hour, day, signal) {
  const list = h("ul.files");
  const part = h("details", { ontoggle: async () => {
    if (!part.open) return;
    try {
      const found = await api("GET", "/recordings/" + hour, undefined, { signal });
      fill(list, found.recordings.length ? found.recordings.map((one) => row(hour, day, one)) : h("li", null, t("rec.none")));
    } catch (error) {
      fill(list, trouble(error));
    }
  } }, h("summary", null, `${hour.slice(8)}:00`), list);
  return part;
}

/** One recording: when it began by its name, how large it is, and what can be done with it. */
function row(hour, day, { name, size }) {
  const [, minute, second] = /^(\d\d)M(\d\d)S/.exec(name) ?? [];
  const when = minute ? `${hour.slice(8)}:${minute}:${second}` : name;
  const path = `/recordings/${hour}/${name}`;
  const named = (key) => ({ "aria-label": `${t(key)}: ${when}` });
  const line = h("li", null, h("div", null, h("strong", null, when), h("p.soft", null, bytes(size))),
    h("div.bare", null,
      h("button", { type: "button", ...named("live.play"), onclick: () => playDialog(`${day}, ${when}`, path) }, icon("play"), t("live.play")),
      h("a.button", { href: "api/v1" + path, download: `${hour}-${name}`, ...named("download") }, t("download")),
      h("button", { type: "button", ...named("delete"), onclick: () => deleteDialog(`${day}, ${when}`, async () => {
        await forget(path);
        line.remove();
      }) }, t("delete"))));
  return line;
}

function playDialog(title, path) {
  const said = h("div.place");
  const video = h("video", { controls: true, autoplay: true, playsinline: true, src: "api/v1" + path, "aria-label": title,
    onerror: () => video.isConnected && fill(said, noteOf({ severity: "warning", code: "", message: t("rec.unplayable"), hint: t("rec.unplayable.hint") })) });
  const element = dialog(title, video, said, h("div.buttons", null, h("a.button", { href: video.src, download: "" }, t("download")), closer()));
  element.classList.add("wide");
  // Nothing is fetched for a picture that nobody sees.
  element.addEventListener("close", () => {
    video.removeAttribute("src");
    video.load();
  });
}

function deleteDialog(what, work) {
  const element = dialog(t("rec.delete", { what }), h("p", null, t("rec.delete.why")),
    form([], t("delete"), async () => {
      await work();
      element.close();
      say(t("rec.deleted"));
    }, { danger: true, more: closer(t("cancel")) }));
}
