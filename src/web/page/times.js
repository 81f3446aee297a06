// The table of times: what the camera does by itself, on which days, and when next.

import { dateWords, t } from "./text.js";
import { fill, h } from "./dom.js";
import { api } from "./api.js";
import { doing, field, form } from "./parts.js";

const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const WHAT = ["power off", "power on", "night night", "night day", "night auto", "led off", "led on", "restart"];

/** A day's short name; 2024 began on a Monday. */
const dayName = (day) => dateWords(new Date(2024, 0, DAYS.indexOf(day) + 1), { weekday: "short" });

function daysWords(days) {
  const all = days.split(",");
  return days === "daily" || all.length === 7 ? t("times.daily") : all.map(dayName).join(", ");
}

export async function timesSection(signal) {
  const [{ times }, motors] = await Promise.all([
    api("GET", "/schedule", undefined, { signal }), api("GET", "/ptz", undefined, { signal }).catch(() => null)]);
  const presets = motors?.presets ?? [];
  const whatWords = (what) => {
    const id = what.startsWith("preset ") && what.slice(7);
    return id ? t("times.preset", { name: presets.find((one) => String(one.id) === id)?.name ?? id }) : t("times." + what.replace(" ", "-"));
  };
  const rows = h("div.scroll.times", { tabindex: "0" });
  let entries = [];
  const save = async (wanted) => {
    // A restart as earlier versions wrote it becomes one of these.
    await api("PUT", "/config", { camera: { schedule: wanted, reboot: null } });
    draw((await api("GET", "/schedule")).times);
  };
  const draw = (now) => {
    entries = now.map(({ entry }) => entry);
    fill(rows, now.length ? h("table", null,
      h("thead", null, h("tr", null, ["days", "time", "what", "next"].map((key) => h("th", { scope: "col" }, t("times." + key))), h("td"))),
      h("tbody", null, now.map(({ entry, local }, at) => {
        const [days, time, ...what] = entry.split(" ");
        const words = whatWords(what.join(" "));
        const [remove, said] = doing(t("delete"), () => save(entries.filter((_, other) => other !== at)),
          { "aria-label": t("times.delete", { what: `${daysWords(days)} ${time} ${words}` }) });
        return h("tr", null, h("td", null, daysWords(days)), h("td", null, time), h("td", null, words),
          h("td", null, local ? dateWords(new Date(local), { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" })
            : t("clock.unset")), h("td", null, remove, said));
      }))) : h("p.soft", null, t("times.none")));
  };
  const boxes = DAYS.map((day) => h("input", { type: "checkbox", checked: true, value: day }));
  const time = h("input", { type: "time", required: true, value: "22:00" });
  const what = h("select", null, [...WHAT, ...presets.map(({ id }) => `preset ${id}`)].map((one) => h("option", { value: one }, whatWords(one))));
  const add = form([
    h("fieldset.bare", null, h("legend", null, t("times.days")), boxes.map((box) => h("label.check", null, box, dayName(box.value)))),
    field(t("times.time"), time), field(t("times.what"), what)], t("times.add"), async () => {
    const days = boxes.filter((box) => box.checked).map((box) => box.value);
    boxes[0].setCustomValidity(days.length ? "" : t("times.days"));
    if (!boxes[0].reportValidity()) return;
    await save([...entries, `${days.length === 7 ? "daily" : days.join(",")} ${time.value.slice(0, 5)} ${what.value}`]);
  });
  // What is wrong with the days is asked again when they change.
  for (const box of boxes) box.addEventListener("change", () => boxes[0].setCustomValidity(""));
  draw(times);
  return h("section.sheet.part-of", { id: "section-times" }, h("h2", { tabindex: "-1" }, t("times.title")), h("p.soft", null, t("times.lead")), rows, add);
}
