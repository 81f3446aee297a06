"""What the tests of real clients share: a demo with its streams on, an MQTT broker and motors if
they are asked for, and environments in which the clients are installed once."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "rtsp"))

from rig import TARGET, free_port, run, wait_for  # noqa: E402
from test_page import Demo  # noqa: E402

FOLDER = TARGET / "clients"


def python(name, packages):
    """A virtual environment's interpreter with these packages, made once for each list; a file
    that names them all is installed as it is, with nothing resolved."""
    folder = FOLDER / name
    mark = folder / "ready"
    if isinstance(packages, Path):
        wanted, words = packages.read_text(), ["--no-deps", "-r", packages]
    else:
        wanted, words = "\n".join(packages), packages
    if not mark.exists() or mark.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([folder / "bin/python", "-m", "pip", "-q", "install",
                        "--disable-pip-version-check", *words], check=True)
        mark.write_text(wanted)
    return folder / "bin/python"


class Streams(Demo):
    """A demo that serves its streams and answers ONVIF."""

    LISTEN = "0.0.0.0"
    # The firmware's own services do not answer here: the motors are the original's motord.
    ENVIRONMENT = {"MI360D_SIM_SERVICES": "none"}
    # A stand-in for it: it takes commands in a file, and does not move.
    MOTORS = False

    def setUp(self):
        super().setUp()
        wait_for(lambda: self.ask("GET", "/services/rtsp-server")[0] == 200, "the hack", 120)
        self.stream_port = free_port()
        status, _, body = self.ask("PUT", "/services/rtsp-server",
                                   {"enabled": True, "settings": {"port": self.stream_port}})
        self.assertEqual(status, 200, body)
        wait_for(lambda: (self.server() or {}).get("streams")
                 and all(s["fps"] for s in self.server()["streams"]), "pictures", 120)
        _, _, body = self.ask("POST", "/video/login", {"password": "correct horse"})
        self.login = json.loads(body)["user"], json.loads(body)["password"]
        if self.MOTORS:
            self.motors()

    def server(self):
        return json.loads(self.ask("GET", "/video")[2])["server"]

    def address(self, name):
        user, password = self.login
        return f"rtsp://{user}:{password}@127.0.0.1:{self.stream_port}/{name}"

    def motors(self):
        hack = self.folder / "camera/sdcard/hacks/motor-control"
        hack.mkdir()
        (hack / "motord.sh").write_text('#!/bin/sh\n: > "$1/event"\nexec sleep 3600\n')
        (hack / "motord.sh").chmod(0o755)
        (hack / "hack.toml").write_text(
            'id = "motor-control"\nexec = ["./motord.sh", "{run.dir}"]\n')
        wait_for(lambda: self.ask("GET", "/services/motor-control")[0] == 200, "the hack")
        status, _, body = self.ask("PUT", "/services/motor-control", {"enabled": True})
        self.assertEqual(status, 200, body)
        self.event = self.folder / "camera/run/hacks/motor-control/event"
        wait_for(self.event.exists, "motord")

    def run_quietly(self, words, seconds=90):
        """A program that must end well; what it printed."""
        status, out, err = run(words, seconds)
        self.assertEqual(status, 0, f"{words}\n{out}\n{err}")
        return out + err
