"""What the tests share: the streams that ffmpeg makes, the server, the stand-in for framegrabber,
and the ways to look at them."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

import framegrabber
from viewer import fingerprint

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
BINARY = Path(os.environ.get("MI360D_BINARY", TARGET / "release" / "mi360d"))
STREAMS = TARGET / "rtsp-streams"
# How much longer everything is done: 1, or what tests/soak asks for.
LONG = float(os.environ.get("MI360D_RTSP_LONG", "1"))
RATE = 20
GROUP = 20

# A still noise makes key frames large; what moves is testsrc2.
H264 = ("libx264 -preset ultrafast -tune zerolatency -profile:v main -crf 27 -x264-params "
        "keyint={g}:min-keyint={g}:scenecut=0:bframes=0:repeat-headers=1")
H265 = ("libx265 -preset ultrafast -crf 27 -x265-params "
        "keyint={g}:min-keyint={g}:scenecut=0:bframes=0:repeat-headers=1:open-gop=0:log-level=0")
# As large as fetch_av takes them: below 261,120 bytes.
KINDS = {
    "fetch.h264": ("1920x1080", H264, 3),
    "fetch.hevc": ("1920x1080", H265, 3),
    "main.h264": ("1920x1080", H264, 5),
    "main.hevc": ("1920x1080", H265, 8),
    "sub.h264": ("640x360", H264, 3),
    "sub.hevc": ("640x360", H265, 3),
}


def stream(name):
    """Ten seconds of pictures, made once."""
    path = STREAMS / name
    if not path.exists():
        STREAMS.mkdir(parents=True, exist_ok=True)
        size, codec, noise = KINDS[name]
        half = STREAMS / f"half-{os.getpid()}-{name}"
        source = f"testsrc2=size={size}:rate={RATE},noise=alls={noise}"
        subprocess.run(["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", source, "-t", "10",
                        "-pix_fmt", "yuv420p", "-c:v", *codec.format(g=GROUP).split(), half],
                       check=True, stderr=subprocess.DEVNULL)
        half.rename(path)
    return path


_known = {}


def source(name):
    """The stream's pictures as the viewer tells them: fingerprint to number."""
    if name not in _known:
        data = stream(name).read_bytes()
        codec = framegrabber.codec_of(name)
        found = framegrabber.pictures(data, codec)
        marks = []
        for picture, key in found:
            starts = framegrabber.units(picture) + [(len(picture), 0)]
            cut = [picture[a[1]:b[0]].rstrip(b"\0") for a, b in zip(starts, starts[1:])]
            marks.append((fingerprint(cut, codec), key))
        numbers = {mark: number for number, (mark, _) in enumerate(marks)}
        assert len(numbers) == len(marks), "two pictures are equal: the test could not tell them"
        _known[name] = (numbers, [key for _, key in marks], [len(p) for p, _ in found])
    return _known[name]


class Grabber:
    """The stand-in for framegrabber, a process."""

    def __init__(self, fifo, name, start=0, pictures=0, rate=RATE, waits=False):
        words = [sys.executable, HERE / "framegrabber.py", fifo, stream(name), "--rate", rate,
                 "--start", start, "--pictures", pictures, *(["--waits"] if waits else [])]
        self.process = subprocess.Popen([str(w) for w in words], stdout=subprocess.PIPE, text=True)

    def stop(self):
        """Ends it and says what it wrote."""
        self.process.terminate()
        return self.told()

    def told(self):
        out, _ = self.process.communicate(timeout=60)
        return json.loads(out.splitlines()[-1])

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class Server:
    """`mi360d rtsp` with streams of these names, each a FIFO unless a path is given."""

    def __init__(self, streams, words=(), password=None, binary=BINARY):
        self.folder = Path(tempfile.mkdtemp(prefix="mi360d-rtsp-"))
        self.port = free_port()
        self.fifos = {}
        line = [str(binary), "rtsp", "--listen", f"127.0.0.1:{self.port}", *words]
        for name in streams:
            path = streams[name] if isinstance(streams, dict) else None
            if path is None:
                path = self.folder / name
                os.mkfifo(path)
                self.fifos[name] = path
            line += ["--stream", f"{name}={path}"]
        self.password_file = self.folder / "password"
        if password is not None:
            self.password_file.write_text(password + "\n")
            line += ["--password-file", str(self.password_file)]
        self.log = open(self.folder / "log", "w+")
        self.process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=self.log)
        wait_for(lambda: self.listens(), f"the server's port {self.port}", 60)
        self.pid = self.process.pid

    def listens(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the server ended: {self.text()}")
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", self.port)) == 0

    def text(self):
        self.log.flush()
        return Path(self.log.name).read_text()

    def address(self, name, login=None):
        who = f"{login[0]}:{login[1]}@" if login else ""
        return f"rtsp://{who}127.0.0.1:{self.port}/{name}"

    def ask(self, question, most=1 << 30, more=b""):
        """The daemon's question: the first line as a document, and the bytes behind it."""
        with socket.socket(socket.AF_UNIX) as one:
            one.settimeout(20)
            one.connect(f"\0mi360d-rtsp-{self.port}".encode())
            one.sendall(question.encode() + b"\n" + more)
            data = b""
            while len(data) < most and (piece := one.recv(1 << 16)):
                data += piece
        head, _, rest = data.partition(b"\n")
        return json.loads(head), rest

    def stats(self):
        return self.ask("stats")[0]

    def stream(self, name):
        return next(s for s in self.stats()["streams"] if s["name"] == name)

    def status(self, field):
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1])
        raise KeyError(field)

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def seconds(self):
        """Processor time used."""
        return process_seconds(self.pid)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
        status = self.process.wait(30)
        text = self.text()
        self.log.close()
        shutil.rmtree(self.folder)
        if status != 0 or "panicked" in text:
            raise AssertionError(f"the server ended with {status}: {text}")


