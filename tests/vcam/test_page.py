"""The page of the virtual camera in a real browser: first password, backup, upload, plan, phrase,
the map filling, and the camera that comes back with what was flashed."""

import subprocess
import unittest

import flash
from parts import REPO
from test_backup import DaemonTest, wait_idle, wait_set

# Where a tf image lies on the chip; behind it a trailer that nobody signed.
BODY = slice(0x050000, 0xFE0000)


class PageTest(DaemonTest):
    def test_the_camera_is_flashed_from_its_page_and_comes_back(self):
        subprocess.run([REPO / "tests/page/run", "install"], check=True)
        camera = self.camera()
        camera.start()
        camera.wait_http()
        wait_set(camera)
        wait_idle(camera)
        other = self.folder / "other.bin"
        flash.chip(other, "ipc009", release="9.9.9_0001")
        image = self.folder / "tf_recovery.img"
        image.write_bytes(other.read_bytes()[BODY] + bytes(80))
        code = camera.run("head -n 1 /mnt/sdcard/mi360d/setup-code.txt").text.strip()
        ran = subprocess.run(
            ["node", REPO / "target/page/vcam.mjs", f"http://127.0.0.1:{camera.port}", code, image],
            capture_output=True, text=True, timeout=1500)
        print(f"[page] {ran.stdout.strip()}")
        self.assertEqual(ran.returncode, 0, ran.stdout + ran.stderr)
        camera.wait_end(120)
        for name in ("KERNEL", "ROOTFS", "DATA"):
            self.assertEqual(flash.read(camera.flash, "ipc009", name),
                             flash.read(other, "ipc009", name), name)
        self.assertEqual(flash.read(camera.flash, "ipc009", "FACTORY"), flash.factory())
        camera.start()
        self.assertEqual(camera.run("cat /etc/release").text, "9.9.9_0001\n")
        camera.wait_http()


if __name__ == "__main__":
    unittest.main()
