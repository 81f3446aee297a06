// Texts of the page in the reader's language, and numbers, spans and moments in words.

/** All texts of this language, by their keys. */
export const T = {};

/** Reads them; nothing is shown before. */
export async function loadTexts() {
  const answer = await fetch(document.documentElement.lang + ".json", { cache: "no-cache" });
  Object.assign(T, await answer.json());
}

/** A text by its key, with {names} filled in. */
export function t(key, values = {}) {
  return (T[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

/** A message of the camera by its code, if this language has one; {said} in it is how the camera said it. */
export function told(code, said) {
  return T["say." + code]?.replace("{said}", () => said ?? "") ?? said;
}

/** A whole sentence of what the camera says in lower case. */
export function sentence(text) {
  const trimmed = String(text ?? "").trim();
  const begun = trimmed.charAt(0).toUpperCase() + trimmed.slice(1);
  return /[.!?]$/.test(begun) ? begun : begun + ".";
}

/** Bytes for people. */
export function bytes(count) {
  if (count >= 1 << 30) return (count / (1 << 30)).toFixed(1) + " GiB";
  if (count >= 1 << 20) return (count / (1 << 20)).toFixed(count < 10 << 20 ? 1 : 0) + " MiB";
  if (count >= 1 << 10) return Math.round(count / 1024) + " KiB";
  return count + " B";
}

/** Seconds for people. */
export function span(seconds) {
  const days = Math.floor(seconds / 86400);
  const hours = Math.floor(seconds / 3600) % 24;
  const minutes = Math.floor(seconds / 60) % 60;
  if (days) return t("span.days", { days, hours });
  if (hours) return t("span.hours", { hours, minutes });
  if (minutes) return t("span.minutes", { minutes });
  return t("span.seconds", { seconds: Math.floor(seconds) });
}

/** A moment, in the reader's own manner. */
export function moment(utc) {
  return utc ? new Date(utc).toLocaleString(document.documentElement.lang,
    { dateStyle: "medium", timeStyle: "short" }) : t("clock.unset");
}
