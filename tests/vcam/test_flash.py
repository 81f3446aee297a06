"""Flashing on the virtual camera: the running ROOTFS, the mounted DATA, the
vendor's programs, the watchdog, protected ranges, and the way back up."""

import re
import unittest

import flash
import oracle
import vendor
from base import PROGRAM, damage, sets
from flasher import (
    AT_REBOOT, BINARY, IMAGE, NO_REBOOT, NVRAM, FlashTest, begin, ended, flash_command, left_over,
    new_data, other_chip, part, phrase, said, tf_image, with_parts, without_restart,
)
from test_backup import wait_set

CARD_BINARY = f"/mnt/sdcard/{PROGRAM}"
TRACE = "/sys/kernel/tracing"
# MEMERASE, WDIOC_KEEPALIVE, WDIOC_SETTIMEOUT.
CALLS = {"40084d02": "erase", "80045705": "feed", "c0045706": "limit"}


class WholeTest(FlashTest):
    def test_the_running_firmware_is_replaced_and_the_camera_comes_back_with_it(self):
        new = with_parts(other_chip(), "ipc009", data=new_data())
        camera = self.camera()
        camera.card.add(IMAGE, tf_image(new))
        before = camera.flash.read_bytes()
        camera.start()
        self.assertEqual(camera.run("cat /etc/release").text, "3.4.2_0062\n")
        wait_set(camera)
        camera.put("/mnt/data/.config.nvram", NVRAM)
        vendor.start(camera, "perpd", "miio_ota", "imi_watchdog")
        # The daemon's backup of the start may hold the writer's lock still.
        busy = f"{CARD_BINARY} flash /mnt/sdcard/no-such-file 2>&1 | grep -q busy"
        camera.wait_for(lambda: camera.run(busy, check=False).status, 180, "an idle daemon")
        plan = phrase(camera, f"/mnt/sdcard/{IMAGE}", binary=CARD_BINARY)
        self.assertEqual(plan["blockers"], [])
        self.assertEqual(plan["confirm"], "FLASH KERNEL ROOTFS DATA CONFIG WITHOUT RESCUE")
        vendor.watch_memory(camera)
        begin(camera, flash_command(f"/mnt/sdcard/{IMAGE}", plan, binary=CARD_BINARY))
        ended(camera)
        answer, peak = said(camera), vendor.peak(camera)
        print(f"[flash] {answer['blocks']} blocks in {answer['seconds']:.1f} s, VmHWM {peak} KiB")
        self.assertEqual((answer["outcome"], answer["error"], answer["warnings"]),
                         ("done", None, []))
        self.assertTrue(0 < peak <= 8192, peak)
        wanted = with_parts(before, "ipc009", kernel=part(new, "ipc009", "KERNEL"),
                            rootfs=part(new, "ipc009", "ROOTFS"),
                            data=part(new, "ipc009", "DATA"), config=NVRAM)
        self.check_chip(camera, wanted)
        self.assertEqual(left_over(camera.card), [])
        # DATA as it was when the vendor's programs had ended is in the set of the flash.
        card = self.extracted(camera)
        saved = next(s for s in sets(card) if s.name == answer["before"])
        self.assertEqual(damage(saved), [])
        self.assertEqual((saved / "ROOTFS.bin").read_bytes(), part(before, "ipc009", "ROOTFS"))
        self.assertIn(b"service.log", (saved / "DATA.bin").read_bytes())

        camera.start()
        self.assertEqual(camera.run("cat /etc/release").text, "9.9.9_0001\n")
        self.assertEqual(camera.run("cat /mnt/data/hello").text, "a new DATA\n")
        camera.wait_http()


class WatchdogTest(FlashTest):
    def test_the_watchdog_is_taken_over_and_fed_between_any_two_erases(self):
        data = new_data()
        camera = self.flashing(data)
        before = camera.flash.read_bytes()
        camera.start()
        # Somebody whom the program does not know holds it: nothing is begun.
        camera.put("/tmp/somebody", vendor.FEEDER)
        camera.run("chmod 755 /tmp/somebody; setsid /tmp/somebody </dev/null >/dev/null 2>&1 &")
        camera.wait_for(lambda: camera.pid("somebody"), 30, "the holder of the watchdog")
        plan = phrase(camera, f"/mnt/sdcard/{IMAGE}", "DATA")
        self.assertEqual([f["code"] for f in plan["blockers"]], ["watchdog"])
        refused = camera.run(flash_command(f"/mnt/sdcard/{IMAGE}", plan, "DATA"), 600, check=False)
        self.assertEqual(refused.status, 3)
        for name in ("BOOT", "KERNEL", "ROOTFS", "CONFIG", "FACTORY"):
            self.assertEqual(flash.read(camera.flash, "ipc009", name), part(before, "ipc009", name))
        camera.run("test ! -e /mnt/sdcard/mi360d/state/flash.toml; kill $(pidof somebody)")
        camera.wait_for(lambda: not camera.pid("somebody"), 30, "its end")

        vendor.start(camera, "perpd", "miio_ota", "imi_watchdog")
        plan = phrase(camera, f"/mnt/sdcard/{IMAGE}", "DATA")
        self.assertEqual(plan["blockers"], [])
        wanted = " || ".join(f"cmd == 0x{number}" for number in CALLS)
        camera.run(f"mount -t tracefs tracefs {TRACE}; cd {TRACE}; echo 4096 >buffer_size_kb; "
                   f"echo '{wanted}' >events/syscalls/sys_enter_ioctl/filter; "
                   "echo 1 >events/syscalls/sys_enter_ioctl/enable")
        command = flash_command(f"/mnt/sdcard/{IMAGE}", plan, "DATA", wrap=NO_REBOOT)
        self.assertEqual(without_restart(camera, command), AT_REBOOT)
        camera.run(f"echo 0 >{TRACE}/tracing_on")
        seen = re.findall(r"(?:mi360d|feeder)-\d+ .* ([\d.]+): sys_ioctl\(fd: \w+, cmd: (\w+)",
                          camera.run(f"cat {TRACE}/trace", 120).text)
        calls = [CALLS[number] for _, number in seen]
        fed = [float(when) for when, number in seen if CALLS[number] != "erase"]
        longest = max(later - sooner for sooner, later in zip(fed, fed[1:]))
        print(f"[watchdog] {calls.count('feed')} feedings, {calls.count('erase')} erases, at most "
              f"{longest:.1f} s between two, in the order {''.join(call[0] for call in calls)}")
        self.assertEqual(calls[0], "limit")
        self.assertGreater(calls.count("erase"), 30)
        self.assertNotRegex(",".join(calls), "erase,erase")
        # Also while what will be overwritten is saved: a slow card takes longer than the dog.
        self.assertLess(longest, 20)
        self.assertEqual(camera.run("cat /tmp/feeder").text, "ended by TERM\n")
        for name in ("perpd", "miio_client", "miio_ota", "imi_watchdog", "mi360d"):
            self.assertIsNone(camera.pid(name), name)
        self.assertNotIn("/mnt/data", camera.run("cat /proc/mounts").text)
        camera.kill()
        self.assertEqual(said(camera)["outcome"], "done")
        self.check_chip(camera, with_parts(before, "ipc009", data=data))


