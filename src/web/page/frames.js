// The original's framegrabber: its program out of a zip that the owner sends, and the codec of its pictures.

import { plain, sentence, t } from "./text.js";
import { fill, h, icon } from "./dom.js";
import { api } from "./api.js";
import { field, trouble } from "./parts.js";
import { upload, uploadBar } from "./upload.js";
import { settingsForm } from "./forms.js";

export function framesPart(signal) {
  const state = h("div.place");
  const said = h("div.place", { "aria-live": "polite" });
  const codec = h("div.place");
  const input = h("input", { type: "file", accept: ".zip", onchange: () => input.files[0] && send(input.files[0]) });

  function show(found) {
    fill(state, h("p.soft", null, found.reason ? sentence(plain(found.reason)) : t("frames.there", found)));
    if (found.codec_problem) return fill(codec, h("p.soft", null, t("frames.nocodec"), " ", sentence(plain(found.codec_problem))));
    const words = (choice) => choice === "firmware" ? t("frames.firmware") : choice.toUpperCase();
    fill(codec, h("p.soft", null, t("frames.now", { now: found.codec_now.toUpperCase() })), settingsForm(
      [{ name: "codec", type: "enum", choices: ["firmware", "h264", "h265"], words, label: t("frames.codec"), help: t("frames.codec.help") }],
      found, async (changed) => {
        if (!changed.codec) return {};
        await api("PUT", "/framegrabber", changed);
        return { restart: [t("frames.codec")] };
      }));
  }

  async function send(file) {
    let image;
    try {
      const sent = upload(file);
      fill(said, uploadBar(signal));
      image = await sent;
      show(await api("POST", "/framegrabber", { image: image.id }));
      fill(said, h("div.note", { role: "status" }, icon("good"), h("p", null, t("saved"))));
    } catch (error) {
      fill(said, trouble(error));
      if (image) await api("DELETE", "/images/" + image.id).catch(() => {});
    }
    input.value = "";
  }

  const part = h("details", { ontoggle: async () => {
    if (!part.open) return;
    try {
      show(await api("GET", "/framegrabber"));
    } catch (error) {
      fill(state, trouble(error));
    }
  } }, h("summary", null, t("frames.title")), state, field(t("frames.choose"), input, t("frames.help")), said, codec);
  return part;
}
