"""Home Assistant watches and hears the vendor's own fetch_av through this program: twenty seconds; ten
minutes with MI360D_RTSP_LONG=30 (tests/soak). Its stream component makes MP4 segments, and takes AAC and
MP3 only: G.711 and L16 are left out there. With AAC, which go2rtc's own line of ffmpeg makes here, it has
both tracks, and they must be in step with what the camera's hardware was given."""

import http.server
import json
import mmap
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from rig import HERE, LONG, RATE, TARGET, free_port, source, wait_for
from test_vendor import Firmware
from viewer import fingerprint

CLIENTS = HERE.parent / "clients"
SECONDS = 20 * LONG
# Between sound and picture, and from the first minute to the last, in seconds.
DRIFT = 0.04
# In vendor/encoder.c: a tone for as long as this picture of each group is shown.
GROUP, BEAT = 20, 10
# What Home Assistant says of its own surroundings.
OF_ITS_OWN = ("Skipping pip installation", "turbojpeg", "Setup of", "setup of")


def prepare():
    """Home Assistant, pinned; it needs the network, which the test has not."""
    sys.path.append(str(CLIENTS))
    from base import python
    return python("homeassistant", CLIENTS / "homeassistant.txt")


class Aac(http.server.ThreadingHTTPServer):
    """A stand-in for go2rtc with `ffmpeg:ADDRESS#video=copy#audio=aac`: the line of ffmpeg that it runs,
    for each client that comes."""

    LINE = ("ffmpeg -hide_banner -v error -allowed_media_types video+audio -fflags nobuffer -flags low_delay "
            "-timeout 5000000 -user_agent go2rtc/ffmpeg -rtsp_flags prefer_tcp -i {input} -c:v copy -c:a aac "
            "-f mpegts -")

    def __init__(self, address):
        self.line = [word.format(input=address) for word in self.LINE.split()]
        self.said = []
        super().__init__(("127.0.0.1", 0), self.Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{self.server_port}/camera.ts"

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "video/mp2t")
            self.end_headers()
            with tempfile.TemporaryFile("w+") as said:
                program = subprocess.Popen(self.server.line, stdout=subprocess.PIPE, stderr=said,
                                           stdin=subprocess.DEVNULL)
                try:
                    shutil.copyfileobj(program.stdout, self.wfile, 1880)
                except OSError:
                    pass
                ended = program.poll()
                program.kill()
                program.wait()
                said.seek(0)
                self.server.said.append((ended, said.read()))

        def log_message(self, *_):
            pass


def packets(film, kind):
    """Time in seconds, place and length of each packet of a film's track."""
    out = subprocess.run(["ffprobe", "-v", "error", "-select_streams", kind, "-show_entries",
                          "packet=pts_time,pos,size", "-of", "json", film],
                         check=True, capture_output=True, timeout=300)
    assert not out.stderr, out.stderr
    return [(float(p["pts_time"]), int(p["pos"]), int(p["size"])) for p in json.loads(out.stdout)["packets"]]


