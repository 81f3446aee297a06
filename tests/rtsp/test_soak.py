"""What takes too long for the whole run, against the vendor's own programs: by name, and in
tests/soak."""

import json
import os
import signal
import time

from rig import Server, wait_for
from test_controls import Bench
from test_motors import CALIBRATE, CALIBRATES, Timed, Together
from onvif_rig import Soap
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
