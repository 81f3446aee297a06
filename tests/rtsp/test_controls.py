"""The controls against the vendor's own mortoxd, fetch_av, miio_devicekit and miio_algo, under qemu-arm:
what is set at the page, in Chromium, arrives in them, and what they or the vendor's client change is
shown there. Needs the firmware's files (vendor_rig.py). miio_record and the cloud's programs do not
run there, and full color shows only at dusk: of these two keys it is shown that the vendor's own
client reads what was set."""

import json
import os
import shutil
import socket
import struct
import tempfile
import threading
import time
from pathlib import Path

import vendor_rig
from hand import Hand
from rig import wait_for
from test_page import Demo

GPIO = "sys/class/gpio/gpio{}/value"
# The infrared lamp's brightness.
LAMP = "sys/class/pwm/pwmchip0/pwm0/duty_cycle"
# The keys that mi360d may name; none is a secret.
KEYS = {"power", "night_mode", "full_color", "wdr", "flip", "watermark", "light", "motion_region",
        "motion_record", "motor", "motor_cmd", "motor_position", "track", "led_cmd", "sound_play",
        "time_night", "dev_status", "sdcard_status"}
SET, GET, UNSET, REGISTER, SYNC = 3, 4, 5, 6, 12


class Proxy:
    """Between mi360d and mortoxd: records all that mi360d asks."""

    def __init__(self, front, real):
        self.front, self.real, self.asked = front, real, []
        self.back()

    def assert_no_secret(self, case):
        """Of all that was asked: no list, no command that mi360d does not need, no key but its own."""
        case.assertGreater(self.count(REGISTER), 0, "nobody asked anything")
        for command, texts in self.asked:
            case.assertIn(command, (SET, GET, UNSET, REGISTER, SYNC), texts)
            if command == SYNC:
                continue
            case.assertEqual(texts[1], "default")
            case.assertIn(texts[2], KEYS)
            case.assertTrue(all(len(text) < 120 for text in texts), texts)

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
        root = vendor_rig.own_root()
        (root / "mnt/data/.config.nvram").unlink(missing_ok=True)
        (root / "tmp/motion").unlink(missing_ok=True)
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
        # Whatever the test is about.
        self.addCleanup(self.proxy.assert_no_secret, self)
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
        return self.camera.mortoxc(*words)

    def file(self, path):
        return (self.camera.root / path).read_text().strip()


