"""The plug pulled at random moments of a flash, again and again, and each flash
brought to its end: whatever the moment, the chip is then what was wanted. Used
by test_flash_cuts with a few cuts, and by tests/soak for hours."""

import random
import re
import shutil
import struct
import time
import zlib
from collections import Counter

import bootloader
import flash
import flasher
import recovery
from base import PROGRAM, SDCARD
from card import Card
from parts import MAPS, partition
from vcam import CameraDied, TooLate, VirtualCamera

BINARY = f"/mnt/sdcard/{PROGRAM}"
# Backups are made by the flashes themselves: those of the starts would only cost time here.
CONFIG = b"[backup]\nat_start = false\n"
# How the flashes take turns. Signed: the boot loader takes the image on the card as the vendor's.
WAYS = ("whole, signed", "data", "whole, unsigned", "rootfs", "restore")
# Every how many cuts the flash is cut again while it is gone on with.
AGAIN = 3
# Power-ups until a flash has ended.
MOST = 10


class FlashCuts:
    """One camera, flashed from one firmware to the other and back, and cut off meanwhile."""

    def __init__(self, folder, seed, flash_map="ipc009", chip="mx25l12855e", again=AGAIN):
        self.again, self.twice = again, 0
        self.random = random.Random(seed)
        self.folder, self.flash_map = folder, flash_map
        self.failures, self.kills, self.rounds, self.seconds = [], 0, 0, {}
        self.back = Counter()
        self.erase = 0x1000 if chip == "n25q128a13" else 0x10000
        flash.chip(folder / "flash.bin", flash_map, self.erase)
        first = (folder / "flash.bin").read_bytes()
        data = flasher.new_data(self.erase, flash_map)
        second = flasher.with_parts(flasher.other_chip(flash_map, self.erase), flash_map, data=data)
        self.firmware = (first, second)
        self.camera = VirtualCamera(folder / "flash.bin", self._card(), flash_map, chip)
        self.seed = f"seed {seed}, {flash_map}, {chip}"

    def _card(self):
        card = Card.make(self.folder / "card.img", mib=512)
        card.add_folder(SDCARD)
        card.add("mi360d/config.toml", CONFIG)
        for number, firmware in enumerate(self.firmware):
            card.add(f"whole{number}.img", flasher.tf_image(firmware))
            for name in ("DATA", "ROOTFS"):
                content = flasher.part(firmware, self.flash_map, name)
                card.add(f"{name.lower()}{number}.img", content)
        return card

    def run(self, kills=None, until=None, ways=WAYS, twice=0):
        """Cuts `kills` times, or `until` that moment of time.monotonic(); and until so many
        flashes were cut `twice`."""
        print(f"[flash cuts] {self.seed}", flush=True)
        with self.camera:
            while (kills is None or self.kills < kills or self.twice < twice) and (
                until is None or time.monotonic() < until
            ):
                way = ways[self.rounds % len(ways)]
                self.rounds += 1
                try:
                    self._flash(way)
                except (AssertionError, CameraDied, TooLate) as wrong:
                    self.failures.append(f"{self.seed}, flash {self.rounds}, {way}: {wrong}\n"
                                         f"{self.camera.console[-2000:]}")
                    break
        print(f"[flash cuts] {self.kills} cuts in {self.rounds} flashes, {self.twice} cut twice; "
              f"how they ended: {dict(self.back)}", flush=True)

    # --- one flash ---

    def _flash(self, way):
        """One flash, cut off at a random moment after its first erase, and brought to its end."""
        camera, before = self.camera, self.camera.flash.read_bytes()
        source, only, verb, wanted = self._wanted(way, before)
        # Were an image left on the card, the boot loader would take it now.
        camera.start(signed=True)
        assert not camera.rescued, "an image was left on the card for the boot loader"
        plan = flasher.phrase(camera, source, only, BINARY)
        assert not plan["blockers"], plan["blockers"]
        flasher.begin(camera, flasher.flash_command(source, plan, only, verb, BINARY))
        seen = self._wait_for_erase()
        began = time.monotonic()
        after = self.random.uniform(0, self.seconds.get(way, 4.0) * 1.05)
        while camera.alive and time.monotonic() < began + after:
            time.sleep(0.005)
        if camera.alive:
            self._cut(before, f"{way}, {after:.2f} s after the first erase")
            self._bring_back(way, before)
        else:
            # It was faster than the cut.
            if seen:
                self.seconds[way] = time.monotonic() - began
            flasher.ended(camera)
            self.back["not cut"] += 1
        live = () if only is None or "DATA" in only else ("DATA",)
        self._judge(wanted, live)

    def _wanted(self, way, before):
        """What is flashed, and all that the chip is to hold then."""
        what = way.split(",")[0]
        if what == "restore":
            # The set that the flash before this one made.
            name = self.camera.card.names("mi360d/backups")[-1]
            wanted = self.camera.card.read(f"mi360d/backups/{name}/chip.bin")
            return name, None, "restore", wanted
        names = ["KERNEL", "ROOTFS", "DATA"] if what == "whole" else [what.upper()]
        other = 1 - self._which(before, names[-1] if what == "data" else "ROOTFS")
        parts = {name.lower(): flasher.part(self.firmware[other], self.flash_map, name)
                 for name in names}
        only = None if what == "whole" else names[0]
        source = f"/mnt/sdcard/{what}{other}.img"
        return source, only, "flash", flasher.with_parts(before, self.flash_map, **parts)

    def _which(self, chip, name):
        """Which of the two firmwares a partition comes from: DATA may have been written to."""
        mine = flasher.part(chip, self.flash_map, name)

        def alike(firmware):
            theirs = flasher.part(firmware, self.flash_map, name)
            return sum(mine[at : at + 4096] == theirs[at : at + 4096]
                       for at in range(0, len(mine), 4096))

        return int(alike(self.firmware[1]) > alike(self.firmware[0]))

    def _wait_for_erase(self, seconds=900):
        """Waits until the first block of a partition is erased: it is written last. False where
        all of the flash passed between two looks, as on a busy PC it may."""
        deadline = time.monotonic() + seconds
        firsts = [partition(self.flash_map, name)[0] for name in ("DATA", "ROOTFS", "KERNEL")]
        with open(self.camera.flash, "rb", buffering=0) as chip:
            while self.camera.alive:
                for offset in firsts:
                    chip.seek(offset)
                    if chip.read(0x1000) == b"\xff" * 0x1000:
                        return True
                if time.monotonic() > deadline:
                    raise TooLate(f"no erase in {seconds} s")
                time.sleep(0.005)
        outcome = flasher.said(self.camera)["outcome"]
        assert outcome == "done", f"{outcome} before the first erase: {flasher.heard(self.camera)}"
        return False

    # --- cut, and back ---

    def _cut(self, before, moment):
        """The plug is pulled: BOOT, CONFIG and FACTORY are what they were."""
        self.camera.kill()
        self.kills += 1
        chip = self.camera.flash.read_bytes()
        for name in ("BOOT", "CONFIG", "FACTORY"):
            then, now = (flasher.part(c, self.flash_map, name) for c in (before, chip))
            assert then == now, f"cut {self.kills}: {name} has changed"
        print(f"[flash cuts] cut {self.kills}: {moment}", flush=True)

    def _bring_back(self, way, before):
        """Power-ups until the job is closed; once in a while cut again meanwhile."""
        again = self.kills % self.again == 0
        how = []
        for _ in range(MOST):
            job = open_job(self.camera.card)
            if job is None:
                self.back[" + ".join(how) or "was over"] += 1
                if flasher.left_over(self.camera.card):
                    self._tidy_up()
                return
            if not self._power_up(way.endswith(" signed")):
                how.append(self._recover(job, before))
                continue
            if self.camera.rescued:
                how.append("boot loader")
            wait = self.random.uniform(0, 12) if again else 900
            try:
                self.camera.wait_end(wait)
            except TooLate:
                if not again:
                    raise
                again = False
                self.twice += 1
                self._cut(before, f"{way}, while it is gone on with")
                how.append("cut again")
                continue
            assert "reboot: Restarting system" in self.camera.console, "no restart by itself"
            how.append("daemon")
        raise AssertionError(f"not over after {MOST} power-ups: {how}")

    def _tidy_up(self, seconds=120):
        """The plug was pulled between the flash's end and its tidying: the next start does that."""
        self.camera.start(signed=True)
        left = "ls /mnt/sdcard/mi360d/images /mnt/sdcard/mi360d/state | grep -E '^(job-|flash.toml|carried)'"
        self.camera.wait_for(lambda: self.camera.run(left, check=False).status != 0, seconds, "a tidy card")
        self.camera.power_off()
        self.back["tidied up at the next start"] += 1

    def _power_up(self, signed):
        """Whether Linux starts."""
        try:
            self.camera.start(signed=signed, wait=False)
        except bootloader.DeadKernel:
            return False
        found = self.camera.wait_console(r"@@VCAM console|@@VCAM no root|Kernel panic", 400)
        if found[0] != b"@@VCAM console":
            self.camera.kill()
            return False
        return True

    def _recover(self, job, before):
        """Linux does not start and no boot loader helps: a PC does, by the set's RECOVERY.txt."""
        (name,) = re.findall(r'^before = "(.+)"$', job, re.M)
        card, to = self.camera.card, self.folder / "recovery"
        folder = card.extract(to, f"mi360d/backups/{name}") / name
        if self.kills % 2:
            recovery.programmer(folder, self.camera.flash)
            way = "programmer"
        else:
            recovery.console(folder, card, self.camera.flash, ("KERNEL", "ROOTFS"))
            way = "serial console"
        shutil.rmtree(to)
        chip = self.camera.flash.read_bytes()
        for name in ("BOOT", "KERNEL", "ROOTFS", "CONFIG", "FACTORY"):
            then, now = (flasher.part(c, self.flash_map, name) for c in (before, chip))
            assert then == now, f"{name} is not what it was, after RECOVERY.txt"
        return way

    def _judge(self, wanted, live):
        """The chip is what was wanted, and nothing of the flash is left on the card."""
        chip = self.camera.flash.read_bytes()
        wrong = [name for name, _, _ in MAPS[self.flash_map] if name not in live
                 and flasher.part(chip, self.flash_map, name)
                 != flasher.part(wanted, self.flash_map, name)]
        assert not wrong, f"{wrong} are not what was wanted"
        left = flasher.left_over(self.camera.card)
        assert not left, f"left on the card: {left}"


def open_job(card):
    """What an interrupted flash's journal says is to be done; None where none is open. Read
    apart from the program: the newest slot that checks and belongs to the job counts."""
    if "flash.toml" not in card.names("mi360d/state"):
        return None
    job = card.read("mi360d/state/flash.toml").decode()
    (number,) = re.findall(r'^id = "(.+)"$', job, re.M)
    slots = card.read("mi360d/state/flash.journal")
    newest = (0, None)
    for at in range(0, len(slots), 512):
        magic, sequence, owner, stage = struct.unpack_from("<8sQIB", slots, at)
        (crc,) = struct.unpack_from("<I", slots, at + 508)
        if (magic == b"MI360J01" and crc == zlib.crc32(slots[at : at + 508])
                and owner == zlib.crc32(number.encode())):
            newest = max(newest, (sequence, stage))
    return None if newest[1] == 5 else job
