"""What takes too long for the whole run: against the vendor's own programs, and players that watch and
listen for ten minutes (MI360D_RTSP_LONG=30). By name, and in tests/soak."""

import json
import os
import pwd
import signal
import socket
import subprocess
import time

from rig import LONG, Server, free_port, run, wait_for
from test_clients import vlc
from test_controls import Bench
from test_motors import CALIBRATE, CALIBRATES, Timed, Together
from onvif_rig import Soap
from test_page import Demo
from test_vendor import Firmware

# As long as no second calibration is taken.
AGAIN = 120


class Motors(Together, Soap, Bench):
    """A minute of page, MQTT and ONVIF at once against the real miio_devicekit."""

    MIXED = 60
    PROXY = Timed

    def setUp(self):
        Bench.setUp(self)
        self.log_in()
        # devicekit calibrates at its start.
        wait_for(lambda: self.motors()["position"] == {"pan": 50, "tilt": 50}, "the calibration", 120)

    def test_a_minute_of_mixed_commands_and_two_minutes_between_calibrations(self):
        since, begin = self.share()
        time.sleep(max(0, since + CALIBRATES + 2 - time.monotonic()))
        wait_for(lambda: self.motors()["position"] == {"pan": 50, "tilt": 50}, "its end", 60)
        status, _, body = self.ask("POST", "/ptz", {"calibrate": True})
        self.assertEqual(status, 429, body)
        wait_for(lambda: self.ask("POST", "/ptz", {"calibrate": True})[0] == 200, "the next one", AGAIN)
        self.assertGreater(time.monotonic() - since, AGAIN - 1)
        self.assertEqual(len(self.proxy.commands(begin, CALIBRATE)), 2)
        # Under qemu it takes longer than it should.
        time.sleep(CALIBRATES + 10)
        # What devicekit itself keeps is what was reported.
        place = {"pan": 70, "tilt": 20}
        wait_for(lambda: self.ask("POST", "/ptz", {"goto": place})[0] == 200, "the place to be taken", 60)
        wait_for(lambda: not self.motors()["moving"], "its end", 60)
        at = self.motors()["position"]
        self.assertLessEqual(max(abs(at[axis] - place[axis]) for axis in place), 2, at)
        kept = self.mortoxc("get", "nvram", "default", "motor")
        self.assertIn(f"[{101 - at['pan']},{at['tilt'] + 1}]", kept)


class Still(Firmware):
    def test_a_reader_that_stands_still_harms_nobody_and_comes_back(self):
        """What the rig's fetchav.py proves with `stall`."""
        server = self.begin()
        other = self.more_server()
        mine, theirs = self.viewers(server), self.viewers(other)
        everyone = [*mine.values(), *theirs.values()]
        wait_for(lambda: all(len(v.seen) > 20 or v.error for v in everyone), "pictures")
        before = self.camera.descriptors()
        server.process.send_signal(signal.SIGSTOP)
        # fetch_av's queue takes some 280 frames, which are 14 seconds.
        time.sleep(25)
        server.process.send_signal(signal.SIGCONT)
        counts = [len(v.seen) for v in mine.values()]
        wait_for(lambda: server.stream("mainstream")["lost"]["breaks"] > 0, "the gap to be seen", 60)
        wait_for(lambda: all(len(v.seen) > n + 60 or v.error for v, n in zip(mine.values(), counts)), "pictures again")
        for name, viewer in mine.items():
            self.assert_consecutive(viewer.stop(), self.camera.names[name], jumps_to_keys=6)
        for name, viewer in theirs.items():
            self.assert_consecutive(viewer.stop(), self.camera.names[name], jumps_to_keys=3)
            self.assertEqual(other.stream(name)["lost"], {"breaks": 0, "pictures": 0})
        self.assertTrue(self.camera.alive())
        self.assertLessEqual(self.camera.descriptors(), before + 2)


