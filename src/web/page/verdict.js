// How the camera is, in one sentence: the same on every view.

import { bytes, sentence, t, told } from "./text.js";
import { stepName } from "./parts.js";

/** Whether what is on the card can be read now. */
export function cardIsThere({ card }) {
  return card.state !== "missing";
}

/** Per cent of a backup or a job, as far as they are known. */
export function percent({ done, total, block, blocks }) {
  const [part, all] = total === undefined ? [block, blocks] : [done, total];
  return all ? Math.floor(100 * part / all) : null;
}

/** What is the case: a mark (good, wait, look, bad), and one sentence. */
export function verdict(status) {
  const { backup, notices, interrupted, identity, newest_backup: newest } = status;
  const [gravest] = notices;
  if (interrupted && status.job?.state !== "running") return ["bad", t("resume.title") + "."];
  if (gravest?.severity === "danger") return ["bad", sentence(told(gravest.code, gravest.message))];
  if (backup.state === "waiting") return ["wait", t("backup.waiting")];
  if (backup.state === "running") {
    const part = percent(backup);
    return ["wait", t("verdict.backup", { step: stepName(backup), part: part === null ? "" : `, ${part} %` })];
  }
  if (gravest?.severity === "warning") return ["look", sentence(told(gravest.code, gravest.message))];
  if (identity.health !== "healthy" || !newest || newest.proof === "damaged" || backup.complete === false) {
    return ["look", t("verdict.look")];
  }
  if (status.card.free < 40 << 20) return ["look", t("verdict.card", { free: bytes(status.card.free) })];
  if (!identity.downloaded) return ["look", t("verdict.download")];
  return ["good", t("next.nothing") + "."];
}
