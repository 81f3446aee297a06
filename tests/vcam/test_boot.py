"""The rig itself, and what the card's hook does: both chips, both flash maps.

A stand-in plays the daemon where the hook's own behaviour is the question."""

import re
import unittest

import bootloader
import flash
from base import SDCARD, CameraTest
from parts import CHIPS, MAPS, partition
from vcam import TooLate

LOG = "cat /tmp/mi360d-hook/log"
# Refuse in factory mode as the vendor's scripts do; tell what they were started with.
VENDOR_SCRIPT = b"""#!/bin/sh
[ -f /tmp/factory_mode ] && exit 1
while read -r key value; do [ "$key" != SigIgn: ] || break; done </proc/self/status
echo "${0##*/} $1 $PERP_BASE $value" >>/tmp/vendor-starts
"""
VENDOR_FILES = {"etc/init.d/S50perp": VENDOR_SCRIPT, "etc/init.d/S60service": VENDOR_SCRIPT,
                "etc/environment.base": b"PERP_BASE=/etc/perp\n"}
# Ends as the test says, and keeps a count of its starts.
STAND_IN = b"""#!/bin/sh
echo "$*" >>/tmp/starts
echo $$ >/tmp/stand-in.pid
if [ -f /tmp/end-at-once ]; then exit 1; fi
trap 'exit 0' TERM
while :; do sleep 1; done
"""


class BootTest(CameraTest):
    def test_both_chips_boot_with_both_maps_and_not_without_a_rootfs(self):
        for chip, flash_map, partitioned in zip(CHIPS, MAPS, (True, False)):
            with self.subTest(chip=chip, map=flash_map, partitioned=partitioned):
                camera = self.camera(flash_map=flash_map, chip=chip, partitioned=partitioned,
                                     program=STAND_IN, release=f"{flash_map} 9.9")
                camera.start()
                self.assertEqual(camera.run("cat /etc/release").text, f"{flash_map} 9.9\n")
                erase = 0x1000 if chip == "n25q128a13" else 0x10000
                shown = camera.run("cat /proc/mtd").text.splitlines()[1:]
                self.assertEqual(shown, [
                    f'mtd{i}: {size:08x} {erase:08x} "{name}"'
                    for i, (name, _, size) in enumerate(MAPS[flash_map])
                ])
                mounts = camera.run("cat /proc/mounts").text
                device = "/dev/mmcblk0p1" if partitioned else "/dev/mmcblk0"
                self.assertRegex(mounts, rf"(?m)^{device} /mnt/sdcard vfat rw,")
                self.assertRegex(mounts, r"(?m)^/dev/mtdblock3 /mnt/data jffs2 rw,")
                self.assertRegex(mounts, r"(?m)^/dev/mtdblock2 / squashfs ro,")
                camera.run("echo kept >/mnt/sdcard/kept; echo kept >/mnt/data/kept; sync")
                before = camera.run("dd if=/dev/mtd5 bs=64k 2>/dev/null | sha256sum").text
                self.assertRegex(before, r"^[0-9a-f]{64}")
                self.assertGreaterEqual(camera.written(), 1024)
                camera.kill()
                self.assertEqual(camera.card.read("kept"), b"kept\n")
                self.assertEqual(flash.read(camera.flash, flash_map, "FACTORY"),
                                 flash.factory(model=flash_map))
                camera.start()
                self.assertEqual(camera.run("cat /mnt/data/kept").text, "kept\n")
                camera.kill()
        # A ROOTFS whose beginning is erased does not start.
        with open(camera.flash, "r+b") as chip:
            chip.seek(partition(flash_map, "ROOTFS")[0])
            chip.write(b"\xff" * 0x10000)
        camera.start(wait=False)
        camera.wait_console(r"@@VCAM no root", 90)

    def test_the_boot_loader_starts_no_dead_kernel_and_takes_only_a_signed_rescue(self):
        camera = self.camera(program=STAND_IN)
        whole = camera.flash.read_bytes()
        rescue = whole[0x050000:0xFE0000] + bytes(80)
        dead = bytearray(whole)
        dead[0x050000 + 4096] ^= 1
        camera.flash.write_bytes(dead)
        with self.assertRaises(bootloader.DeadKernel):
            camera.start()
        camera.card.add("tf_recovery.img", rescue)
        with self.assertRaises(bootloader.DeadKernel):
            camera.start(signed=False)
        camera.start(signed=True)
        self.assertTrue(camera.rescued)


