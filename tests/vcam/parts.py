"""What the virtual camera is made of: Debian's kernel and busybox for armhf,
the initramfs, the device tree of each flash map. Built once, kept in
target/vcam/, built again when something it is made from changes."""

import fcntl
import hashlib
import lzma
import os
import re
import shutil
import struct
import subprocess
import zlib
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPO = HERE.parent.parent
WORK = Path(os.environ.get("MI360D_VCAM", REPO / "target" / "vcam"))
GUEST = HERE / "guest"

# In this order; spi-aspeed-smc last: where ofpart is not there before the chip
# is probed, the whole chip is one partition.
MODULES = (
    "mdio-aspeed realtek ftgmac100 ofpart mtdblock sdhci-of-aspeed vfat nls_ascii nls_cp437 "
    "nls_iso8859-1 nls_utf8 jffs2 squashfs spi-nor spi-aspeed-smc"
).split()

# name, offset, size: the flash maps of camera.md.
MAPS = {
    "ipc009": [
        ("BOOT", 0x000000, 0x050000),
        ("KERNEL", 0x050000, 0x210000),
        ("ROOTFS", 0x260000, 0x750000),
        ("DATA", 0x9B0000, 0x630000),
        ("CONFIG", 0xFE0000, 0x010000),
        ("FACTORY", 0xFF0000, 0x010000),
    ],
    "ipc019": [
        ("BOOT", 0x000000, 0x050000),
        ("KERNEL", 0x050000, 0x200000),
        ("ROOTFS", 0x250000, 0x760000),
        ("DATA", 0x9B0000, 0x630000),
        ("CONFIG", 0xFE0000, 0x010000),
        ("FACTORY", 0xFF0000, 0x010000),
    ],
}
# Loaded where the vendor's own userland runs (guest/init).
VENDOR_MODULES = ["softdog"]
CHIP_SIZE = 0x1000000
CHIPS = ("mx25l12855e", "n25q128a13")


class Missing(Exception):
    """Something that the rig needs is not on this PC."""


@dataclass(frozen=True)
class Parts:
    """Paths of what a boot needs."""

    kernel: Path
    initramfs: Path
    busybox: Path
    nr386: Path
    dtbs: dict


def run(args, **more):
    """Runs a command; its output comes back, and stands in the error if it fails."""
    done = subprocess.run([str(a) for a in args], capture_output=True, text=True, **more)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, args))}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def partition(flash_map, name):
    """Offset and size of a partition."""
    return next((offset, size) for n, offset, size in MAPS[flash_map] if n == name)


