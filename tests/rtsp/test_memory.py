"""The memory of the camera's own ARM program, under qemu-arm: both streams, eight viewers, sound and a
snapshot. By name, and in tests/soak; needs target/sdcard (`cargo sdcard`)."""

import os
import re
import tempfile
import time
from pathlib import Path

from frames import Camera
from rig import LONG, TARGET, Case, Server, wait_for
from test_cost import Copier

PROGRAM = Path(os.environ.get("MI360D_ARM", TARGET / "sdcard" / "mi360d" / "mi360d"))
# Where qemu-arm puts the program's own addresses, so that its memory can be told from qemu's.
BASE = 0x4000000000
MOST = 6 << 10


def resident(pid):
    """KiB of the program's own pages, and of these what no file has."""
    whole = own = 0
    inside = False
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if found := re.match(r"([0-9a-f]+)-[0-9a-f]+ ", line):
            inside = BASE <= int(found[1], 16) < BASE + (1 << 32)
        elif inside and line.startswith("Rss:"):
            whole += int(line.split()[1])
        elif inside and line.startswith("Anonymous:"):
            own += int(line.split()[1])
    return whole, own


class Memory(Case):
    def test_eight_viewers_with_sound_fit_into_6_mib_of_the_camera_s_program(self):
        self.assertTrue(PROGRAM.exists(), f"{PROGRAM}: run `cargo sdcard` first")
        folder = Path(tempfile.mkdtemp(prefix="mi360d-memory-"))
        camera = Camera(folder, {"mainstream": "fetch.hevc", "substream": "sub.hevc"},
                        sound=lambda n: n >> 6 & 0x7f, jpeg=b"\xff\xd8" + bytes(200_000) + b"\xff\xd9")
        self.addCleanup(camera.stop)
        program = folder / "program"
        program.write_text(f'#!/bin/sh\nexec qemu-arm-static -B {BASE:#x} {PROGRAM} "$@"\n')
        program.chmod(0o755)
        server = Server({name: folder / name for name in ("mainstream", "substream")}, binary=program,
                        words=["--audio", str(folder / "audio_in"), "--snapshot", str(folder / "jpeg_snap")])
        self.addCleanup(server.stop)
        wait_for(lambda: server.stats()["sound"]["pieces"] > 5, "sound")
        idle, _ = resident(server.pid)
        viewers = [Copier(server.port, "tcp" if n % 2 else "udp") for n in range(8)]
        try:
            wait_for(lambda: all(viewer.pictures > 20 for viewer in viewers), "viewers", 120)
            most, end = (0, 0), time.monotonic() + 15 * LONG
            while time.monotonic() < end:
                server.ask("snapshot mainstream jpeg")
                most = max(most, resident(server.pid))
                time.sleep(0.5)
            self.assertEqual(sum(viewer["sound"] for viewer in server.stats()["viewers"]), 8)
            print(f"  the ARM program: {idle} KiB resident without viewers; with eight, sound and snapshots "
                  f"{most[0]} KiB at most, {most[1]} KiB of them its own", flush=True)
            self.assertGreater(most[0], 1 << 10, "qemu's layout is another one: nothing was measured")
            self.assertLess(most[0], MOST)
        finally:
            for viewer in viewers:
                viewer.stop()
