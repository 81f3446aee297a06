"""The whole flash of the running firmware, from the page of the virtual camera in a real browser:
first password, backup, upload, plan, phrase, the map filling, and the camera that comes back with
what was flashed and its WiFi. The vendor's programs run, and are ended for it."""

import subprocess
import unittest

import flash
import vendor
from base import damage, sets
from flasher import (
    NVRAM, FlashTest, ended, left_over, new_data, other_chip, part, tf_image, with_parts,
)
from parts import REPO
from test_backup import wait_idle, wait_set


class PageTest(FlashTest):
    def test_the_running_firmware_is_flashed_from_the_page_and_the_camera_comes_back_with_it(self):
        subprocess.run([REPO / "tests/page/run", "install"], check=True)
        new = with_parts(other_chip(), "ipc009", data=new_data())
        camera = self.camera()
        before = camera.flash.read_bytes()
        image = self.folder / "tf_recovery.img"
        image.write_bytes(tf_image(new))
        camera.start()
        self.assertEqual(camera.run("cat /etc/release").text, "3.4.2_0062\n")
        camera.wait_http()
        wait_set(camera)
        wait_idle(camera)
        camera.put("/mnt/data/.config.nvram", NVRAM)
        vendor.start(camera, "perpd", "miio_ota", "imi_watchdog")
        vendor.watch_memory(camera)
        code = camera.run("head -n 1 /mnt/sdcard/mi360d/setup-code.txt").text.strip()
        ran = subprocess.run(
            ["node", REPO / "target/page/vcam.mjs", f"http://127.0.0.1:{camera.port}", code, image],
            capture_output=True, text=True, timeout=1500)
        print(f"[page] {ran.stdout.strip()}")
        self.assertEqual(ran.returncode, 0, ran.stdout + ran.stderr)
        self.assertIn("phrase: FLASH KERNEL ROOTFS DATA CONFIG WITHOUT RESCUE\n", ran.stdout)
        ended(camera, 120)
        peak = vendor.peak(camera)
        print(f"[page] VmHWM {peak} KiB")
        self.assertTrue(0 < peak <= 8192, peak)
        wanted = with_parts(before, "ipc009", data=part(new, "ipc009", "DATA"), config=NVRAM,
                            kernel=part(new, "ipc009", "KERNEL"), rootfs=part(new, "ipc009", "ROOTFS"))
        self.check_chip(camera, wanted)
        self.assertEqual(flash.read(camera.flash, "ipc009", "FACTORY"), flash.factory())
        self.assertEqual(left_over(camera.card), [])
        # DATA as it was when the vendor's programs had ended is in the set of the flash.
        saved = sets(self.extracted(camera))[-1]
        self.assertEqual(damage(saved), [])
        self.assertEqual((saved / "ROOTFS.bin").read_bytes(), part(before, "ipc009", "ROOTFS"))
        self.assertIn(b"service.log", (saved / "DATA.bin").read_bytes())

        camera.start()
        self.assertEqual(camera.run("cat /etc/release").text, "9.9.9_0001\n")
        self.assertEqual(camera.run("cat /mnt/data/hello").text, "a new DATA\n")
        camera.wait_http()


if __name__ == "__main__":
    unittest.main()
