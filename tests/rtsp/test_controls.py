"""The controls against the vendor's own mortoxd, fetch_av and miio_devicekit, under qemu-arm: what
is set by the page's API arrives in them, and what they or the vendor's client change is shown.
Needs the firmware's files (vendor_rig.py). miio_algo does not run there (it crashes for want of its
libraries), nor do miio_record and the cloud's programs: of their keys it is shown that the vendor's
own client reads what was set, not that the filter switches."""

import json
import os
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import vendor_rig
from rig import wait_for
from test_page import Demo

GPIO = "sys/class/gpio/gpio{}/value"
# The keys that mi360d may name; none is a secret.
KEYS = {"power", "night_mode", "full_color", "wdr", "flip", "watermark", "light", "motion_region",
        "motion_record", "motor", "motor_cmd", "motor_position", "track", "led_cmd", "sound_play",
        "time_night", "dev_status", "sdcard_status"}
SET, UNSET, REGISTER, LIST = 3, 5, 6, 8


class Proxy:
    """Between mi360d and mortoxd: records all that mi360d asks."""

    def __init__(self, front, real):
        self.front, self.real, self.asked = front, real, []
        self.back()

    def back(self):
        """There is somebody at its socket, as mortoxd makes it at its start."""
        self.front.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self.front))
        listener.listen(8)
        self.socket = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def away(self):
        """Nobody is there any more, and its file stays, as after a kill of mortoxd."""
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def _accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(str(self.real))
            except OSError:
                client.close()
                continue
            for source, sink, note in ((client, server, self._note), (server, client, None)):
                threading.Thread(target=self._relay, args=(source, sink, note), daemon=True).start()

    @staticmethod
    def _relay(source, sink, note):
        known = b""
        try:
            while data := source.recv(65536):
                if note:
                    known = note(known + data)
                sink.sendall(data)
        except OSError:
            pass
        for one in (source, sink):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _note(self, data):
        """The commands in it, with their texts; what is left of the last one."""
        while len(data) >= 22 and len(data) >= 22 + struct.unpack(">I", data[18:22])[0]:
            length = struct.unpack(">I", data[18:22])[0]
            body, data = data[22:22 + length], data[22 + length:]
            command, count, at, texts = *struct.unpack(">H4xI", body[2:12]), 12, []
            for _ in range(count):
                size = struct.unpack(">H", body[at + 2:at + 4])[0]
                texts.append(body[at + 4:at + 4 + size].rstrip(b"\0").decode())
                at += 4 + size
            self.asked.append((command, texts))
        return data

    def count(self, *commands):
        return sum(command in commands for command, _ in self.asked)


