"""Against the vendor's own fetch_av, libboardav and libshbf, under qemu-arm: what it serves arrives
whole, and nothing that this program does harms it. Needs the firmware's files (vendor_rig.py)."""

import os
import signal
import subprocess
import time

from rig import LONG, Case, Server, alaw, source, wait_for
from vendor_rig import Camera, missing
from viewer import Viewer

# Of the long form, MI360D_RTSP_LONG=50: ten thousand pictures, 50 restarts, 500 kills.
PICTURES, RESTARTS, KILLS = int(200 * LONG), max(2, int(LONG)), max(10, int(10 * LONG))
STREAMS = ("mainstream", "substream")


class Vendor(Case):
    def setUp(self):
        why = missing()
        if why:
            self.fail(f"not run: {why}")
        self.camera = None

    def begin(self, *words, **more):
        self.camera = Camera(**more)
        self.addCleanup(self.camera.stop)
        self.camera.wait()
        os.environ["MI360D_FIRMWARE"] = str(self.camera.root)
        self.addCleanup(os.environ.pop, "MI360D_FIRMWARE")
        return self.more_server(*words)

    def more_server(self, *words):
        server = Server(STREAMS, words=["--firmware", *words])
        self.addCleanup(lambda: server.process.poll() is None and server.stop())
        return server

    def viewers(self, server):
        viewers = {name: Viewer(server.port, name) for name in STREAMS}
        for viewer in viewers.values():
            viewer.start()
        return viewers

    def test_main_sub_sound_and_snapshot_arrive_byte_for_byte(self):
        server = self.begin("--sound", "l16")
        viewers = self.viewers(server)
        wait_for(lambda: server.stats()["sound"]["pieces"] > 30, "sound")
        heard = subprocess.run(
            ["ffmpeg", "-v", "error", "-nostdin", "-rtsp_transport", "tcp", "-i",
             server.address("substream"), "-map", "0:a", "-t", "2", "-f", "s16be", "-"],
            stdout=subprocess.PIPE, timeout=120).stdout
        samples = [int.from_bytes(heard[n:n + 2], "big", signed=True)
                   for n in range(0, len(heard), 2)]
        self.assert_sound(samples)
        head, jpeg = server.ask("snapshot mainstream jpeg")
        self.assertEqual((head["media_type"], jpeg),
                         ("image/jpeg", b"\xff\xd8\xff\xe0of the encoder\xff\xd9"))
        wait_for(lambda: all(len(v.seen) > PICTURES or v.error for v in viewers.values()),
                 f"{PICTURES} pictures of each", 120 + PICTURES / 4)
        for name, viewer in viewers.items():
            # Under qemu fetch_av may ask for a key frame itself.
            jumps = self.assert_consecutive(viewer.stop(), self.camera.names[name], jumps_to_keys=3)
            print(f"  {name}: {len(viewer.seen)} pictures, {jumps} jumps to a key frame", flush=True)
            self.assertEqual(server.stream(name)["lost"], {"breaks": 0, "pictures": 0})
        self.assertGreaterEqual(self.camera.key_requests(), 1, "REQ_IDR")
        self.assertTrue(self.camera.alive())
        server.stop()

    def assert_sound(self, samples):
        """Each sample is the microphone's, through the vendor's A-law encoder and our decoder."""
        codes = [alaw(byte) for byte in range(256)]
        self.assertTrue(set(samples) <= set(codes), "no sample but A-law's")
        self.assertGreater(len(samples), 16_000)
        # The signal rises by 211 from sample to sample, but where it wraps or a piece begins.
        rising = sum(abs(b - a - 211) <= 16 + abs(a) / 8 for a, b in zip(samples, samples[1:]))
        self.assertGreater(rising / len(samples), 0.99)

    def test_h264_behind_a_header_that_says_h265(self):
        server = self.begin(main="fetch.h264", sub="sub.h264")
        viewers = self.viewers(server)
        wait_for(lambda: all(len(v.seen) > 60 or v.error for v in viewers.values()), "pictures")
        for name, viewer in viewers.items():
            self.assert_consecutive(viewer.stop(), self.camera.names[name], jumps_to_keys=3)
            self.assertEqual(server.stream(name)["codec"], "h264")

    def test_fetch_av_killed_with_viewers_connected(self):
        server = self.begin()
        viewers = self.viewers(server)
        slowest = 0
        for _ in range(RESTARTS):
            wait_for(lambda: all(len(v.seen) > 20 or v.error for v in viewers.values()), "pictures")
            self.camera.kill()
            wait_for(lambda: server.stream("mainstream")["firmware"] != "live", "the end")
            counts = {name: len(v.seen) for name, v in viewers.items()}
            self.camera.start()
            wait_for(lambda: server.stream("mainstream")["firmware"] == "live", "its first frame")
            began = time.monotonic()
            wait_for(lambda: all(len(v.seen) > counts[n] or v.error for n, v in viewers.items()),
                     "pictures again")
            slowest = max(slowest, time.monotonic() - began)
        print(f"  {RESTARTS} restarts: picture {slowest:.2f} s after the first frame at most",
              flush=True)
        for name, viewer in viewers.items():
            self.assert_consecutive(viewer.stop(), self.camera.names[name],
                                    jumps_to_keys=4 * RESTARTS)

    def test_this_program_killed_at_random_moments_leaves_fetch_av_unharmed(self):
        self.begin().stop()
        before = wait_for(self.camera.descriptors, "fetch_av")
        noise = 1
        for _ in range(KILLS):
            server = self.more_server()
            noise = noise * 1103515245 + 12345 & 0x7FFFFFFF
            time.sleep(noise % 1000 / 1000)
            server.process.kill()
            server.process.wait()
            server.log.close()
        wait_for(lambda: self.camera.descriptors() <= before, f"{before} descriptors as before", 30)
        print(f"  {KILLS} kills: {before} descriptors before, {self.camera.descriptors()} after",
              flush=True)
        self.assertTrue(self.camera.alive())
        server = self.more_server()
        viewers = self.viewers(server)
        wait_for(lambda: all(len(v.seen) > 20 or v.error for v in viewers.values()), "pictures")
        for viewer in viewers.values():
            viewer.stop()
        # A polite end: fetch_av has as many descriptors as before.
        self.assertGreater(self.camera.descriptors(), before)
        server.process.send_signal(signal.SIGTERM)
        self.assertEqual(server.process.wait(30), 0)
        wait_for(lambda: self.camera.descriptors() <= before, "the polite end", 30)
