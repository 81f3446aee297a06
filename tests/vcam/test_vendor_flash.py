"""A flash beside the vendor's own userland (vendor_root.py): a WiFi name that mortoxd has not
written yet, what was ended comes back where the flash is called off, and a flash of KERNEL and
ROOTFS that is cut while the vendor's renamers have their turn.

Run by name: `tests/vcam/run.py test_vendor_flash`."""

import unittest

import vendor_root
from base import PROGRAM
from flasher import (
    BINARY, CONSOLE, IMAGE, NO_REBOOT, FlashTest, begin, flash_command, heard, left_over, new_data,
    part, phrase, said, tf_image, with_parts,
)

MAP = vendor_root.MAP
CARD_BINARY = f"/mnt/sdcard/{PROGRAM}"
CONFIG = b"[backup]\nat_start = false\n"
LIBRARY = "LD_LIBRARY_PATH=/mnt/data/lib"
NVRAM = "/mnt/data/.config.nvram"
RESCUE = "tf_update.img"
MARK = "manu_test/update.txt"


def restarted(camera, seconds=900):
    """Waits until the camera restarts by itself. The vendor's rcS keeps the kernel from saying so."""
    camera.wait_end(seconds)
    assert "Kernel panic" not in camera.console, camera.console[-3000:]


class VendorFlash(FlashTest):
    def vendor_camera(self, **more):
        place = self.folder / f"vendor{len(self._cameras)}"
        place.mkdir()
        camera = vendor_root.camera(place, **more)
        self._cameras.append(camera)
        camera.card.add("mi360d/config.toml", CONFIG)
        return camera

    def mortox(self, camera, words, seconds=120):
        """The vendor's own client, until the daemon answers it."""
        command = f"{LIBRARY} mortoxc {words}"
        camera.wait_for(lambda: camera.run(command, check=False).status == 0, seconds, words, every=2)
        return camera.run(command).text

    def written(self, camera, name):
        return camera.run(f"grep -c {name} {NVRAM}", check=False).text.strip() == "1"


class DataTest(VendorFlash):
    def test_data_is_flashed_with_a_wifi_name_that_was_not_written_yet_and_called_off_before(self):
        # A watchdog that cannot be disarmed at all: the feeder has to get it while it runs.
        camera = self.vendor_camera(mib=128)
        data = new_data(flash_map=MAP)
        camera.card.add(IMAGE, data)
        # Little room is left, so that it is soon taken.
        camera.card.add("ballast", bytes(72 << 20))
        before = camera.flash.read_bytes()
        camera.start(900)
        for name in ("mortoxd", "imi_watchdog", "network_governor.sh", "miio_sdcard"):
            camera.wait_for(lambda name=name: camera.pid(name), 120, name)
        self.mortox(camera, "set nvram default miio_ssid old-network")
        self.mortox(camera, "sync nvram")
        camera.wait_for(lambda: self.written(camera, "old-network"), 60, "the settings")

        # A card that fills up once the vendor's programs have ended: the flash is called off.
        plan = phrase(camera, f"/mnt/sdcard/{IMAGE}", "DATA", CARD_BINARY)
        self.assertEqual((plan["blockers"], plan["confirm"]), ([], "FLASH DATA CONFIG"))
        self.assertTrue(120 <= plan["away_s"] <= 600, plan["away_s"])
        camera.run("setsid /media/vcam/bin/sh -c '"
                   "export PATH=/media/vcam/bin; while pidof perpd >/dev/null; do sleep 0.1; done; "
                   "cat /tmp/mi360d-flashing >/tmp/marked; ls /mnt/sdcard/mi360d/state >/tmp/state; "
                   "dd if=/dev/zero of=/mnt/sdcard/fill bs=65536 count=192' </dev/null >/dev/null 2>&1 &")
        command = flash_command(f"/mnt/sdcard/{IMAGE}", plan, "DATA", binary=CARD_BINARY)
        off = camera.run(command, 900, check=False)
        camera.run("rm -f /mnt/sdcard/fill; sync", 120)
        text = camera.run("cat /mnt/sdcard/heard.txt").text
        self.assertNotEqual(off.status, 0, text)
        self.assertNotIn("did not start again", text)
        # What keeps the hook's late look from starting the supervisor, before there is a journal.
        self.assertRegex(camera.run("cat /tmp/marked").text, r"^\d+\n$")
        self.assertNotIn("flash.toml", camera.run("cat /tmp/state").text)
        camera.run("test ! -e /tmp/mi360d-flashing")
        camera.run("test ! -e /mnt/sdcard/mi360d/state/flash.toml")
        self.assertRegex(camera.run("cat /proc/mounts").text, r"/mnt/data jffs2 rw")
        for name in ("perpboot", "perpd", "mortoxd", "imi_watchdog", "network_governor.sh",
                     "miio_sdcard"):
            camera.wait_for(lambda name=name: camera.pid(name), 120, f"{name} again")
        watchdog = camera.pid("imi_watchdog")
        self.assertIn("/dev/watchdog", camera.run(f"ls -l /proc/{watchdog}/fd").text)
        blocked = camera.run(f"grep SigBlk /proc/{camera.pid('perpd')}/status").text
        self.assertEqual(blocked.split()[1].strip("0"), "", "a signal that nobody lifts")
        self.assertEqual(camera.run(f"cat /proc/{camera.pid('mortoxd')}/oom_score_adj").text, "0\n")
        self.assertEqual(self.mortox(camera, "get nvram default miio_ssid"), "old-network\n")

        # The name that the owner has just set, by the vendor's own client.
        plan = phrase(camera, f"/mnt/sdcard/{IMAGE}", "DATA", CARD_BINARY)
        self.mortox(camera, "set nvram default miio_ssid new-network")
        self.assertFalse(self.written(camera, "new-network"), "mortoxd writes at once: nothing is shown")
        begin(camera, flash_command(f"/mnt/sdcard/{IMAGE}", plan, "DATA", binary=CARD_BINARY))
        restarted(camera)
        answer = said(camera)
        self.assertEqual((answer["outcome"], answer["error"], answer["warnings"]), ("done", None, []))
        now = camera.flash.read_bytes()
        self.assertEqual(part(now, MAP, "DATA"), part(with_parts(before, MAP, data=data), MAP, "DATA"))
        config = part(now, MAP, "CONFIG")
        self.assertIn(b"miio_ssid=new-network\0", config, heard(camera))
        for name in ("BOOT", "KERNEL", "ROOTFS", "FACTORY"):
            self.assertEqual(part(now, MAP, name), part(before, MAP, name), name)


