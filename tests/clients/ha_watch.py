"""Watches cameras in a real Home Assistant, headless, in its own interpreter: each as a generic camera,
by the segments of its own stream component, as its page fetches them. Reads a document of addresses on
standard input, keeps each camera's segments as one file, prints one document of what it saw.

A worker of a stream that began again would leave a discontinuity in the list of segments, and a line in
the log."""

import asyncio
import json
import logging
import re
import sys
import time
from pathlib import Path

import aiohttp
from ha_driver import Warnings, flow, wait_for
from homeassistant import bootstrap
from homeassistant.components.camera import async_request_stream
from homeassistant.const import __version__
from homeassistant.helpers import entity_registry
from homeassistant.runner import RuntimeConfig


class Watched:
    """One camera's segments, in their order."""

    def __init__(self, client, url, path):
        self.client, self.folder, self.file = client, url.rpartition("/")[0], open(path, "wb")
        self.last, self.seconds, self.missing = None, 0.0, 0
        # The worker's numbers, one for each time that it began, and the breaks between two of them.
        self.begun, self.cuts, self.codecs = set(), 0, None

    async def get(self, name):
        async with self.client.get(f"{self.folder}/{name}") as answer:
            answer.raise_for_status()
            return await answer.read()

    async def begin(self):
        master = (await self.get("master_playlist.m3u8")).decode()
        self.codecs = re.search(r'CODECS="([^"]+)"', master)[1]
        self.file.write(await self.get("init.mp4"))

    async def more(self):
        """What the list of segments has that was not fetched yet."""
        text = (await self.get("playlist.m3u8")).decode()
        self.begun |= set(map(int, re.findall(r"#EXT-X-DISCONTINUITY-SEQUENCE:(\d+)", text)))
        self.cuts += text.count("#EXT-X-DISCONTINUITY\n")
        whole = re.findall(r"#EXTINF:([\d.]+),?\s*\n(?:#[^\n]*\n)*\./segment/(\d+)\.m4s", text)
        for seconds, number in ((float(s), int(n)) for s, n in whole):
            if self.last is not None and number <= self.last:
                continue
            self.missing += 0 if self.last is None else number - self.last - 1
            self.file.write(await self.get(f"segment/{number}.m4s"))
            self.last, self.seconds = number, self.seconds + seconds

    def told(self):
        self.file.close()
        return {"codecs": self.codecs, "seconds": self.seconds, "missing": self.missing,
                "begun": len(self.begun), "cuts": self.cuts}


async def watch(hass, told):
    entities = entity_registry.async_get(hass)
    watched = {}
    async with aiohttp.ClientSession() as client:
        for name, address in told["cameras"].items():
            entry = await flow(hass, "generic", {
                "stream_source": address, "framerate": 2, "verify_ssl": False,
                "rtsp_transport": "tcp"}, {"confirmed_ok": True})
            [camera] = await wait_for(lambda of=entry.entry_id: [
                e.entity_id for e in entity_registry.async_entries_for_config_entry(entities, of)
                if e.domain == "camera"], name)
            await wait_for(lambda of=camera: hass.states.get(of), camera)
            url = await async_request_stream(hass, camera, "hls")
            watched[name] = Watched(client, f"http://127.0.0.1:{told['port']}{url}", told["films"][name])
        for one in watched.values():
            await one.begin()
        end = time.monotonic() + told["seconds"]
        while time.monotonic() < end or any(one.seconds < told["seconds"] for one in watched.values()):
            if time.monotonic() > end + 60:
                raise TimeoutError("the segments are shorter than the time")
            for one in watched.values():
                await one.more()
            await asyncio.sleep(1)
    return {name: one.told() for name, one in watched.items()}


async def main():
    told = json.load(sys.stdin)
    config = Path(told["folder"])
    (config / "configuration.yaml").write_text(json.dumps({
        "http": {"server_host": "127.0.0.1", "server_port": told["port"]},
        "stream": {}, "ffmpeg": {},
    }))
    for name in ("automations.yaml", "scripts.yaml", "scenes.yaml"):
        (config / name).touch()
    hass = await bootstrap.async_setup_hass(RuntimeConfig(str(config), skip_pip=True))
    warnings = Warnings()
    logging.getLogger().addHandler(warnings)
    await hass.async_start()
    seen = {"version": __version__}
    try:
        seen["cameras"] = await watch(hass, told)
    except Exception as error:  # noqa: BLE001: told to the test, with what was seen so far
        seen["failed"] = f"{type(error).__name__}: {error}"
    seen["warnings"] = warnings.found
    print("SEEN " + json.dumps(seen), flush=True)
    # The streams' threads may take their time; nobody waits for that.
    await asyncio.wait_for(hass.async_stop(force=True), 60)


if __name__ == "__main__":
    asyncio.run(main())
