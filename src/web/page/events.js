// Events: the last things that happened, below the live picture, with pictures of some.

import { moment, span, t } from "./text.js";
import { fill, h } from "./dom.js";
import { api, pause } from "./api.js";
import { closer, dialog } from "./parts.js";

/** How many are shown. */
const SHOWN = 8;
/** Seconds that the picture of a new event is waited for. */
const PICTURE = 3;

/** The last events; follows them until the signal. Hidden where there are none. */
export function eventSection(signal) {
  const list = h("ul.events");
  const now = h("p.soft", { role: "status" });
  const section = h("section.sheet", { hidden: true }, h("h2", null, t("event.title")), now, list);
  let known = [];
  let drawn = "";
  const show = ({ events, motion, pictures }) => {
    known = [...known, ...events].slice(-SHOWN);
    section.hidden = !known.length && motion === null;
    now.textContent = motion === null ? "" : t(motion ? "event.moving" : "event.still");
    const state = JSON.stringify([known, pictures]);
    if (state === drawn) return;
    drawn = state;
    fill(list, known.toReversed().map((event) => row(event, pictures.includes(event.seq))));
  };
  follow(show, signal);
  return section;
}

function row({ seq, kind, at, uptime_seconds }, hasPicture) {
  const [what, when] = [t("event." + kind), at ? moment(at) : t("event.after", { time: span(uptime_seconds) })];
  const src = `api/v1/events/${seq}/picture`;
  return h("li", null, hasPicture && h("button", { type: "button", "aria-label": t("event.picture", { what, when }),
    onclick: () => dialog(`${what}, ${when}`, h("img", { src, alt: what }), h("div.buttons", null,
      h("a.button", { href: src, download: `event-${seq}.jpg` }, t("download")), closer())).classList.add("wide") },
  h("img", { src, alt: "", loading: "lazy", width: 96, height: 54 })),
  h("div", null, h("strong", null, what), h("span.soft", null, when)));
}

async function follow(show, signal) {
  let since = "";
  while (!signal.aborted) {
    try {
      const news = await api("GET", "/events" + since, undefined, { signal });
      // The picture of a new event comes a little later.
      const soon = since && news.events.some(({ seq, kind }) => ["motion-begin", "button"].includes(kind) && !news.pictures.includes(seq));
      const next = `?wait=${soon ? PICTURE : 20}&since=${news.seq}`;
      // Where no place to wait is free, the answer comes at once with nothing new.
      const same = !news.events.length && since;
      since = next;
      show(news);
      await pause(same ? 2000 : 300, signal);
    } catch (error) {
      if (error.name === "AbortError") return;
      await pause(5000, signal).catch(() => {});
    }
  }
}
