"""The vendor's own fetch_av (with its libboardav, libshbf and mortoxd) on a PC, under qemu-arm, in a
folder that ../shared/vendor/root.sh makes of the firmware. Its hardware is a stand-in
(vendor/encoder.c): real streams from files, a known sound. Nothing of the firmware is in here."""

import atexit
import functools
import os
import shutil
import signal
import struct
import subprocess
import tempfile
import time
from pathlib import Path

import framegrabber
from rig import HERE, ROOT, TARGET, stream, wait_for

MAKER = Path(os.environ.get("MI360D_VENDOR", ROOT.parent / "shared" / "vendor")) / "root.sh"
KEPT = TARGET / "vendor-root"
ENDPOINTS = ("video_mainstream", "video_substream", "audio_in", "jpeg_snap", "audio_play")
LIBRARIES = "/stub:/mnt/data/lib:/lib:/usr/lib"


def missing():
    """Why the vendor's programs cannot run here; None if they can."""
    if not MAKER.exists():
        return f"the firmware's files are not here ({MAKER}); MI360D_VENDOR names their folder"
    if os.geteuid() != 0:
        return "chroot needs root"
    return None


def root():
    """The folder, made once: a minute, and packages of Debian's and PyPI's."""
    if not (KEPT / "made").exists():
        subprocess.run([MAKER, KEPT], check=True, stdout=subprocess.DEVNULL, timeout=900)
        (KEPT / "made").touch()
    return KEPT


@functools.cache
def own_root():
    """This process's copy of the folder, gone with it: its programs meet no others, so several
    processes may have theirs at a time."""
    copy = Path(tempfile.mkdtemp(prefix="mi360d-vendor-"))
    atexit.register(shutil.rmtree, copy, ignore_errors=True)
    subprocess.run(["cp", "-a", f"{root()}/.", copy], check=True)
    subprocess.run(
        ["arm-linux-gnueabihf-gcc", "-O1", "-fPIC", "-fno-builtin", "-U_FORTIFY_SOURCE",
         "-fno-stack-protector", "-march=armv7-a", "-mfpu=vfpv3-d16", "-shared", "-nostdlib",
         "-Wl,--hash-style=sysv", "-o", copy / "stub" / "encoder.so", HERE / "vendor" / "encoder.c",
         copy / "lib" / "libuClibc-1.0.31.so", "-lgcc", "-Wl,--allow-shlib-undefined"], check=True)
    return copy


def line(root, name, *words):
    """The command line of one of its programs."""
    found = ["chroot", root, "/qemu-arm", "-E", f"LD_LIBRARY_PATH={LIBRARIES}", "-E",
             "LD_PRELOAD=/stub/encoder.so", f"/mnt/data/bin/{name}", *words]
    return [str(w) for w in found]


class Camera:
    """mortoxd and fetch_av, playing these streams; with `beats` the microphone hears the main one's
    pictures (vendor/encoder.c)."""

    def __init__(self, main="fetch.hevc", sub="sub.hevc", beats=False):
        self.root = own_root()
        self.more = []
        self.names = {"mainstream": main, "substream": sub}
        for folder in ("run", "tmp"):
            shutil.rmtree(self.root / folder, ignore_errors=True)
            (self.root / folder).mkdir(mode=0o755)
        for file, name in (("main", main), ("sub", sub)):
            data = stream(name).read_bytes()
            pictures = framegrabber.pictures(data, framegrabber.codec_of(name))
            with open(self.root / "stub" / f"{file}.pictures", "wb") as out:
                for picture, key in pictures:
                    # fetch_av takes codec and key from the encoder's NAL type, which is H.265's.
                    out.write(struct.pack("<II", len(picture), key) + picture)
        if beats:
            (self.root / "stub" / "beats").touch()
        else:
            (self.root / "stub" / "beats").unlink(missing_ok=True)
        # Without a size for CONFIG mortoxd dies at its first save.
        (self.root / "proc" / "mtd").write_text('dev:    size   erasesize  name\n'
                                                'mtd0: 00010000 00010000 "CONFIG"\n')
        self.log = open(self.root / "run" / "log", "w")
        self.mortoxd = self._start("mortoxd")
        wait_for(lambda: (self.root / "tmp/mortox.socket").exists(), "mortoxd", 60)
        # As a camera in use: its small raw picture is the one that miio_algo has room for. Without it
        # miio_algo writes past its queue and dies.
        self.mortoxc("set", "nvram", "default", "bind_status", "ok")
        self.mortoxc("sync", "nvram")
        self.fetch_av, self.hung = None, 0
        self.start()

    def _start(self, name):
        return subprocess.Popen(line(self.root, name), stdout=self.log, stderr=self.log,
                                stdin=subprocess.DEVNULL, start_new_session=True)

    def mortoxc(self, *words):
        """The vendor's own client; what it prints."""
        done = subprocess.run(line(self.root, "mortoxc", *words), timeout=60, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        return done.stdout.decode(errors="replace")

    def start_more(self, name):
        """Another of its programs, ended with the others."""
        self.more.append(self._start(name))
        return self.more[-1]

    def restart_mortoxd(self):
        self.mortoxd.kill()
        self.mortoxd.wait()
        (self.root / "tmp/mortox.socket").unlink(missing_ok=True)
        self.mortoxd = self._start("mortoxd")
        wait_for(lambda: (self.root / "tmp/mortox.socket").exists(), "mortoxd", 60)

    def calls(self, *names):
        """How often its programs asked the hardware's stand-in for one of these."""
        text = (self.root / "run" / "log").read_text(errors="replace")
        return sum(text.count(name) for name in names)

    def start(self):
        """fetch_av, until its sockets are new. Under qemu it may hang before it makes them: then it is
        started again, as the firmware's supervisor would."""
        for _ in range(5):
            before = self.sockets()
            self.fetch_av = self._start("fetch_av")
            try:
                wait_for(lambda: all(new and new != old for new, old in zip(self.sockets(), before)),
                         "its sockets", 40)
                return
            except AssertionError:
                self.hung += 1
                print("  fetch_av hung at its start, before any reader: started again", flush=True)
                self.kill()
        raise AssertionError("fetch_av makes no sockets")

    def sockets(self):
        """When each of its sockets was made; None for one that is not there."""
        paths = (self.folder(name) / "control" for name in ENDPOINTS)
        return [path.stat().st_ctime_ns if path.exists() else None for path in paths]

    def folder(self, name):
        return self.root / "run" / name

    def wait(self):
        """Until all its sockets are there."""
        for name in ENDPOINTS:
            wait_for(lambda: (self.folder(name) / "control").exists(), name)

    def kill(self):
        """fetch_av, and its sockets stay behind as they would."""
        self.fetch_av.send_signal(signal.SIGKILL)
        self.fetch_av.wait()

    def descriptors(self):
        """Those that it keeps: frames come and go, so the fewest of several looks count."""
        folder = f"/proc/{self.fetch_av.pid}/fd"
        looks = []
        for _ in range(20):
            looks.append(len(os.listdir(folder)))
            time.sleep(0.013)
        return min(looks)

    def alive(self):
        return self.fetch_av.poll() is None

    def key_requests(self):
        path = self.root / "run" / "encoder.log"
        return path.read_text().count("key 1") if path.exists() else 0

    def stop(self):
        for process in (self.fetch_av, self.mortoxd, *self.more):
            if process.poll() is None:
                process.kill()
            process.wait()
        self.log.close()
