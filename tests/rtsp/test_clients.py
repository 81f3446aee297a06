"""The clients that owners have: each finds its first picture, over UDP and over TCP, with a login."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from rig import HERE, TARGET, Case, run, wait_for

PASSWORD = "a pass:word/@"
LOGIN = ("admin", "a%20pass%3Aword%2F%40")
TOOLS = TARGET / "rtsp-tools"
LIVE555 = "liblivemedia==1.0.5"
STREAMS = {"mainstream": ("main.h264", "h264", "H264"), "hevcstream": ("sub.hevc", "hevc", "H265")}


def live555():
    """live555 as PyPI has its source, built once: the viewer, and a server."""
    out = TOOLS / "live555"
    if not (out / "serve").exists():
        out.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, "-m", "pip", "-q", "download", "--no-deps", "--no-binary",
                        ":all:", "--dest", out, LIVE555], check=True)
        archive = next(out.glob("liblivemedia-*.tar.gz"))
        shutil.unpack_archive(archive, out)
        source = archive.with_name(archive.name.removesuffix(".tar.gz"))
        subprocess.run(["make", "-s", "-j2", "-C", HERE / "live555", f"SOURCE={source}",
                        f"OUT={out}"], check=True)
    return out


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

    def each(self):
        """Every stream over every transport."""
        for name, (_, codec, encoding) in STREAMS.items():
            for transport in ("tcp", "udp"):
                with self.subTest(f"{name} over {transport}"):
                    before = time.monotonic()
                    yield name, codec, encoding, transport
                    print(f"  {self._testMethodName} {codec} {transport}: "
                          f"{time.monotonic() - before:.1f} s", flush=True)

    def assert_runs(self, words, seconds=60, quiet=True):
        status, out, err = run(words, seconds)
        self.assertEqual(status, 0, f"{words}\n{out}\n{err}")
        if quiet:
            self.assertEqual(err.strip(), "")
        return out

    def test_ffprobe(self):
        for name, codec, _, transport in self.each():
            out = self.assert_runs(["ffprobe", "-v", "error", "-rtsp_transport", transport,
                                    "-show_entries", "stream=codec_name,width", "-of", "csv=p=0",
                                    self.server.address(name, LOGIN)])
            self.assertEqual(out.strip(), f"{codec},{1920 if codec == 'h264' else 640}")

    def test_ffmpeg(self):
        for name, _, _, transport in self.each():
            self.assert_runs(["ffmpeg", "-v", "error", "-err_detect", "explode", "-xerror",
                              "-rtsp_transport", transport, "-i", self.server.address(name, LOGIN),
                              "-frames:v", "30", "-f", "null", "-"])

    def test_gstreamer(self):
        for name, codec, encoding, transport in self.each():
            short = codec.replace("hevc", "h265")
            self.assert_runs(
                ["gst-launch-1.0", "-q", "rtspsrc", f"location={self.server.address(name)}",
                 "user-id=admin", f"user-pw={PASSWORD}", f"protocols={transport}", "!",
                 f"application/x-rtp,encoding-name={encoding}", "!", f"rtp{short}depay", "!",
                 f"{short}parse", "!", f"avdec_{short}", "!", "fakesink", "num-buffers=30"])

    def test_mpv(self):
        for name, _, _, transport in self.each():
            out = self.assert_runs(
                ["mpv", "--no-config", "--vo=null", "--ao=null", "--frames=20", "--msg-level=all=error",
                 f"--rtsp-transport={transport}", self.server.address(name, LOGIN)])
            self.assertNotIn("rror", out)

    def test_live555(self):
        watch = live555() / "watch"
        for name, _, _, transport in self.each():
            out = self.assert_runs([watch, self.server.address(name), "admin", PASSWORD, transport,
                                    "30"], quiet=False)
            self.assertIn("30 pictures", out)

    def test_retina(self):
        watch = retina()
        for name, _, _, transport in self.each():
            out = self.assert_runs([watch, self.server.address(name), "admin", PASSWORD, transport,
                                    "30"], quiet=False)
            self.assertIn("30 pictures", out)

    def test_vlc(self):
        """Debian's VLC has had no RTSP of its own since live555 left Debian (vlc 3.0.21); where
        the plugin is there, it is tried. live555 itself is tried above."""
        words = ["cvlc", "-I", "dummy", "--vout", "dummy", "--aout", "dummy", "--run-time", "5",
                 "--play-and-exit", self.server.address("mainstream", LOGIN), "vlc://quit"]
        if os.getuid() == 0:
            words = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", *words]
        before = self.server.stream("mainstream")["viewers"]
        vlc = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(lambda: any(v["pictures"] > 20 for v in self.server.stats()["viewers"]), "VLC")
        vlc.wait(60)
        self.assertEqual(self.server.stream("mainstream")["viewers"], before)

    if not list(Path("/usr/lib").glob("*/vlc/plugins/access/liblive555_plugin.so")):
        # What cannot be tried has proven nothing, and is not counted.
        print("VLC: NOT RUN: this one cannot speak RTSP", flush=True)
        del test_vlc
