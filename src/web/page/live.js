// Live: the picture, the streams with who watches them, their addresses and login, and the motors.

import { digits, span, t } from "./text.js";
import { fill, h, icon, say } from "./dom.js";
import { api, poll } from "./api.js";
import { closer, copyable, dialog, doing, form, secretField } from "./parts.js";
import { heading, lookSoon, onStatus } from "./house.js";
import { player } from "./player.js";
import { controlSection } from "./controls.js";
import { eventSection } from "./events.js";
import { motorSection } from "./motors.js";
import { firstRun } from "./firstrun.js";
import { verdict } from "./verdict.js";

export async function liveView(main, signal) {
  // Its place is there from the beginning: nothing below is pushed down.
  const picture = h("div.place", null, h("section.picture", null, h("div.screen.empty")));
  const state = h("a.line", { href: "#/home" });
  const todo = h("div.place");
  const controls = h("div.place.stack");
  const rest = h("div.stack");
  main.append(heading(t("live.title")), h("div.stack", null, picture, state, todo, controls, rest));
  let video = null;
  let shown = null;
  let known = null;
  // Then the picture's place says that the streams are starting.
  const on = async () => {
    await turnOn();
    shown = null;
  };
  const list = firstRun(signal, on);
  todo.append(list.element);
  onStatus((status) => {
    const [mark, words] = verdict(status);
    state.className = `line ${mark}`;
    fill(state, icon(mark), h("span", null, words));
    known = status;
    list.show(status, video);
  }, signal);
  let update = () => {};
  let playing = null;
  let drawn = new AbortController();
  signal.addEventListener("abort", () => drawn.abort());
  await poll(signal, 2000, async () => {
    video = await api("GET", "/video", undefined, { signal });
    // Before what is below it, which would be pushed down.
    await list.ready;
    list.show(known, video);
    const now = video.server ? video.server.streams.map((stream) => stream.name).join() : "off " + video.reason;
    if (now !== shown) {
      const { services } = await api("GET", "/services", undefined, { signal });
      shown = now;
      drawn.abort();
      drawn = new AbortController();
      if (video.server) {
        const names = video.server.streams.map((stream) => stream.name);
        const shows = player(names, drawn.signal);
        playing = shows;
        fill(picture, shows.element);
        update = streamThings(rest, names, video);
        hooks(controls, shows, drawn.signal);
      } else {
        fill(picture, noPicture(services, on));
        fill(controls, controlSection(drawn.signal));
        fill(rest, motorSection(drawn.signal));
        update = () => {};
      }
      lookSoon();
    }
    if (video.server) playing?.offer(video.server);
    update(video);
  });
}

/** What belongs below the picture, each in a place of its own: `(place, player, signal)`. */
const HOOKS = [
  (place, shows, signal) => fill(place, motorSection(signal, shows.over)),
  (place, _, signal) => fill(place, controlSection(signal)),
  (place, _, signal) => fill(place, eventSection(signal)),
];

function hooks(controls, shows, signal) {
  fill(controls, HOOKS.map((hook) => {
    const place = h("div.place");
    hook(place, shows, signal);
    return place;
  }));
}

/** Switches the streams on, with all that they need. */
async function turnOn() {
  const { services } = await api("GET", "/services");
  const server = services.find((service) => service.id === "rtsp-server");
  const needed = services.filter((service) => server?.needs?.includes(service.id));
  for (const { id } of [...needed, server].filter(Boolean)) await api("PUT", "/services/" + id, { enabled: true });
  say(t("state.starting"));
}

/** No streams: the picture's place, with why, and the switch. */
function noPicture(services, turnOn) {
  const server = services.find((service) => service.id === "rtsp-server");
  const [on, said] = doing(t("live.on"), turnOn, { class: "main" });
  return h("section.picture", null, h("div.screen.empty", null, icon("live"),
    h("h2", null, t(server?.enabled ? "live.starting" : "live.off")),
    h("p", null, server && !server.enabled ? t("live.off.why") : t("live.starting.why")),
    h("div.buttons", null, server && !server.enabled && on,
      server?.enabled && h("a.button", { href: "#/services" }, t("services.title")))), said);
}

/** Columns of numbers. */
const NUMBERS = ["fps", "rate", "viewers", "lost", "missed"];

/** The streams, where others find them, and who watches; the answer takes their news. */
function streamThings(place, names, video) {
  const streams = h("tbody");
  const viewers = h("tbody");
  const few = h("p.soft");
  const head = (keys) => h("thead", null, h("tr", null, keys.map((key) => h(NUMBERS.includes(key) ? "th.number" : "th", { scope: "col" }, t("live." + key)))));
  fill(place, addressSection(names, video),
    h("section.sheet", null, h("h2", null, t("live.streams")),
      h("div.scroll", { tabindex: "0", role: "region", "aria-label": t("live.streams") }, h("table", null,
        head(["stream", "writer", "picture", "fps", "rate", "viewers", "lost"]), streams))),
    h("section.sheet", null, h("h2", null, t("live.viewers")), few,
      h("div.scroll", { tabindex: "0", role: "region", "aria-label": t("live.viewers") }, h("table", null,
        head(["peer", "stream", "by", "since", "missed"]), viewers))));
  return ({ server }) => {
    fill(streams, server.streams.map((one) => h("tr", null, h("th", { scope: "row" }, one.name),
      h("td", null, t("writer." + one.writer)),
      h("td", null, one.size ? `${one.size.width}\u00d7${one.size.height} ${(one.codec ?? "").toUpperCase()}` : "-"),
      h("td.number", null, digits(one.fps, 1)), h("td.number", null, rate(one.bits_per_second)),
      h("td.number", null, one.viewers),
      h("td.number", null, one.lost.breaks ? t("live.breaks", one.lost) : "0"))));
    few.textContent = t("live.most", { count: server.viewers.length, most: server.most_viewers })
      + (server.refused ? " " + t("live.refused", { count: server.refused }) : "");
    fill(viewers, server.viewers.map((one) => h("tr", null, h("th", { scope: "row" }, one.transport === "page" ? t("live.page") : one.peer),
      h("td", null, one.stream), h("td", null, one.transport === "page" ? "HTTP" : one.transport.toUpperCase()),
      h("td", null, span(one.seconds)), h("td.number", null, one.lost))));
  };
}

function rate(bits) {
  return bits >= 1e6 ? digits(bits / 1e6, 1) + " Mbit/s" : Math.round(bits / 1000) + " kbit/s";
}

/** Where others find the streams, and the login for it. */
function addressSection(names, video) {
  const host = location.hostname;
  const login = h("div.place");
  const [show, said] = doing(t("live.login.show"), () => streamLoginDialog(login));
  return h("section.sheet", null, h("h2", null, t("live.addresses")), h("p.soft", null, t("live.addresses.why")),
    names.map((name) => copyable(`rtsp://${host}:${video.port}/${name}`, true)),
    h("p", null, t("live.login", { user: video.user })), login,
    h("div.buttons", null, show), said);
}

/** The streams' password is shown to one who types the page's again. */
function streamLoginDialog(place) {
  const [row, input] = secretField(t("password"), "password", "current-password", t("live.login.again"));
  const element = dialog(t("live.login.show"), form([row], t("show"), async () => {
    const login = await api("POST", "/video/login", { password: input.value }, { quiet: true });
    fill(place, copyable(login.password));
    element.close();
  }, { more: closer(t("cancel")) }));
}
