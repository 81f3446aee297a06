#!/usr/bin/env python3
"""Runs the virtual camera's tests: all that are named in TESTS, or those given
(as unittest names them), three cameras at a time on a PC of two cores, since each of them waits
for a third of its time; what measures times has the PC to itself. Each with its time; at the end `N passed, N failed`.

`run.py prepare` only makes what they need."""

import os
import re
import resource
import subprocess
import sys
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")
sys.dont_write_bytecode = True

# The long ones first: the short ones then fill what is left at the end.
TESTS = ["test_backup.BackupTest.test_a_boot_saves_the_whole_chip_and_the_next_boot_writes_nothing_new",
         "test_page", "test_flash_cuts.TwiceTest", "test_vendor", "test_update", "test_backup.PowerCutTest",
         "test_card", "test_network", "test_backup.OddIdentityTest.test_a_damaged_identity_is_saved_and_called_so",
         "test_assemble", "test_rtsp", "test_frames", "test_ssh", "test_boot", "test_gate",
         "test_crowd.CrowdTest"]
# Too long for every run, or about what another test of TESTS has a part of: `tests/vcam/run.py more`,
# which tests/soak begins with.
MORE = ["test_flash", "test_flash_cuts.CutTest", "test_flash_speed", "test_backup.SpeedTest",
        "test_backup.OddIdentityTest.test_a_blank_identity_is_saved_and_called_so",
        "test_crowd.LongCrowdTest", "test_format", "test_cloud",
        "test_vendor_flash", "test_small"]
# No other camera next to them: they measure.
ALONE = ("test_backup.SpeedTest.", "test_gate.", "test_flash_speed.", "test_crowd.", "test_small.")


def processor():
    """Processor time in seconds of this process and of those it has started and seen end."""
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in spent)


class Result(unittest.TestResult):
    """Prints each test as it ends; a part of one that fails is a failure."""

    def __init__(self):
        super().__init__()
        self.passed = self.failed = 0
        self._good, self._began, self._used = True, 0.0, 0.0

    def startTest(self, test):
        super().startTest(test)
        self._good, self._began, self._used = True, time.monotonic(), processor()

    def _bad(self, test, error):
        self._good = False
        print(f"--- {test}\n{self._exc_info_to_string(error, test)}", flush=True)

    def addError(self, test, err):
        self._bad(test, err)
        if not hasattr(test, "_testMethodName"):
            # setUpClass, or a module that does not import: no stopTest follows.
            self.failed += 1

    addFailure = addError

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self._bad(subtest, err)

    def addSkip(self, test, reason):
        # A test that does not run has proven nothing.
        self._good = False
        print(f"--- {test} was skipped: {reason}", flush=True)

    def stopTest(self, test):
        super().stopTest(test)
        self.passed += self._good
        self.failed += not self._good
        took = time.monotonic() - self._began
        used = processor() - self._used
        name = test.id().removeprefix("unittest.loader._FailedTest.")
        print(f"vcam {name} ... {'ok' if self._good else 'FAILED'} ({took:.0f} s, "
              f"{used:.0f} of the processor)", flush=True)


def each(suite):
    """The names of a suite's tests."""
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from each(test)
        else:
            yield test.id()


def one(name):
    """Runs one test in this process."""
    result = Result()
    unittest.defaultTestLoader.loadTestsFromName(name).run(result)
    print(f"{result.passed} passed, {result.failed} failed")
    return 0 if result.passed and not result.failed else 1


def apart(name):
    """Runs one test in a process of its own: how many passed, and failed."""
    done = subprocess.run([sys.executable, __file__, "--one", name], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said, _, last = done.stdout.rstrip("\n").rpartition("\n")
    counts = re.fullmatch(r"(\d+) passed, (\d+) failed", last)
    if not counts:
        print(f"--- {name} ended with {done.returncode}\n{done.stdout}", flush=True)
        return 0, 1
    print(said, flush=True)
    return int(counts[1]), int(counts[2])


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
        return one(names[0])
    import parts

    parts.build()
    alone = [name for name in names if name.startswith(ALONE)]
    with ThreadPoolExecutor((os.cpu_count() or 1) + 1) as beside:
        counts = list(beside.map(apart, (name for name in names if name not in alone)))
    counts += map(apart, alone)
    passed, failed = (sum(column) for column in zip(*counts))
    print(f"{passed} passed, {failed} failed")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(one(sys.argv[2]) if sys.argv[1:2] == ["--one"] else main(sys.argv[1:]))