class HookTest(CameraTest):
    def starts(self, camera):
        return camera.run("cat /tmp/starts 2>/dev/null", check=False).text.splitlines()

    def stand_in(self, camera):
        """The stand-in's pid, once it runs."""
        return camera.wait_for(
            lambda: camera.run("cat /tmp/stand-in.pid 2>/dev/null", check=False).text.strip(),
            20, "a start of the program")

    def test_the_hook_returns_at_once_and_keeps_the_program_running_on_an_ipc009(self):
        # Large enough to have no room in a memory that is nearly full.
        camera = self.camera(program=STAND_IN.ljust(64 * 1024, b"#"))
        self.returns_at_once(camera, is_open=False)
        self.starts_a_fallen_program_again_with_growing_pauses(camera)
        self.runs_from_the_card_without_room_in_memory(camera)

    def test_the_hook_returns_at_once_and_writes_nothing_to_the_card_on_an_ipc019(self):
        camera = self.camera(flash_map="ipc019", program=STAND_IN)
        camera.card.add("hacks/rtsp-server/meta/service/run", b"#!/bin/sh\n")
        self.returns_at_once(camera, is_open=True)
        camera.run("touch /tmp/end-at-once; kill -9 $(cat /tmp/stand-in.pid); sleep 12; sync")
        # What the mount itself writes (the dirty mark) is one sector or two.
        self.assertLess(camera.written(), 8192)
        self.assertEqual(camera.card.names("hacks/rtsp-server/meta/service"), ["run"])
        self.the_console_is_whole(camera)

    def returns_at_once(self, camera, is_open):
        """A start; `is_open`: a flash of ours is."""
        # The firmware's renamers have their turn after the hook, which keeps them off where
        # a flash of ours is open.
        camera.card.add("tf_recovery.img", b"a rescue image")
        if is_open:
            camera.card.add("manu_test/update.txt", b"mi360d keeps it\n")
        camera.start()
        names = camera.run("ls /mnt/sdcard").text.split()
        self.assertEqual("tf_recovery.img" in names, is_open, names)
        self.assertEqual("tf_recovery.img.bak" in names, not is_open, names)
        found = camera.wait_console(
            r"@@VCAM hook status=(\d+) from=([\d.]+) to=([\d.]+) said=(.*)\n", 1)
        status, began, ended, said = (g.decode() for g in found.groups())
        self.assertEqual((status, said), ("0", ""))
        self.assertLess(float(ended) - float(began), 2)
        self.assertNotIn("factory mode", camera.console)
        camera.wait_for(lambda: self.starts(camera), 20, "a start of the program")
        self.assertEqual(
            self.starts(camera), ["run --config /mnt/sdcard/mi360d/config.toml"])
        # In a session of its own, nothing of the caller's or the card's held open.
        pid = self.stand_in(camera)
        keeper = camera.run("cat /tmp/mi360d-hook/pid").text.strip()
        self.assertEqual(camera.run(f"cut -d' ' -f6 /proc/{keeper}/stat").text.strip(), keeper)
        for process in (pid, keeper):
            held = camera.run(f"ls -l /proc/{process}/fd /proc/{process}/cwd").text
            self.assertNotRegex(held, r"ttyS|console|pipe:|/mnt/sdcard")
        self.assertIn("/tmp/mi360d-hook/mi360d", camera.run(f"cat /proc/{pid}/cmdline").text)

    def starts_a_fallen_program_again_with_growing_pauses(self, camera):
        camera.wait_for(lambda: self.starts(camera), 20, "a start of the program")
        # A second call does nothing while the first lives.
        for _ in range(3):
            camera.run("touch /tmp/factory_mode; /mnt/sdcard/manu_test/manu.sh")
            camera.run("test ! -e /tmp/factory_mode")
        camera.run("sleep 3")
        self.assertEqual(len(self.starts(camera)), 1)
        camera.run("kill -9 $(cat /tmp/stand-in.pid)")
        camera.wait_for(lambda: len(self.starts(camera)) == 2, 20, "a second start")
        # An orderly end is none to start it again for; the hook may be called again then.
        camera.run("kill -TERM $(cat /tmp/stand-in.pid)")
        camera.wait_for(lambda: "ended cleanly" in camera.run(LOG).text,
                        20, "the keeper's end")
        camera.run("sleep 5")
        self.assertEqual(len(self.starts(camera)), 2)
        camera.run("/mnt/sdcard/manu_test/manu.sh")
        camera.wait_for(lambda: len(self.starts(camera)) == 3, 20, "a start by hand")

        camera.run("touch /tmp/end-at-once; kill -9 $(cat /tmp/stand-in.pid)")
        camera.wait_for(lambda: "again in 16 s" in camera.run(LOG).text, 90, "a pause of 16 s")
        self.assertRegex(camera.run(LOG).text,
                         r"in 2 s\n(.*\n)*.*in 2 s\n(.*\n)*.*in 4 s\n(.*\n)*.*in 8 s\n.*in 16 s")

    def runs_from_the_card_without_room_in_memory(self, camera):
        camera.run("kill -9 $(cat /tmp/mi360d-hook/pid)")
        camera.run("rm -r /tmp/mi360d-hook /tmp/st* /tmp/end-at-once; mount -o remount,size=128k /tmp; "
                   "dd if=/dev/zero of=/tmp/full bs=1k count=80; /mnt/sdcard/manu_test/manu.sh")
        pid = self.stand_in(camera)
        self.assertIn("/mnt/sdcard/mi360d/mi360d", camera.run(f"cat /proc/{pid}/cmdline").text)
        self.assertIn("running from the card", camera.run(LOG).text)

    def the_console_is_whole(self, camera):
        """And the filter refuses new system calls."""
        # busybox, like any new libc, asks for statx (397) first where there is one.
        killed = camera.run("nr386 -k stat /", check=False)
        self.assertEqual(killed.status, 128 + 31, killed.text)
        self.assertEqual(camera.run("nr386 stat / >/dev/null; nr386 echo through").text, "through\n")
        long = "x" * 10_000
        self.assertEqual(camera.run(f"echo {long}").text, long + "\n")
        self.assertEqual(camera.run("printf '@@END c9 0\\n'; exit 7", check=False).status, 7)
        noise = flash.noise(30_000, "console")
        camera.put("/tmp/noise", noise)
        self.assertEqual(camera.run("cat /tmp/noise").data, noise)
        with self.assertRaises(TooLate):
            camera.run("sleep 30", seconds=2)

    def test_without_a_supervisor_the_late_look_starts_the_vendors_scripts_once(self):
        camera = self.camera(flash_map="ipc019", program=STAND_IN, extra=VENDOR_FILES)
        hook = (SDCARD / "manu_test/manu.sh").read_bytes()
        for name, seconds in (("first_look", b"2"), ("last_look", b"1")):
            hook, found = re.subn(rf"(?m)^{name}=\d+$".encode(), name.encode() + b"=" + seconds, hook)
            self.assertEqual(found, 1)
        camera.card.add("manu_test/manu.sh", hook)
        camera.start()
        starts = lambda: camera.run("cat /tmp/vendor-starts 2>/dev/null", check=False).text.splitlines()
        logged = lambda words: camera.wait_for(lambda: words in camera.run(LOG, check=False).text, 60, words)
        # HUP, the first bit, is not ignored, as it is by the keeper; INT and QUIT are, as a shell leaves
        # them to all that it starts in the background.
        once = ["S50perp start /etc/perp 0000000000000006", "S60service start /etc/perp 0000000000000006"]

        def again(before="", after=""):
            """The hook once more, as on another start."""
            camera.run("kill -9 $(cat /tmp/mi360d-hook/pid /tmp/stand-in.pid); rm -r /tmp/mi360d-hook; "
                       f"{before} /mnt/sdcard/manu_test/manu.sh; {after}")

        logged("S60service start ended with status 0")
        self.assertEqual(starts(), once)
        camera.run("test ! -e /tmp/factory_mode")
        # The keeper's next life does not look again.
        camera.run("kill -9 $(cat /tmp/mi360d-hook/pid /tmp/stand-in.pid); /mnt/sdcard/manu_test/manu.sh; sleep 5")
        self.assertEqual(starts(), once)
        # A supervisor that runs is left alone, and so is its factory mode.
        camera.put("/tmp/perpd", b"#!/bin/sh\nwhile :; do sleep 1; done\n")
        again(before="chmod 755 /tmp/perpd; setsid /tmp/perpd </dev/null >/dev/null 2>&1 & mkdir /tmp/factory_mode;")
        camera.run("sleep 5; test -d /tmp/factory_mode; killall -9 perpd")
        self.assertEqual(starts(), once)
        # A flash ended it: it stays so.
        again(before="mkdir -p /mnt/sdcard/mi360d/state; : >/mnt/sdcard/mi360d/state/flash.toml;")
        logged("a flash is under way")
        self.assertEqual(starts(), once)
        # As on an ipc009 whose mark comes after the hook: a file, this time.
        again(before="rm -r /mnt/sdcard/mi360d/state /tmp/factory_mode;", after=": >/tmp/factory_mode")
        logged("S60service start ended with status 0")
        self.assertEqual(starts(), once + once)
        camera.run("test ! -e /tmp/factory_mode")


if __name__ == "__main__":
    assert SDCARD
    unittest.main()
