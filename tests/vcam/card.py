"""A real FAT card in a file: made, filled and read back on the PC by mtools,
since not every PC's kernel can mount one."""

import os
import shutil
import struct
import subprocess
from pathlib import Path

from parts import run

MIB = 1 << 20
ENV = {**os.environ, "MTOOLS_SKIP_CHECK": "1"}
PATHS = {**ENV, "PATH": f"{os.environ['PATH']}:/sbin:/usr/sbin"}


class Card:
    """A card image. `offset` is where its file system begins."""

    def __init__(self, path, offset):
        self.path, self.offset = Path(path), offset

    @classmethod
    def make(cls, path, fat=32, partitioned=True, mib=256):
        """An empty card; QEMU wants its size to be a power of two."""
        assert mib & (mib - 1) == 0
        path = Path(path)
        path.unlink(missing_ok=True)
        with open(path, "wb") as image:
            image.truncate(mib * MIB)
            if partitioned:
                kind = 0x0C if fat == 32 else 0x0E
                start, count = 2048, mib * 2048 - 2048
                entry = struct.pack("<B3sB3sII", 0, b"\xfe\xff\xff", kind, b"\xfe\xff\xff", start, count)
                image.seek(446)
                image.write(entry.ljust(64, b"\0") + b"\x55\xaa")
        offset = MIB if partitioned else 0
        # The size is in KiB; -i gives the same volume every time.
        run(["mkfs.vfat", "-F", str(fat), "-i", "360d360d", "-n", "MI360",
             *(["--offset", "2048"] if partitioned else []), path,
             str((mib * MIB - offset) // 1024)],
            env=PATHS)
        return cls(path, offset)

    def partitioned_again(self):
        """Finds the file system of a card whose table of partitions the camera has written again."""
        with open(self.path, "rb") as image:
            image.seek(446 + 8)
            (start,) = struct.unpack("<I", image.read(4))
        self.offset = start * 512

    def _mtool(self, name, *args):
        return run([name, *args[:-1], "-i", f"{self.path}@@{self.offset}", *args[-1]], env=ENV)

    def add_folder(self, folder):
        """Copies what is in `folder` to the card's root."""
        entries = sorted(str(p) for p in Path(folder).iterdir())
        self._mtool("mcopy", "-s", "-o", "-Q", [*entries, "::/"])

    def add(self, name, content):
        """Writes one file, and the folders above it."""
        for parent in list(Path(name).parents)[-2::-1]:
            if not self.exists(str(parent)):
                self._mtool("mmd", [f"::/{parent}"])
        held = self.path.with_suffix(".add")
        held.write_bytes(content)
        self._mtool("mcopy", "-o", "-Q", [held, f"::/{name}"])
        held.unlink()

    def remove(self, name):
        """Removes a file, or a folder with all in it."""
        self._mtool("mdeltree", [f"::/{name}"])

    def exists(self, name):
        try:
            self._mtool("mdir", "-b", [f"::/{name}"])
            return True
        except RuntimeError:
            return False

    def read(self, name):
        """The bytes of one file."""
        held = self.path.with_suffix(".read")
        self._mtool("mcopy", "-n", "-o", [f"::/{name}", held])
        content = held.read_bytes()
        held.unlink()
        return content

    def names(self, name=""):
        """Names in a folder of the card, sorted."""
        if not self.exists(name):
            return []
        listed = self._mtool("mdir", "-b", [f"::/{name}"]).splitlines()
        return sorted(line.rstrip("/").rsplit("/", 1)[-1] for line in listed if line.startswith("::"))

    def clusters(self, name):
        """The clusters of a file, in their order."""
        told = self._mtool("mshowfat", [f"::/{name}"]).rsplit(" <", 1)[1].rstrip("> \n")
        runs = [[int(end) for end in run.split("-")] for run in told.split(",")]
        return [cluster for run in runs for cluster in range(run[0], run[-1] + 1)]

    def hang(self, name, after=-1):
        """What a power cut can leave: behind a file's last cluster (or the one of that number)
        the table leads to one that it calls free, the first behind the file. Returns that one."""
        clusters = self.clusters(name)
        last, free = clusters[after], clusters[-1] + 1
        with open(self.path, "r+b") as image:
            image.seek(self.offset)
            boot = image.read(48)
            sector, reserved, tables = struct.unpack_from("<H", boot, 11)[0], *struct.unpack_from("<HB", boot, 14)
            size = struct.unpack_from("<I", boot, 36)[0] * sector
            table = self.offset + reserved * sector
            image.seek(table + 4 * free)
            while image.read(4) != bytes(4):
                free += 1
            for copy in range(tables):
                image.seek(table + copy * size + 4 * last)
                image.write(struct.pack("<I", free))
        return free

    def disorder(self):
        """What a check of its file system finds that costs somebody his files."""
        found = subprocess.run(
            ["fsck.vfat", "-n", "-v", self._partition()], env=PATHS, text=True, capture_output=True).stdout
        words = ("Contains a free cluster", "share clusters", "bad cluster", "Circular", "not a directory")
        return [line for line in found.splitlines() if any(word in line for word in words)]

    def _partition(self):
        """The file system alone, as a file beside the card's."""
        alone = self.path.with_suffix(".fat")
        with open(self.path, "rb") as image, open(alone, "wb") as copy:
            image.seek(self.offset)
            shutil.copyfileobj(image, copy)
        return alone

    def extract(self, to, *names):
        """Everything on the card, or what is named, as a folder on the PC."""
        Path(to).mkdir(parents=True, exist_ok=True)
        entries = [f"::/{name}" for name in names or self.names()]
        if entries:
            self._mtool("mcopy", "-s", "-n", "-Q", [*entries, to])
        return Path(to)
