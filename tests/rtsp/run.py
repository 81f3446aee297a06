#!/usr/bin/env python3
"""Runs the tests of the RTSP server: all that are named in TESTS, or those given
(as unittest names them). Each with its time; at the end `N passed, N failed`.

`run.py prepare` only makes what they need: the streams, and some of the clients."""

import os
import sys
import time
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")
sys.dont_write_bytecode = True

import vendor_rig  # noqa: E402: it is found by the path above

TESTS = ["test_pictures", "test_viewers", "test_clients", "test_strangers", "test_page",
         "test_onvif", "test_endless", "test_proxies", "test_frames", "test_vendor",
         "test_controls", "test_cost"]


class Result(unittest.TestResult):
    """Prints each test as it ends; a part of one that fails is a failure."""

    def __init__(self):
        super().__init__()
        self.passed = self.failed = 0
        self._good, self._began = True, 0.0

    def startTest(self, test):
        super().startTest(test)
        self._good, self._began = True, time.monotonic()

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
        print(f"rtsp {name} ... {'ok' if self._good else 'FAILED'} ({took:.0f} s)", flush=True)


def prepare():
    import rig
    import test_clients
    import test_onvif

    for name in rig.KINDS:
        rig.stream(name)
    test_clients.live555()
    test_clients.retina()
    test_clients.vlc()
    test_onvif.packages()
    if not vendor_rig.missing():
        vendor_rig.root()
    return 0


def come_first():
    """Video does not wait: beside a compiler a viewer would fall behind for want of a processor."""
    try:
        os.nice(-10)
    except PermissionError:
        pass


def main(names):
    if names == ["prepare"]:
        return prepare()
    come_first()
    if not names and (why := vendor_rig.missing()):
        vendors = ("test_vendor", "test_controls")
        print(f"rtsp {' and '.join(vendors)}: NOT RUN: {why}", flush=True)
        names = [name for name in TESTS if name not in vendors]
    suite = unittest.defaultTestLoader.loadTestsFromNames(names or TESTS)
    result = Result()
    suite.run(result)
    print(f"{result.passed} passed, {result.failed} failed")
    return 0 if result.passed and not result.failed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
