// The motors: moved while a button or an arrow key is held, to a place with a name, to the middle.
// One axis at a time: one driver serves both.

import { t } from "./text.js";
import { fill, h, icon } from "./dom.js";
import { api, pause } from "./api.js";
import { doing, field, form, trouble } from "./parts.js";

/** How long one request moves, and how often it is sent while the button is held, in ms. */
const PUSH = 700;
const AGAIN = 450;
const WAYS = { up: [0, 100], left: [-100, 0], right: [100, 0], down: [0, -100] };

/** The motors, where they can be asked; follows them until the signal. The pad lies over the picture,
 * if there is one. */
export function motorSection(signal, over) {
  const said = h("div.place");
  const words = h("p.soft", { role: "status" });
  const list = h("div.presets");
  const send = async (ask) => {
    try {
      fill(said);
      show(await api("POST", "/ptz", ask));
    } catch (error) {
      fill(said, trouble(error));
      throw error;
    }
  };
  const quietly = (ask) => send(ask).catch(() => {});
  // Held: again and again, until it is let go.
  let held = null;
  const letGo = () => {
    if (!held) return;
    clearInterval(held.timer);
    held = null;
    quietly({ stop: true });
  };
  const hold = (way) => {
    if (held?.way === way) return;
    letGo();
    const [pan, tilt] = WAYS[way];
    const push = () => send({ move: { pan, tilt, ms: PUSH } }).catch(letGo);
    held = { way, timer: setInterval(push, AGAIN) };
    push();
  };
  signal.addEventListener("abort", letGo);
  const key = (event) => event.key.replace("Arrow", "").toLowerCase();
  const arrow = (way) => h("button." + way, { type: "button", "aria-label": t("motor." + way), title: t("motor." + way),
    onpointerdown: (event) => {
      if (event.button) return;
      event.target.setPointerCapture?.(event.pointerId);
      hold(way);
    },
    onpointerup: letGo, onpointercancel: letGo, onlostpointercapture: letGo,
    // A press without a pointer: Enter, or a screen reader.
    onclick: (event) => { if (!event.detail) quietly({ move: { pan: WAYS[way][0], tilt: WAYS[way][1], ms: PUSH } }); },
  }, icon(way));
  const pad = h("div.pad", { hidden: true, role: "group", "aria-label": t("motor.title"),
    onkeydown: (event) => {
      if (!WAYS[key(event)]) return;
      event.preventDefault();
      hold(key(event));
    },
    onkeyup: (event) => { if (WAYS[key(event)]) letGo(); },
    onfocusout: letGo },
  arrow("up"), arrow("left"),
  h("button.center", { type: "button", "aria-label": t("motor.calibrate"), title: t("motor.calibrate"),
    onclick: () => quietly({ calibrate: true }) }, icon("center")),
  arrow("right"), arrow("down"));
  over?.append(pad);
  const name = h("input", { required: true, maxlength: 40, autocomplete: "off" });
  const home = h("input", { type: "checkbox", role: "switch" });
  const keep = form([field(t("motor.preset.name"), name), field(t("motor.preset.home"), home)], t("motor.preset.keep"), async () => {
    await api("POST", "/ptz/presets", { name: name.value, home: home.checked });
    name.value = "";
    show(await api("GET", "/ptz"));
  });
  const seconds = h("input", { type: "number", required: true, min: 5, max: 3600, value: 30 });
  const patrol = form([field(t("motor.patrol.pause"), seconds)], t("motor.patrol"), () => send({ patrol: { pause: Number(seconds.value) } }));
  const [stop, stopSaid] = doing(t("motor.patrol.stop"), () => send({ stop: true }));
  const more = h("details", null, h("summary", null, t("motor.presets")), list, patrol, h("div.buttons", null, stop), stopSaid, keep);
  const section = h("section.sheet.turn", { hidden: true }, h("h2", null, t("motor.title")), words, !over && pad, said, more);
  let drawn = "";
  const show = (motors) => {
    section.hidden = pad.hidden = !motors.available;
    more.hidden = !motors.absolute;
    stop.hidden = !motors.patrol;
    patrol.hidden = motors.patrol || motors.presets.length < 2;
    const at = motors.position && t("motor.position", motors.position);
    const shown = [at, motors.patrol && t("motor.patrol.now"), motors.moving && t("motor.moving"), motors.at_end && t("motor.end")].filter(Boolean).join(" ");
    if (words.textContent !== shown) words.textContent = shown;
    const now = JSON.stringify(motors.presets);
    if (now === drawn) return;
    drawn = now;
    fill(list, motors.presets.map((preset) => {
      const [go, goSaid] = doing(preset.name, () => send({ preset: preset.id }));
      const remove = h("button.plain", { type: "button", "aria-label": t("motor.preset.delete", preset),
        onclick: async () => {
          try {
            await api("DELETE", "/ptz/presets/" + preset.id);
            show(await api("GET", "/ptz"));
          } catch (error) {
            fill(said, trouble(error));
          }
        } }, t("delete"));
      return h("div.bare", null, go, preset.home && h("span.soft", null, t("motor.preset.is-home")), remove, goSaid);
    }));
  };
  (async () => {
    while (!signal.aborted) {
      try {
        show(await api("GET", "/ptz", undefined, { signal }));
      } catch (error) {
        if (error.name === "AbortError") return;
      }
      await pause(2000, signal);
    }
  })().catch(() => {});
  return section;
}
