#!/usr/bin/env python3
"""Runs the tests of the RTSP server: all that are named in TESTS, or those given
(as unittest names them). Each with its time; at the end `N passed, N failed`.

Streams run in real time, so a test waits, and computes a tenth of the time: five files at a time on
a PC of two cores, each in a process of its own. What judges times or processor time has it to itself.

`run.py prepare` only makes what they need: the streams, and some of the clients."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.append(str(HERE.parent))
os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")
sys.dont_write_bytecode = True

import runner  # noqa: E402: found by the paths above
import vendor_rig  # noqa: E402

# With the vendor's programs, each in a network of its own: fetch_av has an abstract socket, and hangs
# where another one has it.
VENDORS = ("test_controls", "test_kills", "test_vendor", "test_soak", "test_watched")
# The long ones first: the short ones then fill what is left at the end. Kills wait for calibrations,
# so no other devicekit runs beside.
TESTS = ["test_controls test_kills", "test_vendor", "test_onvif", "test_rig", "test_motors", "test_frames", "test_sounds", "test_clients", "test_viewers", "test_strangers",
         "test_proxies", "test_page", "test_endless", "test_pictures", "test_cost"]
ALONE = ("test_pictures", "test_cost")


def prepare():
    import onvif_rig
    import rig
    import test_clients
    import test_rig

    for name in rig.KINDS:
        rig.stream(name)
    test_clients.live555()
    test_clients.retina()
    test_clients.vlc()
    onvif_rig.packages()
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


def apart(name):
    within = []
    if name.startswith(VENDORS):
        within = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "-"]
    return runner.apart(__file__, name, within)


def main(names):
    if names == ["prepare"]:
        return prepare()
    come_first()
    if not names and (why := vendor_rig.missing()):
        vendors = [name for name in TESTS if name.startswith((*VENDORS, "test_rig"))]
        print(f"rtsp {' and '.join(vendors)}: NOT RUN: {why}", flush=True)
        names = [name for name in TESTS if name not in vendors]
    one = names[:1] == ["--one"]
    if one or len(names) == 1:
        passed, failed = runner.one("rtsp", names[one:])
    else:
        prepare()
        if "test_watched" in names:
            import test_watched
            test_watched.prepare()
        names = names or TESTS
        with ThreadPoolExecutor(2 * (os.cpu_count() or 1) + 1) as beside:
            counts = list(beside.map(apart, (name for name in names if not name.startswith(ALONE))))
        counts += map(apart, (name for name in names if name.startswith(ALONE)))
        passed, failed = (sum(column) for column in zip(*counts))
    return runner.report(passed, failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
