"""Cards that fail, on the virtual camera: too small, read-only from the start,
made read-only by Linux, pulled out in the middle. The page goes on saying so."""

import hashlib
import json
import subprocess
import unittest
from pathlib import Path

import flash
from base import damage, sets
from test_backup import BY_HAND, DaemonTest, wait_idle, wait_set

HERE = Path(__file__).resolve().parent
PROGRAM = "/tmp/mi360d"
PASSWORD = "at the gate"


def status(camera):
    """What the page knows; logs in the first time."""
    if getattr(camera, "session", None) is None:
        camera.session = camera.log_in(PASSWORD)
    return json.loads(camera.http("/api/v1/status", headers=camera.session)[2])


def notices(camera):
    return {notice["code"]: notice["message"] for notice in status(camera)["notices"]}


def codes(camera):
    return set(notices(camera))


def fingerprint(camera):
    return hashlib.sha256(flash.read(camera.flash, "ipc009", "FACTORY")).hexdigest()[:8]


class CardTest(DaemonTest):
    def started(self, before):
        """A camera whose card went through `before`, and then its daemon, by hand."""
        camera = self.by_hand()
        camera.start()
        camera.run(f"cp /mnt/sdcard/{BY_HAND} {PROGRAM}; echo {PASSWORD} | {PROGRAM} passwd; {before}")
        camera.run(f"setsid {PROGRAM} run >/dev/null 2>/tmp/said </dev/null &")
        camera.wait_http()
        return camera

    def test_a_card_without_room_gets_the_identity_and_says_so(self):
        camera = self.camera(fat=16, mib=32)
        camera.start()
        camera.wait_http()
        camera.wait_for(lambda: status(camera)["backup"]["state"] == "failed", 120, "a refusal")
        self.assertIn("card-full", codes(camera))
        self.assertIn("no backup could be made", str(notices(camera)))
        wait_idle(camera)
        camera.kill()
        card = self.extracted(camera)
        self.assertEqual(sets(card), [])
        self.assertIn("MiB free", (card / "STATUS.txt").read_text())
        saved = card / "mi360d" / "identity" / fingerprint(camera) / "FACTORY.bin"
        self.assertEqual(saved.read_bytes(), flash.read(camera.flash, "ipc009", "FACTORY"))

    def test_a_read_only_card_is_said_and_the_identity_is_kept_in_memory(self):
        camera = self.started("mount -o remount,ro /mnt/sdcard")
        camera.wait_for(lambda: status(camera)["backup"]["state"] == "failed", 120, "a refusal")
        self.assertLessEqual({"card-read-only", "identity-not-on-card"}, codes(camera))
        self.assertIn("read-only", str(notices(camera)))
        name = f"/tmp/mi360d-identity/{fingerprint(camera)}/FACTORY.bin"
        kept = camera.run(f"sha256sum {name}").text.split()[0]
        self.assertEqual(kept[:8], fingerprint(camera))

    def test_a_card_that_linux_makes_read_only_costs_nothing(self):
        camera = self.started("true")
        wait_set(camera)
        wait_idle(camera)
        camera.run("echo u >/proc/sysrq-trigger; sleep 1")
        camera.wait_for(lambda: "card-read-only" in codes(camera), 30, "the notice")
        self.assertEqual(camera.http("/healthz")[0], 200)

    def test_a_card_pulled_out_in_the_middle_is_said_and_the_next_start_makes_a_set(self):
        camera = self.started("true")
        making = "ls /mnt/sdcard/mi360d/backups/*/ROOTFS.bin 2>/dev/null"
        camera.wait_for(lambda: camera.run(making, check=False).status == 0, 120, "a set begun")
        camera.run("echo 1e740100.sdhci >/sys/bus/platform/drivers/sdhci-aspeed/unbind", 120)
        camera.wait_for(lambda: status(camera)["backup"]["state"] == "failed", 120, "a failure")
        self.assertIn("card-missing", codes(camera))
        self.assertEqual(camera.http("/healthz")[0], 200)
        self.assertIn("there is no card", str(notices(camera)))
        camera.kill()
        self.assertEqual(sets(self.extracted(camera, "pulled")), [])

        camera.start()
        camera.run(f"cp /mnt/sdcard/{BY_HAND} {PROGRAM}; {PROGRAM} backup", 300)
        camera.kill()
        found = sets(self.extracted(camera, "again"))
        self.assertEqual(len(found), 1)
        self.assertEqual(damage(found[0]), [])

    def test_what_a_power_cut_left_hanging_costs_no_set_and_no_writing(self):
        camera = self.camera()
        begun = "mi360d/backups/0001-00000000"
        chip = camera.flash.read_bytes()
        for name, content in (("UNFINISHED", b""), ("chip.bin", chip[:3_000_000]), ("BOOT.bin", chip[:100_000])):
            camera.card.add(f"{begun}/{name}", content)
        camera.card.add("mi360d/images/upload.part", chip[:100_000])
        camera.card.add("mi360d/state/tokens.new", chip[:3000])
        hanging = [
            camera.card.hang(f"{begun}/BOOT.bin"),
            camera.card.hang("mi360d/images/upload.part"),
            # Broken in its middle, and right before its end.
            camera.card.hang(f"{begun}/chip.bin", 2000),
            camera.card.hang("mi360d/state/tokens.new", -2),
        ]
        self.assertEqual(len(camera.card.disorder()), 4, "what this is about")
        camera.start()
        wait_set(camera)
        wait_idle(camera)
        said = camera.run("dmesg | grep -c 'Filesystem has been set read-only'; grep sdcard /proc/mounts")
        print(f"[card] hanging: {hanging}; times made read-only, and now: {said.text.split()[:4]}")
        self.assertEqual(status(camera)["card"]["state"], "ready")
        camera.kill()
        found = sets(self.extracted(camera, "first"))
        self.assertEqual([folder.name[:5] for folder in found], ["0002-"])
        self.assertFalse(camera.card.exists(begun))
        # A set's first cluster would be one of these: what is written next must not be written there.
        camera.session = None
        camera.start()
        wait_idle(camera)
        camera.run("dd if=/dev/urandom of=/mnt/sdcard/more bs=1M count=40 2>/dev/null; sync")
        camera.kill()
        again = sets(self.extracted(camera, "again"))
        self.assertEqual([folder.name for folder in again], [folder.name for folder in found])
        self.assertEqual(damage(again[0]), [])
        self.assertEqual(camera.card.disorder(), [])


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
        camera.kill()
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
