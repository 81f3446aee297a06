// What every view has: its heading, the camera's state that is asked for once for all of them, and
// what was typed and not saved yet.

import { t } from "./text.js";
import { h, s } from "./dom.js";
import { api, line, pause, isPassing, session } from "./api.js";

/** Milliseconds between two looks at the camera: usually, and while something runs or is awaited. */
const USUAL = 6000;
const SOON = 1500;

export function brand(isInside) {
  return h("div.brand", null,
    s("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" },
      s("rect", { width: 16, height: 16, rx: 4, fill: "var(--accent)" }),
      s("path", { fill: "var(--on-accent)", d: "M4 3h2a1 1 0 0 1 1 1v2a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V4a1 1 0 0 1 1-1zm6 0h2a1 1 0 0 1 1 1v2a1 1 0 0 1-1 1h-2a1 1 0 0 1-1-1V4a1 1 0 0 1 1-1zM4 9h2a1 1 0 0 1 1 1v2a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1v-2a1 1 0 0 1 1-1zm7 0a2 2 0 1 1 0 4 2 2 0 0 1 0-4z" })),
    h("span", null, "mi360d", h("small", { id: "model" }, isInside ? modelName() : "")));
}

/** Which camera this is, as far as it is known. */
function modelName() {
  const { status } = known;
  return status ? status.model + (status.simulated ? `, ${t("simulated")}` : "") : "";
}

export function heading(title, lead, ...more) {
  document.title = `${title} \u00b7 mi360d`;
  return h("header", null, h("div", null, h("h1", { tabindex: "-1" }, title), lead && h("p", null, lead)), more);
}

/** Shows the view of the address again. */
export function again() {
  dispatchEvent(new Event("hashchange"));
}

export async function logout() {
  await api("POST", "/logout").catch(() => {});
  session.csrf = "";
  unsaved.clear();
  location.hash = "";
  again();
}

/** Forms whose changes are not saved yet. */
export const unsaved = new Set();

/** Whether something would be lost by leaving. */
export function hasUnsaved() {
  return [...unsaved].some((form) => form.isConnected);
}

/** The newest status, and who wants each new one. */
const known = { status: null, wake: null };
const listeners = new Set();

/** Hears every new status, and the one that is known now. */
export function onStatus(listener, signal) {
  listeners.add(listener);
  signal?.addEventListener("abort", () => listeners.delete(listener));
  if (known.status) listener(known.status);
}

/** A new status for everybody. */
export function tellStatus(status) {
  known.status = status;
  const model = document.getElementById("model");
  if (model) model.textContent = modelName();
  for (const listener of listeners) listener(status);
}

/** Asks for the status now. */
export async function lookNow(signal) {
  const status = await api("GET", "/status", undefined, { signal });
  tellStatus(status);
  return status;
}

/** Whether something runs whose progress is shown. */
export function isBusy(status) {
  return status.job?.state === "running" || ["running", "waiting"].includes(status.backup.state);
}

/** Looks at the camera until the signal ends; after something was done, `lookSoon` looks at once. */
export async function watch(signal) {
  // The browser notices its own network first.
  addEventListener("online", lookSoon, { signal });
  addEventListener("offline", lookSoon, { signal });
  for (;;) {
    const soon = !line.up || (known.status && isBusy(known.status));
    try {
      await Promise.race([pause(soon ? SOON : USUAL, signal), new Promise((wake) => { known.wake = wake; })]);
      if (!document.hidden) await lookNow(signal);
    } catch (error) {
      if (!isPassing(error) && (error.name === "AbortError" || error.status === 401)) return;
    }
  }
}

export function lookSoon() {
  known.wake?.();
}