def build():
    """The parts, built where they are not there yet."""
    WORK.mkdir(parents=True, exist_ok=True)
    with open(WORK / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _build()


def _build():
    root, version = _unpacked()
    stamp = hashlib.sha256(version.encode())
    for source in sorted([*GUEST.iterdir(), Path(__file__), HERE / "nr386.c"]):
        stamp.update(source.read_bytes())
    out = WORK / "parts"
    parts = Parts(
        kernel=out / "uImage",
        initramfs=out / "initramfs.cpio",
        busybox=root / "bin" / "busybox",
        nr386=out / "nr386",
        dtbs={name: out / f"{name}.dtb" for name in MAPS},
    )
    mark = out / "stamp"
    if mark.exists() and mark.read_text() == stamp.hexdigest():
        return parts
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    run(["arm-linux-gnueabihf-gcc", "-O2", "-static", "-Wall", "-o", parts.nr386, HERE / "nr386.c"])
    parts.kernel.write_bytes(unpacked_kernel(
        (root / "boot" / f"vmlinuz-{version}").read_bytes(),
        (root / "boot" / f"config-{version}").read_text()))
    _initramfs(root, version, parts)
    base = next(root.glob("usr/lib/linux-image-*/aspeed-ast2600-evb.dtb"))
    for name, dtb in parts.dtbs.items():
        text = device_tree(run(["dtc", "-q", "-I", "dtb", "-O", "dts", base]), name)
        run(["dtc", "-q", "-I", "dts", "-O", "dtb", "-o", dtb, "-"], input=text)
    mark.write_text(stamp.hexdigest())
    return parts


# --- the packages ---


def _unpacked():
    """Debian's kernel and busybox, unpacked, not installed."""
    root = WORK / "debian"
    mark = root / "version"
    if mark.exists():
        return root, mark.read_text()
    shutil.rmtree(root, ignore_errors=True)
    commands = apt()
    depends = run([*commands[0], "depends", "linux-image-armmp:armhf"])
    image = re.search(r"Depends: (linux-image-[0-9][^\s:]*)", depends)
    if not image:
        raise Missing(f"linux-image-armmp:armhf names no image:\n{depends}")
    unpack(commands, (f"{image[1]}:armhf", "busybox-static:armhf"), root)
    version = next((root / "lib" / "modules").iterdir()).name
    run([_tool("depmod"), "-b", root, version])
    mark.write_text(version)
    return root, version


def unpack(commands, packages, root):
    """Downloads packages, and unpacks them below `root`; installs nothing."""
    debs = WORK / "debs"
    debs.mkdir(exist_ok=True)
    # apt's own user may not write here; downloading as root is what is meant.
    for package in packages:
        run([*commands[1], "-o", "APT::Sandbox::User=root", "download", package], cwd=debs)
    for deb in sorted(debs.glob("*.deb")):
        run(["dpkg", "-x", deb, root])
        deb.unlink()


def apt():
    """The (apt-cache, apt-get) that know Debian's armhf packages: the system's,
    or else a private pair with lists of their own, which need no root."""
    system = (["apt-cache"], ["apt-get"])
    if "linux-image-" in _quiet([*system[0], "depends", "linux-image-armmp:armhf"]):
        return system
    here = WORK / "apt"
    for folder in ("lists/partial", "cache/archives/partial", "etc"):
        (here / folder).mkdir(parents=True, exist_ok=True)
    keyring = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
    if not keyring.exists():
        raise Missing("install debian-archive-keyring (or dpkg --add-architecture armhf on Debian)")
    (here / "sources.list").write_text(
        f"deb [arch=armhf signed-by={keyring}] http://deb.debian.org/debian bookworm main\n"
    )
    (here / "status").touch()
    options = []
    for option in (
        "APT::Architectures::=armhf",
        f"Dir::Etc::SourceList={here}/sources.list",
        "Dir::Etc::SourceParts=/dev/null",
        f"Dir::State::Lists={here}/lists",
        f"Dir::State::Status={here}/status",
        f"Dir::Cache={here}/cache",
        "APT::Sandbox::User=root",
    ):
        options += ["-o", option]
    run(["apt-get", *options, "update"])
    return ["apt-cache", *options], ["apt-get", *options]


def _quiet(args):
    return subprocess.run(args, capture_output=True, text=True).stdout


def _tool(name):
    """A tool that may stand in /sbin, which is not on everybody's PATH."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/sbin:/usr/sbin")
    if not found:
        raise Missing(f"{name} is not installed")
    return found


# --- kernel, initramfs and device tree ---


def unpacked_kernel(image, config):
    """The kernel out of its compressed image, as a uImage that QEMU loads to its place: to unpack
    itself takes the emulated processor a third of a whole start. As it is where it holds no xz."""
    # Where the kernel wants to be, from the start of memory: textofs of arch/arm/Makefile.
    offset = 0x8000
    for machine, place in (("MSM8X60", 0x208000), ("MSM8960", 0x208000), ("MESON", 0x208000),
                           ("AXXIA", 0x308000)):
        if f"CONFIG_ARCH_{machine}=y" in config:
            offset = place
    at = -1
    while (at := image.find(b"\xfd7zXZ\0", at + 1)) >= 0:
        try:
            kernel = lzma.LZMADecompressor().decompress(image[at:])
        except lzma.LZMAError:
            continue
        load = 0x80000000 + offset
        fields = (len(kernel), load, load, zlib.crc32(kernel), 5, 2, 2, 0, b"Linux")
        head = struct.pack(">IIIIIIIBBBB32s", 0x27051956, 0, 0, *fields)
        return struct.pack(">II", 0x27051956, zlib.crc32(head)) + head[8:] + kernel
    return image




def _initramfs(root, version, parts):
    tree = parts.initramfs.parent / "initramfs"
    for folder in ("bin", "modules", "proc", "sys", "dev", "root", "vcam"):
        (tree / folder).mkdir(parents=True)
    shutil.copy(parts.busybox, tree / "bin" / "busybox")
    (tree / "bin" / "sh").symlink_to("busybox")
    shutil.copy(GUEST / "init", tree / "init")
    # Goes to a tmpfs of the vendor's userland whole (guest/init).
    tools = tree / "vcam" / "bin"
    tools.mkdir()
    for applet in run(["qemu-arm-static", parts.busybox, "--list"]).split():
        if applet != "busybox":
            (tools / applet).symlink_to("busybox")
    for path in (parts.busybox, parts.nr386):
        shutil.copy(path, tools)
    for name in ("console", "last"):
        shutil.copy(GUEST / name, tree / "vcam")
    order = []
    for name in MODULES + VENDOR_MODULES:
        shown = run([_tool("modprobe"), "-d", root, "-S", version, "--show-depends", name])
        for line in shown.splitlines():
            kind, *path = line.split()
            if kind == "insmod" and Path(path[0]).name not in order:
                order.append(Path(path[0]).name)
                shutil.copy(path[0], tree / "modules")
    (tree / "modules" / "order").write_text(
        "".join(f"{name}\n" for name in order if name.removesuffix(".ko") not in VENDOR_MODULES))
    names = "\n".join(sorted(str(p.relative_to(tree)) for p in tree.rglob("*"))) + "\n"
    with open(parts.initramfs, "wb") as out:
        subprocess.run(
            ["cpio", "--quiet", "-o", "-H", "newc", "-R", "0:0"],
            input=names.encode(), stdout=out, cwd=tree, check=True,
        )


def device_tree(text, flash_map):
    """The board's device tree with the camera's flash map and one SD slot."""
    text = re.sub(r"\n\s*(vmmc-supply|vqmmc-supply) = [^;]*;", "", text)
    text = re.sub(r"\n\s*sdhci,wp-inverted;", "", text)
    for name in ("sdhci@1e740200", "sdc@1e750000", "spi@1e630000"):
        text = _in_node(text, name, lambda body: _own_status(body, "disabled"))
    return _in_node(text, "spi@1e620000", lambda body: _flash_node(body, flash_map))


def _flash_node(body, flash_map):
    narrow, n = re.subn(
        r"reg = <0x1e620000 0xc4 0x20000000 0x10000000>",
        "reg = <0x1e620000 0xc4 0x20000000 0x4000000>", body,
    )
    assert n == 1, "the SPI controller's window is not where it was"
    lines = ['compatible = "fixed-partitions"; #address-cells = <1>; #size-cells = <1>;']
    for name, offset, size in MAPS[flash_map]:
        lines.append(f'part@{offset:x} {{ label = "{name}"; reg = <{offset:#x} {size:#x}>; }};')
    return _in_node(narrow, "partitions", lambda _: "\n".join(lines))


def _in_node(text, name, edit):
    """`text` with the body of its first node `name` edited."""
    start = re.search(rf"\b{re.escape(name)} \{{", text)
    assert start, f"the device tree has no {name}"
    depth, at = 1, start.end()
    while depth:
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        at += 1
    return text[: start.end()] + edit(text[start.end() : at - 1]) + text[at - 1 :]


def _own_status(body, status):
    """A node's own status comes before its first child."""
    head, brace, rest = body.partition("{")
    head, n = re.subn(r'status = "[^"]*"', f'status = "{status}"', head, count=1)
    if n == 0:
        head = f'\nstatus = "{status}";{head}'
    return head + brace + rest
