// The page in browsers that are not Chromium: what an owner does there, with every error of the console
// a fault. By name only: `tests/page/run firefox`, `tests/page/run webkit`.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Ear, Firefox, WebKit } from "./engines.mjs";
import { tfImage } from "./images.mjs";
import { withStreams } from "./live.mjs";
import { PASSWORD, PROGRAM, REPO, until } from "./rig.mjs";

/** Through the door; the demo has its password already. */
async function logIn(engine, demo) {
  await engine.goto(demo.url);
  await engine.until("the door", () => Boolean(document.querySelector("form .eye")));
  await engine.fill("form input[type=password]", "wrong");
  await engine.key("Enter");
  await engine.until("the refusal", () => document.querySelector("[role=alert]")?.textContent.includes("password is wrong"));
  await engine.fill("form input[type=password]", PASSWORD);
  await engine.key("Enter");
  await engine.until("the house", () => Boolean(document.querySelector(".house main h1")));
  await engine.listen();
}

const at = (view) => { location.hash = `#/${view}`; };

/** The picture moves: its time, and the pictures that were shown. */
async function plays(engine, seconds = 3) {
  const begin = await engine.until("the picture", () => {
    const video = document.querySelector("video");
    return video?.videoWidth && video.currentTime && document.querySelector(".pill.on") && video.currentTime;
  });
  await engine.until("the picture to move", (since) => document.querySelector("video")?.currentTime > since, begin + seconds);
  return engine.run(() => {
    const video = document.querySelector("video");
    const { totalVideoFrames: all, droppedVideoFrames: lost } = video.getVideoPlaybackQuality();
    return { width: video.videoWidth, time: video.currentTime, all, lost };
  });
}

/** On a click the picture goes on with sound, which the sound server hears, and on another one without. */
async function sound(engine, ear) {
  assert.equal(ear.hears(), 0, "no sound that nobody asked for");
  await engine.press("Turn sound on");
  await engine.until("the button to turn it off", () => !document.querySelector("video").muted);
  const loud = await until("sound", () => ear.hears());
  const seen = await plays(engine);
  await engine.press("Turn sound off");
  await engine.until("silence", () => document.querySelector("video").muted);
  await plays(engine);
  return { ...seen, loud };
}

async function planOfAFlash(engine, demo) {
  const path = join(demo.base, "tf_recovery.img");
  writeFileSync(path, tfImage(PROGRAM));
  await engine.run(at, "flash");
  await engine.until("the place to drop a file", () => Boolean(document.querySelector("#file")));
  await engine.choose("#file", path);
  await engine.until("the file to be known", () => [...document.querySelectorAll("section.after h2")]
    .some((one) => one.textContent.includes("tf_recovery.img")));
  await engine.press("Preview changes");
  const phrase = await engine.until("the plan", () => document.querySelector(".plan .phrase")?.textContent);
  assert.equal(phrase, "FLASH KERNEL ROOTFS DATA WITHOUT RESCUE");
  // Not without its phrase.
  assert.equal(await engine.run(() => [...document.querySelectorAll(".plan form button")]
    .find((one) => one.textContent.includes("Write to the chip")).disabled), true);
  await engine.fill(".plan form input[type=text]", phrase);
  await engine.until("the button that writes", () => ![...document.querySelectorAll(".plan form button")]
    .find((one) => one.textContent.includes("Write to the chip")).disabled);
}

/** Settings are changed and saved, by the keyboard alone from the field on. */
async function settings(engine, demo) {
  await engine.run(at, "settings");
  const field = await engine.until("the settings", () => {
    const label = [...document.querySelectorAll("label")].find((one) => one.textContent.includes("Number of backups to keep"));
    return label?.htmlFor;
  });
  await engine.fill(`[id="${field}"]`, "7");
  await engine.key("Enter");
  await engine.until("what is saved", () => [...document.querySelectorAll("form [role=status]")].some((one) => one.textContent.includes("Saved")));
  assert.equal((await demo.call("GET", "/api/v1/config")).json.backup.keep, 7);
}

/** Each press of Tab reaches the next thing that can be used, and shows where one is. */
async function keyboard(engine, demo) {
  // From the heading on; after the last thing of a page come the browser's own.
  await engine.goto(`${demo.url}/?keys#/settings`);
  await engine.until("the settings", () => Boolean(document.querySelector("#section-log")));
  const reached = [];
  for (let n = 0; n < 12; n += 1) {
    await engine.key("Tab");
    reached.push(await engine.run(() => {
      const one = document.activeElement;
      const { outlineStyle, boxShadow } = getComputedStyle(one);
      return one === document.body ? "" : (outlineStyle !== "none" || boxShadow !== "none" ? "" : "unseen ") + one.outerHTML.slice(0, 80);
    }));
  }
  assert.equal(new Set(reached.filter(Boolean)).size > 8, true, `Tab reaches ${reached.join("\n")}`);
  assert.deepEqual(reached.filter((one) => one.startsWith("unseen")), []);
}

