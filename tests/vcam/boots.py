#!/usr/bin/env python3
"""Starts of the vendor's own userland (vendor_root.py) with a new chip and the card of `cargo
sdcard`, one processor: in how many the supervisor was started, and the chip was saved.

    tests/vcam/boots.py [COUNT] [--hook COMMIT]

COUNT is 50 if not said. --hook takes the hook's scripts from another commit, to see that the rig
knows a hook that fails; the chip need not be saved then. One line for each start, and one last
line: N passed, N failed."""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))
import vendor_root  # noqa: E402
from base import MEMORY, damage, sets  # noqa: E402
from parts import REPO  # noqa: E402
from vcam import TooLate  # noqa: E402

HOOK = "rootfs-overlay/mnt/sdcard/manu_test"
FACTS = "mi360d/logs/facts.txt"


def old_hook(commit):
    """The hook's scripts as a commit has them."""
    return {name: subprocess.run(["git", "show", f"{commit}:{HOOK}/{name}"], cwd=REPO, check=True,
                                 capture_output=True).stdout
            for name in ("manu.sh", "entrypoint.sh")}


def boot(folder, hook, save=True):
    """One start: what was found, in words, and whether it is good."""
    with vendor_root.camera(folder, hook=hook) as camera:
        camera.start(900)
        assert "md5 ok" in camera.run("cat /media/vcam/said").text, "the signed pair was refused"
        starts = camera.run("cat /run/perp/starts 2>/dev/null", check=False).text.splitlines()
        good = len(starts) == 1 and starts[0].startswith("started at")
        words = [f"supervisor {starts[0]} s" if good else f"supervisor: {starts or 'not started'}",
                 f"rcS ended before {camera.uptime():.0f} s"]
        late = camera.run("grep 'late look' /tmp/mi360d-hook/log", check=False).text.strip()
        if late:
            words.append(late)
        if save:
            # Looked for from outside: a command in the guest takes its one processor.
            camera.wait_for(lambda: vendor_root.saved(camera), 1500, "a closed backup set", every=2)
            # It is written once more 30 s after the start, when all answers are there.
            try:
                camera.wait_for(lambda: camera.card.exists(FACTS), 300, FACTS, every=2)
                words.append("facts.txt there")
            except TooLate:
                words.append("no facts.txt")
                good = False
            again = camera.run("sync; cat /run/perp/starts 2>/dev/null", check=False)
            good = good and again.text.startswith("".join(f"{line}\n" for line in starts))
            good = good and again.text.count("started at") == 1
            camera.kill()
            found = sets(camera.card.extract(Path(folder) / "card", "mi360d"))
            wrong = [damage(one) for one in found]
            saved = wrong == [[]] and (found[0] / "FACTORY.bin").read_bytes() == vendor_root.factory()
            words.append("set verified" if saved else f"set: {wrong}")
            good = good and saved
    return words, good


def main():
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("count", nargs="?", type=int, default=50)
    asked.add_argument("--hook", metavar="COMMIT")
    asked = asked.parse_args()
    hook = old_hook(asked.hook) if asked.hook else None
    passed = 0
    for number in range(1, asked.count + 1):
        began = time.monotonic()
        place = MEMORY if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) else None
        with tempfile.TemporaryDirectory(prefix="vcam-boots-", dir=place) as folder:
            try:
                words, good = boot(folder, hook, save=hook is None)
            except Exception as wrong:  # a camera that does not start is a finding, too
                words, good = [f"{type(wrong).__name__}: {wrong}"], False
        passed += good
        print(f"boot {number}: {'ok' if good else 'FAILED'}: {'; '.join(words)} "
              f"({time.monotonic() - began:.0f} s)", flush=True)
    print(f"{passed} passed, {asked.count - passed} failed")
    return 0 if passed == asked.count else 1


if __name__ == "__main__":
    sys.exit(main())
