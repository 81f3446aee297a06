"""Sound from the firmware's own frames: as it was made, in step with the pictures, alone, and to the
speaker. The broadcaster is a stand-in (frames.py)."""

import math
import struct
import subprocess
import threading
import time

from frames import FromFrames, tone
from rig import LONG, RATE, alaw, run, source, wait_for
from talk import TONE, Both, Talker
from test_viewers import whole_fragments
from viewer import Refused, Rtsp


class Sounds(FromFrames):
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
                # Sound begins with the first picture, so of three seconds next to nothing is missing.
                self.assertGreater(len(samples), 2.85 * rate)
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
        each picture has the time that the encoder gave it. Until the second reports; ten minutes with
        MI360D_RTSP_LONG=30."""
        numbers, keys, _ = source("sub.hevc")
        pieces = {alaw(byte): byte for byte in range(256)}
        _, server = self.from_frames({"mainstream": "sub.hevc"}, "--sound", "l16",
                                     sound=lambda n: n // 640 % 256, jitter=0.02)
        wait_for(lambda: server.stats()["sound"]["pieces"] > 5, "sound")
        clients = {way: Both(server.port, way == "udp") for way in ("tcp", "udp")}
        least = time.monotonic() + (20 * LONG if LONG > 1 else 0)

        def play(both):
            asked = time.monotonic()
            while min(map(len, both.reports)) < 2 and time.monotonic() < asked + 60 or time.monotonic() < least:
                both.read()
                if time.monotonic() > asked + 20:
                    asked = time.monotonic()
                    both.rtsp.request("OPTIONS", f"{both.rtsp.base}/mainstream")

        players = [threading.Thread(target=play, args=(both,)) for both in clients.values()]
        for player in players:
            player.start()
        for player in players:
            player.join()
        for way, both in clients.items():
            with self.subTest(way):
                both.close()
                pictures, sound = (both.wall(track, both.begins[track]) for track in (0, 1))
                self.assertLess(abs(pictures - sound), 0.001, "another instant for each track")
                for track in (0, 1):
                    self.assertGreater(len(both.reports[track]), 1)
                    apart = [wall - both.wall(track, at) for wall, at in both.reports[track]]
                    self.assertLess(max(map(abs, apart)), 0.001, "a report that says something else")
                # When the camera was switched on, by each picture and by each piece of sound.
                began = [self.began([(numbers[mark], both.wall(0, at)) for mark, at in both.seen[0]],
                                    len(keys), 1 / RATE),
                         self.began([(pieces[first], both.wall(1, at)) for first, at in both.seen[1]], 256, 0.04)]
                self.assertGreater(min(map(len, began)), 50)
                # Numbers begin again: pictures after 10 s, pieces after 10.24 s.
                first = min((10 * i - 10.24 * j for i in range(8) for j in range(8)),
                            key=lambda turns: abs(began[0][0] - began[1][0] + turns))
                apart = [picture - piece + first for picture, piece in zip(*began)]
                print(f"  sound against picture, {way}, {len(apart) / RATE:.0f} s: "
                      f"{1000 * min(apart):+.2f} to {1000 * max(apart):+.2f} ms", flush=True)
                self.assertLess(max(map(abs, apart)), 0.005)
                steps = {(b[1] - a[1]) & 0xFFFFFFFF
                         for a, b in zip(both.seen[1], both.seen[1][1:])}
                self.assertTrue(all(639 <= step <= 641 for step in steps), steps)

    def began(self, seen, period, step):
        """When number 0 was, by each of these numbers with its time; none may be missing."""
        found, turns, last = [], 0, None
        for number, wall in seen:
            if last is not None:
                self.assertEqual(number, (last + 1) % period, "one is missing")
                turns += number == 0
            last = number
            found.append(wall - (turns * period + number) * step)
        return found

    def assert_paced(self, pieces, of):
        """Pieces of 640 bytes, never more than three ahead of what is heard; what they say."""
        self.assertEqual({len(piece) for _, piece in pieces}, {640}, of)
        began = pieces[0][0]
        for number, (at, _) in enumerate(pieces):
            # What arrives late is no fault of the sender's; what is early is.
            self.assertLessEqual(number, (at - began + 0.03) / 0.04 + 3, of)
        return b"".join(piece for _, piece in pieces)

    def test_the_speaker_gets_what_a_client_says_and_one_client_at_a_time(self):
        """ONVIF's audio backchannel, with A-law over TCP and mu-law over UDP."""
        camera, server = self.from_frames({"mainstream": "sub.hevc"}, speaker=True)
        wait_for(lambda: server.stats()["speaker"] == "connected", "the speaker")
        wait_for(lambda: server.stream("mainstream")["pictures"], "pictures")
        for udp, kind in ((False, 8), (True, 0)):
            with self.subTest(udp=udp):
                camera.played.clear()
                talker, other = Talker(server.port, udp), Talker(server.port, not udp)
                self.assertNotIn("sendonly", other.rtsp.request("DESCRIBE", other.url)[1])
                status, found, _ = other.rtsp.ask("DESCRIBE", other.url, ["Require: play.slowly"])
                self.assertEqual((status, dict(found)["Unsupported"]), (551, "play.slowly"))
                self.assertIn("a=sendonly", talker.describe())
                talker.set_up()
                with self.assertRaises(Refused) as refused:
                    other.set_up()
                self.assertEqual(refused.exception.status, 503)
                talker.say(1.5, kind)
                wait_for(lambda: len(camera.played) >= 36, "what was said")
                heard = self.assert_paced(camera.played, "speech")
                samples = [alaw(byte) for byte in heard[3200:-6400]]
                turn = 2 * math.pi * TONE / 16000
                real = sum(s * math.cos(turn * n) for n, s in enumerate(samples))
                imaginary = sum(s * math.sin(turn * n) for n, s in enumerate(samples))
                share = 2 * (real ** 2 + imaginary ** 2) / len(samples) / sum(s * s for s in samples)
                self.assertGreater(share, 0.99)
                self.assertEqual([v["speaks"] for v in server.stats()["viewers"]], [True])
                talker.end()
                other.set_up()
                other.end()
        self.assertEqual(camera.speaker.accepted, 1, "one connection for all speakers")

    def test_a_sound_is_played_as_it_is_and_never_while_the_motors_run(self):
        camera, server = self.from_frames({"mainstream": "sub.hevc"}, speaker=True)
        wait_for(lambda: server.stats()["speaker"] == "connected", "the speaker")
        sound = bytes(n * 37 & 255 for n in range(20_000))
        self.assertEqual(server.ask(f"speak {len(sound)}", more=sound), ({}, b""))
        head, _ = server.ask(f"speak {len(sound)}", more=sound)
        self.assertEqual(head["error"], "the speaker is in use")
        wait_for(lambda: len(camera.played) == 32, "the sound")
        heard = self.assert_paced(camera.played, "a sound")
        self.assertEqual(heard, sound + b"\xd5" * 480)
        for question in ("speak 480001", "speak", "speak -1", "speak x"):
            self.assertIn("error", server.ask(question)[0], question)
        wait_for(lambda: server.ask("speak 640", more=sound[:640])[0] == {}, "the next one")
        # The motors run: what is played ends, and nothing new begins.
        wait_for(lambda: server.ask(f"speak {len(sound)}", more=sound)[0] == {}, "another one")
        self.assertEqual(server.ask("motors 3000"), ({}, b""))
        time.sleep(0.3)
        count = len(camera.played)
        head, _ = server.ask(f"speak {len(sound)}", more=sound)
        self.assertEqual(head["error"], "the motors are running")
        time.sleep(0.5)
        self.assertEqual(len(camera.played), count)
        wait_for(lambda: server.ask("speak 640", more=sound[:640])[0] == {}, "the motors' end", 30)

    def test_the_live_view_with_sound_and_the_sound_alone_are_what_the_camera_said(self):
        """FLAC next to the picture in MP4, in step with it; WAV alone."""
        for form, rate in (("g711", 8000), ("l16", 16000)):
            with self.subTest(form):
                _, server = self.from_frames({"mainstream": "sub.h264"}, "--sound", form,
                                             sound=lambda n: n // 640 % 256)
                wait_for(lambda: server.stats()["sound"]["pieces"] > 5, "sound")
                head, film = server.ask("live mainstream sound", 700_000)
                self.assertRegex(head["media_type"], r'^video/mp4; codecs="avc1\.\w+, flac"$')
                path = server.folder / "film.mp4"
                path.write_bytes(whole_fragments(film))
                status, out, err = run(
                    ["ffmpeg", "-v", "error", "-err_detect", "explode", "-xerror", "-i", path,
                     "-map", "0:v", "-f", "null", "-", "-map", "0:a", "-f", "framecrc", "-"])
                self.assertEqual((status, err), (0, ""))
                status, out, err = run(["ffprobe", "-v", "error", "-select_streams", "a",
                                        "-show_entries", "stream=codec_name,sample_rate", "-of",
                                        "csv=p=0", path])
                self.assertEqual((status, out.strip(), err), (0, f"flac,{rate}", ""))
                heard = subprocess.run(["ffmpeg", "-v", "error", "-i", path, "-map", "0:a", "-f",
                                        "s16le", "-"], stdout=subprocess.PIPE, check=True).stdout
                self.assertGreater(len(heard), rate)
                if form == "l16":
                    samples = struct.unpack(f"<{len(heard) // 2}h", heard)
                    # Each piece of 640 samples is of one value, and the next one follows it.
                    pieces = {alaw(byte): byte for byte in range(256)}
                    numbers = [pieces[s] for s in samples[::640]]
                    self.assertTrue(all((b - a) % 256 == 1 for a, b in zip(numbers, numbers[1:])))
                    self.assertTrue(all(set(samples[n:n + 640]) == {samples[n]}
                                        for n in range(0, len(samples) - 640, 640)))
                head, wav = server.ask("sound", 44 + 2 * rate)
                self.assertEqual(head["media_type"], "audio/wav")
                (server.folder / "sound.wav").write_bytes(wav)
                status, out, _ = run(["ffprobe", "-v", "error", "-show_entries",
                                      "stream=codec_name,sample_rate,channels", "-of", "csv=p=0",
                                      server.folder / "sound.wav"])
                self.assertEqual((status, out.strip()), (0, f"pcm_s16le,{rate},1"))