class CutTest(VendorFlash):
    def test_kernel_and_rootfs_cut_twice_once_behind_the_vendors_renamers_are_healed(self):
        camera = self.vendor_camera(mib=256)
        before = camera.flash.read_bytes()
        new = with_parts(before, MAP, rootfs=vendor_root.rootfs({"etc/release": b"another\n"}),
                         kernel=part(before, MAP, "KERNEL")[:-1] + b"\x5a")
        camera.card.add(IMAGE, tf_image(new))
        camera.append += " vcam.loud=1"
        camera.start(900)
        plan = phrase(camera, f"/mnt/sdcard/{IMAGE}", binary=CARD_BINARY)
        self.assertEqual(plan["blockers"], [])
        begin(camera, flash_command(f"/mnt/sdcard/{IMAGE}", plan, binary=CARD_BINARY))
        offset = 0x250000
        wanted = part(new, MAP, "ROOTFS")

        def half_written():
            with open(camera.flash, "rb") as chip:
                chip.seek(offset)
                first = chip.read(0x10000)
                chip.seek(offset + 0x100000)
                return first == b"\xff" * 0x10000 and chip.read(0x1000) == wanted[0x100000:0x101000]

        camera.wait_for(half_written, 600, "the middle of the flash", every=0.001)
        camera.kill()
        self.assertTrue(camera.card.exists(RESCUE) and camera.card.exists(MARK))
        # The boot loader heals it, by the name that its U-Boot holds; then the vendor's start has
        # its turn, S96rename_firmware in it, and the power fails right after that.
        camera.start(900, signed=True, wait=False)
        self.assertTrue(camera.rescued)
        camera.wait_console(r"update.txt exist,don't rename tf_update.img.bak", 900)
        camera.kill()
        self.assertTrue(camera.card.exists(RESCUE), "renamed: the boot loader would not find it")
        self.assertFalse(camera.card.exists(f"{RESCUE}.bak"))
        # Once more; this time it comes to its end. What the vendor's scripts say would take the
        # console from the last start's commands.
        camera.append = camera.append.replace(" vcam.loud=1", "")
        camera.start(900, signed=True, wait=False)
        restarted(camera, 1800)
        now = camera.flash.read_bytes()
        for name in ("BOOT", "KERNEL", "ROOTFS", "DATA", "FACTORY"):
            self.assertEqual(part(now, MAP, name), part(new, MAP, name), name)
        self.assertEqual(left_over(camera.card), [])
        for name in (RESCUE, f"{RESCUE}.bak", MARK):
            self.assertFalse(camera.card.exists(name), name)
        camera.start(900)
        self.assertFalse(camera.rescued)
        self.assertEqual(camera.run("cat /etc/release").text, "another\n")


class RestartTest(FlashTest):
    def test_a_restart_that_the_kernel_refuses_comes_by_the_watchdog(self):
        camera = self.flashing(new_data())
        # As the camera's: once it runs, nothing but a restart stops it.
        camera.append = "vcam.nowayout=1"
        camera.start()
        plan = phrase(camera, f"/mnt/sdcard/{IMAGE}", "DATA")
        # The restart is refused, sysrq leads nowhere: what is left is the watchdog.
        camera.run("mount --bind /dev/null /proc/sysrq-trigger")
        wrap = NO_REBOOT.replace("-r", "-p")
        begin(camera, flash_command(f"/mnt/sdcard/{IMAGE}", plan, "DATA", binary=BINARY, wrap=wrap,
                                    messages=CONSOLE))
        camera.wait_end(600)
        self.assertEqual(said(camera)["outcome"], "done")
        text = camera.console
        for words in ("the restart fails: Operation not permitted",
                      "the restart, again fails: Operation not permitted",
                      "the restart with a command fails", "the watchdog is armed"):
            self.assertIn(words, text)
        self.assertNotIn("reboot: Restarting system", camera.console)
        self.assertNotIn("the last way is a panic", text)

    def test_a_restart_without_a_watchdog_comes_by_a_panic(self):
        camera = self.flashing(new_data())
        camera.start()
        plan = phrase(camera, f"/mnt/sdcard/{IMAGE}", "DATA")
        camera.run("mount --bind /dev/null /proc/sysrq-trigger; rm -f /dev/watchdog /dev/watchdog0")
        wrap = NO_REBOOT.replace("-r", "-p")
        begin(camera, flash_command(f"/mnt/sdcard/{IMAGE}", plan, "DATA", binary=BINARY, wrap=wrap,
                                    messages=CONSOLE))
        camera.wait_end(900)
        self.assertEqual(said(camera)["outcome"], "done")
        self.assertIn("Kernel panic", camera.console)
        self.assertIn("the last way is a panic", camera.console)


if __name__ == "__main__":
    unittest.main()
