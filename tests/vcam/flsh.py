"""The FLSH format of FACTORY and CONFIG, written a second time, apart from the
program under test, so that the two check each other."""

import struct

SIZE = 0x10000
HEADER = 0x14


def _table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ 0xAB if byte & 1 else byte >> 1
        table.append(byte)
    assert table[1] == 0xF7
    return table


TABLE = _table()


def crc8(data):
    """CRC8, reflected, polynomial 0xAB, start 0xFF."""
    crc = 0xFF
    for byte in data:
        crc = TABLE[crc ^ byte]
    return crc


def build(pairs, size=SIZE):
    """A partition of `size` bytes that holds these pairs."""
    payload = b"".join(f"{key}={value}".encode() + b"\0" for key, value in pairs) + b"\0"
    payload += bytes(-len(payload) % 4)
    if not pairs:
        payload = bytes(4)
    head = b"FLSH" + struct.pack("<IBBHII", len(payload), 0, 1, 0x0419, 0x80400000, 0)
    image = bytearray((head + payload).ljust(size, b"\xff"))
    image[8] = crc8(image[9:])
    return bytes(image)


def identity(model="ipc009", serial=1):
    """A made-up identity, its values of the lengths that real ones have."""
    return [
        ("vendor", "chuangmi"),
        ("model", f"chuangmi.camera.{model}"),
        ("factory_partition", "1"),
        ("language", "en"),
        ("regioncode", "EU"),
        ("fid", f"{serial:012d}"),
        ("ver", "1"),
        ("mac", f"02:00:5E:00:{serial >> 8 & 0xFF:02X}:{serial & 0xFF:02X}"),
        ("did", f"{100000000 + serial:09d}"),
        ("key", f"VcamSecretKey{serial:03d}"),
        ("hid", f"{serial:05d}"),
    ]


def secrets(pairs):
    """The values that must never be shown."""
    return [value for key, value in pairs if key in ("did", "key", "mac", "fid", "hid")]
