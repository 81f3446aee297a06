// Live: the picture as it comes, the streams with who watches them, their addresses and login, and
// the motors where there are any.

/** Seconds that the picture may be behind, and that stay in the browser. */
const BEHIND = 4;
const KEPT = 10;

async function liveView(main, signal) {
  const place = h("div.stack");
  main.append(heading(t("live.title"), t("live.lead")), place);
  let shown = null;
  let update = () => {};
  let drawn = new AbortController();
  signal.addEventListener("abort", () => drawn.abort());
  for (;;) {
    const video = await api("GET", "/video", undefined, { signal });
    const now = video.server ? video.server.streams.map((stream) => stream.name).join() : "off " + video.reason;
    if (now !== shown) {
      shown = now;
      drawn.abort();
      drawn = new AbortController();
      update = video.server ? await liveThings(place, video, drawn.signal) : await liveOff(place, video, signal);
    }
    update(video);
    await pause(2000, signal);
  }
}

/** No streams: why, and the switch. */
async function liveOff(place, video, signal) {
  const { services } = await api("GET", "/services", undefined, { signal });
  const server = services.find((service) => service.id === "rtsp-server");
  const [on, said] = doing(t("live.on"), async () => {
    const needed = services.filter((service) => server.needs?.includes(service.id));
    for (const { id } of [...needed, server]) await api("PUT", "/services/" + id, { enabled: true });
    say(t("state.starting"));
  }, { class: "main" });
  fill(place, h("section.sheet", null, h("h2", null, t("live.off")),
    h("p", null, sentence(video.reason)),
    h("div.buttons", null, server && !server.enabled && on,
      h("a.button", { href: "#/services" }, t("services.title"))), said), motorSection(services));
  return () => {};
}

/** All there is to see of streams that are served; the answer takes their news. */
async function liveThings(place, video, signal) {
  const names = video.server.streams.map((stream) => stream.name);
  const { services } = await api("GET", "/services", undefined, { signal });
  const streams = h("tbody");
  const viewers = h("tbody");
  const few = h("p.soft");
  const head = (keys) => h("thead", null, h("tr", null, keys.map((key) => h("th", { scope: "col" }, t("live." + key)))));
  fill(place, screenSection(names, signal), motorSection(services),
    h("section.sheet", null, h("h2", null, t("live.streams")),
      h("div.scroll", { tabindex: "0", role: "region", "aria-label": t("live.streams") }, h("table", null,
        head(["stream", "writer", "picture", "fps", "rate", "viewers", "lost"]), streams))),
    addressSection(names, video),
    h("section.sheet", null, h("h2", null, t("live.viewers")), few,
      h("div.scroll", { tabindex: "0", role: "region", "aria-label": t("live.viewers") }, h("table", null,
        head(["peer", "stream", "by", "since", "missed"]), viewers))));
  return ({ server }) => {
    fill(streams, server.streams.map((one) => h("tr", null, h("th", { scope: "row" }, one.name),
      h("td", null, t("writer." + one.writer)),
      h("td", null, one.size ? `${one.size.width}\u00d7${one.size.height} ${(one.codec ?? "").toUpperCase()}` : "-"),
      h("td.number", null, one.fps.toFixed(1)), h("td.number", null, rate(one.bits_per_second)),
      h("td.number", null, one.viewers),
      h("td.number", null, one.lost.breaks ? t("live.breaks", one.lost) : "0"))));
    few.textContent = t("live.most", { count: server.viewers.length, most: server.most_viewers })
      + (server.refused ? " " + t("live.refused", { count: server.refused }) : "");
    fill(viewers, server.viewers.map((one) => h("tr", null, h("th", { scope: "row" }, one.peer),
      h("td", null, one.stream), h("td", null, one.transport === "page" ? t("live.page") : one.transport.toUpperCase()),
      h("td", null, span(one.seconds)), h("td.number", null, one.lost))));
  };
}

