// Events: the last things that happened, below the live picture.

import { moment, span, t } from "./text.js";
import { fill, h } from "./dom.js";
import { api, pause } from "./api.js";

/** How many are shown. */
const SHOWN = 8;

/** The last events; follows them until the signal. Hidden where there are none. */
export function eventSection(signal) {
  const rows = h("tbody");
  const now = h("p.soft", { role: "status" });
  const section = h("section.sheet", { hidden: true }, h("h2", null, t("event.title")), now,
    h("div.scroll", { tabindex: "0", role: "region", "aria-label": t("event.title") }, h("table", null, rows)));
  let known = [];
  const show = ({ events, motion }) => {
    known = [...known, ...events].slice(-SHOWN);
    section.hidden = !known.length && motion === null;
    now.textContent = motion === null ? "" : t(motion ? "event.moving" : "event.still");
    fill(rows, known.toReversed().map((event) => h("tr", null, h("th", { scope: "row" }, t("event." + event.kind)),
      h("td", null, event.at ? moment(event.at) : t("event.after", { time: span(event.uptime_seconds) })))));
  };
  follow(show, signal);
  return section;
}

async function follow(show, signal) {
  let since = "";
  while (!signal.aborted) {
    try {
      const news = await api("GET", "/events" + since, undefined, { signal });
      // Where no place to wait is free, the answer comes at once with nothing new.
      const next = `?wait=20&since=${news.seq}`, same = next === since;
      since = next;
      show(news);
      await pause(same ? 2000 : 300, signal);
    } catch (error) {
      if (error.name === "AbortError") return;
      await pause(5000, signal).catch(() => {});
    }
  }
}
