// The picture: a stream played as it comes, and a still one to keep.

import { T, t } from "./text.js";
import { fill, h, icon } from "./dom.js";
import { pause, Refused, toDoor } from "./api.js";
import { doing, trouble } from "./parts.js";
import { soundSwitch, stills } from "./sound.js";

/** Seconds that the picture may be behind, and that stay in the browser. */
const BEHIND = 4;

const KEPT = 10;

/**
 * The picture with its controls over it. `over` is for what belongs over the picture, `bar` is the
 * row of its buttons; `stream()` is the name of the shown stream, and `video` the element.
 * `offer(server)` takes news of the server: there may be sound by now.
 */
export function player(names, signal) {
  const video = h("video", { playsinline: true, "aria-label": t("live.title") });
  const sound = soundSwitch(video, () => now && start());
  const words = h("p.pill", { role: "status" });
  const wrong = h("div.place");
  const which = h("select", { "aria-label": t("live.stream") }, names.map((name) => h("option", { value: name }, T["stream." + name] ?? name)));
  which.value = names.includes("substream") ? "substream" : names[0];
  let now = null;
  const tell = (key, error) => {
    if (key) fill(words, t("live." + key));
    words.classList.toggle("on", key === "playing");
    words.hidden = Boolean(error);
    fill(wrong, error && trouble(error));
  };
  const label = (key) => {
    fill(button, icon(key), h("span.unseen", null, t("live." + key)));
    button.title = t("live." + key);
  };
  const stop = () => {
    now?.abort();
    now = null;
    label("play");
  };
  const start = () => {
    now?.abort();
    now = new AbortController();
    label("stop");
    play(video, which.value, sound.query(), now.signal, tell);
  };
  const button = h("button", { type: "button", onclick: () => {
    if (!now) return start();
    stop();
    tell("stopped");
  } });
  which.addEventListener("change", () => now && start());
  video.addEventListener("playing", () => now && tell("playing"));
  // A page that nobody looks at costs the camera nothing.
  let hidden = false;
  document.addEventListener("visibilitychange", () => {
    if (document.hidden && now) {
      hidden = true;
      stop();
    } else if (!document.hidden && hidden) {
      hidden = false;
      start();
    }
  }, { signal });
  signal.addEventListener("abort", stop);
  const [keep, said] = doing([icon("camera"), h("span.unseen", null, t("live.keep"))], () => keepPicture(which.value),
    { title: t("live.keep") });
  const full = document.fullscreenEnabled && h("button", { type: "button", title: t("live.full"), onclick: () =>
    document.fullscreenElement ? document.exitFullscreen() : screen.requestFullscreen() },
  icon("full"), h("span.unseen", null, t("live.full")));
  const over = h("div.over");
  const bar = h("div.playbar", null, button, sound.button, keep, which, h("span.gap"), full);
  const screen = h("div.screen", null, video, words, over, bar);
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
    stop();
    tell("stopped");
  } else start();
  return { element: h("section.picture", null, h("h2.unseen", null, t("live.picture")), screen, wrong, said),
    over, bar, video, stream: () => which.value, offer: sound.offer };
}

/** Plays a stream until it is told to stop; one that ended is asked for again. */
async function play(video, name, query, signal, tell) {
  const Source = window.ManagedMediaSource ?? window.MediaSource;
  while (!signal.aborted) {
    try {
      tell("waiting");
      const answer = await fetch(`api/v1/live?stream=${encodeURIComponent(name)}${query}`, { signal, cache: "no-store" });
      if (!answer.ok) {
        const { error } = await answer.json();
        if (answer.status === 401) toDoor(error);
        throw new Refused(answer.status, error);
      }
      const type = answer.headers.get("Content-Type");
      if (!Source?.isTypeSupported(type)) {
        await answer.body.cancel();
        if (!await stills(video, signal, () => tell("stills"))) tell("unplayable");
        return;
      }
      await pour(answer.body.getReader(), new Source(), type, video, signal);
    } catch (error) {
      if (signal.aborted) break;
      // No old picture stays where there is none now.
      if (error instanceof Refused) {
        video.removeAttribute("src");
        video.load();
        tell("", error);
      }
    }
    await pause(2000, signal).catch(() => {});
  }
  video.removeAttribute("src");
  video.load();
}

/** From the camera into the picture, until either ends. */
async function pour(reader, media, type, video, signal) {
  const url = URL.createObjectURL(media);
  // A ManagedMediaSource opens only where nothing can be sent on to another screen.
  video.disableRemotePlayback = true;
  video.src = url;
  try {
    await heard(media, "sourceopen", signal);
    const buffer = media.addSourceBuffer(type);
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      buffer.appendBuffer(value);
      await heard(buffer, "updateend", signal);
      const { buffered } = buffer;
      if (!buffered.length) continue;
      const [first, begin, end] = [buffered.start(0), buffered.start(buffered.length - 1), buffered.end(buffered.length - 1)];
      if (video.currentTime < begin || end - video.currentTime > BEHIND) video.currentTime = Math.max(begin, end - .2);
      if (video.paused) video.play().catch(() => {});
      if (end - first > 3 * KEPT) {
        buffer.remove(first, end - KEPT);
        await heard(buffer, "updateend", signal);
      }
    }
  } finally {
    reader.cancel().catch(() => {});
    URL.revokeObjectURL(url);
  }
}

/** Waits for an event; an error, or who leaves, ends the wait. */
function heard(target, event, signal) {
  return new Promise((done, stop) => {
    target.addEventListener(event, done, { once: true });
    target.addEventListener("error", () => stop(new Error(event)), { once: true });
    signal?.addEventListener("abort", () => stop(new DOMException("left", "AbortError")), { once: true });
  });
}

/** The camera's own JPEG, or the last key frame as one; where the browser cannot read it, as it comes. */
async function keepPicture(name) {
  const answer = await fetch("api/v1/snapshot?stream=" + encodeURIComponent(name), { cache: "no-store" });
  if (!answer.ok) throw new Refused(answer.status, (await answer.json()).error);
  const film = await answer.blob();
  const still = film.type.startsWith("image/") ? film : await stillOf(film).catch(() => null);
  const url = URL.createObjectURL(still ?? film);
  const time = new Date().toISOString().slice(0, 19).replaceAll(":", "-");
  h("a", { href: url, download: `${name}-${time}.${still ? "jpg" : "mp4"}` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

async function stillOf(film) {
  const video = h("video", { playsinline: true, preload: "auto" });
  video.muted = true;
  const url = URL.createObjectURL(film);
  try {
    video.src = url;
    await heard(video, "loadeddata", AbortSignal.timeout(5000));
    const canvas = h("canvas", { width: video.videoWidth, height: video.videoHeight });
    canvas.getContext("2d").drawImage(video, 0, 0);
    return await new Promise((done) => canvas.toBlob(done, "image/jpeg", .92));
  } finally {
    URL.revokeObjectURL(url);
  }
}
