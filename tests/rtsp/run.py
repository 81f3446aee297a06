#!/usr/bin/env python3
"""Runs the tests of the RTSP server: all that are named in TESTS, or those given
(as unittest names them). Each with its time; at the end `N passed, N failed`.

Streams run in real time, so a test waits, and computes a tenth of the time: five files at a time on
a PC of two cores, each in a process of its own. What judges times or processor time has it to itself.

`run.py prepare` only makes what they need: the streams, and some of the clients."""

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

import vendor_rig  # noqa: E402: it is found by the path above

# One after the other: the vendor's programs have one folder.
VENDORS = ("test_controls", "test_kills", "test_vendor", "test_soak")
# The long ones first: the short ones then fill what is left at the end.
TESTS = [*VENDORS[:3], "test_onvif", "test_rig", "test_motors", "test_frames", "test_clients", "test_viewers", "test_strangers",
         "test_proxies", "test_page", "test_endless", "test_pictures", "test_cost"]
ALONE = ("test_pictures", "test_cost")


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
        name = test.id().removeprefix("unittest.loader._FailedTest.")
        used = processor() - self._used
        print(f"rtsp {name} ... {'ok' if self._good else 'FAILED'} ({took:.0f} s, "
              f"{used:.0f} of the processor)", flush=True)


def prepare():
    import rig
    import test_clients
    import test_onvif
    import test_rig

    for name in rig.KINDS:
        rig.stream(name)
    test_clients.live555()
    test_clients.retina()
    test_clients.vlc()
    test_onvif.packages()
    if not vendor_rig.missing():
        vendor_rig.root()
        test_rig.prepare()
    return 0


def come_first():
    """Video does not wait: beside a compiler a viewer would fall behind for want of a processor."""
    try:
        os.setpriority(os.PRIO_PROCESS, 0, -10)
    except PermissionError:
        pass


def main(names):
    if names == ["prepare"]:
        return prepare()
    come_first()
    if not names and (why := vendor_rig.missing()):
        vendors = [name for name in TESTS if name in VENDORS or name == "test_rig"]
        print(f"rtsp {' and '.join(vendors)}: NOT RUN: {why}", flush=True)
        names = [name for name in TESTS if name not in vendors]
    one = names[:1] == ["--one"]
    if one or len(names) == 1:
        result = Result()
        unittest.defaultTestLoader.loadTestsFromNames(names[one:]).run(result)
        passed, failed = result.passed, result.failed
    else:
        prepare()
        names = names or TESTS
        vendors = [name for name in names if name.startswith(VENDORS)]
        names = [" ".join(vendors)] * bool(vendors) + [name for name in names if name not in vendors]
        with ThreadPoolExecutor(2 * (os.cpu_count() or 1) + 1) as beside:
            counts = list(beside.map(apart, (name for name in names if not name.startswith(ALONE))))
        counts += map(apart, (name for name in names if name.startswith(ALONE)))
        passed, failed = (sum(column) for column in zip(*counts))
    print(f"{passed} passed, {failed} failed")
    return 0 if passed and not failed else 1


def apart(name):
    """Runs one file's tests in a process of its own: how many passed, and failed."""
    done = subprocess.run([sys.executable, __file__, "--one", *name.split()], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    said, _, last = done.stdout.rstrip("\n").rpartition("\n")
    counts = re.fullmatch(r"(\d+) passed, (\d+) failed", last)
    if not counts:
        print(f"--- {name} ended with {done.returncode}\n{done.stdout}", flush=True)
        return 0, 1
    print(said, flush=True)
    return int(counts[1]), int(counts[2])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
