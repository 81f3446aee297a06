"""What the tests of the virtual camera have in common: a camera with a fresh
chip and a fresh card, its things kept where a test fails."""

import hashlib
import os
import shutil
import tempfile
import unittest
from pathlib import Path

import flash
from card import Card
from parts import REPO
from vcam import VirtualCamera

SDCARD = Path(os.environ.get("MI360D_SDCARD", REPO / "target" / "sdcard"))
PROGRAM = "mi360d/mi360d"
# For tests that need no backup of their camera: it would only take the processor from them.
NO_BACKUP = "[backup]\nat_start = false\n"
# Where a PC's memory is a file system: its disk's own pauses would be the card's and the chip's.
MEMORY = Path("/dev/shm")
# Bytes that the files of the cameras that run at a time may take.
ROOM = 3 << 30


def scratch_folder():
    """A new folder for a camera's chip and card, in memory where there is room."""
    in_memory = MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and (
        shutil.disk_usage(MEMORY).free >= ROOM)
    place = MEMORY if in_memory and "TMPDIR" not in os.environ else None
    return Path(tempfile.mkdtemp(prefix="vcam-test-", dir=place))


class CameraTest(unittest.TestCase):
    """Makes cameras, and takes them down when the test is over."""

    def setUp(self):
        self.folder = scratch_folder()
        self._cameras = []
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.addCleanup(self._end)

    def _end(self):
        for camera in self._cameras:
            camera.__exit__()

    def camera(self, flash_map="ipc009", chip="mx25l12855e", program=None, partitioned=True,
               fat=32, mib=256, **content):
        """A camera, off, with a new chip and the card that `cargo sdcard` made.
        `program` takes the daemon's place; `content` goes to flash.chip."""
        place = self.folder / f"camera{len(self._cameras)}"
        place.mkdir()
        erase = 0x1000 if chip == "n25q128a13" else 0x10000
        flash.chip(place / "flash.bin", flash_map, erase, **content)
        card = self.card(place / "card.img", program, partitioned, fat, mib)
        camera = VirtualCamera(place / "flash.bin", card, flash_map, chip)
        self._cameras.append(camera)
        return camera

    def card(self, path, program=None, partitioned=True, fat=32, mib=256):
        """A card as its owner makes it."""
        if not (SDCARD / PROGRAM).exists():
            self.fail(f"no {SDCARD / PROGRAM}: run cargo sdcard first")
        card = Card.make(path, fat, partitioned, mib)
        card.add_folder(SDCARD)
        if program is not None:
            card.add(PROGRAM, program)
        return card


def sets(folder):
    """The backup sets in an extracted card that count: those with a SHA256SUMS."""
    backups = Path(folder) / "mi360d" / "backups"
    if not backups.is_dir():
        return []
    return sorted(p for p in backups.iterdir() if (p / "SHA256SUMS").exists())


def damage(folder):
    """What does not check in a set: names, in words. Empty for a good one."""
    wrong, named = [], set()
    for line in (folder / "SHA256SUMS").read_text().splitlines():
        digest, name = line[:64], line[66:]
        if line[64:66] not in ("  ", " *") or "/" in name:
            wrong.append(f"no line of sha256sum: {line!r}")
            continue
        named.add(name)
        if not (folder / name).is_file():
            wrong.append(f"{name} is missing")
        elif hashlib.sha256((folder / name).read_bytes()).hexdigest() != digest:
            wrong.append(f"{name} has another hash")
    for needed in ("chip.bin", "manifest.toml", "RECOVERY.txt", "FACTORY.bin", "BOOT.bin"):
        if needed not in named:
            wrong.append(f"{needed} is not in SHA256SUMS")
    return wrong
