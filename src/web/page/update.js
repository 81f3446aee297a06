// A newer mi360d: the zip of a release, looked at, agreed to, and the wait for it.

import { t } from "./text.js";
import { fill, h, icon } from "./dom.js";
import { api, pause } from "./api.js";
import { field, form, trouble } from "./parts.js";
import { upload, uploadBar } from "./upload.js";

// Milliseconds that the new program, or the old one after it, has to answer.
const PATIENCE = 90000;

export function updateSection(signal) {
  const place = h("div.place", { "aria-live": "polite" });
  const input = h("input", { type: "file", accept: ".zip", onchange: () => input.files[0] && send(input.files[0]) });

  async function send(file) {
    let image;
    try {
      const sent = upload(file);
      fill(place, uploadBar(signal));
      image = await sent;
      offer(image, await api("POST", "/update", { image: image.id }, { signal }));
    } catch (error) {
      fill(place, trouble(error));
      if (image) await api("DELETE", "/images/" + image.id).catch(() => {});
    }
    input.value = "";
  }

  function offer(image, found) {
    const phrase = h("input", { type: "text", autocomplete: "off", spellcheck: "false", autocapitalize: "characters" });
    const element = form(found.signed ? [] : [
      h("div.note.warning", null, icon("look"), h("p", null, t("update.unsigned"))),
      h("p", null, t("update.type"), h("br"), h("span.phrase", null, found.confirm)),
      field(t("plan.phrase"), phrase)], t("update.go"), async () => {
      await api("POST", "/update", { image: image.id, confirm: found.signed ? found.confirm : phrase.value.trim() });
      await wait();
    });
    if (!found.signed) {
      const check = () => { element.go.disabled = phrase.value.trim() !== found.confirm; };
      phrase.addEventListener("input", check);
      check();
    }
    fill(place, h("p", null, t("update.found", { runs: found.runs, version: found.version })),
      found.signed ? h("div.note", null, icon("good"), h("p", null, t("update.signed", { by: found.signed }))) : null, element);
  }

  async function wait() {
    fill(place, h("p", { role: "status" }, t("update.wait")));
    await pause(5000, signal);
    for (const end = Date.now() + PATIENCE; Date.now() < end;) {
      const lives = await fetch("/healthz", { cache: "no-store", signal }).then((answer) => answer.ok, () => false);
      if (lives) return location.reload();
      await pause(1000, signal);
    }
    fill(place, h("p", { role: "alert" }, t("update.late")));
  }

  return h("section.sheet", null, h("h2", null, t("update.title")), h("p.soft", null, t("update.lead")),
    field(t("update.choose"), input), place);
}
