"""The daemon's backup, end to end: booted from the card by the stock hook, its
sets read back on this PC after the power is cut."""

import hashlib
import time
import tomllib
import unittest
from functools import partial

import flash
import flsh
from base import PROGRAM, SDCARD, CameraTest, damage, sets
from parts import CHIP_SIZE, MAPS

BLOCK = 0x10000
# Only waits, so that a test may run the program by hand.
IDLE = b"#!/bin/sh\nexec sleep 100000\n"
# The same binary where the hook does not look.
BY_HAND = "by-hand/mi360d"
# Starts the daemon as Linux 3.18 would see it.
UNDER_3_18 = f"#!/bin/sh\nexec nr386 /mnt/sdcard/{BY_HAND} \"$@\"\n".encode()


def wait_set(camera, number=1, seconds=240):
    """Waits until that many sets on the card are closed by their SHA256SUMS."""
    count = "ls -d /mnt/sdcard/mi360d/backups/*/SHA256SUMS 2>/dev/null | wc -l"
    camera.wait_for(lambda: int(camera.run(count).text) >= number, seconds,
                    f"{number} closed backup sets", every=1)


def wait_idle(camera, seconds=300):
    """Waits until the daemon has used less than 0.1 s of CPU in 4 s."""
    pid = camera.wait_for(camera.pid, 60, "the daemon")

    def ticks():
        stat = camera.run(f"cat /proc/{pid}/stat").text.rsplit(")", 1)[1].split()
        return int(stat[11]) + int(stat[12])

    def rests():
        before = ticks()
        camera.run("sleep 4")
        return ticks() - before < 10

    camera.wait_for(rests, seconds, "rest of the daemon", every=0)
    return pid


def changed_blocks(manifest):
    """What a manifest says of DATA's blocks that changed between the reads."""
    parts = manifest.get("partition") or manifest.get("partitions")
    data = next(part for part in parts if part["name"] == "DATA")
    key = next(key for key in data if key.startswith("changed"))
    return data[key]


