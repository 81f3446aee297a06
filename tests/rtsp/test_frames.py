"""The firmware's own frames through the server: whole pictures with the encoder's times, sound in
step with them, snapshots. The broadcaster is a stand-in (frames.py); the vendor's: test_vendor."""

import math
import os
import re
import select
import socket
import struct
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import frames
from rig import GROUP, LONG, RATE, Case, Decoder, Grabber, alaw, run, source, wait_for
from test_cost import Copier
from viewer import Depacketizer, Rtsp, Viewer, fingerprint, udp_pair

TONE = 1000


def encode(sample):
    """The A-law byte nearest to a sample: slowly, by looking at all."""
    return min(range(256), key=lambda byte: abs(alaw(byte) - sample))


PERIOD = [encode(8000 * math.sin(2 * math.pi * n / 16)) for n in range(16)]


def tone(number):
    """1 kHz at 16,000 samples in a second."""
    return PERIOD[number % 16]


class Frames(Case):
    def camera(self, server_folder, streams, **more):
        camera = frames.Camera(server_folder, streams, **more)
        self.addCleanup(camera.stop)
        return camera

    def from_frames(self, streams, *words, sound=None, jpeg=None, **more):
        """A camera and a server that reads it."""
        folder = Path(tempfile.mkdtemp(prefix="mi360d-frames-"))
        self.addCleanup(lambda: subprocess.run(["rm", "-r", str(folder)], check=True))
        camera = self.camera(folder, streams, sound=sound, jpeg=jpeg, **more)
        line = list(words)
        if sound:
            line += ["--audio", str(folder / "audio_in")]
        if jpeg is not None:
            line += ["--snapshot", str(folder / "jpeg_snap")]
        server = self.server({name: folder / name for name in streams}, words=line)
        return camera, server

    def test_every_picture_arrives_with_the_encoder_s_own_times(self):
        """H.265, and H.264 with the header of a patched library, which says H.265 and no key frame."""
        streams = {"main265": "fetch.hevc", "main264": "fetch.h264", "sub265": "sub.hevc"}
        camera, server = self.from_frames(streams, jitter=0.03, key_flag=False)
        viewers = {name: Viewer(server.port, name, udp=name == "sub265") for name in streams}
        for viewer in viewers.values():
            viewer.start()
        decoder = Decoder(server.address("main265"))
        wait_for(lambda: all(len(v.seen) > RATE * 8 * LONG or v.error for v in viewers.values()),
                 "pictures", 120 + 20 * LONG)
        self.assertEqual(decoder.stop(), [])
        for name, viewer in viewers.items():
            seen = viewer.stop()
            self.assert_consecutive(seen, streams[name])
            steps = {(b[3] - a[3]) & 0xFFFFFFFF for a, b in zip(seen, seen[1:])}
            # A machine that holds the reader up moves them by 50 us a frame, and no more.
            self.assertTrue(all(abs(step - 90000 / RATE) <= 45 for step in steps), f"{name}: {steps}")
            self.assertEqual(server.stream(name)["lost"], {"breaks": 0, "pictures": 0})
            self.assertEqual(server.stream(name)["firmware"], "live")
        # One connection for each endpoint, whatever watches; key frames are asked for sparingly.
        for endpoint in camera.endpoints():
            self.assertEqual(endpoint.accepted, 1)
            self.assertLessEqual(len(endpoint.texts), 2)

    def test_a_camera_that_is_restarted_finds_its_viewers_again(self):
        camera, server = self.from_frames({"mainstream": "sub.hevc"})
        viewer = Viewer(server.port, "mainstream")
        viewer.start()
        for _ in range(3):
            count = len(viewer.seen)
            wait_for(lambda: len(viewer.seen) > count + 30 or viewer.error, "pictures")
            camera.stop()
            count = len(viewer.seen)
            camera = self.camera(camera.folder, {"mainstream": "sub.hevc"})
            wait_for(lambda: len(viewer.seen) > count + 5 or viewer.error, "pictures again")
        seen = viewer.stop()
        self.assert_consecutive(seen, "sub.hevc", jumps_to_keys=3)

    def test_a_reader_that_was_held_up_loses_whole_groups_and_shows_no_broken_picture(self):
        camera, server = self.from_frames({"mainstream": "sub.hevc"}, rate=60)
        viewer = Viewer(server.port, "mainstream")
        viewer.start()
        decoder = Decoder(server.address("mainstream"))
        wait_for(lambda: decoder.frames > 30, "the first pictures")
        os.kill(server.pid, 19)
        # The queue of its socket has some 280 places.
        sent = camera.pictures
        wait_for(lambda: camera.pictures > sent + 400, "a full queue")
        os.kill(server.pid, 18)
        count = len(viewer.seen)
        wait_for(lambda: server.stream("mainstream")["lost"]["breaks"] >= 1, "the gap")
        wait_for(lambda: len(viewer.seen) > count + 2 * GROUP or viewer.error, "pictures")
        self.assertEqual(decoder.stop(), [])
        self.assert_consecutive(viewer.stop(), "sub.hevc", jumps_to_keys=10)
        (endpoint,) = camera.endpoints()
        self.assertGreaterEqual(sum(text == b"REQ_IDR" for _, text in endpoint.texts), 2)

    def test_what_is_not_understood_leaves_the_fifo_to_go_on(self):
        folder = self.server(["unused"]).folder
        run_folder = folder / "run" / "video_mainstream"
        run_folder.mkdir(parents=True)
        other = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        other.bind(f"{run_folder}/control")
        other.listen(10)
        self.addCleanup(other.close)
        os.environ["MI360D_FIRMWARE"] = str(folder)
        self.addCleanup(lambda: os.environ.pop("MI360D_FIRMWARE", None))
        server = self.server(["mainstream"], words=["--firmware"])
        grabber = Grabber(server.fifos["mainstream"], "sub.h264")
        self.addCleanup(grabber.kill)
        viewer = Viewer(server.port, "mainstream")
        viewer.start()
        wait_for(lambda: len(viewer.seen) > 30 or viewer.error, "pictures of the FIFO")
        self.assert_consecutive(viewer.stop(), "sub.h264")
        self.assertIn("not understood: its socket is not of the type",
                      server.stream("mainstream")["firmware"])
        # Then frames come after all, and take over.
        os.unlink(f"{run_folder}/control")
        other.close()

    def sound_of(self, server, form, words=()):
        """What ffmpeg hears in three seconds, as samples."""
        done = subprocess.run(
            ["ffmpeg", "-v", "error", "-nostdin", "-rtsp_transport", "tcp", "-i",
             server.address("mainstream"), "-map", "0:a", "-t", "3", "-f", "s16le", *words, "-"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
        self.assertEqual(done.stderr, b"", form)
        return struct.unpack(f"<{len(done.stdout) // 2}h", done.stdout)

    def test_sound_is_heard_as_it_was_made_in_either_form(self):
        for form, rate in (("g711", 8000), ("l16", 16000)):
            with self.subTest(form):
                _, server = self.from_frames({"mainstream": "sub.hevc"}, "--sound", form, sound=tone)
                wait_for(lambda: server.stats()["sound"]["pieces"] > 5, "sound")
                status, out, err = run(["ffprobe", "-v", "error", "-rtsp_transport", "tcp",
                                        "-show_entries", "stream=codec_name,sample_rate", "-of",
                                        "csv=p=0", server.address("mainstream")])
                codec = {"g711": "pcm_alaw", "l16": "pcm_s16be"}[form]
                self.assertEqual((status, err), (0, ""))
                self.assertIn(f"{codec},{rate}", out)
                samples = self.sound_of(server, form)
                self.assertGreater(len(samples), 1.6 * rate)
                # Nothing but the tone: its share of the energy, by one bin of a Fourier transform.
                samples = samples[rate // 2:rate // 2 + rate]
                turn = 2 * math.pi * TONE / rate
                real = sum(s * math.cos(turn * n) for n, s in enumerate(samples))
                imaginary = sum(s * math.sin(turn * n) for n, s in enumerate(samples))
                share = 2 * (real ** 2 + imaginary ** 2) / len(samples) / sum(s * s for s in samples)
                self.assertGreater(share, 0.99, form)

    def test_sound_that_is_off_is_in_no_description(self):
        _, server = self.from_frames({"mainstream": "sub.hevc"}, "--sound", "off", sound=tone)
        wait_for(lambda: server.stream("mainstream")["pictures"], "pictures")
        rtsp = Rtsp(server.port)
        _, text = rtsp.request("DESCRIBE", f"{rtsp.base}/mainstream")
        rtsp.close()
        self.assertNotIn("m=audio", text)
        self.assertIsNone(server.stats()["sound"])

    def test_sound_and_pictures_are_in_step_over_tcp_and_udp(self):
        """By RTP's times and RTCP's reports, as a client puts them together: each piece of sound and
        each picture has the time that the encoder gave it."""
        numbers, _, _ = source("sub.hevc")
        pieces = {alaw(byte): byte for byte in range(256)}
        for udp in (False, True):
            with self.subTest(udp=udp):
                _, server = self.from_frames({"mainstream": "sub.hevc"}, "--sound", "l16",
                                             sound=lambda n: n // 640 % 256, jitter=0.02)
                wait_for(lambda: server.stats()["sound"]["pieces"] > 5, "sound")
                both = Both(server.port, udp)
                end = time.monotonic() + 60
                while min(map(len, both.reports)) < 2 and time.monotonic() < end:
                    both.read()
                both.close()
                # When the camera was switched on, by each picture and by each piece of sound.
                began = [[both.wall(0, at) - numbers[mark] / RATE for mark, at in both.seen[0]],
                         [both.wall(1, at) - pieces[first] * 0.04 for first, at in both.seen[1]]]
                self.assertGreater(min(map(len, began)), 50)
                # Numbers begin again: pictures after 10 s, pieces after 10.24 s.
                apart = [min((picture + 10 * i - piece - 10.24 * j for i in range(8)
                              for j in range(8)), key=abs)
                         for picture, piece in zip(began[0], began[1])]
                print(f"  sound against picture, {'udp' if udp else 'tcp'}: "
                      f"{1000 * min(apart):+.2f} to {1000 * max(apart):+.2f} ms", flush=True)
                self.assertLess(max(map(abs, apart)), 0.005)
                steps = {(b[1] - a[1]) & 0xFFFFFFFF
                         for a, b in zip(both.seen[1], both.seen[1][1:])}
                self.assertTrue(all(639 <= step <= 641 for step in steps), steps)

    def test_one_snapshot_is_shared_and_a_silent_encoder_is_reported(self):
        jpeg = b"\xff\xd8" + bytes(100_000)
        camera, server = self.from_frames({"mainstream": "sub.hevc"}, jpeg=jpeg)
        wait_for(lambda: server.stats()["snapshots"] in ("connected", "live"), "the endpoint")
        answers = []
        askers = [threading.Thread(target=lambda: answers.append(
            server.ask("snapshot mainstream jpeg"))) for _ in range(6)]
        for asker in askers:
            asker.start()
        for asker in askers:
            asker.join(30)
        self.assertEqual([rest for _, rest in answers], [jpeg] * 6)
        self.assertEqual({head["media_type"] for head, _ in answers}, {"image/jpeg"})
        self.assertLessEqual(camera.shots, 3, "requests for six askers at once")
        camera.answering = False
        time.sleep(1.1)
        began = time.monotonic()
        head, _ = server.ask("snapshot mainstream jpeg")
        self.assertIn("no snapshot within 5 s", head["error"])
        self.assertGreater(time.monotonic() - began, 4)
        self.assertEqual(server.ask("snapshot nothing jpeg")[0]["error"], "there is no such stream")
        head, rest = server.ask("snapshot mainstream mp4")
        self.assertTrue(head["media_type"].startswith("video/mp4") and rest)

    def test_eight_viewers_with_sound_fit_in_memory(self):
        """Prints the processor time for a picture and viewer, the same stream at the same time: read as
        frames, with sound, and read from a FIFO, without. Memory: what the one that reads frames has
        of its own."""
        fifo = self.server(["mainstream"])
        grabber = Grabber(fifo.fifos["mainstream"], "fetch.hevc", waits=True)
        self.addCleanup(grabber.kill)
        _, ours = self.from_frames({"mainstream": "fetch.hevc"}, sound=tone)
        wait_for(lambda: ours.stats()["sound"]["pieces"] > 5, "sound")
        servers = {"frames": ours, "fifo": fifo}
        viewers = {name: [Copier(server.port, "tcp") for _ in range(8)]
                   for name, server in servers.items()}
        try:
            everyone = [v for group in viewers.values() for v in group]
            wait_for(lambda: all(v.pictures > 20 for v in everyone), "viewers", 120)
            used = {name: server.seconds() for name, server in servers.items()}
            seen = {name: sum(v.pictures for v in group) for name, group in viewers.items()}
            time.sleep(10 * LONG)
            cost = {}
            for name, server in servers.items():
                pictures = sum(v.pictures for v in viewers[name]) - seen[name]
                self.assertGreater(pictures, 0, name)
                cost[name] = (server.seconds() - used[name]) / pictures
            memory = ours.status("RssAnon") + ours.status("RssFile")
            print("  " + ", ".join(f"{name}: {1e6 * c:.0f} us for each picture and viewer"
                                   for name, c in cost.items())
                  + f"; 8 viewers with sound: {memory} KiB resident, {ours.status('RssAnon')} KiB of "
                    "them its own", flush=True)
            self.assertEqual(sum(v["sound"] for v in ours.stats()["viewers"]), 8)
            self.assertLess(ours.status("RssAnon"), 6 << 10)
        finally:
            for group in viewers.values():
                for viewer in group:
                    viewer.stop()


class Both:
    """Plays both tracks and keeps what comes, and the reports."""

    def __init__(self, port, udp):
        self.rtsp = Rtsp(port, timeout=20)
        self.seen, self.reports, self.sockets = [[], []], [[], []], []
        self.pictures = Depacketizer("hevc", lambda units, at: self.seen[0].append(
            (fingerprint(units, "hevc"), at)))
        url = f"{self.rtsp.base}/mainstream"
        _, text = self.rtsp.request("DESCRIBE", url)
        assert "m=audio" in text, text
        for track in (0, 1):
            transport = f"RTP/AVP/TCP;unicast;interleaved={2 * track}-{2 * track + 1}"
            if udp:
                pair = udp_pair()
                self.sockets += pair
                ours = pair[0].getsockname()[1]
                transport = f"RTP/AVP;unicast;client_port={ours}-{ours + 1}"
            found, _ = self.rtsp.request("SETUP", f"{url}/trackID={track}",
                                         [f"Transport: {transport}"])
            self.rtsp.session = found["Session"].split(";")[0]
        found, _ = self.rtsp.request("PLAY", url, ["Range: npt=0.000-"])
        assert len(re.findall(r"seq=\d+", found["RTP-Info"])) == 2, found

    def read(self):
        if self.sockets:
            for one in select.select(self.sockets, [], [], 1)[0]:
                self.take(self.sockets.index(one), one.recv(65536))
            return
        items, self.rtsp.interleaved = self.rtsp.interleaved, []
        for channel, data in items or [self.rtsp.item()]:
            self.take(channel, data)

    def take(self, channel, data):
        track, control = divmod(channel, 2)
        if control:
            high, low, timestamp = struct.unpack(">III", data[8:20])
            self.reports[track].append((high + low / 2 ** 32, timestamp))
        elif track == 0:
            self.pictures.feed(data)
        else:
            assert data[1] & 0x7F == 97, data[:2]
            first, at = struct.unpack(">h", data[12:14])[0], struct.unpack(">I", data[4:8])[0]
            self.seen[1].append((first, at))

    def wall(self, track, at):
        """A time on the wall clock, by the track's own report."""
        wall, reported = self.reports[track][0]
        rate = 16000 if track else 90000
        return wall + (((at - reported + (1 << 31)) & 0xFFFFFFFF) - (1 << 31)) / rate

    def close(self):
        for one in self.sockets:
            one.close()
        self.rtsp.close()