class Controls(Bench):
    # Set at the page, then what fetch_av asks its hardware for.
    EFFECTS = [("flip", True, "MI_SNR_SetOrien 0 mirror=1 flip=1"),
               ("wdr", True, "MI_ISP_IQ_SetWDR en=1"),
               ("watermark", False, "MI_RGN_SetDisplayAttr h=0 show=0"),
               ("volume", -12, "MI_AO_SetVolume 0 -12"),
               ("power", False, "MI_VENC_StopRecvPic"),
               ("power", True, "MI_VENC_StartRecvPic")]
    # Nothing here acts on them: what the bus has is what the vendor's client reads.
    KEPT = [("full-color", True, "full_color", "on"), ("recording", "never", "motion_record", "stop")]
    AREAS = [n % 4 for n in range(32)]

    def events(self):
        return json.loads(self.ask("GET", "/events")[2])

    def kinds(self, *kinds):
        return [e["kind"] for e in self.events()["events"] if e["kind"] in kinds]

    def moves(self, something):
        """The pretended sensor shows a bar that moves, or nothing."""
        file = self.camera.root / "tmp/motion"
        file.touch() if something else file.unlink()

    def begin_motion(self):
        """miio_algo runs, answers, and sees nothing yet."""
        self.algo = self.camera.start_more("miio_algo")
        status, _, body = self.ask("PUT", "/config", {"camera": {"motion_seconds": 2}})
        self.assertEqual(status, 200, body)
        wait_for(lambda: self.events()["motion"] is False, "miio_algo", 60)

    def test_what_is_set_at_the_page_arrives_in_the_vendors_programs_and_the_other_way_round(self):
        self.begin_motion()
        wait_for(lambda: any(c["id"] == "volume" for c in self.controls()["controls"]),
                 "fetch_av's answer", 90)
        began = time.monotonic()
        hand = Hand(self.port, "correct horse")
        self.addCleanup(hand.end)
        names = {c["id"] for c in self.controls()["controls"]}
        for name, value, call in self.EFFECTS:
            before = self.camera.calls(call)
            hand.set(name, value)
            wait_for(lambda: self.camera.calls(call) > before, f"{call} after {name}", 30)
        for name, value, key, text in self.KEPT:
            hand.set(name, value)
            self.assertIn(text, self.mortoxc("get", "nvram", "default", key))
        self.motion_by_hand(hand)
        self.night_by_hand(hand)
        # devicekit's light: both lamps, by the fake sysfs.
        hand.set("led", True)
        wait_for(lambda: self.file(GPIO.format(76)) == "1", "the blue lamp", 60)
        hand.set("led", False)
        wait_for(lambda: self.file(GPIO.format(76)) == "0" and self.file(GPIO.format(77)) == "0",
                 "the lamps to go out", 30)
        tried = {"night", "led", "motion-sensitivity", "motion-region"}
        self.assertEqual(names, tried | {one[0] for one in self.EFFECTS + self.KEPT}, "all controls of the page")
        self.motors_by_hand(hand)
        # The vendor's own client changes one: the page shows it.
        answer = hand.begin("await", id="watermark", value=True)
        since = time.time()
        self.mortoxc("set", "nvram", "default", "watermark", "on")
        took = answer()["at"] - since
        # Back: this bench had no value, so the key is removed again.
        hand.do("press", name="Undo all changes")
        hand.do("await", id="flip", value=None)
        self.assertNotIn("on", self.mortoxc("get", "nvram", "default", "flip").split())
        self.assertEqual(hand.do("end"), {"wrong": [], "foreign": []})
        print(f"    shown {took:.2f} s after the vendor's client began; {time.monotonic() - began:.0f} s in the "
              "browser", flush=True)
        # The vendor's client itself takes its time to start.
        self.assertLess(took, 1 if os.getloadavg()[0] < 2 else 5)

    def motion_by_hand(self, hand):
        """miio_algo sees what moves where it is to look, and only there."""
        hand.set("motion-sensitivity", "off")
        self.moves(True)
        time.sleep(1)
        self.assertEqual((self.kinds("motion-begin"), self.events()["motion"]), ([], False))
        hand.set("motion-sensitivity", "high")
        wait_for(lambda: self.events()["motion"], "motion", 30)
        self.moves(False)
        wait_for(lambda: self.events()["motion"] is False, "its end", 30)
        self.assertEqual(self.kinds("motion-begin", "motion-end"), ["motion-begin", "motion-end"])
        hand.set("motion-region", self.AREAS)
        self.assertIn(str(self.AREAS).replace(" ", ""), self.mortoxc("get", "nvram", "default", "motion_region"))
        # Saved again without a change: nothing is written.
        sets = self.proxy.count(SET)
        hand.set("motion-region", self.AREAS, again=True)
        self.assertEqual(self.proxy.count(SET), sets, "an equal value was set")

    def night_by_hand(self, hand):
        """miio_algo moves the filter by a pulse, lights the lamp, and makes fetch_av's picture grey."""
        # Each end of the coil as it was driven, and then released: 1 and 0, or 0 and 0.
        for value, grey, bright, coil, words in (("night", "1", True, ["10", "00"], "night picture"),
                                                 ("day", "0", False, ["00", "10"], "day picture")):
            call = f"MI_ISP_IQ_SetColorToGray {grey}"
            before = self.camera.calls(call)
            hand.set("night", value)
            wait_for(lambda: self.camera.calls(call) > before, call, 30)
            wait_for(lambda: (self.file(LAMP)[:1] not in ("", "0")) is bright, "the infrared lamp", 30)
            wait_for(lambda: [self.file(GPIO.format(end)) for end in (78, 79)] == coil, "the filter", 30)
            hand.do("words", id="night", text=f"Now: {words}.")
        self.assertEqual(self.kinds("night", "day")[-2:], ["night", "day"])

    def motors_by_hand(self, hand):
        """As devicekit counts them. It calibrates at its start."""
        motors = lambda: json.loads(self.ask("GET", "/ptz")[2])  # noqa: E731
        wait_for(lambda: motors()["position"] == {"pan": 50, "tilt": 50}, "the calibration", 120)
        hand.do("hold", name="Left", ms=1000)
        # The picture is turned, so devicekit swaps the sides.
        wait_for(lambda: not motors()["moving"] and motors()["position"]["pan"] > 55, "a move", 60)
        self.assertEqual(motors()["position"]["tilt"], 50, "one axis at a time")
        place = {"goto": {"pan": 80, "tilt": 20}}
        status, _, answer = self.ask("POST", "/ptz", place)
        self.assertEqual(status, 429, answer)
        wait_for(lambda: self.ask("POST", "/ptz", place)[0] == 200, "devicekit to take a place", 60)
        wait_for(lambda: not motors()["moving"], "its arrival", 60)
        there = motors()["position"]
        self.assertLessEqual(abs(there["pan"] - 80) + abs(there["tilt"] - 20), 2, there)
        # The driver below was asked: both motors, by the fake sysfs.
        self.assertTrue(self.file("sys/devices/virtual/mstar/motor/group_period"))
        moved = [texts for command, texts in self.proxy.asked if texts[2:3] == ["motor_cmd"] and command == SET]
        self.assertEqual(len({texts[3] for texts in moved}), len(moved), "each counter is new")

    def test_motion_is_unknown_after_miio_algo_s_end_and_comes_back_with_it(self):
        self.begin_motion()
        begin, end = "motion-begin", "motion-end"
        for round in (1, 2):
            self.moves(True)
            wait_for(lambda: self.events()["motion"], "motion", 60)
            self.algo.kill()
            self.algo.wait()
            wait_for(lambda: self.events()["motion"] is None, "the end of miio_algo to be noticed", 30)
            # What began ends by the silence, and once.
            wait_for(lambda: self.kinds(begin, end) == [begin, end] * round, "the end of the motion", 30)
            self.moves(False)
            self.algo = self.camera.start_more("miio_algo")
            wait_for(lambda: self.events()["motion"] is False, "miio_algo again", 60)
        self.assertEqual(self.kinds(begin, end), [begin, end] * 2)

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