class Played(Demo):
    """Players with picture and sound of `demo`, all at once."""

    SECONDS = 20 * LONG
    # Between sound and picture, in seconds, by mpv. By the times on the wire: test_sounds.
    DRIFT = 0.04

    def setUp(self):
        super().setUp()
        self.streams = free_port()
        wait_for(lambda: self.ask("GET", "/services/rtsp-server")[0] == 200, "the hack", 120)
        status, _, body = self.ask("PUT", "/services/rtsp-server",
                                   {"enabled": True, "settings": {"port": self.streams}})
        self.assertEqual(status, 200, body)
        self.server = lambda: json.loads(self.ask("GET", "/video")[2])["server"]
        wait_for(lambda: self.server() and self.server()["sound"]["pieces"] > 30, "sound", 120)
        _, _, body = self.ask("POST", "/video/login", {"password": "correct horse"})
        login = json.loads(body)
        self.address = f"rtsp://{login['user']}:{login['password']}@127.0.0.1:{self.streams}/mainstream"

    def start(self, name, *words, **more):
        log = open(self.folder / f"{name}.log", "w")
        process = subprocess.Popen([str(w) for w in words], stdout=log, stderr=log, stdin=subprocess.DEVNULL, **more)
        self.addCleanup(lambda: (process.kill(), process.wait(), log.close()))
        return process

    def said(self, name):
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def test_picture_and_sound_of_every_player_go_on_and_stay_in_step(self):
        films = {way: self.start(way, "ffmpeg", "-v", "error", "-nostdin", "-rtsp_transport", way, "-i", self.address,
                                 "-map", "0", "-c", "copy", "-t", self.SECONDS, self.folder / f"{way}.mkv")
                 for way in ("tcp", "udp")}
        mpv = self.start("mpv", "mpv", "--no-config", "--vo=null", "--ao=null", "--msg-level=all=warn",
                         "--rtsp-transport=tcp", f"--input-ipc-server={self.folder}/mpv", self.address)
        tracks = [("rtph264depay", "h264parse", "avdec_h264"), ("rtppcmadepay", "alawdec")]
        line = " ".join(f"s. ! queue ! {' ! '.join(track)} ! fakesink sync=true" for track in tracks)
        gst = self.start("gst", "gst-launch-1.0", "rtspsrc", f"location={self.address}", "protocols=tcp", "name=s",
                         *line.split())
        home = self.folder / "vlc"
        home.mkdir(mode=0o777)
        home.chmod(0o777)
        self.folder.chmod(0o755)
        nobody = ["setpriv", "--reuid", pwd.getpwnam("nobody").pw_uid, "--regid", "65534", "--clear-groups"]
        player = self.start("vlc", *(nobody if os.getuid() == 0 else []), "cvlc", "-I", "dummy", "--vout", "dummy",
                            "--aout", "adummy", "--rtsp-tcp", self.address,
                            env={**os.environ, "HOME": str(home), "VLC_PLUGIN_PATH": str(vlc())})
        wait_for(lambda: len(self.server()["viewers"]) == 5, "all players", 60)
        # What they say of their own surroundings at their start is left out.
        time.sleep(5)
        begun = {name: len(self.said(name)) for name in ("gst", "vlc")}
        end, apart = time.monotonic() + self.SECONDS, []
        while time.monotonic() < end:
            time.sleep(1)
            apart.append(self.of_mpv("avsync"))
            self.assertEqual([one.poll() for one in (mpv, gst, player)], [None] * 3,
                             [self.said(name)[-800:] for name in ("mpv", "gst", "vlc")])
        shown = self.of_mpv("estimated-frame-number"), self.of_mpv("time-pos")
        lost = [viewer["lost"] for viewer in self.server()["viewers"]]
        for way, film in films.items():
            self.assertEqual((film.wait(60), self.said(way).strip()), (0, ""))
            status, out, err = run(["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0",
                                    self.folder / f"{way}.mkv"])
            self.assertEqual((status, err), (0, ""))
            self.assertGreater(float(out), self.SECONDS - 1)
        apart = [one for one in apart if one is not None]
        print(f"  {self.SECONDS:.0f} s: mpv's sound against its picture {1000 * min(apart):+.1f} to "
              f"{1000 * max(apart):+.1f} ms, at frame and second {shown}; lost {lost}", flush=True)
        self.assertEqual(set(lost), {0})
        self.assertLess(max(map(abs, apart)), self.DRIFT)
        self.assertGreater(shown[1], self.SECONDS - 5)
        # Its demuxer has no time for the first picture of a stream with two tracks, and says so once.
        own = ("No video PTS! Making", "Invalid video timestamp")
        said = [line for line in self.said("mpv").splitlines() if not any(word in line for word in own)]
        self.assertEqual((said, len(self.said("mpv").splitlines()) <= 2), ([], True), self.said("mpv"))
        for name, length in begun.items():
            self.assertNotRegex(self.said(name)[length:].lower(), "error|warn|late", name)

    def of_mpv(self, name):
        with socket.socket(socket.AF_UNIX) as one:
            one.settimeout(10)
            one.connect(f"{self.folder}/mpv")
            one.sendall(json.dumps({"command": ["get_property", name]}).encode() + b"\n")
            for line in one.makefile():
                found = json.loads(line)
                if "error" in found:
                    return found.get("data")
