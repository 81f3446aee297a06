"""The vendor mode of the virtual camera: the vendor's own userland, from power on to S99.

    with vendor_root.camera(folder) as camera:      # one processor, card of `cargo sdcard`
        camera.start()                              # returns when rcS has ended
        print(camera.run("cat /run/perp/starts").text)

ROOTFS is samples/ipc021a04's (init scripts, busybox, uClibc, fstab), DATA, BOOT, KERNEL, CONFIG and
the signed pair of manu_test are samples/ipc019's, FACTORY is made. What the published ROOTFS lacks
is a stand-in of standins/ or built here from Debian's sources; docs/vendor-mode.md lists each, and
what it pretends. Built once, kept in target/vcam/vendor/."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import flash
import flsh
from base import PROGRAM, SDCARD
from card import Card
from parts import HERE, REPO, WORK, Missing, build, run
from vcam import VirtualCamera

MAP = "ipc019"
STANDINS = HERE / "standins"
OUT = WORK / "vendor"
GCC = "arm-linux-gnueabihf-gcc"
# What Debian's sources are built with against the vendor's uClibc. Its headers are glibc's: what
# these libraries use of them is the same in both.
FLAGS = ("-O1 -fPIC -w -D_GNU_SOURCE -U_FORTIFY_SOURCE -fno-stack-protector -march=armv7-a "
         "-mfpu=vfpv3-d16 -shared -nostdlib -Wl,--hash-style=sysv").split()
UCLIBC = "libuClibc-1.0.31.so"
# Scripts, and where the vendor's scripts find them.
SCRIPTS = {"perpboot": "usr/sbin", "perpd": "usr/sbin", "perpctl": "usr/sbin", "perpls": "usr/sbin",
           "sissylog": "usr/sbin", "runlevel": "sbin"}
# Stand-ins for services of DATA: perpd's stand-in looks here first.
SERVICES = "usr/standins"
# Services of DATA that lack libraries or hardware here: the stand-in of runlevel starts none of them.
CANNOT_RUN = {
    "fetch_av": "wants the picture hardware's modules (/dev/mi_*)",
    "miio_agent": "ends where it finds no miio_client",
    "miio_algo": "wants fetch_av",
    "miio_client": "ends where it finds no cloud",
    "miio_client_helper": "wants miio_client and jshon, which is empty",
    "miio_cloud": "libcurl is empty",
    "miio_devicekit": "wants GPIOs, and writes a line for each that is missing",
    "miio_nas": "libdsm is empty",
    "miio_ota": "libcurl is empty",
    "miio_qrcode": "libzbar is empty",
    "miio_record": "libstdc++ is empty",
    "miio_stream": "libstdc++ is empty",
}


def samples():
    """The folder with the vendor's parts."""
    found = flash.sample("BOOT.bin")
    root = found.parent.parent if found else None
    if root is None or not (root / "ipc021a04" / "ROOTFS.squashfs").exists():
        raise Missing("no vendor's ROOTFS: set MI360D_SAMPLES to a folder with ipc019/ and ipc021a04/")
    return root


def camera(folder, processors=1, memory=None, nowayout=True, program=None, hook=None, signed=True,
           load=False, recorded=False, mib=256, fat=32, chip="mx25l12855e", **replaced):
    """A camera in vendor mode, off, its chip and card in `folder`.

    processors: 1 as on the camera (the board's second one is there, and runs no program), or 2.
    memory: MiB that are available before the vendor's services start; None leaves the board's 1 GiB.
    nowayout: the watchdog cannot be disarmed at all; False: by WDIOC_SETOPTIONS, and at a close
        only after a `V`. (The real driver: by WDIOC_SETOPTIONS alone.)
    program: bytes that take mi360d's place on the card.
    hook: {name: bytes} that take places in manu_test/ of the card.
    load: a stand-in for fetch_av's load runs as that service (standins/fetch_av.c).
    recorded: between the real mortoxd and everybody stands a recorder (standins/mortoxd.c).
    signed: False leaves the vendor's signed pair out, so that no hook runs.
    replaced: bytes of partitions, as flash.chip takes them (rootfs=..., factory=...).

    The guest is shut off from every network but this PC's forwarded ports. What the vendor's
    scripts said is in /media/vcam/said of the guest, the rig's tools in /media/vcam/bin.
    """
    folder = Path(folder)
    if not (SDCARD / PROGRAM).exists():
        raise Missing(f"no {SDCARD / PROGRAM}: run cargo sdcard first")
    content = {"rootfs": rootfs({**standin("fetch_av", load), **standin("mortoxd", recorded)}), "boot": read("ipc019/BOOT.bin"),
               "config": read("ipc019/CONFIG-empty.bin"), "factory": factory(), **replaced}
    flash.chip(folder / "flash.bin", MAP, **content)
    card = Card.make(folder / "card.img", fat, True, mib)
    card.add_folder(SDCARD)
    if program is not None:
        card.add(PROGRAM, program)
    pair = {name: read(f"ipc019/manu_test/{name}") for name in ("manu.bin", "md5sum.dat")}
    for name, bytes_ in {**(pair if signed else {}), **(hook or {})}.items():
        card.add(f"manu_test/{name}", bytes_)
    made = VirtualCamera(folder / "flash.bin", card, MAP, chip)
    # With maxcpus=1 the board's second processor would take one of this PC, spinning; started and
    # isolated, it waits, and no program ever runs on it.
    words = ["init_on_alloc=0", *["isolcpus=1"] * (processors == 1), "vcam.vendor=1", f"vcam.nowayout={int(nowayout)}"]
    if memory is not None:
        # Less than this, and QEMU's place for the initramfs is outside.
        words += ["mem=256M", f"vcam.memory={memory}"]
    made.append, made.restrict = " ".join(words), True
    return made


