"""The plug pulled at random moments of a backup, again and again: a set that
counts must check, always. Used by test_backup with a few cuts, and by
tests/soak for hours."""

import random
import shutil
import time

import flash
from base import SDCARD, damage, sets
from card import Card
from vcam import VirtualCamera

CLOSED = "ls -d /mnt/sdcard/mi360d/backups/*/SHA256SUMS 2>/dev/null | wc -l"


class Cuts:
    """One camera and its card, cut off while it saves."""

    def __init__(self, folder, seed, flash_map="ipc009", chip="mx25l12855e"):
        self.random = random.Random(seed)
        self.folder = folder
        self.failures = []
        self.kills = 0
        erase = 0x1000 if chip == "n25q128a13" else 0x10000
        flash.chip(folder / "flash.bin", flash_map, erase)
        self.original = (folder / "flash.bin").read_bytes()
        self.camera = VirtualCamera(folder / "flash.bin", None, flash_map, chip)
        print(f"[cuts] seed {seed}, {flash_map}, {chip}")

    def run(self, kills=None, until=None, whole=None):
        """Cuts `kills` times, or `until` that moment of time.monotonic(). A backup that nothing
        disturbs takes `whole` seconds, or is timed first."""
        with self.camera:
            self._new_card()
            if whole is None:
                whole = self._complete()
                print(f"[cuts] an undisturbed backup took {whole:.1f} s")
            self._new_card()
            while (kills is None or self.kills < kills) and (
                until is None or time.monotonic() < until
            ):
                self._cut(self.random.uniform(0, whole * 1.1))
            # What the cuts left must not be in the way of a good set.
            self._complete()
            if not self._judge("at the end"):
                self.failures.append("no set after the last boot")
            self.failures += self.camera.card.disorder()

    def _new_card(self):
        self.camera.card = Card.make(self.folder / "card.img")
        self.camera.card.add_folder(SDCARD)

    def _complete(self):
        """Boots and waits for a closed set; the seconds it took."""
        self.camera.start()
        began = time.monotonic()
        self.camera.wait_for(lambda: int(self.camera.run(CLOSED).text) > 0, 300, "a set")
        took = time.monotonic() - began
        self.camera.kill()
        return took

    def _cut(self, after):
        self.camera.start()
        time.sleep(after)
        self.camera.kill()
        self.kills += 1
        if self._judge(f"cut {self.kills} after {after:.2f} s"):
            self._new_card()

    def _judge(self, moment):
        """Checks card and chip; the number of sets that count."""
        card = self.camera.card.extract(self.folder / "extracted")
        counting = sets(card)
        for folder in counting:
            for wrong in damage(folder):
                self.failures.append(f"{moment}: {folder.name}: {wrong}")
        live = (self.folder / "flash.bin").read_bytes()
        for name in ("BOOT", "KERNEL", "ROOTFS", "CONFIG", "FACTORY"):
            now = flash.read(self.folder / "flash.bin", self.camera.flash_map, name)
            offset = live.find(now)
            if self.original[offset : offset + len(now)] != now:
                self.failures.append(f"{moment}: {name} has changed on the chip")
        left = sorted(p.name for p in (card / "mi360d" / "backups").glob("*"))
        print(f"[cuts] {moment}: {len(counting)} sets count, on the card {left}")
        shutil.rmtree(card)
        return len(counting)
