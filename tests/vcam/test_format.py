"""The vendor's app formats the card, on the virtual camera: miio_sdcard's own steps while a backup, a
hack and the log are at it. tests/eject.rs tries the same with real mounts on the PC."""

import subprocess
import unittest
from pathlib import Path

import flash
from base import damage, sets
from test_backup import DaemonTest, wait_idle, wait_set
from test_card import PASSWORD, fingerprint

HERE = Path(__file__).resolve().parent
# What miio_sdcard of 3.5.1_0052 does for the app's "format card", read in its code: it sets
# sdcard_status, calls umount at once and, where that fails, nine more times half a second apart;
# then fdisk with these very words, mkfs.fat, and mount. Prints how many times umount took.
SD_FORMAT = b"""#!/bin/sh
echo 4 >/tmp/sdcard_status
tries=1
until umount /mnt/sdcard 2>/dev/null; do
    [ "$tries" -lt 10 ] || { echo 0 >/tmp/sdcard_status; echo failed; exit 1; }
    tries=$((tries + 1))
    sleep 0.5
done
printf "o\\nn\\np\\n1\\n\\n\\nt\\nc\\nw\\n" | fdisk /dev/mmcblk0 >/dev/null 2>&1
partprobe /dev/mmcblk0
mkdosfs -n MJ_CAM /dev/mmcblk0p1 >/dev/null || { echo no mkfs; exit 1; }
mount -t vfat -o umask=0022 /dev/mmcblk0p1 /mnt/sdcard || { echo no mount; exit 1; }
echo 0 >/tmp/sdcard_status
echo "umount took $tries"
"""
# A hack that runs from the card, with its folder and an open file there.
HOLDER = b'id = "holder"\nname = "Holder"\nabout = "Holds the card"\nexec = ["bin/holder"]\n'
HOLDS = b"#!/bin/sh\nexec 3>>/mnt/sdcard/held\nwhile :; do sleep 1; done\n"


class FormatTest(DaemonTest):
    """The vendor's app formats the card while everything of ours is at it."""

    def mortoxd(self, camera):
        program = self.folder / "mortox"
        subprocess.run(["arm-linux-gnueabihf-gcc", "-O2", "-static", "-Wall", "-o", program,
                        HERE / "mortox.c"], check=True)
        camera.card.add("mortox", program.read_bytes())

    def test_sd_format_succeeds_beside_us_and_everything_is_saved_again_within_two_minutes(self):
        # With the real DATA, where there are samples, also the vendor's own script is there.
        logs = {"var/log/messages": b"a line\n", "var/log/miio_client.log": b"another\n"}
        camera = self.camera("ipc019", extra=logs)
        self.mortoxd(camera)
        camera.card.add("hacks/holder/hack.toml", HOLDER)
        camera.card.add("hacks/holder/bin/holder", HOLDS)
        camera.card.add("mi360d/config.toml", b"[hacks.holder]\nenabled = true\n")
        camera.start()
        # From memory: what stands in for the vendor must not hold the card itself.
        camera.run("cp /mnt/sdcard/mortox /tmp/mortoxd; setsid /tmp/mortoxd </dev/null >/dev/null 2>&1 &")
        camera.put("/tmp/sd_format", SD_FORMAT)
        camera.run("chmod 755 /tmp/sd_format")
        camera.wait_http()
        camera.wait_for(lambda: camera.pid("holder"), 60, "the hack")
        camera.session = camera.log_in(PASSWORD)
        # In the middle of the first backup.
        making = "ls /mnt/sdcard/mi360d/backups/*/ROOTFS.bin 2>/dev/null"
        camera.wait_for(lambda: camera.run(making, check=False).status == 0, 120, "a set begun")
        before = camera.uptime()
        said = camera.run("/tmp/sd_format", 120).text.strip()
        self.assertRegex(said, r"^umount took [0-9]+$")
        wait_set(camera)
        took = camera.uptime() - before
        print(f"[card] sd_format: {said}; a closed set on the new card {took:.0f} s after it began")
        self.assertLess(took, 120)
        # The new card knows no password: its code is there, and the old session is over.
        self.assertEqual(camera.http("/api/v1/status", headers=camera.session)[0], 401)
        camera.session = camera.log_in(PASSWORD)
        wait_idle(camera)
        self.assertNotIn("held", camera.run("ls /mnt/sdcard").text.split())
        # The vendor's other programs at the card: its log copies, and the remount of fsck_check.sh.
        if camera.run("test -e /mnt/data/bin/log2tf.sh", check=False).status == 0:
            camera.run("sh /mnt/data/bin/log2tf.sh", 60, check=False)
            self.assertIn("messages", camera.run("ls /mnt/sdcard/log").text)
        camera.run("mount -o remount,rw /mnt/sdcard")
        # Nothing of ours is open on the card now, so that it can be ejected without a word.
        camera.run("umount /mnt/sdcard && mount -t vfat /dev/mmcblk0p1 /mnt/sdcard")
        camera.wait_for(lambda: "there is a card again" in
                        camera.run("cat /mnt/sdcard/mi360d/logs/mi360d.log", check=False).text,
                        30, "the log on the new card", every=1)
        wait_idle(camera)
        asked = camera.run("cat /tmp/mortox.wrong", check=False)
        self.assertNotEqual(asked.status, 0, f"mortoxd was asked for what is not ours: {asked.text}")
        camera.kill()
        camera.card.partitioned_again()
        card = self.extracted(camera, "formatted")
        found = sets(card)
        self.assertEqual([damage(one) for one in found], [[]])
        saved = card / "mi360d" / "identity" / fingerprint(camera) / "FACTORY.bin"
        self.assertEqual(saved.read_bytes(), flash.read(camera.flash, "ipc019", "FACTORY"))
        facts = (card / "mi360d" / "logs" / "facts.txt").read_text()
        self.assertIn("mortoxd: answers", facts)
        self.assertRegex(facts, "start: after 30 s")


if __name__ == "__main__":
    unittest.main()
