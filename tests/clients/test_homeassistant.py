"""Home Assistant itself, headless, against the demo and a real mosquitto: the newest of PyPI that
Python 3.11 takes. What it does there is in ha_driver.py."""

import json
import os
import pwd
import socket
import subprocess
import sys
import time

from base import HERE, Streams, free_port, python, wait_for

PACKAGES = HERE / "homeassistant.txt"
# Its newer releases want a newer one, and these packages are pinned for this one.
PYTHON = (3, 11)
# Warnings that are about Home Assistant's own surroundings: what is not installed, a slow PC.
OF_ITS_OWN = ("Skipping pip installation", "turbojpeg", "Setup of", "setup of")


class HomeAssistant(Streams):
    MOTORS = True

    def broker(self):
        port = free_port()
        config = self.folder / "mosquitto.conf"
        config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n"
                          f"user {pwd.getpwuid(os.getuid()).pw_name}\n")
        broker = subprocess.Popen(["/usr/sbin/mosquitto", "-c", config],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(lambda: (broker.kill(), broker.wait()))

        def listens():
            with socket.socket() as one:
                return one.connect_ex(("127.0.0.1", port)) == 0

        wait_for(listens, "mosquitto")
        return port

    def test_home_assistant_has_the_camera_as_its_owner_would(self):
        self.assertEqual(sys.version_info[:2], PYTHON, "the pinned packages are for this Python")
        began = time.monotonic()
        interpreter = python("homeassistant", PACKAGES)
        print(f"  installed in {time.monotonic() - began:.0f} s", flush=True)
        broker = self.broker()
        status, _, body = self.ask("PUT", "/config", {"mqtt": {"broker": f"127.0.0.1:{broker}"},
                                                      "camera": {"name": "porch"}})
        self.assertEqual(status, 200, body)
        folder = self.folder / "homeassistant"
        folder.mkdir()
        user, password = self.login
        film = self.folder / "film.mp4"
        told = {
            "folder": str(folder), "port": free_port(), "entities": 12,
            "broker": {"broker": "127.0.0.1", "port": broker},
            "hacks": str(self.folder / "camera/sdcard/hacks"),
            "event": str(self.event), "pressed": "pan reverse 10\0",
            "onvif": {"name": "porch", "host": "127.0.0.1", "port": self.port,
                      "username": user, "password": password},
            "generic": {"stream_source": self.address("mainstream"), "framerate": 2,
                        "verify_ssl": False, "rtsp_transport": "tcp"},
            "film": str(film),
        }
        began = time.monotonic()
        done = subprocess.run([interpreter, HERE / "ha_driver.py"], input=json.dumps(told),
                              capture_output=True, text=True, timeout=900)
        line = [line for line in done.stdout.splitlines() if line.startswith("SEEN ")]
        self.assertTrue(line, done.stderr[-4000:])
        seen = json.loads(line[0].removeprefix("SEEN "))
        print(f"  Home Assistant {seen['version']}: {time.monotonic() - began:.0f} s", flush=True)
        self.assertNotIn("failed", seen, f"{seen}\n{done.stderr[-3000:]}")

        [[name, maker, model, version, url]] = seen["mqtt"]["devices"]
        self.assertEqual((name, maker, model), ("porch", "Xiaomi", "ipc009"))
        self.assertTrue(version.startswith("mi360d ") and url.startswith("http://"), (version, url))
        entities = {name.split(".")[1].split("_", 2)[2]: found
                    for name, found in seen["mqtt"]["entities"].items()}
        for key, unit in (("card_free", "MiB"), ("memory", "KiB")):
            found = entities[key]
            self.assertGreater(float(found["state"]), 0, found)
            self.assertEqual((found["class"], found["unit"], found["statistics"]),
                             ("data_size", unit, "measurement"))
        self.assertEqual(entities["identity"]["state"], "off")
        self.assertEqual(entities["service_rtsp_server"]["state"], "on")
        self.assertTrue(entities["stream"]["state"].startswith("rtsp://"), entities["stream"])
        self.assertTrue(entities["stream"]["state"].endswith(f":{self.stream_port}/mainstream"))
        self.assertTrue(entities["attention"]["message"].startswith(
            entities["attention"]["state"].rstrip("\u2026")), entities["attention"])
        for key, found in entities.items():
            main = ("left", "right", "up", "down", "picture", "motion", "control_power")
            wanted = None if key in main else \
                "config" if key == "reboot" or key.startswith("control_") else "diagnostic"
            self.assertEqual(found["category"], wanted, key)
        self.assertTrue(seen["visitor"].startswith("binary_sensor."), seen["visitor"])
        self.assertEqual(len(seen["onvif"]["cameras"]), 2, seen["onvif"])
        self.assertEqual(seen["onvif"]["type"], "image/jpeg")
        self.assertGreater(seen["onvif"]["jpeg"], 1000, "no picture")

        out = self.run_quietly(["ffprobe", "-v", "error", "-show_entries", "packet=pts_time",
                                "-select_streams", "v", "-of", "csv=p=0", film])
        times = sorted(float(line.strip(",")) for line in out.split())
        print(f"  recorded {len(times)} pictures, {times[-1] - times[0]:.1f} s", flush=True)
        self.assertGreater(times[-1] - times[0], 8)
        self.assertLessEqual(max(b - a for a, b in zip(times[1:], times[2:])), 0.15)

        warnings = [w for w in seen["warnings"] if not any(own in w for own in OF_ITS_OWN)]
        self.assertEqual(warnings, [])
