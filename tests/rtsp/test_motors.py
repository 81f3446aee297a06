"""The motors asked by the page, by MQTT and by ONVIF at once. The bus is that of another `demo`
(src/vendor/pretend), with a proxy before it that records what is sent and when."""

import json
import random
import re
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from onvif_rig import Soap
from rig import BINARY, free_port, wait_for
from test_controls import SET, Proxy
from test_cost import listens
from test_page import Demo

# The pauses of docs/controls.md in seconds.
PUSH, CALIBRATES, SETTLE = 0.25, 30, 5
# By so much a busy PC delays what the proxy notes.
LATE = 0.2
TURN, CALIBRATE = "1234", "5"


class Timed(Proxy):
    """Notes when each change was asked for, and the position that was reported last."""

    def __init__(self, front, real):
        self.times, self.reported = [], None
        super().__init__(front, real)

    def _note(self, data):
        left = super()._note(data)
        self.times += [time.monotonic()] * (len(self.asked) - len(self.times))
        return left

    def _relay(self, source, sink, note):
        super()._relay(source, sink, note or self._heard)

    def _heard(self, data):
        for _, _, pan, tilt, _ in re.findall(rb"\[(\d+),(-?\d+),(\d+),(\d+),(\d+)\]", data):
            self.reported = {"pan": 101 - int(pan), "tilt": int(tilt) - 1}
        return b""

    def places(self, begin):
        """When devicekit was told to move to a place."""
        return [at for at, (command, texts) in zip(self.times, self.asked)
                if at >= begin and command == SET and texts[2:4] == ["track", "stop"]]

    def commands(self, begin, operations):
        """When motor_cmd was set to one of these operations."""
        return [at for at, (command, texts) in zip(self.times, self.asked)
                if at >= begin and command == SET and texts[2:3] == ["motor_cmd"]
                and re.split(r"\D+", texts[3].strip("[]"))[1] in operations]


