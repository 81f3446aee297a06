"""The boot loader's part, played before QEMU starts: QEMU brings a kernel of
its own, and would hide a dead KERNEL."""

import lzma
import re
import struct
import zlib

from parts import partition

SLICES = (0x050000, 0xFE0000)
RESCUE = ("tf_recovery.img", "tf_update.img")
UBOOT = 0x30000
LENGTHS = range(0xF80000, 0x1000001)


class DeadKernel(Exception):
    """U-Boot would stop here: KERNEL is no valid uImage."""


def power_up(flash, card, flash_map, signed):
    """Does what U-Boot does at power-up. True if it flashed a rescue image."""
    flashed = rescue(flash, card) if signed else False
    check_kernel(flash, flash_map)
    return flashed


def rescue(flash, card):
    """Writes the card's rescue image to the chip, taking its signature as good: only under a name
    that the chip's own U-Boot holds as text."""
    for name in names(flash):
        if card is None or not card.exists(name):
            continue
        image = card.read(name)
        if len(image) in LENGTHS:
            with open(flash, "r+b") as chip:
                chip.seek(SLICES[0])
                chip.write(image[: SLICES[1] - SLICES[0]])
            return True
    return False


def names(flash):
    """Of RESCUE what the U-Boot in BOOT names; nothing where it does not unpack."""
    with open(flash, "rb") as chip:
        chip.seek(UBOOT)
        head = chip.read(64)
        magic, _, _, length = struct.unpack(">IIII", head[:16])
        payload = chip.read(length) if magic == 0x27051956 else b""
    if payload.startswith(b"\xfd7zXZ\0"):
        try:
            payload = lzma.decompress(payload)
        except lzma.LZMAError:
            return []
    return [name for name in RESCUE
            if re.search(rb"(?<![\w.-])" + re.escape(name.encode()) + rb"(?![\w.-])", payload)]


def check_kernel(flash, flash_map):
    """Both CRCs of KERNEL's uImage, as bootm checks them."""
    offset, size = partition(flash_map, "KERNEL")
    with open(flash, "rb") as chip:
        chip.seek(offset)
        kernel = chip.read(size)
    magic, header_crc, _, length = struct.unpack(">IIII", kernel[:16])
    if magic != 0x27051956:
        raise DeadKernel(f"magic {magic:#x}")
    if zlib.crc32(kernel[:4] + bytes(4) + kernel[8:64]) != header_crc:
        raise DeadKernel("the header's CRC is wrong")
    if 64 + length > size:
        raise DeadKernel(f"{length} bytes of payload do not fit")
    (data_crc,) = struct.unpack(">I", kernel[24:28])
    if zlib.crc32(kernel[64 : 64 + length]) != data_crc:
        raise DeadKernel("the payload's CRC is wrong")
