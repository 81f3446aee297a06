"""Against the vendor's own fetch_av, libboardav and libshbf, under qemu-arm: what it serves arrives
whole, and nothing that this program does harms it. Needs the firmware's files (vendor_rig.py)."""

import os
import signal
import struct
import subprocess
import threading
import time

from rig import LONG, Case, Server, alaw, source, wait_for
from talk import Talker
from vendor_rig import Camera, missing
from viewer import Rtsp, Viewer

# Of the long form, MI360D_RTSP_LONG=50: ten thousand pictures, 50 restarts, 500 kills
# and 125 ends in order.
PICTURES, RESTARTS, KILLS = int(200 * LONG), max(2, int(LONG)), max(12, int(12.5 * LONG))
STREAMS = ("mainstream", "substream")


def encode(sample):
    """A sample as A-law, as the vendor's encoder makes it: -16 is as far from 0 as 16."""
    sign, magnitude = (0x80 if sample >= 0 else 0), abs(sample) >> 4
    if magnitude >= 32:
        segment = magnitude.bit_length() - 4
        magnitude = segment << 4 | magnitude >> segment - 1 & 15
    return (magnitude | sign) ^ 0x55


class Ear(threading.Thread):
    """Hears the microphone as L16, and holds each piece against what the stand-in said
    (vendor/encoder.c): 640 samples that tell their number."""

    TABLE = [alaw(encode(value - 32500)) for value in range(65000)]

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.ending = port, threading.Event()
        self.numbers, self.jumps, self.error = [], 0, None

    @classmethod
    def piece(cls, number):
        values = (cls.TABLE[(i * 211 + number * 977) % 65000] for i in range(640))
        return struct.pack(">640h", *values)

    def run(self):
        try:
            self.listen()
        except Exception as error:  # noqa: BLE001: told to the test
            self.error = error

    def listen(self):
        first = {}
        for number in range(65000):
            start = tuple(self.TABLE[(i * 211 + number * 977) % 65000] for i in range(8))
            first.setdefault(start, []).append(number)
        rtsp = Rtsp(self.port, timeout=30)
        url = f"{rtsp.base}/mainstream"
        found, _ = rtsp.request("SETUP", f"{url}/trackID=1",
                                ["Transport: RTP/AVP/TCP;unicast;interleaved=0-1"])
        rtsp.session = found["Session"].split(";")[0]
        rtsp.request("PLAY", url)
        sequence = None
        while not self.ending.is_set():
            items, rtsp.interleaved = rtsp.interleaved, []
            for item in items or [rtsp.item()]:
                if len(item) != 2 or item[0] != 0:
                    continue
                data = item[1]
                number = struct.unpack(">H", data[2:4])[0]
                assert sequence is None or number == (sequence + 1) & 0xFFFF, "a packet is missing"
                sequence = number
                payload = data[12:]
                expected = (self.numbers[-1] + 1) % 65000 if self.numbers else None
                if expected is None or self.piece(expected) != payload:
                    self.jumps += expected is not None
                    start = struct.unpack(">8h", payload[:16])
                    fits = [n for n in first.get(start, ()) if self.piece(n) == payload]
                    assert fits, "a piece that was never said so"
                    expected = fits[0]
                self.numbers.append(expected)
        rtsp.close()

    def stop(self):
        self.ending.set()
        self.join(30)
        if self.error:
            raise self.error
        return self.numbers


class Firmware(Case):
    """The vendor's fetch_av, and servers that read it."""

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


class Vendor(Firmware):
    def test_main_sub_sound_and_snapshot_arrive_byte_for_byte(self):
        server = self.begin("--sound", "l16")
        viewers = self.viewers(server)
        wait_for(lambda: server.stats()["sound"]["pieces"] > 30, "sound")
        ear = Ear(server.port)
        ear.start()
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
        wait_for(lambda: len(ear.numbers) > PICTURES or ear.error, "as many pieces of sound", 60)
        pieces = ear.stop()
        print(f"  sound: {len(pieces)} pieces, {ear.jumps} jumps", flush=True)
        self.assertGreater(len(pieces), PICTURES)
        # The stand-in leaves pieces out where qemu is held up for half a second.
        self.assertLessEqual(ear.jumps, 1 + len(pieces) // 1000)
        for name, viewer in viewers.items():
            # Under qemu fetch_av may ask for a key frame itself.
            jumps = self.assert_consecutive(viewer.stop(), self.camera.names[name], jumps_to_keys=3)
            print(f"  {name}: {len(viewer.seen)} pictures, {jumps} jumps to a key frame", flush=True)
            self.assertEqual(server.stream(name)["lost"], {"breaks": 0, "pictures": 0})
        self.assertGreaterEqual(self.camera.key_requests(), 1, "REQ_IDR")
        self.assertTrue(self.camera.alive())
        server.stop()

    def test_the_speaker_s_exact_samples_arrive(self):
        """A sound, and what a client says, through the vendor's fetch_av to its hardware."""
        server = self.begin()
        wait_for(lambda: server.stats()["speaker"] == "connected", "the speaker")
        played = self.camera.root / "run" / "speaker.pcm"
        sound = bytes(n * 37 & 255 for n in range(100 * 640))
        self.assertEqual(server.ask(f"speak {len(sound)}", more=sound)[0], {})
        wanted = struct.pack(f"<{len(sound)}h", *map(alaw, sound))
        wait_for(lambda: played.exists() and played.stat().st_size >= len(wanted), "the sound", 60)
        self.assertEqual(played.read_bytes(), wanted)
        wait_for(lambda: server.stream("mainstream")["pictures"], "pictures")
        talker = Talker(server.port, udp=False)
        talker.set_up()
        talker.say(2, 8)
        wait_for(lambda: played.stat().st_size >= len(wanted) + 2 * 640 * 45, "speech", 60)
        talker.end()
        said = played.read_bytes()[len(wanted):]
        codes = {alaw(byte) for byte in range(256)}
        self.assertTrue(set(struct.unpack(f"<{len(said) // 2}h", said)) <= codes)
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
        for count in range(KILLS):
            server = self.more_server()
            noise = noise * 1103515245 + 12345 & 0x7FFFFFFF
            time.sleep(noise % 1000 / 1000)
            # Now and then one is ended in order, at just as random a moment.
            if count % 5 == 4:
                server.stop()
                continue
            server.process.kill()
            server.process.wait()
            server.log.close()
        wait_for(lambda: self.camera.descriptors() <= before, f"{before} descriptors as before", 30)
        print(f"  {KILLS} kills and ends: {before} descriptors before, {self.camera.descriptors()} after",
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
