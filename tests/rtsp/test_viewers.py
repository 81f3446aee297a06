"""Many viewers, odd ones among them; writers that come and go."""

import os
import random
import socket
import time

from rig import GROUP, LONG, RATE, Case, Decoder, Grabber, source, wait_for
from viewer import Refused, Rtsp, Viewer

# What the PC's server may hold in all, in KiB; more than half is its program, which is larger than the
# camera's. That one's is measured on the virtual camera (tests/vcam/test_rtsp.py).
MEMORY = 10 * 1024


class Viewers(Case):
    def test_eight_viewers_and_odd_ones_miss_nothing(self):
        server = self.server(["mainstream", "substream"])
        self.grabber(server, "mainstream", "main.h264")
        self.grabber(server, "substream", "sub.hevc")
        wait_for(lambda: server.stream("mainstream")["pictures"] > RATE, "pictures")
        before = server.descriptors()
        good = [Viewer(server.port, "mainstream", udp=True), Viewer(server.port, "mainstream"),
                Viewer(server.port, "substream", udp=True), Viewer(server.port, "substream")]
        for viewer in good:
            viewer.start()
            self.assertTrue(viewer.playing.wait(120), viewer.error)
        decoder = Decoder(server.address("mainstream"))
        # 10 KiB a second, through a buffer that holds little.
        slow = Slow(server.port, "mainstream")
        frozen = Slow(server.port, "mainstream", pause=3600)
        vanishing = Slow(server.port, "mainstream")
        wait_for(lambda: len(server.stats()["viewers"]) == 8, "eight viewers")
        peak = server.status("VmHWM")
        vanishing.vanish()
        connects = int(500 * min(LONG, 4))
        for number in range(connects):
            self.come_and_go(server, number)
        wait_for(lambda: decoder.frames > RATE * 10 or not decoder.running(), "the decoder")
        wait_for(lambda: all(len(v.seen) > RATE * 10 or v.error for v in good), "the viewers")
        for _ in range(int(5 * LONG)):
            slow.read(1)
        self.assertEqual(decoder.stop(), [])
        for viewer, of in zip(good, ["main.h264", "main.h264", "sub.hevc", "sub.hevc"]):
            seen = viewer.stop()
            self.assertEqual(viewer.gaps, 0)
            self.assert_consecutive(seen, of)
        lost = [v["lost"] for v in server.stats()["viewers"] if v["stream"] == "mainstream"]
        self.assertTrue(any(lost), f"the slow ones should have lost something: {lost}")
        slow.close()
        frozen.close()
        wait_for(lambda: not server.stats()["viewers"], "all viewers to be gone", 90)
        wait_for(lambda: server.descriptors() <= before, "the descriptors to be closed")
        peak = max(peak, server.status("VmHWM"))
        print(f"resident at most: {peak} KiB, {connects} connections", flush=True)
        self.assertLess(peak, MEMORY)

    def come_and_go(self, server, number):
        """One of 500 connections, each leaves at another point."""
        rtsp = Rtsp(server.port)
        url = f"{rtsp.base}/{'mainstream' if number % 2 else 'substream'}"
        try:
            if number % 4 >= 1:
                rtsp.request("DESCRIBE", url)
            if number % 4 >= 2:
                try:
                    found, _ = rtsp.request("SETUP", f"{url}/trackID=0",
                                            ["Transport: RTP/AVP/TCP;interleaved=0-1"])
                except Refused as refused:
                    self.assertEqual(refused.status, 453)
                    return
                rtsp.session = found["Session"].split(";")[0]
                if number % 4 == 3:
                    rtsp.request("PLAY", url)
                if number % 8 >= 4:
                    rtsp.request("TEARDOWN", url)
        finally:
            rtsp.close()

    def test_a_slow_viewer_loses_whole_groups_only(self):
        server = self.server(["mainstream"])
        self.grabber(server, "mainstream", "main.h264")
        # Wakes now and then, and reads what lies there.
        viewer = Viewer(server.port, "mainstream", pace=0.1, buffer=32768)
        viewer.start()
        wait_for(lambda: any(v["lost"] for v in server.stats()["viewers"]), "a loss", 90)
        count = len(viewer.seen)
        wait_for(lambda: len(viewer.seen) > count + GROUP + 5, "pictures behind it", 90)
        jumps = self.assert_consecutive(list(viewer.seen), "main.h264", jumps_to_keys=1000)
        self.assertGreaterEqual(jumps, 1)
        self.assertEqual(viewer.gaps, 0, "the numbers of its packets have no gap")
        viewer.stopping.set()

    def test_one_viewer_too_many_is_refused_and_told(self):
        server = self.server(["mainstream"], words=["--viewers", "2"])
        self.grabber(server, "mainstream", "sub.h264")
        held = [Viewer(server.port, "mainstream") for _ in range(2)]
        for viewer in held:
            viewer.start()
            self.assertTrue(viewer.playing.wait(120), viewer.error)
        with self.assertRaises(Refused) as refused:
            third = Viewer(server.port, "mainstream")
            third.watch()
        self.assertEqual(refused.exception.status, 453)
        self.assertIn("2 viewers", refused.exception.text)
        self.assertEqual(server.stats()["refused"], 1)
        held.pop().stop()
        fourth = Viewer(server.port, "mainstream")
        fourth.start()
        wait_for(lambda: len(fourth.seen) > 2 or fourth.error, "the place that is free again")
        for viewer in (*held, fourth):
            viewer.stop()

    def test_a_writer_that_is_killed_fifty_times_costs_its_viewers_nothing_but_time(self):
        """The codec switched between: who stays is told or carried over, and sees clean pictures
        again within a second of the next key frame."""
        server = self.server(["mainstream"])
        fifo = server.fifos["mainstream"]
        viewers = [Viewer(server.port, "mainstream", udp=udp, again=True) for udp in (0, 1)]
        rounds = int(50 * min(LONG, 2))
        chance = random.Random(6)
        expected = []
        names = ["sub.h264"] * 3 + ["sub.hevc"] * 2 + ["main.h264"]
        grabber = Grabber(fifo, names[0])
        wait_for(lambda: server.stream("mainstream")["pictures"], "the first picture")
        for viewer in viewers:
            viewer.start()
            self.assertTrue(viewer.playing.wait(120), viewer.error)
        worst = 0.0
        for number in range(rounds):
            of = names[number % len(names)]
            if number:
                start = GROUP * chance.randrange(5) + chance.choice([0, 0, 12])
                grabber = Grabber(fifo, of, start=start)
            expected.append(of)
            marks = source(of)[0]
            codec = "h264" if of.endswith("h264") else "hevc"
            known = server.stream("mainstream")["key_pictures"]
            wait_for(lambda k=known: server.stream("mainstream")["key_pictures"] > k, "a key frame")
            key_at = time.monotonic()
            for viewer in viewers:
                since = len(viewer.seen)

                def again(viewer=viewer, marks=marks, since=since):
                    if viewer.error:
                        raise viewer.error
                    return [s for s in viewer.seen[max(0, since - GROUP):]
                            if s[1] in marks and s[0] > key_at - 2]

                first = wait_for(again, f"round {number}: {codec} pictures", 60)[0]
                worst = max(worst, first[0] - key_at)
            # In the middle of a picture as well as between two.
            time.sleep(chance.uniform(0, 0.2))
            grabber.kill()
        for viewer in viewers:
            seen = viewer.stop()
            everything = {m: (of, n) for of in set(names) for m, n in source(of)[0].items()}
            last = None
            for _, mark, key, _, _ in seen:
                self.assertIn(mark, everything, "a picture that was never written so")
                of, at = everything[mark]
                if last is None or (of, at) != (last[0], (last[1] + 1) % len(source(of)[1])):
                    self.assertTrue(key, "it goes on at a key frame only")
                last = (of, at)
            switches = sum(a != b for a, b in zip([n[-4:] for n in expected],
                                                  [n[-4:] for n in expected[1:]]))
            self.assertGreaterEqual(viewer.connects, switches // 2)
            self.assertGreaterEqual(viewer.byes, 1, "a goodbye tells of the other codec")
        self.assertLess(worst, 1.0)
        print(f"{rounds} writers; pictures again at most {worst:.2f} s after the key frame that "
              f"was seen, {viewers[0].connects} connections", flush=True)

    def test_a_fifo_that_comes_late_and_anew_is_found(self):
        server = self.server(["mainstream"])
        fifo = server.fifos["mainstream"]
        for _ in range(2):
            fifo.unlink()
            wait_for(lambda: server.stream("mainstream")["writer"] == "missing", "it to be missed")
            os.mkfifo(fifo)
            grabber = self.grabber(server, "mainstream", "sub.h264")
            wait_for(lambda: server.stream("mainstream")["writer"] == "live", "pictures")
            grabber.stop()
            wait_for(lambda: server.stream("mainstream")["writer"] == "gone", "it to be gone")

    def test_the_daemon_gets_its_pictures_and_numbers(self):
        server = self.server(["mainstream", "substream"])
        self.grabber(server, "mainstream", "main.h264")
        self.grabber(server, "substream", "sub.hevc")
        wait_for(lambda: all(s["fps"] for s in server.stats()["streams"]), "the first numbers")
        for name, of, codecs in (("mainstream", "main.h264", "avc1."), ("substream", "sub.hevc", "hvc1.")):
            head, film = server.ask(f"snapshot {name} mp4")
            self.assertIn(f'video/mp4; codecs="{codecs}', head["media_type"])
            self.assert_decodes(server, film, 1, "mp4")
            head, raw = server.ask(f"snapshot {name} annexb")
            self.assert_decodes(server, raw, 1, of.rpartition(".")[2])
            head, live = server.ask(f"live {name}", most=400_000)
            self.assertIn(codecs, head["media_type"])
            whole = whole_fragments(live)
            self.assert_decodes(server, whole, whole.count(b"moof"), "mp4")
            wait_for(lambda n=name: abs(server.stream(n)["fps"] - RATE) < 3, "the rate")
            now = server.stream(name)
            self.assertEqual(now["codec"], {"h264": "h264", "hevc": "h265"}[of.rpartition(".")[2]])
            self.assertEqual(now["size"]["width"], 1920 if "main" in of else 640)
            self.assertEqual(now["group"], GROUP)
        self.assertIn("error", server.ask("snapshot nothing mp4")[0])
        self.assertIn("error", server.ask("nonsense")[0])

    def assert_decodes(self, server, data, frames, form):
        path = server.folder / f"shot.{form}"
        path.write_bytes(data)
        decoder = Decoder(str(path), words=("-f", form, "-i"))
        decoder.process.wait(120)
        self.assertEqual(decoder.stop(), [], form)
        self.assertEqual(decoder.frames, frames, form)


def whole_fragments(data):
    """Fragmented MP4 up to its last whole mdat."""
    at = end = 0
    while at + 8 <= len(data):
        length = int.from_bytes(data[at:at + 4], "big")
        if at + length > len(data):
            break
        at += length
        if data[at - length + 4:at - length + 8] == b"mdat":
            end = at
    return data[:end]


class Slow:
    """A viewer over TCP that takes 10 KiB a second, or nothing."""

    def __init__(self, port, stream, pause=0.0):
        self.rtsp = Rtsp(port, buffer=4096)
        url = f"{self.rtsp.base}/{stream}"
        found, _ = self.rtsp.request("SETUP", f"{url}/trackID=0",
                                     ["Transport: RTP/AVP/TCP;interleaved=0-1"])
        self.rtsp.session = found["Session"].split(";")[0]
        self.rtsp.request("PLAY", url)
        self.pause = pause

    def read(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.rtsp.socket.recv(1024)
            time.sleep(0.1)

    def vanish(self):
        """As a cut cable does: no goodbye, a reset at best."""
        self.rtsp.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.close()

    def close(self):
        self.rtsp.close()
