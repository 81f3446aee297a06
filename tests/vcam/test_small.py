"""The vendor's userland on one processor with about 40 MiB, and a load like fetch_av's: the first
backup, two viewers, an upload of 16 MiB, a flash of DATA, one of KERNEL and ROOTFS. Nobody is ended
for want of memory, and nothing is refused.

Run by name: `tests/vcam/run.py test_small`."""

import json
import re
import subprocess
import sys
import time
import unittest

import flash
import vendor_root
from base import damage, sets
from flasher import part, tf_image, with_parts
from parts import HERE, REPO
from test_backup import DaemonTest
from vcam import free_port

sys.path.append(str(REPO / "tests" / "rtsp"))  # behind our own: some names are in both
from rig import stream  # noqa: E402
from viewer import Viewer  # noqa: E402

# MiB that are there before the vendor's services start: camera.md knows of 37 on a real one.
MEMORY = 40
MAP = vendor_root.MAP
# Bytes of each stream.
STREAM = 1 << 20


class SmallTest(DaemonTest):
    def watch(self, camera):
        camera.run("cp /mnt/sdcard/watcher /tmp/; chmod 755 /tmp/watcher; "
                   "setsid /tmp/watcher </dev/null >/dev/null 2>&1 &")

    def seen(self, camera, what):
        """The lowest MemAvailable and the highest VmHWM so far, in KiB; nobody was ended."""
        console = camera.console
        least = min(int(kib) for kib in re.findall(r"@@LEAST (\d+)", console))
        most = max(int(kib) for kib in re.findall(r"@@HWM (\d+)", console))
        print(f"[small] {what}: MemAvailable at least {least} KiB, VmHWM of mi360d {most} KiB", flush=True)
        self.assertNotIn("@@OOM", console)
        return least, most

    def ask(self, camera, path, method="GET", body=None, wanted=(200, 201, 202)):
        if not isinstance(body, (bytes, type(None))):
            body = json.dumps(body).encode()
        status, _, answer = camera.http("/api/v1" + path, method, body, self.headers, seconds=600)
        self.assertIn(status, wanted, answer)
        return json.loads(answer)

    def started(self, camera):
        camera.start(1200)
        self.watch(camera)
        camera.wait_http(seconds=300)
        camera.wait_for(lambda: camera.pid("fetch_av"), 120, "fetch_av's stand-in")
        pid = camera.pid("fetch_av")
        self.assertEqual(camera.run(f"cat /proc/{pid}/oom_score_adj").text, "-1000\n")

    def viewers(self, camera, port):
        for hack in ("framegrabber", "rtsp-server"):
            self.ask(camera, f"/services/{hack}", "PUT", {"enabled": True})

        def streams():
            server = self.ask(camera, "/video")["server"]
            return server and all(s["fps"] for s in server["streams"])

        camera.wait_for(streams, 300, "pictures", every=2)
        login = self.ask(camera, "/video/login", "POST", {"password": "correct horse"})
        return [self.viewer(port, f"{name}stream", (login["user"], login["password"]))
                for name in ("main", "sub")]

    def viewer(self, port, stream, login):
        """One that plays. A new login restarts the streams' process: who comes too soon finds none."""
        deadline = time.monotonic() + 300
        while True:
            viewer = Viewer(port, stream, login=login)
            viewer.start()
            until = time.monotonic() + 120
            while not viewer.playing.wait(1) and not viewer.error and time.monotonic() < until:
                pass
            if viewer.playing.is_set():
                self.addCleanup(viewer.stopping.set)
                return viewer
            self.assertLess(time.monotonic(), deadline, viewer.error)
            time.sleep(2)

    def rested(self, camera):
        """No job runs: while the sets of the start are read again, an upload is refused."""
        camera.wait_for(lambda: (self.ask(camera, "/status")["job"] or {}).get("state") != "running",
                        900, "the end of the start's job", every=3)

    def flashed(self, camera, image, only):
        """A flash from the page, to its restart."""
        # On a PC that is busy itself the gate's two minutes for an answer may be too few: once more.
        for _ in range(3):
            plan = self.ask(camera, "/plans", "POST", {"image": image, "only": only}, (200, 201, 504))
            if "error" not in plan:
                break
        self.assertEqual(plan["blockers"], [], "refused")
        job = self.ask(camera, "/jobs", "POST", {"plan": plan["id"], "confirm": plan["confirm"]})
        began = time.monotonic()
        camera.wait_end(1200)
        print(f"[small] the flash of {' '.join(only)}: {time.monotonic() - began:.0f} s", flush=True)
        return job

    def test_a_small_camera_does_all_that_a_real_one_must(self):
        program = self.folder / "framegrabber"
        subprocess.run(["arm-linux-gnueabihf-gcc", "-O2", "-static", "-Wall", "-o", program,
                        HERE / "framegrabber.c"], check=True)
        place = self.folder / "small"
        place.mkdir()
        camera = vendor_root.camera(place, memory=MEMORY, load=True)
        self._cameras.append(camera)
        camera.card.add(f"hacks/framegrabber/bin/{MAP}/framegrabber", program.read_bytes())
        for channel, name in enumerate(("main.h264", "sub.h264")):
            # The stand-in holds it in memory: no more than the vendor's own would take.
            camera.card.add(f"hacks/framegrabber/stream-{channel}.h264", stream(name).read_bytes()[:STREAM])
        watcher = self.folder / "watcher"
        subprocess.run(["arm-linux-gnueabihf-gcc", "-O2", "-static", "-Wall", "-o", watcher,
                        HERE / "watcher.c"], check=True)
        camera.card.add("watcher", watcher.read_bytes())
        before = camera.flash.read_bytes()
        new = with_parts(
            before, MAP,
            kernel=flash.uimage(flash.FAMILY[MAP], b"\xfd7zXZ\0" + flash.noise(1_700_000, "small")),
            rootfs=vendor_root.rootfs({**vendor_root.standin("fetch_av"), "etc/second": b"#!/bin/sh\n"}),
            data=flash.settled(vendor_root.read("ipc019/DATA-3.5.1_0052.jffs2"), 0x630000, 0x10000))
        camera.more_ports = {8554: free_port()}
        self.started(camera)
        began = time.monotonic()
        camera.wait_for(lambda: vendor_root.saved(camera), 1800, "the first set", every=3)
        print(f"[small] the first set took {time.monotonic() - began:.0f} s", flush=True)
        self.seen(camera, "the first backup")
        self.headers = camera.log_in("correct horse")
        viewers = self.viewers(camera, camera.more_ports[8554])
        self.rested(camera)
        image = self.ask(camera, "/images", "POST", tf_image(new))["id"]
        counts = [len(viewer.seen) for viewer in viewers]
        time.sleep(10)
        rates = [(len(viewer.seen) - count) / 10 for viewer, count in zip(viewers, counts)]
        print(f"[small] pictures in a second for each viewer after the upload: {rates}")
        self.assertTrue(all(rates), rates)
        # They have missed nothing; a flash ends the streams.
        for viewer in viewers:
            viewer.stop()
        self.seen(camera, "an upload of 16 MiB, two viewers")
        self.flashed(camera, image, ["DATA"])
        self.seen(camera, "the flash of DATA")
        found = sets(self.extracted(camera))
        self.assertEqual([damage(folder) for folder in found], [[]] * len(found))

        self.started(camera)
        self.headers = camera.log_in("correct horse")
        self.rested(camera)
        image = self.ask(camera, "/images", "POST", tf_image(new))["id"]
        self.flashed(camera, image, ["KERNEL", "ROOTFS"])
        self.seen(camera, "the flash of KERNEL and ROOTFS")
        chip = camera.flash.read_bytes()
        for name in ("KERNEL", "ROOTFS"):
            self.assertEqual(part(chip, MAP, name), part(new, MAP, name), name)
        for name in ("BOOT", "CONFIG", "FACTORY"):
            self.assertEqual(part(chip, MAP, name), part(before, MAP, name), name)
        self.started(camera)
        camera.run("test -e /etc/second")


if __name__ == "__main__":
    unittest.main()
