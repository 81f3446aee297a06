"""Random power cuts for a given number of minutes, of backups and of flashes in
turn, on both chips and both flash maps: started by tests/soak."""

import itertools
import sys
import tempfile
import time
from pathlib import Path

from cuts import Cuts
from flash_cuts import FlashCuts
from parts import CHIPS, MAPS

# One camera's turn, in seconds; each begins with a new chip and a new card.
TURN = 15 * 60


def main(minutes, seed):
    end = time.monotonic() + minutes * 60
    passed = failed = kills = 0
    turns = itertools.cycle(itertools.product(CHIPS, MAPS, (FlashCuts, Cuts)))
    for turn, (chip, flash_map, kind) in enumerate(turns):
        if turn and time.monotonic() >= end:
            break
        with tempfile.TemporaryDirectory(prefix="vcam-soak-") as folder:
            cuts = kind(Path(folder), seed + turn, flash_map, chip)
            try:
                cuts.run(until=min(end, time.monotonic() + TURN))
            except Exception as wrong:  # a camera that stops answering is a finding, too
                cuts.failures.append(f"{type(wrong).__name__}: {wrong}")
            kills += cuts.kills
            for failure in cuts.failures:
                print(f"FAILED: seed {seed + turn}: {failure}")
            passed += not cuts.failures
            failed += bool(cuts.failures)
    print(f"{kills} cuts")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
