// A file on its way to the card: one at a time, with per cent and time left; it goes on when its
// view is left, and can be cancelled from every view.

import { span, t } from "./text.js";
import { h } from "./dom.js";
import { Refused, session } from "./api.js";

/** The upload under way: `{ name, part, left, cancel, done }`; and the name of one that ended unseen. */
export const uploads = { now: null, ended: null };

function changed() {
  dispatchEvent(new Event("upload"));
}

/** What is said of it. */
export function uploadWords({ name, part, left }) {
  if (part === 1) return `${name}: ${t("image.checking")}`;
  return [t("flash.sending", { name }) + `, ${Math.floor(100 * part)} %`,
    left === null ? "" : t("bar.left", { time: span(left) })].filter(Boolean).join(", ");
}

/** Sends a file; the answer is what the camera says it is. */
export function upload(file) {
  if (uploads.now) {
    return Promise.reject(new Refused(409, { code: "", message: t("upload.busy"), hint: uploadWords(uploads.now) }));
  }
  const request = new XMLHttpRequest();
  const began = performance.now();
  const now = { name: file.name, part: 0, left: null, cancel: () => request.abort() };
  now.done = new Promise((done, failed) => {
    request.open("POST", "api/v1/images");
    request.setRequestHeader("X-CSRF-Token", session.csrf);
    request.setRequestHeader("X-Filename", encodeURIComponent(file.name));
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.responseType = "json";
    request.upload.onprogress = ({ lengthComputable, loaded, total }) => {
      if (!lengthComputable) return;
      const seconds = (performance.now() - began) / 1000;
      now.part = loaded / total;
      now.left = seconds > 1 ? Math.ceil(seconds * (total - loaded) / loaded) : null;
      changed();
    };
    request.onload = () => request.status === 201 ? done(request.response)
      : failed(new Refused(request.status, request.response?.error
        ?? { code: "internal", message: t("failed"), hint: "" }));
    request.onabort = () => failed(new DOMException("cancelled", "AbortError"));
    request.onerror = () => failed(new Refused(0,
      { code: "upload-broke-off", message: t("flash.brokeoff"), hint: t("flash.brokeoff.hint") }));
    request.send(file);
  }).finally(() => {
    uploads.now = null;
    changed();
  });
  uploads.now = now;
  changed();
  return now.done;
}

/** A bar for the upload under way, with its button. */
export function uploadBar(signal) {
  const words = h("span");
  const bar = h("progress", { max: 1, value: 0, "aria-label": t("bar.progress") });
  const show = () => {
    if (!uploads.now) return;
    words.textContent = uploadWords(uploads.now);
    bar.value = uploads.now.part;
  };
  addEventListener("upload", show, { signal });
  show();
  return h("div.bar", null, words, bar, h("div.buttons", null,
    h("button", { type: "button", onclick: () => uploads.now?.cancel() }, t("upload.cancel"))));
}
