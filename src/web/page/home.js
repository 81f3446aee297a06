// Home: four answers in words, and the one thing to do next.

import { bytes, moment, nameOf, sentence, span, t, told } from "./text.js";
import { fill, h, icon } from "./dom.js";
import { noteOf, qrButton, stepName } from "./parts.js";
import { heading, onStatus } from "./house.js";
import { cardIsThere, percent } from "./verdict.js";
import { cameBack, resumeThing } from "./restart.js";
import { downloadDialog } from "./download.js";

export async function homeView(main, signal) {
  const place = h("div.stack");
  main.append(heading(t("home.title"), t("home.lead")), place);
  const before = sessionStorage.getItem("before");
  let shown = "";
  onStatus((status) => {
    const { program, identity, backup, newest_backup, card, notices, interrupted, safe_mode, services, network } = status;
    const now = JSON.stringify([program, identity, backup, newest_backup?.id, newest_backup?.proof, card.state,
      notices, interrupted, safe_mode, services, network.addresses, network.wifi?.network, Math.round(network.wifi?.dbm / 3)]);
    if (now !== shown) {
      shown = now;
      const { activeElement } = document;
      const focused = place.contains(activeElement) ? activeElement.textContent : null;
      fill(place,
        before && cameBack(JSON.parse(before), status),
        nextThing(status),
        h("div.answers", null, identityAnswer(status), backupAnswer(status), runsAnswer(status),
          cardAnswer(status), wifiAnswer(status.network)),
        others(status));
      // What had the focus is drawn again; where it is gone, its place is the heading.
      if (focused !== null) {
        const same = [...place.querySelectorAll("a, button, summary")].find((one) => one.textContent === focused);
        (same ?? main.querySelector("h1")).focus({ preventScroll: true });
      }
    }
  }, signal);
}

function answer(title, mark, word, ...words) {
  const signs = { good: "good", wait: "wait", look: "look", bad: "bad" };
  return h(`section.sheet.answer.${mark}`, null, h("h2", null, title),
    h("p.word", null, icon(signs[mark]), word), words.filter(Boolean).map((w) => w instanceof Node ? w : h("p", null, w)));
}

function identityAnswer(status) {
  const { identity } = status;
  const title = t("identity");
  if (identity.saved === "none") return answer(title, "look", t("look"), t("identity.none"));
  if (identity.saved !== "card") return answer(title, "bad", t("unsafe"), t("identity.unsaved"));
  if (identity.health !== "healthy") {
    return answer(title, "look", t("look"), t("identity.ill", { health: t("health." + identity.health) }));
  }
  if (!cardIsThere(status)) return answer(title, "look", t("look"), t("identity.away"));
  return answer(title, "good", t("safe"), t("identity.safe"),
    identity.downloaded ? t("identity.twice") : t("identity.once"));
}

function backupAnswer(status) {
  const { backup, newest_backup: newest } = status;
  const title = t("backup");
  if (!cardIsThere(status) && backup.state === "done") return answer(title, "look", t("look"), t("backup.away"));
  switch (backup.state) {
    case "waiting": return answer(title, "wait", t("underway"), t("backup.waiting"));
    case "running": return answer(title, "wait", t("underway"),
      `${stepName(backup)}, ${percent(backup) ?? 0} %`);
    case "failed": return answer(title, "bad", t("none"), sentence(told(backup.code, backup.message)));
    case "off": return answer(title, "wait", t("off"), t("backup.off"));
    default:
  }
  if (!newest || newest.proof === "damaged" || !backup.complete) {
    return answer(title, "bad", t("look"), t("backup.ill", { id: backup.set }));
  }
  return answer(title, "good", t("proven"), t("backup.good", { id: newest.id }), moment(newest.clock));
}

function runsAnswer(status) {
  const services = status.services.filter((service) => service.enabled);
  const ill = services.filter((service) => ["pausing", "broken", "unavailable"].includes(service.state));
  const words = services.length
    ? services.map(nameOf).join(", ") : t("runs.stock");
  if (status.safe_mode) return answer(t("runs"), "look", t("safemode"), t("runs.safemode"));
  if (ill.length) {
    return answer(t("runs"), "look", t("look"),
      t("runs.ill", { names: ill.map(nameOf).join(", ") }));
  }
  return answer(t("runs"), "good", t("well"), words, t("runs.since", { time: span(status.uptime_seconds) }));
}

