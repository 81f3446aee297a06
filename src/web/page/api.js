// Calls of the camera's API, and following a job until its end.

import { loadSaid, t, told } from "./text.js";

/** A refusal, in the camera's own words. */
export class Refused extends Error {
  constructor(status, error) {
    super(told(error.code, error.message));
    this.status = status;
    this.code = error.code;
    this.hint = told(error.code + ".hint", error.hint);
    this.field = error.field;
  }
}

/** The token of this session, which every changing call carries. */
export const session = { csrf: "" };

/** Without a session there is only the door. */
export function toDoor(error) {
  dispatchEvent(new CustomEvent("door", { detail: error }));
}

/** Milliseconds after which a question counts as not answered: a busy card makes it wait for seconds. */
const PATIENCE = 20000;

/** Whether the camera answered the last call; the page says so when it changes. */
export const line = { up: true };

function lineIs(up) {
  if (line.up === up) return;
  line.up = up;
  dispatchEvent(new Event("line"));
}

/** Whether an error passes by itself: the camera did not answer at all. */
export function isPassing(error) {
  return error instanceof Refused && error.status === 0;
}

/** A signal that also gives up after a while; calls that wait for news get that time in addition. */
function patient(signal, path) {
  const own = new AbortController();
  const timer = setTimeout(() => own.abort(new DOMException("late", "TimeoutError")),
    PATIENCE + (path.includes("wait=") ? 25000 : 0));
  const leave = () => own.abort();
  if (signal?.aborted) leave();
  signal?.addEventListener("abort", leave);
  return [own.signal, () => {
    clearTimeout(timer);
    signal?.removeEventListener("abort", leave);
  }];
}

/** One call. A lost session brings the login back, whatever was asked. */
export async function api(method, path, body, options = {}) {
  const [signal, done] = method === "GET" ? patient(options.signal, path) : [options.signal, () => {}];
  const headers = { "X-CSRF-Token": session.csrf };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch("api/v1" + path, {
      method, headers, signal, cache: "no-store",
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    done();
    if (options.signal?.aborted) throw new DOMException("left", "AbortError");
    lineIs(false);
    throw new Refused(0, { code: "offline", message: t("offline"), hint: t("offline.hint") });
  }
  lineIs(true);
  session.csrf = response.headers.get("X-CSRF-Token") ?? session.csrf;
  const answer = await response.json().catch(() => ({}));
  done();
  if (response.ok) return answer;
  const error = answer.error ?? { code: "internal", message: t("failed"), hint: "" };
  if (["login-needed", "setup-needed", "no-setup-code"].includes(error.code)
      && !options.quiet) toDoor(error);
  // Its words are needed now.
  await loadSaid();
  throw new Refused(response.status, error);
}

export const pause = (ms, signal) => new Promise((done, stop) => {
  const leave = () => {
    clearTimeout(timer);
    stop(new DOMException("left", "AbortError"));
  };
  const timer = setTimeout(() => {
    signal?.removeEventListener("abort", leave);
    done();
  }, ms);
  if (signal?.aborted) leave();
  signal?.addEventListener("abort", leave);
});

/** Does something again and again, every so many milliseconds; without an answer it is tried again. */
export async function poll(signal, every, work) {
  for (;;) {
    try {
      if (!document.hidden) await work();
    } catch (error) {
      if (!isPassing(error)) throw error;
    }
    await pause(line.up ? every : Math.min(every, 2000), signal);
  }
}

/** Follows a job until it ends, also one begun elsewhere; `news` gets each of its states. */
export async function follow(job, news, signal) {
  news(job);
  let failures = 0;
  while (job.state === "running") {
    let same = false;
    try {
      const now = await api("GET", `/jobs/${job.id}?wait=20&since=${job.seq}`, undefined, { signal });
      // Where no place to wait is free, the answer comes at once with nothing new.
      same = now.seq === job.seq;
      job = now;
      failures = 0;
      news(job);
    } catch (error) {
      // A camera under load may need a moment; a job that is gone is gone.
      if (error.name === "AbortError" || error.status === 404 || error.status === 401) throw error;
      // Without an answer it is tried until there is one: the banner says so.
      if (!isPassing(error) && ++failures > 30) throw error;
      await pause(1000, signal);
    }
    await pause(same ? 1000 : 120, signal);
  }
  return job;
}
