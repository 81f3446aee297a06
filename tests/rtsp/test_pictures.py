"""No broken picture, whatever the FIFO loses."""

import os
import signal
import subprocess
import sys
import time

from rig import (GROUP, HERE, LONG, RATE, Case, Decoder, Server, source, stream,
                 wait_for)
from viewer import Viewer


class Pictures(Case):
    def test_every_picture_of_every_stream_arrives_whole(self):
        """Large key frames through a FIFO: ffmpeg finds no error, and none is missing."""
        for codec in ("h264", "hevc"):
            self.assertGreater(max(source(f"main.{codec}")[2]), 100 << 10, "key frames are large")
        streams = {"main264": "main.h264", "sub264": "sub.h264", "main265": "main.hevc",
                   "sub265": "sub.hevc"}
        server = self.server(list(streams))
        grabbers = {n: self.grabber(server, n, of) for n, of in streams.items()}
        viewers = {n: Viewer(server.port, n, udp=n.startswith("sub")) for n in streams}
        decoders = {n: Decoder(server.address(n), "tcp") for n in ("main264", "main265")}
        for viewer in viewers.values():
            viewer.start()
            self.assertTrue(viewer.playing.wait(120), viewer.error)
        pictures = RATE * 10 * LONG
        wait_for(lambda: all(d.frames > pictures / 2 or not d.running() for d in decoders.values())
                 and all(len(v.seen) > pictures or v.error for v in viewers.values()),
                 f"{pictures:.0f} pictures of each stream", 120 + 60 * LONG)
        for name, decoder in decoders.items():
            errors = decoder.stop()
            self.assertEqual(errors, [], name)
            self.assertGreater(decoder.frames, pictures / 2, name)
        for name, viewer in viewers.items():
            seen = viewer.stop()
            self.assertEqual(viewer.gaps, 0, name)
            self.assert_consecutive(seen, streams[name])
        # Of four, one at least was not held up by the machine.
        first = min(viewer.first_after for viewer in viewers.values())
        self.assertLess(first, GROUP / RATE + 2, "the first picture's time")
        for name, grabber in grabbers.items():
            told = grabber.stop()
            self.assertEqual((told["cut"], told["lost"]), (0, 0), f"{name}: {told}")
            self.assertEqual(server.stream(name)["lost"], {"breaks": 0, "pictures": 0})
            self.assertEqual(server.stream(name)["pipe"], 1 << 20)

    def test_what_the_original_did_breaks_pictures(self):
        """The comparison: 64 KiB of pipe, a reader that takes what there is and is busy for a
        while, everything passed on as it comes."""
        folder = self.server(["unused"]).folder
        fifo = folder / "original"
        os.mkfifo(fifo)
        reader = subprocess.Popen([sys.executable, HERE / "original.py", fifo],
                                  stdout=subprocess.PIPE)
        decoder = subprocess.Popen(
            ["ffmpeg", "-v", "error", "-f", "h264", "-i", "-", "-f", "null", "-"],
            stdin=reader.stdout, stderr=subprocess.PIPE, text=True)
        reader.stdout.close()
        grabber = subprocess.run(
            [sys.executable, HERE / "framegrabber.py", fifo, stream("main.h264"), "--pictures",
             str(int(160 * LONG))], stdout=subprocess.PIPE, text=True, timeout=120 + 60 * LONG)
        _, errors = decoder.communicate(timeout=180)
        reader.wait(20)
        print(f"the original's way: {grabber.stdout.strip()}, "
              f"{len(errors.splitlines())} complaints of ffmpeg", flush=True)
        self.assertNotIn('"cut": 0,', grabber.stdout)
        self.assertGreater(len(errors.splitlines()), 5)

    def test_a_reader_that_was_held_up_shows_no_cut_picture(self):
        """The pipe ran full: pictures were cut and lost, and none of it is shown."""
        for of, transport in (("main.h264", "tcp"), ("main.hevc", "tcp")):
            with self.subTest(of):
                server = Server(["mainstream"])
                try:
                    self.held_up(server, of, transport)
                finally:
                    server.stop()

    def held_up(self, server, of, transport):
        grabber = self.grabber(server, "mainstream", of)
        viewer = Viewer(server.port, "mainstream")
        viewer.start()
        decoder = Decoder(server.address("mainstream"), transport)
        wait_for(lambda: decoder.frames > 30, "the decoder's first pictures")
        stops = int(LONG)
        for _ in range(stops):
            before = decoder.frames
            os.kill(server.pid, signal.SIGSTOP)
            time.sleep(5)
            os.kill(server.pid, signal.SIGCONT)
            wait_for(lambda: decoder.frames > before + 30 or not decoder.running(), "pictures")
        # Before its pictures end: ffmpeg would wait for the next one.
        self.assertEqual(decoder.stop(), [], of)
        told = grabber.stop()
        jumps = self.assert_consecutive(viewer.stop(), of, jumps_to_keys=4 * stops)
        self.assertGreaterEqual(told["cut"] + told["lost"], stops, "the test lost nothing")
        self.assertGreaterEqual(jumps, 1)
        self.assertGreaterEqual(server.stream("mainstream")["lost"]["breaks"], 1)

    def test_a_writer_that_waits_for_room_loses_nothing(self):
        """A full pipe alone is no loss: `cat` into the FIFO, faster than any viewer."""
        server = self.server(["mainstream"], words=["--viewers", "2"])
        viewer = Viewer(server.port, "mainstream")
        pictures = len(source("sub.h264")[1])
        with open(server.fifos["mainstream"], "wb", buffering=0) as fifo:
            fifo.write(stream("sub.h264").read_bytes())
            wait_for(lambda: server.stream("mainstream")["pictures"] >= pictures - 1, "all of it")
            viewer.start()
            self.assertTrue(viewer.playing.wait(120), viewer.error)
            for _ in range(3):
                fifo.write(stream("main.h264").read_bytes())
            whole = 3 * len(source("main.h264")[1]) + pictures - 1
            wait_for(lambda: server.stream("mainstream")["pictures"] >= whole, "all of it")
        self.assertEqual(server.stream("mainstream")["lost"]["pictures"], 0)
        viewer.stop()

    def test_times_are_even_and_the_reports_agree_with_them(self):
        server = self.server(["mainstream"])
        self.grabber(server, "mainstream", "sub.h264")
        viewer = Viewer(server.port, "mainstream")
        viewer.start()
        wait_for(lambda: len(viewer.seen) > RATE * 12 or viewer.error, "twelve seconds")
        seen = viewer.stop()[RATE * 2:]
        steps = [(b[3] - a[3]) & 0xFFFFFFFF for a, b in zip(seen, seen[1:])]
        mean = sum(steps) / len(steps)
        self.assertAlmostEqual(mean, 90000 / RATE, delta=90000 / RATE * 0.05)
        self.assertGreaterEqual(len(viewer.reports), 2)
        (at0, wall0, rtp0), (at1, wall1, rtp1) = viewer.reports[0], viewer.reports[-1]
        self.assertAlmostEqual(wall0, time.time() - (time.monotonic() - at0) + 2208988800, delta=2)
        self.assertAlmostEqual(wall1 - wall0, ((rtp1 - rtp0) & 0xFFFFFFFF) / 90000, delta=0.01)
        # A picture's time lies near the instant at which it came; what came late for want of a
        # processor says nothing, so the nearest of the last ones counts.
        off = []
        for arrived, _, _, timestamp, _ in seen[-GROUP * 5:]:
            offset = ((timestamp - rtp1 + (1 << 31)) & 0xFFFFFFFF) - (1 << 31)
            off.append(abs(arrived - at1 - offset / 90000))
        self.assertLess(min(off), 0.6)


