"""The chip's content: real firmware parts where they are to be had, made ones
where not, and a ROOTFS that boots the virtual camera."""

import hashlib
import os
import shutil
import struct
import tempfile
import zlib
from pathlib import Path

import flsh
from parts import CHIP_SIZE, GUEST, MAPS, REPO, build, partition, run

FAMILY = {
    "ipc009": "MVX2##I3g60b5603KL_LX318####[BR:",
    "ipc019": "MVX2##I6gd0db123KL_LX409####[BR:",
}
HOOK = {"ipc009": "manu.sh", "ipc019": "entrypoint.sh"}


def sample(name):
    """A real firmware part's path, or None where there are no samples."""
    places = [Path(os.environ["MI360D_SAMPLES"])] if "MI360D_SAMPLES" in os.environ else []
    places.append(REPO.parent / "shared" / "samples")
    for place in places:
        if (place / "ipc019" / name).exists():
            return place / "ipc019" / name
    return None


def noise(length, seed):
    """Bytes that do not compress and are the same every time."""
    return hashlib.shake_256(seed.encode()).digest(length)


def uimage(name, payload, time=1546300800):
    """A uImage, both its CRCs good."""

    def head(crc):
        return struct.pack(
            ">IIIIIIIBBBB32s", 0x27051956, crc, time, len(payload), 0x20008000, 0x20008000,
            zlib.crc32(payload), 5, 2, 2, 3, name.encode(),
        )

    return head(zlib.crc32(head(0))) + payload


def boot(flash_map):
    """BOOT: the real one of ipc019, or one with the right landmarks."""
    real = sample("BOOT.bin")
    if real and flash_map == "ipc019":
        return real.read_bytes()
    image = bytearray(noise(0x50000, "boot"))
    for at, magic in ((0, b"IPL_"), (0x10000, b"IPLC")):
        # A jump over the header, the length, and the sum of the words behind it: BOOT is judged by them.
        words = struct.unpack_from("<1024I", image, at + 16)
        struct.pack_into("<I4sII", image, at, 0xEA000002, magic, 16 + 4096, sum(words) & 0xFFFFFFFF)
    image[0x20000:0x21000] = bytes(0x1000)
    for i, (name, offset, size) in enumerate(MAPS[flash_map]):
        record = bytearray(0x88)
        record[0:8] = b"MXPT" + bytes([1, 7 if name == "FACTORY" else 3, 0, 0xFF])
        record[8:24] = struct.pack("<QQ", offset, size)
        record[0x20 : 0x20 + len(name)] = name.encode()
        record[0x7D:0x81] = b"TPXM"
        image[0x20000 + i * 0x88 : 0x20000 + (i + 1) * 0x88] = record
    # The name is what the firmware that runs this program has in its U-Boot.
    code = noise(0x18000, "uboot")
    code = code[:0x9000] + b"\0tf_recovery.img\0" + code[0x9000:]
    uboot = uimage("MVX2##I3 U-Boot", code)
    image[0x30000 : 0x30000 + len(uboot)] = uboot
    environment = b"bootdelay=0\0baudrate=115200\0\0".ljust(0xFFC, b"\0")
    image[0x4F000:0x50000] = struct.pack("<I", zlib.crc32(environment)) + environment
    return bytes(image)


def kernel(flash_map):
    """KERNEL: the real one of ipc019, or a valid uImage. QEMU starts neither."""
    real = sample("KERNEL-2019.uImage")
    if real and flash_map == "ipc019":
        return real.read_bytes()
    return uimage(FAMILY[flash_map], b"\xfd7zXZ\0" + noise(1_500_000, f"kernel {flash_map}"))


def data(erase=0x10000):
    """DATA: the real recovery file system, or a small JFFS2. A chip whose erase
    blocks are smaller needs its own."""
    real = sample("DATA-3.5.1_0052.jffs2")
    if real and erase == 0x10000:
        return real.read_bytes()
    # mkfs.jffs2 knows no blocks of 4 KiB: there all must fit into the first.
    more = {"app": noise(700_000, "app")} if erase >= 0x2000 else {}
    return jffs2({"etc/note": b"made for the virtual camera\n", **more}, erase)


def jffs2(files, erase=0x10000):
    """A JFFS2 that holds these files."""
    with tempfile.TemporaryDirectory() as folder:
        tree, out = Path(folder) / "data", Path(folder) / "out"
        for name, content in files.items():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).write_bytes(content)
        # The times stand in every node: the same files give the same bytes.
        for path in [tree, *tree.rglob("*")]:
            os.utime(path, (0, 0))
        run(["mkfs.jffs2", "-l", "-q", "-e", hex(max(erase, 0x2000)), "-r", tree, "-o", out])
        return out.read_bytes()


