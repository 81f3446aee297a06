"""RTSP from the card: switched on through the page's API, watched from this PC through the
forwarded port by eight viewers and a decoder, with a stand-in for the vendor's framegrabber."""

import json
import subprocess
import sys
import time
import unittest
from pathlib import Path

from base import NO_BACKUP, CameraTest
from parts import REPO
from vcam import free_port

sys.path.append(str(REPO / "tests" / "rtsp"))  # behind our own: some names are in both
from rig import Decoder, source, stream  # noqa: E402
from viewer import Viewer  # noqa: E402

HERE = Path(__file__).resolve().parent
HACK = "hacks/framegrabber"


class RtspTest(CameraTest):
    def test_switched_on_from_the_page_eight_watch_and_memory_stays_small(self):
        program = self.folder / "framegrabber"
        subprocess.run(["arm-linux-gnueabihf-gcc", "-O2", "-static", "-Wall", "-Werror", "-o",
                        program, HERE / "framegrabber.c"], check=True)
        camera = self.camera()
        camera.card.add("mi360d/config.toml", NO_BACKUP.encode())
        camera.card.add(f"{HACK}/bin/ipc009/framegrabber", program.read_bytes())
        for channel, name in enumerate(("main.h264", "sub.h264")):
            camera.card.add(f"{HACK}/stream-{channel}.h264", stream(name).read_bytes())
        camera.more_ports = {8554: free_port()}
        port = camera.more_ports[8554]
        camera.start()
        camera.wait_http()
        headers = camera.log_in("correct horse")

        def ask(path, method="GET", document=None):
            body = None if document is None else json.dumps(document).encode()
            status, _, answer = camera.http("/api/v1" + path, method, body, headers, seconds=60)
            self.assertEqual(status, 200, answer)
            return answer

        camera.wait_for(lambda: len(json.loads(ask("/services"))["services"]) >= 2, 90, "the hacks")
        for hack in ("framegrabber", "rtsp-server"):
            ask(f"/services/{hack}", "PUT", {"enabled": True})

        def streams():
            server = json.loads(ask("/video"))["server"]
            return server and all(s["fps"] for s in server["streams"]) and server

        camera.wait_for(streams, 120, "pictures", every=1)
        login = json.loads(ask("/video/login", "POST", {"password": "correct horse"}))
        login = (login["user"], login["password"])

        viewers = [(name, Viewer(port, f"{name}stream", login=login))
                   for name in ["main"] * 3 + ["sub"] * 4]
        for _, viewer in viewers:
            viewer.start()
            self.assertTrue(viewer.playing.wait(60), viewer.error)
        decoder = Decoder(f"rtsp://{login[0]}:{login[1]}@127.0.0.1:{port}/mainstream")
        camera.wait_for(lambda: decoder.frames > 100 or not decoder.running(), 120, "pictures")
        camera.wait_for(lambda: len((streams() or {"viewers": ()})["viewers"]) == 8, 120, "all eight")
        film = ask("/snapshot?stream=substream")
        self.assertEqual(film[4:8], b"ftyp")

        pids = camera.run("pidof mi360d").text.split()
        self.assertEqual(len(pids), 2)
        memory = {pid: camera.memory(pid) for pid in pids}
        words = {pid: camera.run(f"tr '\\0' ' ' </proc/{pid}/cmdline").text for pid in pids}
        for pid in pids:
            print(f"[rtsp] {words[pid].split()[1]}: {memory[pid]}")
            self.assertLess(memory[pid]["VmHWM"], 8192)
        began = time.monotonic()
        counts = [len(viewer.seen) for _, viewer in viewers]
        time.sleep(10)
        rates = [round((len(viewer.seen) - count) / (time.monotonic() - began), 1)
                 for count, (_, viewer) in zip(counts, viewers)]
        print(f"[rtsp] pictures in a second for each viewer: {rates}")
        self.assertEqual(decoder.stop(), [], "ffmpeg found an error")
        for name, viewer in viewers:
            numbers, keys, _ = source(f"{name}.h264")
            last = None
            for _, mark, key, _, _ in viewer.stop():
                self.assertIn(mark, numbers, "a picture that was never written so")
                if last is not None and numbers[mark] != (last + 1) % len(keys):
                    self.assertTrue(key, "it goes on at a key frame only")
                last = numbers[mark]
        server = camera.wait_for(streams, 120, "numbers")
        lost = {s["name"]: s["lost"] for s in server["streams"]}
        print(f"[rtsp] lost at the FIFOs: {lost}")


if __name__ == "__main__":
    unittest.main()
