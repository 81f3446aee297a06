#!/usr/bin/env python3
"""How long `inspect` takes for a whole chip of real parts, next to what a shell needs for the same.

    tests/inspect_speed.py [PROGRAM] [ROUNDS]     target/release/mi360d and 9 rounds if not said

Next to it: `xz -t` of the blocks of its ROOTFS, and `sha256sum` of the file. Both in turn, in one run;
what counts is the processor's time, so that other work on the machine does not. At most 1.5 times is
wanted (of the medians). Needs the samples (`$MI360D_SAMPLES`, or ../shared/samples).
"""

import lzma
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent.parent
SAMPLES = pathlib.Path(os.environ.get("MI360D_SAMPLES", HERE.parent / "shared/samples"))
PROGRAM = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else HERE / "target/release/mi360d").resolve()
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 9
MOST = 1.5
MAGIC = b"\xfd7zXZ\0"
PARTS = [
    (0x000000, "ipc019/BOOT.bin"),
    (0x050000, "ipc019/KERNEL-2019.uImage"),
    (0x250000, "ipc021a04/ROOTFS.squashfs"),
    (0x9B0000, "ipc019/DATA-3.5.1_0052.jffs2"),
    (0xFE0000, "ipc019/CONFIG-empty.bin"),
]


def streams(rootfs):
    """The xz streams in a squashfs, one after the other."""
    at, found = rootfs.find(MAGIC), []
    while at >= 0:
        reader = lzma.LZMADecompressor()
        try:
            reader.decompress(rootfs[at:at + (1 << 18)])
        except lzma.LZMAError:
            pass
        end = at + 1
        if reader.eof:
            end = at + len(rootfs[at:at + (1 << 18)]) - len(reader.unused_data)
            found.append(rootfs[at:end])
        at = rootfs.find(MAGIC, end)
    return found


def timed(*command):
    """Seconds of the processor."""
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0, command
    return used.ru_utime + used.ru_stime


def main():
    if not SAMPLES.is_dir():
        print(f"skipped: no samples in {SAMPLES}\n0 passed, 0 failed")
        return 0
    with tempfile.TemporaryDirectory() as base:
        base = pathlib.Path(base)
        made = [PROGRAM, "sim", "create", base / "camera", "--model", "ipc019"]
        subprocess.run(made, check=True, capture_output=True)
        chip = bytearray(b"\xff" * 0x1000000)
        chip[0xFF0000:] = (base / "camera/flash.bin").read_bytes()[0xFF0000:]
        for at, name in PARTS:
            part = (SAMPLES / name).read_bytes()
            chip[at:at + len(part)] = part
        (base / "chip.bin").write_bytes(chip)
        blocks = streams((SAMPLES / PARTS[2][1]).read_bytes())
        (base / "blocks.xz").write_bytes(b"".join(blocks))
        ours, theirs = [], []
        for _ in range(ROUNDS):
            ours.append(timed(PROGRAM, "inspect", base / "chip.bin"))
            shell = timed("xz", "-t", "-T1", base / "blocks.xz")
            theirs.append(shell + timed("sha256sum", base / "chip.bin"))
    each = [a / b for a, b in zip(ours, theirs)]
    ratio = statistics.median(ours) / statistics.median(theirs)
    print(f"inspect {min(ours):.3f} to {max(ours):.3f} s, xz -t of {len(blocks)} blocks and sha256sum "
          f"{min(theirs):.3f} to {max(theirs):.3f} s: {ratio:.2f} times "
          f"({min(each):.2f} to {max(each):.2f})")
    is_good = ratio <= MOST
    print(f"{int(is_good)} passed, {int(not is_good)} failed")
    return int(not is_good)


sys.exit(main())