class Watched(Firmware):
    def test_home_assistant_has_picture_and_sound_in_step(self):
        interpreter = prepare()
        server = self.begin(main="fetch.h264", sub="sub.h264", beats=True)
        plain = self.more_server("--sound", "l16")
        for one in (server, plain):
            wait_for(lambda: one.stats()["sound"]["pieces"] > 30 and one.stream("mainstream")["fps"], "sound")
        # As large as ten minutes of 1080p are.
        folder = Path(tempfile.mkdtemp(prefix="watched-", dir=TARGET))
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        (folder / "config").mkdir()
        go2rtc = Aac(server.address("mainstream"))
        self.addCleanup(go2rtc.shutdown)
        cameras = {"g711": server.address("substream"), "l16": plain.address("substream"), "aac": go2rtc.address}
        films = {name: str(folder / f"{name}.mp4") for name in cameras}
        told = {"folder": str(folder / "config"), "port": free_port(), "cameras": cameras, "films": films,
                "seconds": SECONDS}
        began = time.monotonic()
        done = subprocess.run([interpreter, CLIENTS / "ha_watch.py"], input=json.dumps(told),
                              capture_output=True, text=True, timeout=SECONDS + 900)
        line = [line for line in done.stdout.splitlines() if line.startswith("SEEN ")]
        self.assertTrue(line, done.stderr[-4000:])
        seen = json.loads(line[0].removeprefix("SEEN "))
        self.assertNotIn("failed", seen, f"{seen}\n{done.stderr[-3000:]}\n{go2rtc.said}")
        print(f"  Home Assistant {seen['version']}, {time.monotonic() - began:.0f} s: {seen['cameras']}", flush=True)
        self.assertEqual([w for w in seen["warnings"] if not any(own in w for own in OF_ITS_OWN)], [])
        for name, camera in seen["cameras"].items():
            # One worker from the beginning to the end, and no segment that was not seen.
            self.assertEqual((camera["begun"], camera["cuts"], camera["missing"]), (1, 0, 0), (name, camera))
            self.assertGreaterEqual(camera["seconds"], SECONDS - 10, name)
            self.assertEqual("mp4a" in camera["codecs"], name == "aac", camera)
            self.assert_pictures(films[name], "fetch.h264" if name == "aac" else "sub.h264")
        self.assertEqual([ended for ended, _ in go2rtc.said if ended], [])
        self.assert_in_step(films["aac"])
        for one in (server, plain):
            for name in ("mainstream", "substream"):
                self.assertEqual(one.stream(name)["lost"], {"breaks": 0, "pictures": 0})
        self.assertTrue(self.camera.alive())

    def pictures(self, film, of):
        """Number in its source and time of each picture."""
        numbers, _, _ = source(of)
        found = []
        with open(film, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            for at, place, size in packets(film, "v"):
                units, end = [], place + size
                while place < end:
                    length = struct.unpack(">I", data[place:place + 4])[0]
                    units.append(data[place + 4:place + 4 + length].rstrip(b"\0"))
                    place += 4 + length
                mark = fingerprint(units, "h264")
                self.assertIn(mark, numbers, "a picture that was never encoded so")
                found.append((numbers[mark], at))
        return found, len(numbers)

    def assert_pictures(self, film, of):
        """Each follows the one before it, at an even pace."""
        found, period = self.pictures(film, of)
        jumps = sum((b - a) % period != 1 for (a, _), (b, _) in zip(found, found[1:]))
        steps = [b - a for (_, a), (_, b) in zip(found, found[1:])]
        print(f"  {Path(film).name}: {len(found)} pictures, {jumps} jumps, steps of {1000 * min(steps):.1f} to "
              f"{1000 * max(steps):.1f} ms", flush=True)
        self.assertGreater(len(found), (SECONDS - 10) * RATE)
        # A second server asks for a key frame when it begins; later none may be missing.
        self.assertEqual(jumps, 0)
        self.assertLess(max(steps), 1 / RATE + DRIFT)

    def beats(self, film):
        """Group and time in seconds of each tone, and that nothing of the sound is missing."""
        rate = int(subprocess.run(["ffprobe", "-v", "error", "-select_streams", "a", "-show_entries",
                                   "stream=sample_rate", "-of", "csv=p=0", film], check=True,
                                  capture_output=True, text=True, timeout=60).stdout.strip(",\n "))
        times = [at for at, _, _ in packets(film, "a")]
        steps = [b - a for a, b in zip(times, times[1:])]
        self.assertLess(max(abs(step - 1024 / rate) for step in steps), 0.002, "sound is missing")
        out = subprocess.run(["ffmpeg", "-v", "error", "-i", film, "-map", "0:a", "-f", "s16le", "-"],
                             check=True, capture_output=True, timeout=600)
        self.assertEqual(out.stderr, b"")
        samples = struct.unpack(f"<{len(out.stdout) // 2}h", out.stdout)
        self.assertAlmostEqual(len(samples), 1024 * len(times), delta=1024, msg="sound that is not decoded")
        found, begin, last = [], None, 0
        for n, sample in enumerate(samples):
            if abs(sample) > 3000:
                begin, last = n if begin is None else begin, n
            elif begin is not None and n - last > rate // 100:
                tone = samples[begin:last + 1]
                turns = sum((a < 0) != (b < 0) for a, b in zip(tone, tone[1:]))
                high = turns * rate / 2 / len(tone)
                found.append((round((high - 400) / 240), times[0] + (begin + last) / 2 / rate, len(tone) / rate))
                begin = None
        return found

    def assert_in_step(self, film):
        """Each tone is where its picture is: its middle is half a picture after it."""
        shown, period = self.pictures(film, "fetch.h264")
        shown = [(number // GROUP, at) for number, at in shown if number % GROUP == BEAT]
        heard = [(group, at) for group, at, length in self.beats(film) if 0.03 < length < 0.07]
        turn, apart = period / RATE, []
        for group, at in shown:
            near = [when for which, when in heard if which == group and abs(when - at) < turn / 2]
            if near:
                apart.append(near[0] - at - 0.5 / RATE)
        self.assertGreater(len(apart), 0.95 * (len(shown) - 2), "tones are missing")
        minute = min(60, len(apart) // 2)
        first, last = (sum(part) / len(part) for part in (apart[:minute], apart[-minute:]))
        print(f"  sound against picture by {len(apart)} of {len(shown)} tones: {1000 * min(apart):+.1f} to "
              f"{1000 * max(apart):+.1f} ms; {1000 * first:+.2f} ms at the beginning, {1000 * last:+.2f} at the end",
              flush=True)
        self.assertLess(max(map(abs, apart)), DRIFT)
        self.assertLess(abs(last - first), DRIFT / 4)