function cardAnswer({ card }) {
  const title = t("card");
  if (card.state === "missing") return answer(title, "bad", t("missing"), t("card.missing"));
  if (card.state === "read-only") return answer(title, "bad", t("readonly"), t("card.readonly"));
  const words = t("card.free", { free: bytes(card.free), total: bytes(card.total) });
  const isFull = card.free < 40 << 20;
  return answer(title, isFull ? "look" : "good", t(isFull ? "nearlyfull" : "well"), words,
    h("p", null, h("a", { href: "#/card" }, t("cards.open"))));
}

/** How well the camera is heard, and where its page is found. */
function wifiAnswer({ wifi, addresses }) {
  const level = typeof wifi?.dbm !== "number" ? "here" : wifi.dbm >= -67 ? "strong" : wifi.dbm >= -77 ? "fair" : "weak";
  return answer(t(wifi ? "wifi" : "wifi.none"), level === "weak" ? "look" : "good", t("wifi." + level),
    wifi?.network && t("wifi.network", { name: wifi.network }), level !== "here" && t("wifi.signal", { dbm: wifi.dbm }),
    level === "weak" && t("wifi.weak.why"),
    addresses.length > 0 && t("wifi.address", { list: addresses.join(", ") }), h("div.bare", null, qrButton(location.origin + "/")));
}

/** The gravest thing first; then the copy of the identity; then nothing. */
function nextThing(status) {
  const [gravest] = status.notices;
  if (status.interrupted) return resumeThing(status.interrupted);
  if (gravest?.severity === "danger") return noticeThing(gravest);
  const { identity, newest_backup: set } = status;
  if (identity.saved === "card" && !identity.downloaded && set && identity.health === "healthy") {
    return h("section.next", null,
      h("div", null, h("h2", null, t("next.download")), h("p", null, t("next.download.why"))),
      h("button", { type: "button", onclick: () => downloadDialog(set, "set.zip") }, t("download")));
  }
  if (gravest?.severity === "warning") return noticeThing(gravest);
  const { backup } = status;
  if (["waiting", "running"].includes(backup.state)) {
    return h("section.next.calm", null, h("div", null, h("h2", null, t(set ? "next.again" : "next.first")),
      h("p", null, t("next.first.why")),
      h("progress", { max: 100, value: percent(backup) ?? 0, "aria-label": t("backup") })));
  }
  if (backup.state !== "done" || !set || identity.health !== "healthy") {
    return h("section.next.calm", null, h("div", null, h("h2", null, t("look")),
      h("p", null, backup.state === "off" ? t("backup.off") : t("verdict.look"))));
  }
  return h("section.next.calm", null, h("div", null, h("h2", null, t("next.nothing")),
    h("p", null, t("next.nothing.why"))));
}

/** Where what a notice asks for is done. */
const PLACES = {
  "card-full": "card", "backup-damaged": "backups", "backup-incomplete": "backups", "backup-broken": "backups",
  config: "settings", "time-zone": "settings?section=camera", "safe-mode": "log", "update-failed": "log", "unknown-map": "chip",
  "identity-damaged": "backups", "identity-blank": "backups",
};

/** A notice as the first thing on Home: an alarm looks like one, and has the button for it. */
function noticeThing(notice) {
  const place = PLACES[notice.code];
  return h(`section.next.${notice.severity === "danger" ? "alarm" : "caution"}`, { role: "alert" }, icon("look"), h("div", null,
    h("h2", null, sentence(told(notice.code, notice.message))),
    h("p", null, told(notice.code + ".hint", notice.hint))),
  place && h("a.button", { href: "#/" + place }, t("notice.open", { place: t("nav." + place.split("?")[0]) })));
}

function others(status) {
  const rest = status.notices.filter((notice, i) => i > 0 || notice.severity === "note");
  if (!rest.length) return null;
  return h("section.sheet", null, h("h2", null, t("also")), rest.map(noteOf));
}
