"""What the runners of tests/rtsp and tests/vcam share: the line that each test prints at its end, and
tests in a process of their own."""

import re
import resource
import subprocess
import sys
import time
import unittest


def processor():
    """Processor time in seconds of this process and of those it has started and seen end."""
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in spent)


class Result(unittest.TestResult):
    """Prints each test as it ends; a part of one that fails is a failure."""

    def __init__(self, suite):
        super().__init__()
        self._suite = suite
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
        print(f"{self._suite} {name} ... {'ok' if self._good else 'FAILED'} ({took:.0f} s, "
              f"{used:.0f} of the processor)", flush=True)


def one(suite, names):
    """Runs tests in this process: how many passed, and failed."""
    result = Result(suite)
    unittest.defaultTestLoader.loadTestsFromNames(names).run(result)
    return result.passed, result.failed


def apart(script, name, within=()):
    """Runs `script --one` with these names in a process of its own, started by the words `within`: how
    many passed, and failed."""
    done = subprocess.run([*within, sys.executable, script, "--one", *name.split()], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said, _, last = done.stdout.rstrip("\n").rpartition("\n")
    counts = re.fullmatch(r"(\d+) passed, (\d+) failed", last)
    if not counts:
        print(f"--- {name} ended with {done.returncode}\n{done.stdout}", flush=True)
        return 0, 1
    print(said, flush=True)
    return int(counts[1]), int(counts[2])


def report(passed, failed):
    """The last line, and the exit status."""
    print(f"{passed} passed, {failed} failed")
    return 0 if passed and not failed else 1