def settled(part, size, erase):
    """DATA as it is on a camera that has run before: JFFS2 has erased the free
    blocks and put its clean marker in each. Otherwise it does so in the
    background, while the first backup reads. The last block of the image is full, by a
    padding node: the vendor's has no clean marker in it, and the kernel of the rig, which would
    write on there, puts a summary at its end that says there is one; at the next mount it fails
    over that (BUG in jffs2_link_node_ref), and the program that mounts ends in the kernel."""

    def node(kind, length):
        head = struct.pack("<HHI", 0x1985, kind, length)
        return head + struct.pack("<I", zlib.crc32(head, 0xFFFFFFFF) ^ 0xFFFFFFFF)

    marker = node(0x2003, 12)
    image = bytearray(part.ljust(size, b"\xff"))
    end = -(-len(part) // 4) * 4
    rest = -end % erase
    if rest >= len(marker):
        image[end : end + len(marker)] = node(0x2004, rest)
    for at in range(-(-len(part) // erase) * erase, size, erase):
        image[at : at + len(marker)] = marker
    return image if part else b""


def rootfs(flash_map="ipc009", release="3.4.2_0062", extra=None):
    """A ROOTFS that boots: `release` stands in /etc/release, `extra` maps more
    paths to their bytes."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "root"
        for name in "bin sbin etc dev proc sys tmp run mnt/data mnt/sdcard root usr/bin".split():
            (tree / name).mkdir(parents=True, exist_ok=True)
        shutil.copy(build().busybox, tree / "bin" / "busybox")
        for applet in run(["qemu-arm-static", build().busybox, "--list"]).split():
            if applet not in ("busybox", "linuxrc"):
                (tree / "bin" / applet).symlink_to("busybox")
        shutil.copy(GUEST / "linuxrc", tree / "linuxrc")
        shutil.copy(GUEST / "console", tree / "sbin" / "console")
        shutil.copy(GUEST / "inittab", tree / "etc" / "inittab")
        shutil.copy(build().nr386, tree / "bin" / "nr386")
        (tree / "etc" / "release").write_text(release + "\n")
        (tree / "etc" / "hook").write_text(HOOK[flash_map] + "\n")
        (tree / "etc" / "passwd").write_text("root:x:0:0:root:/:/bin/sh\n")
        for path, content in (extra or {}).items():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_bytes(content)
            (tree / path).chmod(0o755)
        out = Path(folder) / "out"
        run(["mksquashfs", tree, out, "-comp", "xz", "-all-root", "-noappend", "-no-progress",
             "-mkfs-time", "0", "-all-time", "0"])
        return out.read_bytes()


def factory(state="healthy", model="ipc009", serial=1):
    """FACTORY: `healthy`, `blank`, or with a `bad-crc`."""
    if state == "blank":
        return b"\xff" * flsh.SIZE
    image = bytearray(flsh.build(flsh.identity(model, serial)))
    if state == "bad-crc":
        image[8] ^= 0x55
    elif state != "healthy":
        raise ValueError(state)
    return bytes(image)


def chip(path, flash_map="ipc009", erase=0x10000, release="3.4.2_0062", extra=None, **replaced):
    """Writes a whole chip to `path`. `replaced` takes the bytes of partitions by
    their names in lower case."""
    content = {
        "BOOT": lambda: boot(flash_map),
        "KERNEL": lambda: kernel(flash_map),
        "ROOTFS": lambda: rootfs(flash_map, release, extra),
        "DATA": lambda: data(erase),
        "CONFIG": lambda: flsh.build([]),
        "FACTORY": lambda: factory(model=flash_map),
    }
    image = bytearray(b"\xff" * CHIP_SIZE)
    for name, offset, size in MAPS[flash_map]:
        part = replaced[name.lower()] if name.lower() in replaced else content[name]()
        assert len(part) <= size, f"{name}: {len(part):#x} bytes do not fit {size:#x}"
        if name == "DATA":
            part = settled(part, size, erase)
        image[offset : offset + len(part)] = part
    Path(path).write_bytes(image)


def read(path, flash_map, name):
    """One partition of a chip file."""
    offset, size = partition(flash_map, name)
    with open(path, "rb") as chip_file:
        chip_file.seek(offset)
        return chip_file.read(size)