class ProtectionTest(FlashTest):
    """The chip with blocks of 4 KiB, whose driver locks fractions at the chip's end."""

    # FACTORY and CONFIG, then DATA's end with them: 64 KiB, 128 KiB, 2 MiB.
    LOCKS = (("mtd5", 0, 0x10000), ("mtd4", 0, 0x10000), ("mtd3", 0x450000, 0x1E0000))

    def locked(self, camera):
        return [camera.run(f"{oracle.NOR} locked /dev/mtd{n}").text for n in range(6)]

    def protected(self, image):
        camera = self.flashing(image, chip="n25q128a13")
        oracle.onto(camera.card)
        camera.start()
        oracle.fetch(camera)
        for device, start, length in self.LOCKS:
            camera.run(f"{oracle.NOR} lock /dev/{device} {start:#x} {length:#x}")
        return camera

    def test_protection_is_lifted_for_the_write_and_put_back_as_it_was(self):
        new = with_parts(other_chip(erase=0x1000), "ipc009", data=new_data(0x1000))
        camera = self.protected(tf_image(new))
        before = camera.flash.read_bytes()
        locked = self.locked(camera)
        self.assertEqual([row.count("1") * 0x1000 for row in locked],
                         [0, 0, 0, 0x1E0000, 0x10000, 0x10000])
        camera.put("/mnt/data/.config.nvram", NVRAM)
        plan = phrase(camera, f"/mnt/sdcard/{IMAGE}")
        self.assertEqual(plan["blockers"], [])
        self.assertEqual([f["partition"] for f in plan["warnings"] if f["code"] == "protected"],
                         ["DATA", "CONFIG"])
        command = flash_command(f"/mnt/sdcard/{IMAGE}", plan, wrap=NO_REBOOT)
        self.assertEqual(without_restart(camera, command), AT_REBOOT)
        self.assertEqual(self.locked(camera), locked)
        camera.kill()
        answer = said(camera)
        self.assertEqual((answer["outcome"], answer["warnings"]), ("done", []))
        self.check_chip(camera, with_parts(before, "ipc009", **{
            name.lower(): part(new, "ipc009", name) for name in ("KERNEL", "ROOTFS", "DATA")
        }, config=NVRAM))

    def test_what_cannot_be_unprotected_alone_is_refused_before_the_first_erase(self):
        # CONFIG lies between protected ranges: no fraction leaves it out.
        camera = self.flashing(b"", chip="n25q128a13")
        oracle.onto(camera.card)
        camera.start()
        oracle.fetch(camera)
        camera.run(f"{BINARY} backup", 600)
        camera.run("dd if=/dev/zero of=/dev/mtd4 bs=4096 count=1")
        for device, start, length in self.LOCKS:
            camera.run(f"{oracle.NOR} lock /dev/{device} {start:#x} {length:#x}")
        locked = self.locked(camera)
        before = flash.read(camera.flash, "ipc009", "CONFIG")
        name = camera.run("ls /mnt/sdcard/mi360d/backups").text.strip()
        plan = phrase(camera, name, "CONFIG")
        self.assertEqual(plan["confirm"], "FLASH CONFIG")
        command = flash_command(name, plan, "CONFIG", verb="restore", wrap=NO_REBOOT)
        self.assertEqual(without_restart(camera, command), 3)
        self.assertEqual(self.locked(camera), locked)
        self.assertEqual(flash.read(camera.flash, "ipc009", "CONFIG"), before)
        camera.run("test ! -e /mnt/sdcard/mi360d/state/flash.toml")
        camera.kill()
        self.assertIn("protect", camera.card.read("heard.txt").decode())


if __name__ == "__main__":
    unittest.main()