def saved(made):
    """Whether a set on a camera's card is closed by its SHA256SUMS, seen from outside: a command in
    the guest takes its one processor."""
    return any("SHA256SUMS" in made.card.names(f"mi360d/backups/{name}")
               for name in made.card.names("mi360d/backups"))


def standin(name, wanted=True):
    """What `rootfs` takes as `extra` for a ROOTFS with the stand-in of that service."""
    if not wanted:
        return {}
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / name
        run([GCC, "-O2", "-static", "-Wall", "-Wextra", "-o", program, STANDINS / f"{name}.c"])
        return {f"{SERVICES}/{name}": program.read_bytes()}


def asked_nothing_foreign(made):
    """Of a recorded camera: mi360d asked mortoxd something, and nothing but its own keys."""
    asked = made.run("cat /tmp/mortox.asked", check=False).text.splitlines()
    assert any(line.startswith("6 ") for line in asked), f"mi360d registered for nothing: {asked}"
    wrong = made.run("cat /tmp/mortox.wrong", check=False)
    assert wrong.status, f"mortoxd was asked for what is not ours: {wrong.text}"
    return len(asked)


def factory(serial=1):
    """A made-up identity of the model whose DATA this is."""
    return flsh.build(flsh.identity(MAP, serial))


def read(name):
    return (samples() / name).read_bytes()


# --- ROOTFS ---