class DaemonTest(CameraTest):
    """What tests of the daemon have in common."""

    def by_hand(self, program=IDLE, **more):
        """A camera whose hook starts `program`, with the real binary beside it."""
        camera = self.camera(program=program, **more)
        camera.card.add(BY_HAND, (SDCARD / PROGRAM).read_bytes())
        return camera

    def extracted(self, camera, name="card"):
        return camera.card.extract(self.folder / name)

    def check_set(self, camera, folder, flash_map):
        """A set checks, and is what the chip holds; DATA may have moved."""
        self.assertEqual(damage(folder), [])
        chip, live = (folder / "chip.bin").read_bytes(), camera.flash.read_bytes()
        self.assertEqual(len(chip), CHIP_SIZE)
        self.assertRegex(folder.name, r"^\d{4}-[0-9a-f]{8}$")
        manifest = tomllib.loads((folder / "manifest.toml").read_text())
        named = changed_blocks(manifest)
        for name, offset, size in MAPS[flash_map]:
            part = (folder / f"{name}.bin").read_bytes()
            self.assertEqual(part, chip[offset : offset + size], name)
            if name != "DATA":
                self.assertEqual(part, live[offset : offset + size], name)
                continue
            for at in range(0, size, BLOCK):
                saved = part[at : at + BLOCK]
                later = live[offset + at : offset + at + BLOCK]
                if saved != later and not {at // BLOCK, at, offset + at} & set(named):
                    # JFFS2 goes on writing after the second reading, and clears bits in
                    # place: what the chip holds now can come from what was saved.
                    print(f"[data] JFFS2 wrote to block {at // BLOCK} after the backup")
                    self.assertTrue(
                        all(now & then == now for now, then in zip(later, saved)),
                        f"DATA block {at // BLOCK} is not what was read; the manifest names {named}")


class BackupTest(DaemonTest):
    def test_a_boot_saves_the_whole_chip_and_the_next_boot_writes_nothing_new(self):
        """The first one's daemon runs under a filter that knows no system call newer than Linux
        3.18's."""
        for flash_map, chip in (("ipc009", "mx25l12855e"), ("ipc019", "n25q128a13")):
            with self.subTest(map=flash_map, chip=chip):
                is_first = flash_map == "ipc009"
                make = partial(self.by_hand, UNDER_3_18) if is_first else self.camera
                camera = make(flash_map=flash_map, chip=chip)
                camera.start()
                wait_set(camera)
                pid = wait_idle(camera)
                memory = camera.memory(pid)
                print(f"[{flash_map} {chip}] after the backup: {memory}")
                self.assertLessEqual(memory["VmHWM"], 4096)
                if is_first:
                    self.filtered(camera, pid)
                camera.kill()
                card = self.extracted(camera, f"first-{flash_map}")
                found = sets(card)
                self.assertEqual(len(found), 1)
                self.check_set(camera, found[0], flash_map)
                factory = flash.read(camera.flash, flash_map, "FACTORY")
                name = hashlib.sha256(factory).hexdigest()[:8]
                identity = card / "mi360d" / "identity" / name
                self.assertEqual((identity / "FACTORY.bin").read_bytes(), factory)
                self.assertTrue((identity / "CONFIG.bin").exists())
                self.assertTrue((card / "STATUS.txt").exists())

                camera.start()
                camera.wait_http()
                wait_idle(camera)
                written = camera.written()
                print(f"[{flash_map} {chip}] second boot wrote {written} bytes to the card")
                self.assertLess(written, 64 * 1024)
                camera.kill()
                again = sets(self.extracted(camera, f"second-{flash_map}"))
                self.assertEqual([s.name for s in again], [s.name for s in found])

    def filtered(self, camera, pid):
        """The filter is there, and killed nothing: a page and a login later it is the same process."""
        self.assertRegex(camera.run(f"cat /proc/{pid}/status").text, r"(?m)^Seccomp:\s+2$")
        self.page_gives_nothing_away(camera)
        self.assertEqual(camera.pid(), pid, "it was killed by the filter, and started again")

    def page_gives_nothing_away(self, camera):
        status, _, body = camera.http("/healthz")
        self.assertEqual((status, body.strip()), (200, b"ok"))
        secrets = [s.encode() for s in flsh.secrets(flsh.identity()) if len(s) > 5]
        status, _, page = camera.http("/")
        self.assertEqual(status, 200)
        for secret in secrets:
            self.assertNotIn(secret, page)
        for path in ("/api/v1/status", "/api/v1/flash", "/api/v1/backups", "/api/v1/config"):
            status, _, body = camera.http(path)
            self.assertIn(status, (401, 403), path)
            for secret in secrets:
                self.assertNotIn(secret, body)
        inside = camera.run("wget -q -O - http://127.0.0.1/api/v1/status", check=False)
        self.assertNotEqual(inside.status, 0, "who is on the camera needs a login, too")
        session = camera.log_in("a p\u00e4ssword")
        for path in ("/api/v1/status", "/api/v1/flash", "/api/v1/backups", "/api/v1/config"):
            status, _, body = camera.http(path, headers=session)
            self.assertEqual(status, 200, path)
            self.assertTrue(body.startswith(b"{"), body[:80])
            for secret in secrets:
                self.assertNotIn(secret, body)


class OddIdentityTest(DaemonTest):
    def test_a_damaged_identity_is_saved_and_called_so(self):
        self.saved_and_called("bad-crc", r"(?i)damaged|crc")

    def test_a_blank_identity_is_saved_and_called_so(self):
        self.saved_and_called("blank", r"blank")

    def saved_and_called(self, state, word):
        camera = self.camera(factory=flash.factory(state))
        camera.start()
        wait_set(camera)
        camera.kill()
        found = sets(self.extracted(camera, state))
        self.assertEqual(len(found), 1)
        self.check_set(camera, found[0], "ipc009")
        self.assertRegex((found[0] / "manifest.toml").read_text(), word)


class SpeedTest(DaemonTest):
    def test_a_proven_backup_is_not_slower_than_what_a_shell_would_do(self):
        camera = self.by_hand()
        camera.start()
        drop = "sync; echo 3 >/proc/sys/vm/drop_caches"
        camera.run(f"cp /mnt/sdcard/{BY_HAND} /tmp/mi360d")

        def timed(command):
            camera.run(drop)
            began = camera.uptime()
            camera.run(command, 300)
            return camera.uptime() - began

        def shell(block):
            camera.run("rm -rf /mnt/sdcard/shell; mkdir /mnt/sdcard/shell")
            return timed(
                "for n in 0 1 2 3 4 5; do "
                f"dd if=/dev/mtd$n of=/mnt/sdcard/shell/$n {block} 2>/dev/null; done && sync && "
                f"for n in 0 1 2 3 4 5; do dd if=/dev/mtd$n {block} 2>/dev/null | sha256sum; done "
                f"&& {drop}; sha256sum /mnt/sdcard/shell/*")

        ours = timed("/tmp/mi360d backup")
        plain, large = shell(""), shell("bs=64k")
        print(f"[speed] mi360d backup {ours:.2f} s; shell, dd as it is: {plain:.2f} s, ratio "
              f"{ours / plain:.2f}; shell, dd bs=64k: {large:.2f} s, ratio {ours / large:.2f}")
        # A set holds the chip twice (partitions, and whole), the shell's copy once.
        self.assertLessEqual(ours / plain, 1)
        self.assertLessEqual(ours / large, 2)
        camera.kill()
        found = sets(self.extracted(camera))
        self.assertEqual(len(found), 1)
        self.check_set(camera, found[0], "ipc009")


class PowerCutTest(CameraTest):
    def test_no_set_that_counts_is_damaged_after_a_power_cut_at_any_moment(self):
        import cuts

        kept = cuts.Cuts(self.folder, seed=int(time.time()))
        kept.run(kills=2, whole=40)
        self.assertEqual(kept.failures, [])


if __name__ == "__main__":
    unittest.main()
