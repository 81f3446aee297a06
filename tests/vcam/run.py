#!/usr/bin/env python3
"""Runs the virtual camera's tests: all that are named in TESTS, or those given
(as unittest names them). Each with its time; at the end `N passed, N failed`."""

import os
import sys
import time
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")
sys.dont_write_bytecode = True

TESTS = ["test_boot", "test_backup", "test_card", "test_gate", "test_ssh", "test_assemble", "test_citizen", "test_rtsp"]
# Too long for every run: `tests/vcam/run.py more`, and tests/soak.
MORE = ["test_page", "test_flash", "test_flash_cuts", "test_flash_speed"]


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
        print(f"vcam {name} ... {'ok' if self._good else 'FAILED'} ({took:.0f} s)", flush=True)


def main(names):
    names = MORE if names == ["more"] else names or TESTS
    suite = unittest.defaultTestLoader.loadTestsFromNames(names)
    result = Result()
    suite.run(result)
    print(f"{result.passed} passed, {result.failed} failed")
    return 0 if result.passed and not result.failed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
