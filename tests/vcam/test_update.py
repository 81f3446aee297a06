"""Self-update on the virtual camera: a good release stays; one whose program falls over or hangs
is gone again within a minute, and nothing is lost."""

import hashlib
import io
import json
import subprocess
import time
import unittest
import zipfile

from base import PROGRAM, SDCARD, CameraTest
from vcam import CameraDied

PASSWORD = "correct horse"
FALLS = "int main(void) { return 1; }"
HANGS = "#include <unistd.h>\nint main(void) { for (;;) pause(); }"


def release(program):
    """The zip of a release: what `cargo sdcard` made, with another program."""
    files = {str(path.relative_to(SDCARD)): path.read_bytes()
             for path in sorted(SDCARD.rglob("*")) if path.is_file()}
    del files["mi360d/release.txt"]
    files.pop("mi360d/release.txt.minisig", None)
    files[PROGRAM] = program
    files["README.txt"] += b"\nof another release\n"
    lines = [f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files)]
    files["mi360d/release.txt"] = ("mi360d 9.9.9\n" + "".join(lines)).encode()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, content in files.items():
            zipped.writestr(name, content)
    return archive.getvalue()


class UpdateTest(CameraTest):
    def program(self, source):
        """A static ARM program of a C text."""
        (self.folder / "program.c").write_text(source)
        subprocess.run(["arm-linux-gnueabihf-gcc", "-static", "-o", self.folder / "program",
                        self.folder / "program.c"], check=True)
        return (self.folder / "program").read_bytes()

    def installed(self, camera, headers, program):
        """Sends a release and agrees to it."""
        def ask(path, body):
            status, _, answer = camera.http(path, "POST", body, headers, seconds=180)
            self.assertIn(status, (200, 201), answer)
            return json.loads(answer)

        image = ask("/api/v1/images", release(program))["id"]
        offer = ask("/api/v1/update", json.dumps({"image": image}).encode())
        self.assertEqual((offer["version"], offer["signed"]), ("9.9.9", None))
        self.assertRegex(offer["confirm"], "^INSTALL UNSIGNED 9.9.9 [0-9a-f]{8}$")
        wrong = json.dumps({"image": image, "confirm": "INSTALL"}).encode()
        self.assertEqual(camera.http("/api/v1/update", "POST", wrong, headers, 60)[0], 409)
        agreed = json.dumps({"image": image, "confirm": offer["confirm"]}).encode()
        self.assertTrue(ask("/api/v1/update", agreed)["installing"])

    def idle(self, camera, headers):
        """Waits until no job runs: an update waits for none."""
        def quiet():
            state = json.loads(camera.http("/api/v1/status", headers=headers, seconds=60)[2])
            busy = state["job"] and state["job"]["state"] == "running"
            return not busy and state["backup"]["state"] == "done" and state
        return camera.wait_for(quiet, 180, "an idle camera", every=1)

    def running(self, camera):
        """The hash of the program that runs."""
        pid = camera.run("pidof mi360d").text.split()[-1]
        return camera.run(f"sha256sum /proc/{pid}/exe").text.split()[0]

    def test_a_good_release_stays_and_a_broken_one_is_gone_within_a_minute(self):
        camera = self.camera()
        camera.start()
        camera.wait_http()
        headers = camera.log_in(PASSWORD)
        first = (SDCARD / PROGRAM).read_bytes()
        self.idle(camera, headers)
        saved = camera.run("ls /mnt/sdcard/mi360d/backups").text
        for name, source in (("falls", FALLS), ("hangs", HANGS)):
            pid = camera.run("pidof mi360d").text.split()[-1]
            self.installed(camera, headers, self.program(source))
            began = camera.uptime()

            def back():
                try:
                    headers.update(camera.log_in(PASSWORD))
                    return json.loads(camera.http("/api/v1/status", headers=headers)[2])
                except (OSError, AssertionError, CameraDied):
                    return None

            camera.wait_for(lambda: camera.run(f"ls /proc/{pid}", check=False).status != 0, 60,
                            "the end of the old program", every=0.2)
            state = camera.wait_for(back, 120, "the old program", every=1)
            took = camera.uptime() - began
            print(f"[update] one that {name}: the old program answers after {took:.0f} s")
            self.assertLess(took, 60)
            self.assertIn("update-failed", [n["code"] for n in state["notices"]])
            self.assertEqual(self.running(camera), hashlib.sha256(first).hexdigest())
            left = camera.run("cd /mnt/sdcard; find . -name '*.old' -o -name '*.new' -o -name trial"
                              " -o -path ./mi360d/state/update").text
            self.assertEqual(left, "")
            self.assertNotIn("another release", camera.run("cat /mnt/sdcard/README.txt").text)
            self.idle(camera, headers)
        good = first + b"\0 another build"
        self.installed(camera, headers, good)
        camera.wait_for(lambda: camera.run("ls /mnt/sdcard/mi360d/state/update",
                                           check=False).status != 0, 90, "the end of it", every=1)
        self.assertEqual(self.running(camera), hashlib.sha256(good).hexdigest())
        self.assertIn("another release", camera.run("cat /mnt/sdcard/README.txt").text)
        self.assertEqual(camera.run("ls /mnt/sdcard/mi360d/backups").text, saved)
        camera.wait_http()
        headers.update(camera.log_in(PASSWORD))
        state = json.loads(camera.http("/api/v1/status", headers=headers)[2])
        self.assertNotIn("update-failed", [n["code"] for n in state["notices"]])


if __name__ == "__main__":
    unittest.main()