def rootfs(extra=None):
    """The vendor's ROOTFS with the stand-ins, as a squashfs. `extra`: more files, executable."""
    OUT.mkdir(parents=True, exist_ok=True)
    stamp = hashlib.sha256(read("ipc021a04/ROOTFS.squashfs"))
    for source in sorted([*STANDINS.iterdir(), Path(__file__)]):
        stamp.update(source.read_bytes())
    for name, bytes_ in sorted((extra or {}).items()):
        stamp.update(name.encode() + b"\0" + bytes_)
    out = OUT / f"rootfs-{stamp.hexdigest()[:16]}.squashfs"
    with open(OUT / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not out.exists():
            with tempfile.TemporaryDirectory() as folder:
                _make(Path(folder), extra or {}).rename(out)
    return out.read_bytes()


def unpacked(to):
    """The vendor's ROOTFS with the stand-ins, as a folder."""
    # Without root it makes no /dev/console, which nothing here needs.
    subprocess.run(["unsquashfs", "-q", "-n", "-no-xattrs", "-d", to,
                    samples() / "ipc021a04" / "ROOTFS.squashfs"], capture_output=True)
    for name, place in SCRIPTS.items():
        (to / place).mkdir(parents=True, exist_ok=True)
        _put(to / place / name, (STANDINS / name).read_bytes())
    for path in (to / "usr" / "bin" / "openssl", to / "linuxrc"):
        path.unlink(missing_ok=True)
    run([GCC, "-O2", "-static", "-Wall", "-Wextra", "-o", to / "usr" / "bin" / "openssl",
         STANDINS / "openssl.c"])
    _put(to / "linuxrc", b"#!/bin/sh\nexec /sbin/init\n")
    _put(to / "etc" / "init.d" / "S99zzvcam", b'#!/bin/sh\n[ "$1" = start ] && exec /media/vcam/last\n')
    _applets(to)
    # As Buildroot's skeleton has them; the published ROOTFS has no /var.
    (to / "var" / "lib").mkdir(parents=True)
    for name, target in {"cache": "../tmp", "lock": "../tmp", "log": "../tmp", "run": "../run",
                         "spool": "../tmp", "tmp": "../tmp"}.items():
        (to / "var" / name).symlink_to(target)
    # They lead to the libc of another build.
    for name in ("libpthread.so.0", "libdl.so.0", "librt.so.0"):
        (to / "lib" / name).unlink(missing_ok=True)
        (to / "lib" / name).symlink_to(UCLIBC)
    _built(to)
    return to


def _applets(root):
    """Links to what the vendor's busybox can do: those of /usr/sbin are not in the published ROOTFS."""
    said = subprocess.run(["qemu-arm-static", "-L", root, root / "bin" / "busybox"], text=True,
                          capture_output=True).stdout
    names = said.partition("Currently defined functions:")[2].replace(",", " ").split()
    if "crond" not in names:
        raise Missing(f"the vendor's busybox does not say what it can do: {said[-500:]}")
    places = [root / place for place in ("bin", "sbin", "usr/bin", "usr/sbin")]
    for name in names:
        if not any(os.path.lexists(place / name) for place in places):
            (root / "usr" / "sbin" / name).symlink_to("../../bin/busybox")


def _make(folder, extra):
    tree = unpacked(folder / "root")
    for name, bytes_ in extra.items():
        _put(tree / name, bytes_)
    there = [Path(name).name for name in extra if name.startswith(SERVICES)]
    (tree / "etc" / "cannot-run").write_text(
        "".join(f"{name}\n" for name in CANNOT_RUN if name not in there))
    out = OUT / "rootfs.new"
    out.unlink(missing_ok=True)
    run(["mksquashfs", tree, out, "-comp", "xz", "-all-root", "-noappend", "-no-progress",
         "-no-xattrs", "-mkfs-time", "0", "-all-time", "0"])
    return out


def _put(path, bytes_):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_bytes(bytes_)
    path.chmod(0o755)


# --- what the published ROOTFS holds as empty files ---


def _built(root):
    """libev and json-c of Debian's sources, built against the vendor's uClibc, and its dosfstools,
    static, into `root`."""
    made = {"usr/lib/libev.so.4.0.0": _libev, "usr/lib/libjson-c.so.3": _json_c,
            "sbin/mkfs.fat": _dosfstools, "sbin/fsck.fat": _dosfstools}
    end = [root / "lib" / UCLIBC, "-lgcc", "-Wl,--allow-shlib-undefined"]
    for name, how in made.items():
        held = OUT / "built" / Path(name).name
        if not held.exists():
            held.parent.mkdir(exist_ok=True)
            how(held, end)
        (root / name).unlink(missing_ok=True)
        shutil.copy(held, root / name)


def _dosfstools(out, _):
    source = _source("dosfstools")
    run(["./configure", "--host=arm-linux-gnueabihf", f"CC={GCC}", "LDFLAGS=-static", "--without-iconv",
         "--without-udev"], cwd=source)
    run(["make", "-C", "src", out.name], cwd=source)
    shutil.copy(source / "src" / out.name, out)


def _libev(out, end):
    source = _source("libev")
    run(["./configure", "--host=arm-linux-gnueabihf", f"CC={GCC}"], cwd=source)
    run([GCC, *FLAGS, "-DHAVE_CONFIG_H", "-I.", "-Wl,-soname,libev.so.4", "-o", out, "ev.c", "event.c",
         *end], cwd=source)


def _json_c(out, end):
    source = _source("json-c")
    run(["cmake", "-B", "b", f"-DCMAKE_C_COMPILER={GCC}", "-DCMAKE_SYSTEM_NAME=Linux",
         "-DDISABLE_WERROR=ON"], cwd=source)
    # glibc has it, this uClibc does not.
    config = source / "b" / "config.h"
    config.write_text(config.read_text().replace("#define HAVE_ARC4RANDOM", "#undef HAVE_ARC4RANDOM"))
    run([GCC, *FLAGS, "-I.", "-Ib", "-Wl,-soname,libjson-c.so.3", "-o", out,
         *(path.name for path in sorted(source.glob("*.c"))), *end], cwd=source)


def _source(package):
    """Debian's source of a package, unpacked. The machine's own lists stay as they are."""
    place = OUT / "sources"
    lists = place / "lists"
    (lists / "partial").mkdir(parents=True, exist_ok=True)
    if not list(place.glob(f"{package}_*.orig.tar.*z*")):
        keyring = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
        if not keyring.exists():
            raise Missing("install debian-archive-keyring")
        (place / "sources.list").write_text(
            f"deb-src [signed-by={keyring}] http://deb.debian.org/debian bookworm main\n")
        options = []
        for option in (f"Dir::Etc::SourceList={place}/sources.list", "Dir::Etc::SourceParts=/dev/null",
                       f"Dir::State::Lists={lists}", f"Dir::Cache={place}/cache",
                       "APT::Sandbox::User=root"):
            options += ["-o", option]
        (place / "cache" / "archives" / "partial").mkdir(parents=True, exist_ok=True)
        run(["apt-get", *options, "-qq", "update"])
        run(["apt-get", *options, "-qq", "source", "--download-only", package], cwd=place)
    archive = next(path for path in place.glob(f"{package}_*.orig.tar.*") if path.suffix != ".asc")
    folder = place / package
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    run(["tar", "xf", archive, "-C", folder, "--strip-components=1"])
    return folder
