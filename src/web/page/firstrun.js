// The first run: a short list of what makes a camera one's own. Each entry has its button, and is
// gone when it is done; the list is gone with the last one.

import { t } from "./text.js";
import { fill, h, icon } from "./dom.js";
import { api } from "./api.js";
import { doing } from "./parts.js";
import { downloadDialog } from "./download.js";

/** Where this browser keeps that its owner does not want the list. */
const HIDDEN = "firstrun";

export function firstRun(signal, turnOn) {
  const element = h("section.sheet.todo", { hidden: true });
  let config = null;
  let drawn = "";
  const ready = api("GET", "/config", undefined, { signal }).then((answer) => { config = answer; }, () => {});

  function steps(status, video) {
    const set = status.newest_backup;
    const go = (address) => h("a.button", { href: address }, t("firstrun.open"));
    return [
      ["password", true],
      ["backup", status.identity.downloaded, set
        && h("button", { type: "button", onclick: () => downloadDialog(set, "set.zip") }, t("download"))],
      ["picture", Boolean(video.server), ...doing(t("firstrun.on"), turnOn)],
      ["clock", Boolean(status.clock) && config.camera.time_zone !== "UTC0", go("#/settings?section=camera")],
      ["assistant", status.network.mqtt === null, go("#/settings?section=mqtt")],
    ];
  }

  return { element, ready, show(status, video) {
    if (!config || !status || !video || localStorage.getItem(HIDDEN)) return;
    const all = steps(status, video);
    const state = JSON.stringify([all.map(([, done]) => done), status.newest_backup?.id]);
    if (state === drawn) return;
    drawn = state;
    element.hidden = all.every(([, done]) => done);
    fill(element, h("h2", null, t("firstrun.title")), h("ul", null, all.map(([key, done, ...more]) =>
      h(done ? "li.done" : "li", null, icon(done ? "good" : "todo"),
        h("div", null, h("strong", null, t("firstrun." + key)), done && h("span.unseen", null, `, ${t("firstrun.done")}`),
          !done && h("p.soft", null, t(`firstrun.${key}.why`))),
        !done && more))),
    h("button.plain", { type: "button", onclick: () => {
      localStorage.setItem(HIDDEN, "1");
      element.hidden = true;
    } }, t("firstrun.hide")));
  } };
}
