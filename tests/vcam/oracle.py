"""Other programs that write the same chip: mtd-utils' flashcp, from Debian's
armhf packages, and small things done by hand (nor.c). Built once, kept
in target/vcam/oracle/."""

import fcntl
from pathlib import Path

from parts import HERE, WORK, apt, run, unpack

# Where they lie in the guest: on tmpfs, since the ROOTFS may be what is written.
PLACE = "/tmp/oracle"
# Debian's program runs with Debian's own C library beside it.
FLASHCP = f"{PLACE}/ld-linux-armhf.so.3 --library-path {PLACE} {PLACE}/flashcp"
NOR = f"{PLACE}/nor"
NEEDED = ("usr/sbin/flashcp", "lib/arm-linux-gnueabihf/ld-linux-armhf.so.3",
          "lib/arm-linux-gnueabihf/libc.so.6")


def files():
    """The programs and what they need: paths on this PC."""
    out = WORK / "oracle"
    out.mkdir(parents=True, exist_ok=True)
    with open(out / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = [out / "debian" / name for name in NEEDED]
        if not all(path.exists() for path in found):
            unpack(apt(), ("mtd-utils:armhf", "libc6:armhf"), out / "debian")
        nor = out / "nor"
        source = HERE / "nor.c"
        if not nor.exists() or nor.stat().st_mtime < source.stat().st_mtime:
            run(["arm-linux-gnueabihf-gcc", "-O2", "-static", "-Wall", "-o", nor, source])
        return [*found, nor]


def onto(card):
    """Puts them on a card; `fetch` in the guest."""
    for path in files():
        card.add(f"oracle/{Path(path).name}", Path(path).read_bytes())


def fetch(camera):
    """Copies them from the card to their place in memory."""
    camera.run(f"mkdir -p {PLACE}; cp /mnt/sdcard/oracle/* {PLACE}/; chmod 755 {PLACE}/*")
