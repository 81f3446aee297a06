"""Stand-ins for the vendor's programs, as they run on a camera that is about to
be flashed; and a watcher that needs nothing of the ROOTFS."""

import re

# Stands in for perp: starts its service again whenever that ends.
PERPD = b"""#!/bin/sh
cd /mnt/data
while :; do /mnt/data/miio_client; done
"""
# Stands in for a vendor's service: runs from DATA, holds a file there, writes to it, and
# does not care about TERM.
SERVICE = b"""#!/bin/sh
trap '' TERM
exec 3>>/mnt/data/service.log
while :; do echo alive >&3; sleep 1; done
"""
# Stands in for the vendor's updater: it must not run while anybody else writes the chip.
UPDATER = b"""#!/bin/sh
trap '' TERM
while :; do sleep 1; done
"""
# Stands in for the stock feeder: holds the watchdog, disarms it at TERM.
FEEDER = b"""#!/bin/sh
exec 3>/dev/watchdog
trap 'printf V >&3; echo ended by TERM >/tmp/feeder; exit 0' TERM
while :; do printf . >&3; sleep 1 3>&-; done
"""
# Says on the console whenever the highest VmHWM of any `mi360d` has grown. From tmpfs, and by
# the shell's own words: the ROOTFS is rewritten under it.
WATCHER = b"""#!/tmp/busybox sh
most=0
while :; do
    for status in /proc/[0-9]*/status; do
        name=
        while read -r key value _; do
            case $key in
            Name:) name=$value; [ "$name" = mi360d ] || break ;;
            VmHWM:) [ "$value" -gt "$most" ] && most=$value && echo "@@HWM $most" >/dev/console ;;
            esac
        done <"$status"
    done 2>/dev/null
    /tmp/busybox sleep 0.2
done
"""


def start(camera, *names):
    """The vendor's programs begin, as on a camera that has run for a while."""
    programs = {"perpd": ("/mnt/data", PERPD), "miio_ota": ("/tmp", UPDATER),
                "imi_watchdog": ("/tmp", FEEDER)}
    camera.put("/mnt/data/miio_client", SERVICE)
    camera.run("chmod 755 /mnt/data/miio_client")
    for name in names:
        place, program = programs[name]
        camera.put(f"{place}/{name}", program)
        camera.run(f"chmod 755 {place}/{name}; sync; "
                   f"setsid {place}/{name} </dev/null >/dev/null 2>&1 &")
        camera.wait_for(lambda name=name: camera.pid(name), 30, name)
    if "perpd" in names:
        written = "cat /mnt/data/service.log 2>/dev/null"
        camera.wait_for(lambda: camera.run(written, check=False).text, 30, "a line of the service")


def watch_memory(camera):
    """From now on the console tells the highest VmHWM of the program."""
    camera.put("/tmp/watcher", WATCHER)
    camera.run("cp /bin/busybox /tmp/; chmod 755 /tmp/watcher; "
               "setsid /tmp/watcher </dev/null >/dev/null 2>&1 &")


def peak(camera):
    """The highest VmHWM seen, in KiB."""
    return max((int(kib) for kib in re.findall(r"@@HWM (\d+)", camera.console)), default=0)