class Together:
    """What both buses show: this one, and the vendor's (test_soak)."""

    # How long all three ask.
    MIXED = 12

    def log_in(self):
        """ONVIF is on, and its login is known."""
        wait_for(lambda: self.ask("GET", "/services/rtsp-server")[0] == 200, "the hack", 120)
        self.switch({"port": free_port()})
        _, _, body = self.ask("POST", "/video/login", {"password": "correct horse"})
        self.login = json.loads(body)["user"], json.loads(body)["password"]
        wait_for(lambda: self.motors()["absolute"], "the motors", 120)

    def motors(self):
        return json.loads(self.ask("GET", "/ptz")[2])

    def broker(self):
        """A broker with the camera in it; what sends it a press."""
        port, config = free_port(), self.folder / "mosquitto.conf"
        config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nuser root\n")
        broker = subprocess.Popen(["/usr/sbin/mosquitto", "-c", str(config)],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(lambda: (broker.kill(), broker.wait()))
        wait_for(lambda: listens(port), "the broker")
        status, _, body = self.ask("PUT", "/config", {"mqtt": {"broker": f"127.0.0.1:{port}"}})
        self.assertEqual(status, 200, body)
        found = subprocess.run(["mosquitto_sub", "-p", str(port), "-t", "homeassistant/button/+/left/config",
                                "-C", "1", "-W", "60"], stdout=subprocess.PIPE, timeout=90).stdout
        topic = json.loads(found)["command_topic"].rsplit("/", 1)[0]
        return lambda key: subprocess.run(["mosquitto_pub", "-p", str(port), "-t", f"{topic}/{key}",
                                           "-m", "PRESS"], check=True, timeout=60)

    def share(self):
        """When the calibration began, and all of it."""
        press, dice, wrong = self.broker(), random.Random(360), []
        profile = "<ProfileToken>main</ProfileToken>"
        counts = {"page": 0, "mqtt": 0, "onvif": 0}

        def page():
            move = {"pan": dice.choice((-100, 0, 100)), "tilt": dice.choice((-60, 60)), "ms": 700}
            place = {"pan": dice.randint(0, 100), "tilt": dice.randint(0, 100)}
            ask = dice.choice(({"move": move}, {"goto": place}, {"stop": True}))
            status = self.ask("POST", "/ptz", ask)[0]
            if status not in (200, 429):
                wrong.append((ask, status))

        def onvif():
            x, y = dice.choice(((1, 0), (-1, 0), (0, 1), (0, -1)))
            inside = dice.choice((
                f"<ContinuousMove>{profile}<Velocity><PanTilt x='{x}' y='{y}'/></Velocity></ContinuousMove>",
                f"<AbsoluteMove>{profile}<Position><PanTilt x='{x / 2}' y='{y / 2}'/></Position></AbsoluteMove>",
                f"<Stop>{profile}</Stop>"))
            status = self.soap("ptz", inside, self.token())[0]
            if status not in (200, 500):
                wrong.append((inside, status))

        begin = time.monotonic()

        def again(name, once):
            try:
                while time.monotonic() < begin + self.MIXED:
                    once()
                    counts[name] += 1
                    time.sleep(0.05)
            except Exception as error:  # noqa: BLE001: it must not be lost with its thread
                wrong.append((name, repr(error)))

        threads = [threading.Thread(target=again, args=one) for one in (
            ("page", page), ("onvif", onvif),
            ("mqtt", lambda: press(dice.choice(("left", "right", "up", "down")))))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])
        self.assertGreater(min(counts.values()), 10, counts)
        self.ask("POST", "/ptz", {"stop": True})
        pushes = self.proxy.commands(begin, TURN)
        self.assertGreater(len(pushes), self.MIXED, "they moved")
        for count in (1, 4, 12):
            for first, last in zip(pushes, pushes[count:]):
                self.assertGreater(last - first, count * PUSH - LATE, f"{count + 1} pushes")
        print(f"  {counts}: {len(pushes)} pushes, {len(self.proxy.places(begin))} places", flush=True)
        # A place: reached, and reported as the bus reported it.
        place = {"pan": 30, "tilt": 70}
        wait_for(lambda: self.ask("POST", "/ptz", {"goto": place})[0] == 200, "the pause after a push", 60)
        wait_for(lambda: not self.motors()["moving"], "its end", 60)
        at = self.motors()["position"]
        self.assertEqual(at, self.proxy.reported)
        self.assertLessEqual(max(abs(at[axis] - place[axis]) for axis in place), 2, at)
        # No place while devicekit would not take it.
        self.assertTrue(self.proxy.places(begin))
        for told in self.proxy.places(begin):
            self.assertFalse([push for push in pushes if told - SETTLE + LATE < push < told], "a place too soon")
        # A calibration has the motors to itself, and the next one has to wait, for every caller.
        wait_for(lambda: self.ask("POST", "/ptz", {"calibrate": True})[0] == 200, "the calibration", 60)
        since = time.monotonic()
        for ask in ({"calibrate": True}, {"move": {"pan": 1, "ms": 300}}, {"goto": place}):
            self.assertEqual(self.ask("POST", "/ptz", ask)[0], 429, ask)
        press("left")
        self.assertEqual(self.soap("ptz", f"<ContinuousMove>{profile}<Velocity><PanTilt x='1' y='0'/>"
                                   "</Velocity></ContinuousMove>", self.token())[0], 500)
        time.sleep(1)
        self.assertLess(time.monotonic(), since + CALIBRATES, "too slow a PC to say anything")
        self.assertEqual(self.proxy.commands(since, TURN + CALIBRATE), [])
        self.assertEqual(len(self.proxy.commands(begin, CALIBRATE)), 1)
        return since, begin


class Motors(Together, Soap):
    def setUp(self):
        # Its fake is the bus.
        port, folder = free_port(), Path(tempfile.mkdtemp(prefix="mi360d-bus-of-"))
        self.addCleanup(shutil.rmtree, folder)
        host = subprocess.Popen([str(BINARY), "demo", str(folder / "camera"), "--listen",
                                 f"127.0.0.1:{port}"], stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)
        self.addCleanup(lambda: (host.terminate(), host.wait(30)))
        bus = Path(tempfile.gettempdir(), f"mi360d-bus-{host.pid}-0")
        wait_for(lambda: (bus / "tmp/mortox.socket").exists(), "the bus", 120)
        (folder / "tmp").mkdir()
        for name in ("mnt", "run"):
            (folder / name).symlink_to(bus / name)
        self.proxy = Timed(folder / "tmp/mortox.socket", bus / "tmp/mortox.socket")
        self.ENVIRONMENT = {"MI360D_FIRMWARE": str(folder)}
        Demo.setUp(self)
        self.log_in()

    def test_all_who_ask_at_once_share_the_motors_and_keep_their_pauses(self):
        self.share()
