// The microphone's sound, off until it is wanted, and single pictures where the browser cannot play
// the stream.

import { t } from "./text.js";
import { fill, h, icon } from "./dom.js";
import { pause } from "./api.js";

/** How the camera sends sound next to the picture. */
const FLAC = 'audio/mp4; codecs="flac"';
/** Milliseconds between two single pictures: each takes the camera almost a second. */
const STILLS = 1500;

/**
 * The button that switches sound on and off; `again` begins the picture anew, with sound or without.
 * `offer(server)` shows it where there is sound that this browser plays.
 */
export function soundSwitch(video, again) {
  const Source = window.ManagedMediaSource ?? window.MediaSource;
  const plays = Boolean(Source?.isTypeSupported(FLAC));
  let on = false;
  const show = () => {
    const words = t(on ? "live.sound.off" : "live.sound.on");
    fill(button, icon(on ? "sound" : "silent"), h("span.unseen", null, words));
    button.title = words;
    video.muted = !on;
  };
  const button = h("button", { type: "button", hidden: true, onclick: () => {
    on = !on;
    show();
    again();
  } });
  show();
  return { button, query: () => on ? "&sound=1" : "",
    offer(server) { button.hidden = !plays || !server.sound?.pieces; } };
}

/** The camera's JPEG pictures one after the other in the video's place; false where it makes none. */
export async function stills(video, signal, shown) {
  const image = h("img", { alt: t("live.title") });
  let url = null;
  try {
    while (!signal.aborted) {
      const answer = await fetch("api/v1/snapshot?form=jpeg", { signal, cache: "no-store" });
      if (!answer.ok) return false;
      const before = url;
      url = URL.createObjectURL(await answer.blob());
      image.src = url;
      await image.decode().catch(() => {});
      if (before) URL.revokeObjectURL(before);
      if (!image.isConnected) {
        video.hidden = true;
        video.after(image);
        shown();
      }
      await pause(STILLS, signal);
    }
    return true;
  } finally {
    image.remove();
    video.hidden = false;
    if (url) URL.revokeObjectURL(url);
  }
}
