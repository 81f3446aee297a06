"""Recovery on a PC: follows a set's RECOVERY.txt to the letter, with a programmer or over
the serial console."""

import re
import zlib

from parts import CHIP_SIZE, run


def programmer(folder, chip):
    """Section 1, on a chip file: unprotect, erase, write, verify, protect."""
    text = (folder / "RECOVERY.txt").read_text()
    # "Before you use the files, check them in this folder".
    (check,) = re.findall(r"in this folder:\s+(sha256sum -c SHA256SUMS)$", text, re.M)
    run(check.split(), cwd=folder)
    section = text[text.index("1. WITH A FLASH PROGRAMMER"):text.index("2. OVER THE SERIAL")]
    steps = dict(re.findall(r"^ {3}([a-g])\. (.*)$", section, re.M))
    assert sorted(steps) == list("abcdefg"), steps
    assert steps["c"].startswith("Unprotect the chip") and steps["d"] == "Erase it."
    assert steps["f"] == "Verify." and steps["g"].startswith("Protect the chip again.")
    (name,) = re.findall(r"^Write (\S+)\.$", steps["e"])
    assert f"flashrom -p ch341a_spi -w {name}\n" in section
    whole = (folder / name).read_bytes()
    assert len(whole) == CHIP_SIZE
    chip.write_bytes(whole)


def console(folder, card, chip, names):
    """Section 2, on a chip file, for the partitions that are broken: what U-Boot does at each
    of the lines that the text gives for them."""
    text = (folder / "RECOVERY.txt").read_text()
    section = text[text.index("2. OVER THE SERIAL"):text.index("3. FROM THE CARD")]
    assert "Never write BOOT from here" in section and "At the end type" in section
    flash, memory = bytearray(chip.read_bytes()), {}
    for name in names:
        ((size, value, lines),) = re.findall(
            rf"^ +# {name}, (\d+) bytes, crc32 ([0-9a-f]{{8}})\n((?: {{5}}\S.*\n)+)",
            section, re.M)
        commands = [line.split() for line in lines.splitlines()]
        assert len(commands) == 7, lines
        for command in commands:
            match command:
                case ["fatload", "mmc", "0", address, path]:
                    memory[address] = card.read(path)
                    # What fatload says that it read.
                    assert len(memory[address]) == int(size)
                case ["sf", "probe", "0"]:
                    probed = True
                case ["sf", "erase", start, length]:
                    start, length = int(start, 16), int(length, 16)
                    flash[start : start + length] = b"\xff" * length
                case ["crc32", address, length]:
                    # What crc32 shows behind its arrow.
                    assert len(memory[address]) == int(length, 16)
                    assert f"{zlib.crc32(memory[address]):08x}" == value
                case ["sf", "read", address, start, length]:
                    start, length = int(start, 16), int(length, 16)
                    memory[address] = bytes(flash[start : start + length])
                case ["sf", "write", address, start, length]:
                    start, length = int(start, 16), int(length, 16)
                    assert probed and len(memory[address]) == length
                    # Programming only clears bits.
                    old = int.from_bytes(flash[start : start + length])
                    new = old & int.from_bytes(memory[address])
                    flash[start : start + length] = new.to_bytes(length)
                case _:
                    raise AssertionError(f"no command of U-Boot's: {command}")
    chip.write_bytes(flash)
