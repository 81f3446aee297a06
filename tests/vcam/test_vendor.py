"""The vendor's own start (vendor_root.py), from power on to S99, with mi360d on the card: its
supervisor starts, the chip is saved, the page answers, and the hook does in the vendor's shell what
it does elsewhere."""

import re
import subprocess
import unittest

import vendor_root
from base import damage, sets
from test_backup import DaemonTest, wait_set

HOOK_LOG = "cat /tmp/mi360d-hook/log"


class VendorTest(DaemonTest):
    def vendor_camera(self, **more):
        place = self.folder / f"vendor{len(self._cameras)}"
        place.mkdir()
        camera = vendor_root.camera(place, **more)
        self._cameras.append(camera)
        return camera

    def test_the_vendor_starts_whole_beside_us_and_the_chip_is_saved(self):
        camera = self.vendor_camera(recorded=True)
        camera.start(900)
        said = camera.run("cat /media/vcam/said").text
        self.assertIn("md5 ok", said, "S49factory did not take the signed pair")
        self.assertEqual(camera.run("nproc").text, "1\n")
        self.supervisor_was_started_once(camera)
        self.vendor_programs_run(camera)
        camera.wait_http(seconds=240)
        status, _, page = camera.http("/", seconds=60)
        self.assertEqual((status, b"<html" in page), (200, True))
        wait_set(camera, seconds=600)
        self.hook_in_the_vendor_shell(camera)
        print(f"[vendor] {vendor_root.asked_nothing_foreign(camera)} requests to mortoxd, all ours")
        self.assertEqual(camera.run("cat /run/perp/starts").text.count("\n"), 1)
        camera.kill()
        found = sets(self.extracted(camera))
        self.assertEqual([damage(folder) for folder in found], [[]])
        self.assertEqual((found[0] / "FACTORY.bin").read_bytes(), vendor_root.factory())

    def supervisor_was_started_once(self, camera):
        """S50perp did not refuse, and neither did S60service."""
        starts = camera.run("cat /run/perp/starts", check=False).text
        self.assertRegex(starts, r"^started at [0-9.]+\n$",
                         camera.run("ls -ld /tmp/factory_mode", check=False).text)
        self.assertTrue(camera.pid("perpboot") and camera.pid("perpd"))
        self.assertIn("mortox", camera.wait_for(
            lambda: camera.run("PERP_BASE=/etc/perp perpls", check=False).text, 60, "S60service"))
        # `touch` of S49factory succeeded on the folder.
        self.assertEqual(camera.run("ls -d /tmp/factory_mode/").text, "/tmp/factory_mode/\n")

    def vendor_programs_run(self, camera):
        """Those that can: see docs/vendor-mode.md."""
        for name in ("mortoxd", "miio_sdcard", "imi_watchdog", "crond"):
            camera.wait_for(lambda name=name: camera.pid(name), 120, name)
        library = "LD_LIBRARY_PATH=/mnt/data/lib"
        camera.wait_for(lambda: camera.run(
            f"{library} mortoxc set nvram default timezone there && "
            f"{library} mortoxc get nvram default timezone", check=False).text.endswith("there\n"),
            60, "an answer of mortoxd", every=2)
        watchdog = camera.pid("imi_watchdog")
        self.assertIn("/dev/watchdog", camera.run(f"ls -l /proc/{watchdog}/fd").text)
        self.assertIn("chuangmi.camera.ipc019", camera.run(f"{library} factory get model").text)

    def hook_in_the_vendor_shell(self, camera):
        """Busybox 1.28.1 has what the hook uses, and the hook behaves in it as in another."""
        shell = "/mnt/data/bin:/bin:/sbin:/usr/bin:/usr/sbin"
        have = camera.run(f"PATH={shell} /bin/sh -c 'for w in setsid cmp cp wc mkdir sleep sync mv; do "
                          "command -v $w; done'").text.splitlines()
        self.assertEqual(len(have), 8, have)
        self.assertFalse([path for path in have if not re.match(r"/(usr/)?s?bin/|[a-z]+$", path)])
        keeper = camera.run("cat /tmp/mi360d-hook/pid").text.strip()
        self.assertIn("/bin/sh", camera.run(f"tr '\\0' ' ' </proc/{keeper}/cmdline").text)
        self.assertEqual(camera.run(f"readlink /proc/{keeper}/exe").text, "/bin/busybox\n")
        # A session of its own; nothing of rcS or of the card held open; TERM and INT as they were.
        self.assertEqual(camera.run(f"cut -d' ' -f6 /proc/{keeper}/stat").text.strip(), keeper)
        held = camera.run(f"ls -l /proc/{keeper}/fd /proc/{keeper}/cwd").text
        self.assertNotRegex(held, r"tty|console|pipe:|/mnt/sdcard|/media")
        # A second call, with descriptors closed as a script may leave them, starts no second keeper.
        pid = camera.pid()
        call = f"PATH={shell} /bin/sh /mnt/sdcard/manu_test/entrypoint.sh"
        for closed in ("", "<&-", "<&- >&- 2>&-"):
            self.assertEqual(camera.run(f"{call} {closed}", check=False).status, 0, closed)
        # One keeper; its late look has ended.
        camera.wait_for(lambda: camera.run("ps w | grep -c 'hook.sh [k]eep'").text == "1\n", 120, "one keeper")
        self.assertEqual(camera.run("cat /tmp/mi360d-hook/pid").text.strip(), keeper)
        self.assertEqual(camera.pid(), pid)
        # A program on trial that dies is started again; it answers, and the mark goes.
        camera.run(f"touch /mnt/sdcard/mi360d/trial; kill -9 {pid}")
        camera.wait_for(lambda: camera.pid() not in (None, pid), 60, "another start")
        camera.wait_for(lambda: camera.run("ls /mnt/sdcard/mi360d/trial", check=False).status, 120,
                        "the end of the trial")
        log = camera.run(HOOK_LOG).text
        self.assertRegex(log, r"ended with status 137, again in 2 s\n")
        self.assertNotIn("late look", log)


class SignatureTest(unittest.TestCase):
    """The stand-in of openssl verifies: the vendor's pair passes, one bit more and it does not."""

    def test_the_stand_in_of_openssl_takes_only_what_the_key_signed(self):
        from tempfile import TemporaryDirectory
        from pathlib import Path
        with TemporaryDirectory() as folder:
            here = Path(folder)
            program = here / "openssl"
            subprocess.run(["cc", "-O2", "-Wall", "-o", program, vendor_root.STANDINS / "openssl.c"],
                           check=True)
            made = lambda *words: subprocess.run(["openssl", *words], cwd=here, check=True,
                                                 capture_output=True)
            made("genrsa", "-out", "private.pem", "1024")
            made("rsa", "-in", "private.pem", "-pubout", "-out", "key.pem")
            (here / "text").write_bytes(b"8750f5d5f1a746258da544be2ef6f2c6  manu.bin\n")
            made("rsautl", "-sign", "-in", "text", "-inkey", "private.pem", "-out", "good")
            verify = lambda name: subprocess.run(
                [program, "rsautl", "-verify", "-in", name, "-inkey", "key.pem", "-pubin", "-out", "out"],
                cwd=here, capture_output=True).returncode
            self.assertEqual(verify("good"), 0)
            self.assertEqual((here / "out").read_bytes(), (here / "text").read_bytes())
            good = (here / "good").read_bytes()
            for at in (0, 64, 127):
                wrong = bytearray(good)
                wrong[at] ^= 1
                (here / "wrong").write_bytes(wrong)
                self.assertEqual(verify("wrong"), 1, at)


if __name__ == "__main__":
    unittest.main()
