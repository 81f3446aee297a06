// A file on its way to the card.

import { t } from "./text.js";
import { Refused, session } from "./api.js";

/** Sends a file; `part` hears how far it is. */
export function upload(file, part, signal) {
  return new Promise((done, failed) => {
    const request = new XMLHttpRequest();
    request.open("POST", "api/v1/images");
    request.setRequestHeader("X-CSRF-Token", session.csrf);
    request.setRequestHeader("X-Filename", encodeURIComponent(file.name));
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.responseType = "json";
    request.upload.onprogress = (event) => event.lengthComputable && part(event.loaded / event.total);
    request.onload = () => request.status === 201 ? done(request.response)
      : failed(new Refused(request.status, request.response?.error
        ?? { code: "internal", message: t("failed"), hint: "" }));
    request.onerror = () => failed(new Refused(0,
      { code: "upload-broke-off", message: t("flash.brokeoff"), hint: t("offline.hint") }));
    signal.addEventListener("abort", () => request.abort());
    request.send(file);
  });
}