function rate(bits) {
  return bits >= 1e6 ? (bits / 1e6).toFixed(1) + " Mbit/s" : Math.round(bits / 1000) + " kbit/s";
}

/** The picture, which stream it is, and a still one to keep. */
function screenSection(names, signal) {
  const video = h("video", { playsinline: true, "aria-label": t("live.title") });
  video.muted = true;
  const words = h("p.soft", { role: "status" });
  const which = h("select", null, names.map((name) => h("option", { value: name }, name)));
  which.value = names.includes("substream") ? "substream" : names[0];
  const tell = (key, error) => fill(words, error ? trouble(error) : t("live." + key));
  let now = null;
  const stop = () => {
    now?.abort();
    now = null;
    button.textContent = t("live.play");
  };
  const start = () => {
    now?.abort();
    now = new AbortController();
    button.textContent = t("live.stop");
    play(video, which.value, now.signal, tell);
  };
  const button = h("button.main", { type: "button", onclick: () => {
    if (!now) return start();
    stop();
    tell("stopped");
  } });
  which.addEventListener("change", () => now && start());
  video.addEventListener("playing", () => now && tell("playing"));
  // Who does not look costs the camera nothing.
  let hidden = false;
  document.addEventListener("visibilitychange", () => {
    if (document.hidden && now) {
      hidden = true;
      stop();
    } else if (!document.hidden && hidden) {
      hidden = false;
      start();
    }
  }, { signal });
  signal.addEventListener("abort", stop);
  const [keep, said] = doing(t("live.keep"), () => keepPicture(which.value));
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  if (calm) {
    stop();
    tell("stopped");
  } else start();
  return h("section.sheet", null, h("h2.unseen", null, t("live.picture")), h("div.screen", null, video), words,
    h("div.bare", null, field(t("live.stream"), which), button, keep), said);
}

/** Plays a stream until it is told to stop; one that ended is asked for again. */
async function play(video, name, signal, tell) {
  const Source = window.ManagedMediaSource ?? window.MediaSource;
  while (!signal.aborted) {
    try {
      tell("waiting");
      const answer = await fetch("api/v1/live?stream=" + encodeURIComponent(name), { signal, cache: "no-store" });
      if (!answer.ok) {
        const { error } = await answer.json();
        if (answer.status === 401) showDoor(error);
        throw new Refused(answer.status, error);
      }
      const type = answer.headers.get("Content-Type");
      if (!Source?.isTypeSupported(type)) {
        await answer.body.cancel();
        return tell("unplayable");
      }
      await pour(answer.body.getReader(), new Source(), type, video, signal);
    } catch (error) {
      if (signal.aborted) break;
      if (error instanceof Refused) tell("", error);
    }
    await pause(2000, signal).catch(() => {});
  }
  video.removeAttribute("src");
  video.load();
}

/** From the camera into the picture, until either ends. */
async function pour(reader, media, type, video, signal) {
  const url = URL.createObjectURL(media);
  // A ManagedMediaSource opens only where nothing can be sent on to another screen.
  video.disableRemotePlayback = true;
  video.src = url;
  try {
    await heard(media, "sourceopen", signal);
    const buffer = media.addSourceBuffer(type);
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      buffer.appendBuffer(value);
      await heard(buffer, "updateend", signal);
      const { buffered } = buffer;
      if (!buffered.length) continue;
      const [first, begin, end] = [buffered.start(0), buffered.start(buffered.length - 1), buffered.end(buffered.length - 1)];
      if (video.currentTime < begin || end - video.currentTime > BEHIND) video.currentTime = Math.max(begin, end - .2);
      if (video.paused) video.play().catch(() => {});
      if (end - first > 3 * KEPT) {
        buffer.remove(first, end - KEPT);
        await heard(buffer, "updateend", signal);
      }
    }
  } finally {
    reader.cancel().catch(() => {});
    URL.revokeObjectURL(url);
  }
}

