// Files of a backup on their way out of the camera.

import { T, t } from "./text.js";
import { h, say } from "./dom.js";
import { api } from "./api.js";
import { lookSoon } from "./house.js";
import { closer, dialog, field, form, noteOf, secretField } from "./parts.js";

/** Files of a set leave only after a warning and the password; the redacted one needs neither. */
export function downloadDialog(set, wanted) {
  const files = set.files.map((file) => file.name).filter((name) => name.endsWith(".bin"));
  const names = ["set.zip", ...(set.state === "complete" ? ["redacted.bin"] : []), ...files];
  const select = h("select", null, names.map((name) => h("option", { value: name },
    T["file." + name] ? `${name}: ${t("file." + name)}` : name)));
  select.value = wanted;
  const [row, input] = secretField(t("password"), "password", "current-password", t("download.again"));
  const warning = noteOf({ severity: "warning", code: "", message: t("download.warning"), hint: t("download.warning.hint") });
  input.autofocus = true;
  const change = () => {
    const free = select.value === "redacted.bin";
    row.hidden = warning.hidden = free;
    input.required = !free;
  };
  select.addEventListener("change", change);
  const element = dialog(t("download.title", { id: set.id }),
    form([field(t("download.what"), select), warning, row], t("download"), async () => {
      const name = select.value;
      const password = name === "redacted.bin" ? undefined : input.value;
      const { ticket } = await api("POST", `/backups/${set.id}/download`, { name, password }, { quiet: true });
      h("a", { href: "api/v1/downloads/" + ticket, download: "" }).click();
      element.close();
      say(t("download.begun"));
      // That a copy has left the card is shown without delay.
      for (const seconds of [1, 3, 6, 12]) setTimeout(lookSoon, 1000 * seconds);
    }, { more: closer(t("cancel")) }));
  change();
}