def process_seconds(pid):
    """Processor time of all its threads, by the scheduler's own count: the usual one has ticks of
    10 ms."""
    tasks = Path(f"/proc/{pid}/task")
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir()) / 1e9


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def wait_for(condition, what, seconds=150):
    """Until it is so. A machine that does other things, too, may take its time."""
    end = time.monotonic() + seconds
    while not (got := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s for {what}")
        time.sleep(0.05)
    return got


def run(words, seconds=60):
    """A program to its end: status, standard output, standard error."""
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True, timeout=seconds,
                          stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout, done.stderr


class Decoder:
    """ffmpeg that decodes what it is given, and takes every oddity for an error."""

    def __init__(self, address, transport="tcp", words=("-i",), seconds=None):
        line = ["ffmpeg", "-v", "warning", "-nostdin", "-err_detect", "explode", "-xerror",
                "-threads", "1"]
        if address.startswith("rtsp:"):
            line += ["-rtsp_transport", transport]
        line += [*words, address]
        if seconds:
            line += ["-t", str(seconds)]
        line += ["-fps_mode", "passthrough", "-enc_time_base", "-1", "-f", "null", "-progress", "pipe:1", "-"]
        self.process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True)
        self.frames = 0
        self.errors = []
        self.readers = [threading.Thread(target=self._count, daemon=True),
                        threading.Thread(target=self._note, daemon=True)]
        for reader in self.readers:
            reader.start()

    def _count(self):
        for line in self.process.stdout:
            if line.startswith("frame="):
                self.frames = int(line[6:])

    def _note(self):
        for line in self.process.stderr:
            self.errors.append(line.strip())

    def running(self):
        return self.process.poll() is None

    def stop(self):
        """Ends it as `q` would; what it complained of."""
        if self.running():
            self.process.send_signal(signal.SIGINT)
        self.process.wait(120)
        for reader in self.readers:
            reader.join(10)
        self.process.stdout.close()
        self.process.stderr.close()
        return [e for e in self.errors if e and "Exiting normally" not in e]


def alaw(byte):
    """One byte of G.711's A-law as a sample of 16 bits."""
    byte ^= 0x55
    value, segment = (byte & 15) << 4, byte >> 4 & 7
    value = (value + 0x108) << (segment - 1) if segment else value + 8
    return value if byte & 0x80 else -value


class Case(unittest.TestCase):
    """A test with what it needs cleaned up behind it."""

    def server(self, *words, **more):
        server = Server(*words, **more)
        self.addCleanup(server.stop)
        return server

    def grabber(self, server, name, of, **more):
        grabber = Grabber(server.fifos[name], of, **more)
        self.addCleanup(lambda: grabber.process.poll() is None and grabber.kill())
        return grabber

    def assert_consecutive(self, seen, of, jumps_to_keys=0):
        """Each picture is the source's own, and follows the one before it; where one does not, it
        is a key frame. Returns how often that was."""
        numbers, keys, _ = source(of)
        jumps = 0
        last = None
        for _, mark, key, _, _ in seen:
            self.assertIn(mark, numbers, "a picture that was never written so")
            number = numbers[mark]
            self.assertEqual(key, keys[number])
            if last is not None and number != (last + 1) % len(keys):
                jumps += 1
                self.assertTrue(key, f"picture {number} after {last}, and no key frame")
            last = number
        self.assertLessEqual(jumps, jumps_to_keys, "pictures are missing")
        return jumps
