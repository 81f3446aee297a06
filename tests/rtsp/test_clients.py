"""The clients that owners have: each finds its first picture, over UDP and over TCP, with a login."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import unittest
import urllib.request
from pathlib import Path

from rig import HERE, TARGET, Case, run, wait_for
from viewer import Rtsp

PASSWORD = "a pass:word/@"
LOGIN = ("admin", "a%20pass%3Aword%2F%40")
TOOLS = TARGET / "rtsp-tools"
LIVE555 = "liblivemedia==1.0.5"
VLC = "/v/vlc/vlc_3.0.23.orig.tar.xz"
VLC_SHA256 = "e891cae6aa3ccda69bf94173d5105cbc55c7a7d9b1d21b9b21666e69eff3e7e0"
VLC_SERVERS = ["http://deb.debian.org/debian/pool/main",
               "http://archive.ubuntu.com/ubuntu/pool/universe"]
STREAMS = {"mainstream": ("main.h264", "h264", "H264"), "hevcstream": ("sub.hevc", "hevc", "H265")}


def make_live555(*words):
    """Has tests/rtsp/live555/Makefile make something of live555 as PyPI has its source."""
    out = TOOLS / "live555"
    out.mkdir(parents=True, exist_ok=True)
    if not list(out.glob("liblivemedia-*.tar.gz")):
        subprocess.run([sys.executable, "-m", "pip", "-q", "download", "--no-deps", "--no-binary",
                        ":all:", "--dest", out, LIVE555], check=True)
    archive = next(out.glob("liblivemedia-*.tar.gz"))
    source = archive.with_name(archive.name.removesuffix(".tar.gz"))
    if not source.exists():
        shutil.unpack_archive(archive, out)
    subprocess.run(["make", "-s", "-j2", "-C", HERE / "live555", f"SOURCE={source}", f"OUT={out}",
                    *words], check=True)
    return out


def live555():
    """The viewer and the server made of live555, built once."""
    out = TOOLS / "live555"
    return out if (out / "serve").exists() else make_live555()


def vlc():
    """VLC's module for RTSP, built once of VLC's source and live555: the folder it is in. The
    source is that of Debian's package; where Debian's server lacks it, others have the same.
    None where it is nowhere to be had."""
    plugins = TOOLS / "live555" / "vlc" / "plugins"
    if not (plugins / "liblive555_plugin.so").exists():
        TOOLS.mkdir(parents=True, exist_ok=True)
        archive = TOOLS / VLC.rpartition("/")[2]
        for server in VLC_SERVERS:
            if archive.exists():
                break
            try:
                with urllib.request.urlopen(server + VLC, timeout=60) as answer:
                    data = answer.read()
            except OSError as error:
                print(f"{server}{VLC}: {error}", flush=True)
                continue
            if hashlib.sha256(data).hexdigest() == VLC_SHA256:
                archive.write_bytes(data)
        if not archive.exists():
            return None
        wanted = ("modules/access/", "modules/codec/", "modules/demux/", "include/")
        with tarfile.open(archive) as tar:
            members = [m for m in tar if m.name.partition("/")[2].startswith(wanted)]
            tar.extractall(TOOLS, members)
        make_live555("vlc", f"VLC={TOOLS / members[0].name.partition('/')[0]}")
    return plugins


def retina():
    """The viewer made of the crate retina, built once."""
    subprocess.run(["cargo", "build", "--quiet", "--locked", "--manifest-path",
                    HERE / "retina" / "Cargo.toml", "--target-dir", TOOLS / "retina"], check=True)
    return TOOLS / "retina" / "debug" / "watch"


class Clients(Case):
    @classmethod
    def setUpClass(cls):
        from rig import Grabber, Server
        cls.server = Server(list(STREAMS), password=PASSWORD)
        cls.grabbers = [Grabber(cls.server.fifos[name], STREAMS[name][0]) for name in STREAMS]
        wait_for(lambda: all(s["pictures"] for s in cls.server.stats()["streams"]), "pictures")

    @classmethod
    def tearDownClass(cls):
        for grabber in cls.grabbers:
            grabber.stop()
        cls.server.stop()

    def each(self, play):
        """Plays every stream over every transport."""
        for name, (_, codec, encoding) in STREAMS.items():
            for transport in ("tcp", "udp"):
                with self.subTest(f"{name} over {transport}"):
                    before = time.monotonic()
                    play(name, codec, encoding, transport)
                    print(f"  {self._testMethodName} {codec} {transport}: "
                          f"{time.monotonic() - before:.1f} s", flush=True)

    def assert_runs(self, words, seconds=60, quiet=True):
        status, out, err = run(words, seconds)
        self.assertEqual(status, 0, f"{words}\n{out}\n{err}")
        if quiet:
            self.assertEqual(err.strip(), "")
        return out

    def test_ffprobe(self):
        def play(name, codec, _encoding, transport):
            out = self.assert_runs(["ffprobe", "-v", "error", "-rtsp_transport", transport,
                                    "-show_entries", "stream=codec_name,width", "-of", "csv=p=0",
                                    self.server.address(name, LOGIN)])
            self.assertEqual(out.strip(), f"{codec},{1920 if codec == 'h264' else 640}")
        self.each(play)

    def test_a_slash_too_many(self):
        """As clients make it that join an address and a path without looking."""
        out = self.assert_runs(["ffprobe", "-v", "error", "-rtsp_transport", "tcp", "-show_entries",
                                "stream=codec_name", "-of", "csv=p=0",
                                self.server.address("/mainstream", LOGIN)])
        self.assertEqual(out.strip(), "h264")
        rtsp = Rtsp(self.server.port)
        rtsp.login = ("admin", PASSWORD)
        url = f"{rtsp.base}//mainstream"
        rtsp.request("DESCRIBE", url)
        found, _ = rtsp.request("SETUP", f"{url}//trackID=0",
                                ["Transport: RTP/AVP/TCP;unicast;interleaved=0-1"])
        rtsp.session = found["Session"].split(";")[0]
        rtsp.request("PLAY", f"{url}/")
        rtsp.close()

    def test_ffmpeg(self):
        def play(name, _codec, _encoding, transport):
            self.assert_runs(["ffmpeg", "-v", "error", "-err_detect", "explode", "-xerror",
                              "-rtsp_transport", transport, "-i", self.server.address(name, LOGIN),
                              "-frames:v", "30", "-f", "null", "-"])
        self.each(play)

    def test_gstreamer(self):
        """gst-launch has its 30 pictures when it says EOS. Then it asks its rtspsrc for PAUSE and,
        without waiting, for READY, which may cancel the PAUSE before it is sent (the server never
        sees it); it calls that an error of its own."""
        def play(name, codec, encoding, transport):
            short = codec.replace("hevc", "h265")
            status, out, err = run(
                ["gst-launch-1.0", "rtspsrc", f"location={self.server.address(name)}",
                 "user-id=admin", f"user-pw={PASSWORD}", f"protocols={transport}", "!",
                 f"application/x-rtp,encoding-name={encoding}", "!", f"rtp{short}depay", "!",
                 f"{short}parse", "!", f"avdec_{short}", "!", "fakesink", "num-buffers=30"], 60)
            pictures, _, end = out.partition("Got EOS from element")
            self.assertTrue(end, f"{out}\n{err}")
            self.assertNotIn("ERROR", pictures)
            where = set(re.findall(r"\): (gst_\w+) \(\):", err))
            if status != 0 or where:
                self.assertLessEqual(where, {"gst_rtspsrc_try_send", "gst_rtspsrc_pause"}, err)
                self.assertIn("gst_rtspsrc_pause", where, err)
        self.each(play)

    def test_mpv(self):
        def play(name, _codec, _encoding, transport):
            out = self.assert_runs(
                ["mpv", "--no-config", "--vo=null", "--ao=null", "--frames=20", "--msg-level=all=error",
                 f"--rtsp-transport={transport}", self.server.address(name, LOGIN)])
            self.assertNotIn("rror", out)
        self.each(play)

    def test_live555(self):
        watch = live555() / "watch"
        def play(name, _codec, _encoding, transport):
            out = self.assert_runs([watch, self.server.address(name), "admin", PASSWORD, transport,
                                    "30"], quiet=False)
            self.assertIn("30 pictures", out)
        self.each(play)

    def test_retina(self):
        watch = retina()
        def play(name, _codec, _encoding, transport):
            out = self.assert_runs([watch, self.server.address(name), "admin", PASSWORD, transport,
                                    "30"], quiet=False)
            self.assertIn("30 pictures", out)
        self.each(play)

    def test_vlc(self):
        """Debian's VLC, with its own source's module for RTSP, which Debian leaves out. What it
        decoded and would have shown, it writes as pictures."""
        plugins = vlc()
        def play(name, codec, _encoding, transport):
            with tempfile.TemporaryDirectory(prefix="mi360d-vlc-") as folder:
                os.chmod(folder, 0o777)
                words = ["cvlc", "-I", "dummy", "--vout", "dummy", "--no-audio", "--video-filter",
                         "scene", "--scene-path", folder, "--scene-format", "png",
                         "--scene-ratio", "5", "--no-snapshot-preview",
                         *(["--rtsp-tcp"] if transport == "tcp" else []),
                         self.server.address(name, LOGIN)]
                if os.getuid() == 0:
                    words = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
                             *words]
                with open(TOOLS / "vlc.log", "w+") as log:
                    player = subprocess.Popen(
                        words, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                        env={**os.environ, "HOME": folder, "VLC_PLUGIN_PATH": str(plugins)})
                    try:
                        # The last file may not be whole yet.
                        wait_for(lambda: len(list(Path(folder).glob("*.png"))) > 4
                                 or player.poll() is not None, "VLC's pictures", 120)
                        self.assertIsNone(player.poll(), "VLC ended by itself")
                        self.assertEqual(self.viewer(name)["transport"], transport)
                    except AssertionError:
                        log.seek(0)
                        print(log.read()[-4000:], flush=True)
                        raise
                    finally:
                        player.terminate()
                        player.wait(60)
                pictures = sorted(Path(folder).glob("*.png"), key=lambda p: p.stat().st_mtime_ns)
                out = self.assert_runs(["ffprobe", "-v", "error", "-show_entries",
                                        "stream=codec_name,width", "-of", "csv=p=0", pictures[-3]])
                self.assertEqual(out.strip(), f"png,{1920 if codec == 'h264' else 640}")
        self.each(play)

    def viewer(self, name):
        return next(v for v in self.server.stats()["viewers"] if v["stream"] == name)


def load_tests(_loader, tests, _pattern):
    """A client that cannot be tried is said, and not counted."""
    if vlc() is None:
        print("VLC: NOT RUN: its source cannot be had", flush=True)
        every = [test for suite in tests for test in suite]
        return unittest.TestSuite(t for t in every if t._testMethodName != "test_vlc")
    return tests
