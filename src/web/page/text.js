// Texts of the page in the reader's language, and numbers, spans and moments in words.

/** All texts of this language, by their keys. */
export const T = {};

/**
 * The camera's own sentences: how its English is known, and the same in this language. In both {0} to
 * {4} stand for any words, {5} to {9} for one without spaces.
 */
const WHY = [];

/** Reads them; nothing is shown before. */
export async function loadTexts() {
  const answer = await fetch(document.documentElement.lang + ".json", { cache: "no-cache" });
  Object.assign(T, await answer.json());
  for (const [key, both] of Object.entries(T)) {
    if (!key.startsWith("why.")) continue;
    const [english, own] = both.split(" = ");
    const pattern = english.replace(/[.*+?^$()|[\]\\]/g, "\\$&")
      .replace(/\{([0-4])\}/g, "(?<g$1>.+?)").replace(/\{([5-9])\}/g, "(?<g$1>\\S+)");
    WHY.push([new RegExp(`^${pattern}[.]?$`), own]);
  }
}

let said = null;

/** What the camera says by its codes, and most of the settings: read after the first view, and before it is
 * needed. English has no such file. */
export function loadSaid() {
  if (document.documentElement.lang !== "pt") return Promise.resolve();
  said ??= fetch("pt-said.json", { cache: "no-cache" }).then((answer) => answer.json())
    .then((texts) => { Object.assign(T, texts); }, () => { said = null; });
  return said;
}

/** A text by its key, with {names} filled in. */
export function t(key, values = {}) {
  return (T[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

/** A sentence of the camera's in this language, as far as it is known, with what the camera fills in. */
export function plain(said) {
  for (const [english, own] of WHY) {
    const found = english.exec(said ?? "");
    if (found) return own.replace(/\{(\d)\}/g, (_, at) => plain(found.groups["g" + at]));
  }
  const several = said?.split?.("; ") ?? [];
  return several.length > 1 ? several.map(plain).join("; ") : said;
}

/** A message of the camera: its own sentence, or by its code; {said} in it is how the camera said it. */
export function told(code, said) {
  // Not the file, nor the system's number.
  if (/^card-/.test(code)) said = said.replace(/\/\S+: | \(os error \d+\)/g, "");
  const own = plain(said);
  return own === said ? T["say." + code]?.replace("{said}", () => said ?? "") ?? said : own;
}

/** What a service is called. */
export function nameOf({ id, name }) {
  return T[`hack.${id}.name`] ?? name ?? id;
}

/** A whole sentence of what the camera says in lower case. */
export function sentence(text) {
  const trimmed = String(text ?? "").trim();
  const begun = (trimmed.startsWith("mi360d") ? "m" : trimmed.charAt(0).toUpperCase()) + trimmed.slice(1);
  return /[.!?]$/.test(begun) ? begun : begun + ".";
}

/** How this reader writes numbers and dates: the region comes from the browser, the language from the page. */
const region = () => {
  const { lang } = document.documentElement;
  return navigator.languages.find((one) => one.split("-")[0] === lang) ?? (lang === "pt" ? "pt-PT" : lang);
};

/** A number with so many digits after the point. */
export function digits(value, count) {
  return value.toLocaleString(region(), { minimumFractionDigits: count, maximumFractionDigits: count });
}

/** A date in words; `how` as `toLocaleString` takes it. */
export function dateWords(date, how) {
  return date.toLocaleString(region(), how);
}

/** Bytes for people. */
export function bytes(count) {
  if (count >= 1 << 30) return digits(count / (1 << 30), 1) + " GiB";
  if (count >= 1 << 20) return digits(count / (1 << 20), count < 10 << 20 ? 1 : 0) + " MiB";
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
  return utc ? dateWords(new Date(utc), { dateStyle: "medium", timeStyle: "short" }) : t("clock.unset");
}
