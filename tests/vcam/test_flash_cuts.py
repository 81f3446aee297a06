"""Power cuts in the middle of a flash, on the virtual camera: whatever the
moment, the flash comes to its end, by the daemon, by the boot loader, or by
what the set's RECOVERY.txt says."""

import re
import time
import unittest

import recovery
from base import CameraTest, damage, sets
from flash_cuts import BINARY, CONFIG, FlashCuts, open_job
from flasher import (
    begin, ended, flash_command, other_chip, part, phrase, with_parts,
)


class TwiceTest(CameraTest):
    def test_the_running_firmware_s_flash_cut_twice_comes_to_its_end(self):
        cuts = FlashCuts(self.folder, int(time.time()), again=1)
        cuts.run(kills=2, ways=("whole, signed",), twice=1)
        self.assertEqual(cuts.failures, [])


class CutTest(CameraTest):
    def test_a_flash_cut_at_any_moment_comes_to_its_end_on_either_chip(self):
        for chip, kills in (("mx25l12855e", 3), ("n25q128a13", 1)):
            with self.subTest(chip=chip):
                folder = self.folder / chip
                folder.mkdir()
                cuts = FlashCuts(folder, int(time.time()), chip=chip)
                cuts.run(kills=kills)
                self.assertEqual(cuts.failures, [])

    def test_a_camera_whose_rootfs_is_half_written_comes_back_by_its_recovery_txt(self):
        new = part(other_chip(), "ipc009", "ROOTFS")
        camera = self.camera()
        camera.card.add("mi360d/config.toml", CONFIG)
        camera.card.add("rootfs.img", new)
        before = camera.flash.read_bytes()
        camera.start()
        plan = phrase(camera, "/mnt/sdcard/rootfs.img", "ROOTFS", BINARY)
        self.assertEqual(plan["confirm"], "FLASH ROOTFS WITHOUT RESCUE")
        self.assertIn("without-rescue", [f["code"] for f in plan["warnings"]])
        begin(camera, flash_command("/mnt/sdcard/rootfs.img", plan, "ROOTFS", binary=BINARY))
        offset = 0x260000

        def half_written():
            with open(camera.flash, "rb") as chip:
                chip.seek(offset)
                first = chip.read(0x10000)
                chip.seek(offset + 0x200000)
                return first == b"\xff" * 0x10000 and chip.read(0x1000) == new[0x200000:0x201000]

        camera.wait_for(half_written, 180, "the middle of the flash", every=0.001)
        camera.kill()
        # The kernel starts, and finds no root: this is a dead camera.
        camera.start(wait=False)
        camera.wait_console(r"@@VCAM no root", 120)
        camera.kill()
        job = open_job(camera.card)
        self.assertIsNotNone(job)
        self.assertNotIn("rescue =", job)
        card = camera.card.extract(self.folder / "card")
        (saved,) = sets(card)
        self.assertEqual(re.findall(r'^before = "(.+)"$', job, re.M), [saved.name])
        self.assertEqual(damage(saved), [])
        recovery.programmer(saved, camera.flash)
        now = camera.flash.read_bytes()
        for name in ("BOOT", "KERNEL", "ROOTFS", "CONFIG", "FACTORY"):
            self.assertEqual(part(now, "ipc009", name), part(before, "ipc009", name), name)
        camera.start()
        self.assertEqual(camera.run("cat /etc/release").text, "3.4.2_0062\n")
        # It lives again; the daemon goes on with what was agreed to, and restarts it.
        ended(camera)
        now = camera.flash.read_bytes()
        wanted = with_parts(before, "ipc009", rootfs=new)
        for name in ("BOOT", "KERNEL", "ROOTFS", "CONFIG", "FACTORY"):
            self.assertEqual(part(now, "ipc009", name), part(wanted, "ipc009", name), name)
        self.assertIsNone(open_job(camera.card))
        camera.start()
        self.assertEqual(camera.run("cat /etc/release").text, "9.9.9_0001\n")


if __name__ == "__main__":
    unittest.main()
