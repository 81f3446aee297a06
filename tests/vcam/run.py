#!/usr/bin/env python3
"""Runs the virtual camera's tests: all that are named in TESTS, or those given
(as unittest names them), three cameras at a time on a PC of two cores, since each of them waits
for a third of its time; what measures times has the PC to itself. Each with its time; at the end `N passed, N failed`.

`run.py prepare` only makes what they need."""

import os
import sys
import unittest
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.append(str(HERE.parent))
os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")
sys.dont_write_bytecode = True

import runner  # noqa: E402: found by the paths above

# The long ones first: the short ones then fill what is left at the end.
TESTS = ["test_backup.BackupTest.test_a_boot_saves_the_whole_chip_and_the_next_boot_writes_nothing_new",
         "test_page", "test_flash_cuts.TwiceTest", "test_vendor", "test_update", "test_backup.PowerCutTest",
         "test_card", "test_network",
         "test_assemble", "test_rtsp", "test_frames", "test_ssh", "test_boot", "test_gate",
         "test_crowd.CrowdTest"]
# Too long for every run, or about what another test of TESTS has a part of: `tests/vcam/run.py more`,
# which tests/soak begins with.
MORE = ["test_flash", "test_flash_cuts.CutTest", "test_flash_speed", "test_backup.SpeedTest",
        "test_backup.OddIdentityTest",
        "test_crowd.LongCrowdTest", "test_format", "test_cloud",
        "test_vendor_flash", "test_small"]
# No other camera next to them: they measure.
ALONE = ("test_backup.SpeedTest.", "test_gate.", "test_flash_speed.", "test_crowd.", "test_small.")


def each(suite):
    """The names of a suite's tests."""
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from each(test)
        else:
            yield test.id()


def prepare():
    import parts
    import vendor_root

    parts.build()
    try:
        vendor_root.rootfs()
    except parts.Missing as missing:
        # The tests that need it say so themselves.
        print(missing)
    return 0


def main(names):
    if names == ["prepare"]:
        return prepare()
    names = MORE if names == ["more"] else names or TESTS
    names = list(each(unittest.defaultTestLoader.loadTestsFromNames(names)))
    # A module that does not import is a test that fails, under another name.
    names = [name.removeprefix("unittest.loader._FailedTest.") for name in names]
    if len(names) == 1:
        return runner.report(*runner.one("vcam", names))
    import parts

    parts.build()
    alone = [name for name in names if name.startswith(ALONE)]
    apart = partial(runner.apart, __file__)
    with ThreadPoolExecutor((os.cpu_count() or 1) + 1) as beside:
        counts = list(beside.map(apart, (name for name in names if name not in alone)))
    counts += map(apart, alone)
    passed, failed = (sum(column) for column in zip(*counts))
    return runner.report(passed, failed)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        sys.exit(runner.report(*runner.one("vcam", sys.argv[2:])))
    sys.exit(main(sys.argv[1:]))