class Bench(Demo):
    """A demo on the vendor's mortoxd, fetch_av and miio_devicekit."""

    PROXY = Proxy

    def setUp(self):
        self.begin_vendor()
        super().setUp()
        wait_for(lambda: self.controls() and True, "the controls")

    def begin_vendor(self):
        why = vendor_rig.missing()
        if why:
            self.fail(f"not run: {why}")
        # The settings of a camera that was never set up, and its fake lamps.
        root = vendor_rig.root()
        (root / "mnt/data/.config.nvram").unlink(missing_ok=True)
        for lamp in (76, 77):
            (root / GPIO.format(lamp)).write_text("0\n")
        self.camera = vendor_rig.Camera(main="sub.hevc")
        self.addCleanup(self.camera.stop)
        self.camera.wait()
        self.devicekit = self.camera.start_more("miio_devicekit")
        # The firmware's root, with the proxy in mortoxd's place.
        front = Path(tempfile.mkdtemp(prefix="mi360d-fw-"))
        self.addCleanup(shutil.rmtree, front)
        for name in ("mnt", "run", "sys"):
            (front / name).symlink_to(self.camera.root / name)
        (front / "tmp").mkdir()
        self.proxy = self.PROXY(front / "tmp/mortox.socket", self.camera.root / "tmp/mortox.socket")
        self.ENVIRONMENT = {"MI360D_FIRMWARE": str(front)}

    def controls(self):
        status, _, body = self.ask("GET", "/controls")
        # A program without controls, such as an older one, is no camera whose services start.
        self.assertIn(status, (200, 503), body)
        found = json.loads(body)
        return found if status == 200 and found["connected"] else None

    def control(self, name):
        return next(c for c in self.controls()["controls"] if c["id"] == name)

    def put(self, name, value):
        """Sets it, once the pause after the last change is over."""
        def once():
            status, _, body = self.ask("PUT", f"/controls/{name}", {"value": value})
            self.assertIn(status, (200, 429), body)
            return status == 200 and json.loads(body)
        return wait_for(once, f"the pause of {name}", 30)

    def mortoxc(self, *words):
        """The vendor's own client; what it prints."""
        done = subprocess.run(vendor_rig.line(self.camera.root, "mortoxc", *words), timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.stdout.decode(errors="replace")

    def file(self, path):
        return (self.camera.root / path).read_text().strip()

    def assert_no_secret(self):
        """Of all that was asked: no list, and no key that is none of ours."""
        self.assertGreater(self.proxy.count(SET, UNSET), 4)
        for command, texts in self.proxy.asked:
            self.assertIn(command, (SET, 4, UNSET, 6), texts)
            self.assertNotEqual(command, LIST)
            self.assertIn(texts[2], KEYS)
            self.assertTrue(all(len(text) < 120 for text in texts))


class Controls(Bench):
    # Set here, then what fetch_av asks its hardware for.
    EFFECTS = [("flip", True, "MI_SNR_SetOrien 0 mirror=1 flip=1"),
               ("wdr", True, "MI_ISP_IQ_SetWDR en=1"),
               ("watermark", False, "MI_RGN_SetDisplayAttr h=0 show=0"),
               ("volume", -12, "MI_AO_SetVolume 0 -12"),
               ("power", False, "MI_VENC_StopRecvPic"),
               ("power", True, "MI_VENC_StartRecvPic")]
    # Their programs do not run here: what the bus has is what the vendor's client reads.
    KEPT = [("night", "night", "night_mode", "2"), ("full-color", True, "full_color", "on"),
            ("recording", "never", "motion_record", "stop"),
            ("motion-region", [n % 4 for n in range(32)], "motion_region",
             "[0,1,2,3,0,1,2,3,0,1,2,3,0,1,2,3,0,1,2,3,0,1,2,3,0,1,2,3,0,1,2,3]")]

    def test_what_is_set_arrives_in_the_vendors_programs_and_the_other_way_round(self):
        names = {c["id"] for c in self.controls()["controls"]}
        self.assertLessEqual({"power", "night", "led", "flip", "wdr", "watermark", "full-color",
                              "motion-region", "recording"}, names)
        wait_for(lambda: any(c["id"] == "volume" for c in self.controls()["controls"]),
                 "fetch_av's answer", 90)
        for name, value, call in self.EFFECTS:
            before = self.camera.calls(call)
            self.assertEqual(self.put(name, value)["value"], value)
            wait_for(lambda: self.camera.calls(call) > before, f"{call} after {name}", 30)
        for name, value, key, text in self.KEPT:
            self.assertEqual(self.put(name, value)["value"], value)
            self.assertIn(text, self.mortoxc("get", "nvram", "default", key))
        # devicekit's light: both lamps, by the fake sysfs.
        self.put("led", True)
        wait_for(lambda: self.file(GPIO.format(76)) == "1", "the blue lamp", 30)
        self.put("led", False)
        wait_for(lambda: self.file(GPIO.format(76)) == "0" and self.file(GPIO.format(77)) == "0",
                 "the lamps to go out", 30)
        # The vendor's own client changes one: the next answer of a waiting client has it.
        self.addCleanup(lambda: print(f"    shown {took:.2f} s after the vendor's client began"))
        since, took = self.controls()["seq"], 99.0
        client = threading.Thread(target=self.mortoxc,
                                  args=("set", "nvram", "default", "watermark", "on"))
        client.start()
        began = time.monotonic()
        while self.control("watermark")["value"] is not True:
            self.assertLess(time.monotonic() - began, 30)
            since = json.loads(self.ask("GET", f"/controls?wait=5&since={since}")[2])["seq"]
        took = time.monotonic() - began
        client.join()
        # The vendor's client itself takes its time to start.
        self.assertLess(took, 1 if os.getloadavg()[0] < 2 else 5)
        # Day or night, as fetch_av answers.
        wait_for(lambda: self.control("night").get("state") == "day", "fetch_av's answer", 90)
        # Back: this bench had no value, so the key is removed again.
        status, _, body = self.ask("DELETE", "/controls")
        self.assertEqual(status, 200, body)
        self.assertIsNone(self.control("flip")["value"])
        self.assertNotIn("on", self.mortoxc("get", "nvram", "default", "flip").split())
        self.assert_no_secret()

    def test_the_motors_move_as_devicekit_counts(self):
        # devicekit calibrates at its start.
        motors = lambda: json.loads(self.ask("GET", "/ptz")[2])  # noqa: E731
        wait_for(lambda: motors()["position"] == {"pan": 50, "tilt": 50}, "the calibration", 120)

        def ask(body, wanted=200):
            status, _, answer = self.ask("POST", "/ptz", body)
            self.assertEqual(status, wanted, answer)

        ask({"move": {"pan": -100, "ms": 1000}})
        wait_for(lambda: not motors()["moving"] and motors()["position"]["pan"] < 45, "a move", 60)
        left = motors()["position"]
        self.assertEqual(left["tilt"], 50, "one axis at a time")
        ask({"goto": {"pan": 80, "tilt": 20}}, 429)
        wait_for(lambda: self.ask("POST", "/ptz", {"goto": {"pan": 80, "tilt": 20}})[0] == 200,
                 "devicekit to take a place", 60)
        wait_for(lambda: not motors()["moving"], "its arrival", 60)
        there = motors()["position"]
        self.assertLessEqual(abs(there["pan"] - 80) + abs(there["tilt"] - 20), 2, there)
        # The driver below was asked: both motors, by the fake sysfs.
        self.assertTrue(self.file("sys/devices/virtual/mstar/motor/group_period"))
        moved = [texts for command, texts in self.proxy.asked if texts[2:3] == ["motor_cmd"] and command == SET]
        self.assertEqual(len({texts[3] for texts in moved}), len(moved), "each counter is new")
        self.assert_no_secret()

    def test_an_equal_value_is_not_written(self):
        self.put("wdr", True)
        # The settings are written once; what is equal later must not make mortoxd write again.
        self.mortoxc("sync", "nvram")
        nvram = self.camera.root / "mnt/data/.config.nvram"
        written = nvram.stat().st_mtime_ns
        sets = self.proxy.count(SET)
        for _ in range(5):
            self.put("wdr", True)
        self.assertEqual(self.proxy.count(SET), sets, "an equal value was set")
        # `sync` writes only what is marked as changed.
        self.mortoxc("sync", "nvram")
        self.assertEqual(nvram.stat().st_mtime_ns, written)
        self.put("wdr", False)
        self.mortoxc("sync", "nvram")
        self.assertNotEqual(nvram.stat().st_mtime_ns, written)
