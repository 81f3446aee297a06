"""Cards that fail, on the virtual camera: too small, read-only from the start,
made read-only by Linux, pulled out in the middle. The page goes on saying so."""

import hashlib
import json
import unittest

import flash
from base import damage, sets
from test_backup import BY_HAND, DaemonTest, wait_idle, wait_set

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

    def test_what_a_power_cut_left_hanging_costs_no_set_and_no_writing_nor_does_a_card_made_read_only(self):
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
        # A card that Linux makes read-only later costs nothing but what it says.
        self.assertNotIn("card-read-only", codes(camera))
        camera.run("echo u >/proc/sysrq-trigger; sleep 1")
        camera.wait_for(lambda: "card-read-only" in codes(camera), 30, "the notice")
        self.assertEqual(camera.http("/healthz")[0], 200)
        camera.kill()
        again = sets(self.extracted(camera, "again"))
        self.assertEqual([folder.name for folder in again], [folder.name for folder in found])
        self.assertEqual(damage(again[0]), [])
        self.assertEqual(camera.card.disorder(), [])


if __name__ == "__main__":
    unittest.main()