/** Waits for an event; an error, or who leaves, ends the wait. */
function heard(target, event, signal) {
  return new Promise((done, stop) => {
    target.addEventListener(event, done, { once: true });
    target.addEventListener("error", () => stop(new Error(event)), { once: true });
    signal?.addEventListener("abort", () => stop(new DOMException("left", "AbortError")), { once: true });
  });
}

/** The camera's own JPEG, or the last key frame as one; where the browser cannot read it, as it comes. */
async function keepPicture(name) {
  const answer = await fetch("api/v1/snapshot?stream=" + encodeURIComponent(name), { cache: "no-store" });
  if (!answer.ok) throw new Refused(answer.status, (await answer.json()).error);
  const film = await answer.blob();
  const still = film.type.startsWith("image/") ? film : await stillOf(film).catch(() => null);
  const url = URL.createObjectURL(still ?? film);
  const time = new Date().toISOString().slice(0, 19).replaceAll(":", "-");
  h("a", { href: url, download: `${name}-${time}.${still ? "jpg" : "mp4"}` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

async function stillOf(film) {
  const video = h("video", { playsinline: true, preload: "auto" });
  video.muted = true;
  const url = URL.createObjectURL(film);
  try {
    video.src = url;
    await heard(video, "loadeddata", AbortSignal.timeout(5000));
    const canvas = h("canvas", { width: video.videoWidth, height: video.videoHeight });
    canvas.getContext("2d").drawImage(video, 0, 0);
    return await new Promise((done) => canvas.toBlob(done, "image/jpeg", .92));
  } finally {
    URL.revokeObjectURL(url);
  }
}

/** Where others find the streams, and the login for it. */
function addressSection(names, video) {
  const host = location.hostname;
  const login = h("div.place");
  const [show, said] = doing(t("live.login.show"), () => streamLoginDialog(login));
  return h("section.sheet", null, h("h2", null, t("live.addresses")), h("p.soft", null, t("live.addresses.why")),
    names.map((name) => copyable(`rtsp://${host}:${video.port}/${name}`)),
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

/** A text with a button that copies it, also where the browser trusts HTTPS alone. */
function copyable(text) {
  const code = h("code.phrase", null, text);
  return h("div.bare", null, code, h("button", { type: "button", "aria-label": `${t("copy")}: ${text}`, onclick: async () => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      getSelection().selectAllChildren(code);
      document.execCommand("copy");
    }
    say(t("copied"));
  } }, t("copy")));
}

/** The motors, where they run: four buttons, or the arrow keys on them. */
function motorSection(services) {
  if (!services.some(({ id, state }) => id === "motor-control" && state === "running")) return null;
  const said = h("div.place");
  const far = h("select", null, [5, 20, 60].map((steps) => h("option", { value: steps }, t("motor.steps", { steps }))));
  far.value = "20";
  const send = async (wish) => {
    try {
      const { at_end } = await api("POST", "/ptz", wish);
      fill(said, at_end && h("p", { role: "status" }, t("motor.end")));
    } catch (error) {
      fill(said, trouble(error));
    }
  };
  const move = (direction) => send({ do: "move", direction, steps: Number(far.value) });
  const arrows = { left: "\u2190", up: "\u2191", down: "\u2193", right: "\u2192" };
  return h("section.sheet", null, h("h2", null, t("motor.title")),
    h("div.bare", { role: "group", "aria-label": t("motor.title"), onkeydown: (event) => {
      const direction = event.key.replace("Arrow", "").toLowerCase();
      if (!arrows[direction] || event.target === far) return;
      event.preventDefault();
      move(direction);
    } },
    Object.entries(arrows).map(([direction, arrow]) => h("button.arrow", { type: "button",
      "aria-label": t("motor." + direction), onclick: () => move(direction) }, arrow)),
    field(t("motor.far"), far),
    h("button", { type: "button", onclick: () => send({ do: "calibrate" }) }, t("motor.calibrate"))), said);
}