async function portuguese(engine, demo) {
  await demo.call("PUT", "/api/v1/config", { web: { language: "pt" } });
  await engine.goto(`${demo.url}/?again`);
  await engine.heading("Ao vivo");
  assert.equal(await engine.run(() => document.documentElement.lang), "pt");
  await demo.call("PUT", "/api/v1/config", { web: { language: "auto" } });
}

async function owner(Kind) {
  const demo = await withStreams();
  const ear = await Ear.start();
  const engine = await Kind.start(ear);
  try {
    await logIn(engine, demo);
    await engine.run(at, "live");
    await engine.press("Turn on streams");
    const seen = await plays(engine);
    const heard = await sound(engine, ear);
    console.log(`${await engine.version()}: ${JSON.stringify(seen)}, with sound ${JSON.stringify(heard)}`);
    assert.ok(seen.time > 3, "pictures shown");
    await planOfAFlash(engine, demo);
    await settings(engine, demo);
    await keyboard(engine, demo);
    for (const view of ["chip", "backups", "card", "services", "log", "camera"]) {
      await engine.run(at, view);
      await engine.until(view, () => document.querySelectorAll("main > *").length > 1);
      await new Promise((done) => setTimeout(done, 700));
    }
    await portuguese(engine, demo);
    assert.deepEqual(await engine.faults(), [], "the console");
  } finally {
    await engine.stop();
    await ear.stop();
    await demo.stop();
  }
}

async function h265(Kind) {
  const demo = await withStreams();
  const folder = mkdtempSync(join(tmpdir(), "mi360d-h265-"));
  let camera = null;
  const ear = await Ear.start();
  const engine = await Kind.start(ear);
  try {
    camera = await standIn(folder, demo);
    await logIn(engine, demo);
    await engine.run(at, "live");
    const seen = await engine.until("a picture", () => {
      const video = document.querySelector("video");
      const image = document.querySelector(".screen img");
      if (image?.naturalWidth) return { shown: "single pictures", words: document.querySelector(".pill").textContent };
      return video?.videoWidth && video.currentTime > 2 && document.querySelector(".pill.on")
        && { shown: "the stream", width: video.videoWidth };
    });
    const said = await engine.run(() => (window.ManagedMediaSource ?? window.MediaSource).isTypeSupported('video/mp4; codecs="hvc1.1.6.L93.B0"'));
    console.log(`${await engine.version()}: H.265 ${said ? "said to be" : "not"} supported; shows ${JSON.stringify(seen)}`);
    assert.deepEqual(await engine.faults(), [], "the console");
  } finally {
    await engine.stop();
    await ear.stop();
    camera?.kill();
    rmSync(folder, { recursive: true, force: true });
    await demo.stop();
  }
}

/** A stand-in for fetch_av with the camera's own codec, H.265, and the hack that reads it (tests/rtsp/frames.py). */
async function standIn(folder, demo) {
  writeFileSync(join(folder, "still.jpg"), Buffer.from(
    await (await waitForJpeg(demo)).arrayBuffer()));
  await demo.call("PUT", "/api/v1/services/rtsp-server", { enabled: false });
  const child = spawn("python3", ["-c", `
import sys, time
from pathlib import Path
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
import frames
folder = Path(sys.argv[2])
frames.Camera(folder, {"mainstream": "sub.hevc", "substream": "sub.hevc"}, sound=lambda n: 0x55 ^ (n >> 5 & 0x3f),
              jpeg=(folder / "still.jpg").read_bytes())
print("ready", flush=True)
time.sleep(3600)`, join(REPO, "tests/rtsp"), folder], { stdio: ["ignore", "pipe", "inherit"] });
  for await (const line of createInterface({ input: child.stdout })) if (line === "ready") break;
  const hack = join(demo.dir, "sdcard/hacks/rtsp-server/hack.toml");
  const text = readFileSync(hack, "utf8");
  const ways = ["mainstream", "substream"].map((name) => `"--stream", "${name}=${folder}/${name}"`);
  writeFileSync(hack, text.replaceAll(/"--stream", "(main|sub)stream=[^"]*",?/g, "")
    .replace("{mi360d}\", \"rtsp\",", `{mi360d}", "rtsp", ${ways.join(", ")}, "--audio", "${folder}/audio_in", "--snapshot", "${folder}/jpeg_snap",`));
  await demo.call("PUT", "/api/v1/services/rtsp-server", { enabled: true });
  return child;
}

async function waitForJpeg(demo) {
  await demo.call("PUT", "/api/v1/services/rtsp-server", { enabled: true });
  for (;;) {
    const answer = await fetch(`${demo.url}/api/v1/snapshot?form=jpeg`, { headers: demo.session });
    if (answer.status === 200) return answer;
    await new Promise((done) => setTimeout(done, 200));
  }
}

export const others = Object.fromEntries([Firefox, WebKit].flatMap((Kind) => [
  [`${Kind.title.toLowerCase()}: an owner logs in, looks, listens, plans a flash, saves settings, by keys, in Portuguese`, () => owner(Kind)],
  [`${Kind.title.toLowerCase()}: the camera's own codec, H.265, is shown as it is or picture by picture`, () => h265(Kind)],
]));
