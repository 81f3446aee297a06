"""What the tests of flashing have in common: images to flash, the command in
the guest, and the laws that hold after it."""

import hashlib
import json
import tempfile
from pathlib import Path

import flash
import flsh
from base import PROGRAM, SDCARD
from parts import CHIP_SIZE, MAPS, partition
from test_backup import BY_HAND, DaemonTest

BINARY = f"/mnt/sdcard/{BY_HAND}"
IMAGE = "new.img"
SAID, HEARD = "said.json", "heard.txt"
# The serial line: what goes there is not lost where the restart comes without a sync.
CONSOLE = "/dev/ttyS4"
# Ends the program at its reboot call, so that the camera can be looked at after it.
NO_REBOOT = "nr386 -r"
# The status of a program that was ended so: by SIGSYS.
AT_REBOOT = 128 + 31
TRAILER = 80
# The settings that the stock firmware keeps in DATA.
NVRAM = flsh.build([("miio_ssid", "a network"), ("miio_passwd", "VcamWifiSecret"),
                    ("timezone", "UTC"), ("light", "1")])


def tf_image(chip):
    """A tf image of a whole chip's KERNEL, ROOTFS and DATA. Its trailer is no
    signature of anybody's."""
    return bytes(chip[0x050000:0xFE0000]) + flash.noise(TRAILER, "trailer")


def other_chip(flash_map="ipc009", erase=0x10000, release="9.9.9_0001", **replaced):
    """A chip that differs from the usual one in KERNEL, ROOTFS and DATA."""
    if "kernel" not in replaced:
        replaced["kernel"] = flash.uimage(
            flash.FAMILY[flash_map], b"\xfd7zXZ\0" + flash.noise(1_700_000, "another kernel"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "chip"
        flash.chip(path, flash_map, erase, release=release,
                   extra={"usr/share/more": flash.noise(600_000, "more")}, **replaced)
        return path.read_bytes()


def new_data(erase=0x10000, flash_map="ipc009"):
    """Another real JFFS2 than the usual one, as mkfs.jffs2 makes it."""
    files = {"hello": b"a new DATA\n"}
    if erase >= 0x2000:
        files["app"] = flash.noise(3_000_000, "a new app")
    return flash.settled(flash.jffs2(files, erase), partition(flash_map, "DATA")[1], erase)


def part(chip, flash_map, name):
    """One partition out of the bytes of a chip."""
    offset, size = partition(flash_map, name)
    return bytes(chip[offset : offset + size])


def with_parts(chip, flash_map, **parts):
    """A chip with some of its partitions replaced, named in lower case."""
    image = bytearray(chip)
    for name, content in parts.items():
        offset, size = partition(flash_map, name.upper())
        image[offset : offset + size] = content.ljust(size, b"\xff")
    assert len(image) == CHIP_SIZE
    return bytes(image)


def phrase(camera, source, only=None, binary=BINARY):
    """The plan's document; its phrase stands in `confirm`."""
    only = f"--only {only}" if only else ""
    out = camera.run(f"{binary} --json plan {source} {only} 2>/tmp/plan.err", 600, check=False)
    assert out.status in (0, 3), (out.status, out.text, camera.run("cat /tmp/plan.err").text)
    return json.loads(out.text)


def flash_command(source, plan, only=None, verb="flash", binary=BINARY, wrap="",
                  messages=f"/mnt/sdcard/{HEARD}"):
    """The command that does what a plan says; answers and messages go to the card."""
    only = f"--only {only}" if only else ""
    return (f"{wrap} {binary} --json {verb} {source} {only} --confirm '{plan['confirm']}' "
            f">/mnt/sdcard/{SAID} 2>{messages}")


def without_restart(camera, command, seconds=600):
    """Runs a flash that ends at its reboot call, and takes the plug out of the watchdog, which
    would restart the camera a minute later. The status of the flash."""
    after = "status=$?; printf V >/dev/watchdog; sync; exit $status"
    return camera.run(f"{command}; {after}", seconds, check=False).status


def begin(camera, command):
    """Starts a command in the background, free of the console."""
    camera.run(f"{{ {command} ; }} </dev/null &")


def ended(camera, seconds=900):
    """Waits until the camera restarts by itself, by the system call, and says nothing worse."""
    camera.wait_end(seconds)
    console = camera.console
    assert "reboot: Restarting system" in console, console[-3000:]
    assert "Kernel panic" not in console, console[-3000:]


def said(camera):
    """What the command answered, read from the card of a camera that is off."""
    text = camera.card.read(SAID)
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise AssertionError((text, heard(camera))) from None


def heard(camera):
    """What the command said on its standard error."""
    return camera.card.read(HEARD).decode(errors="replace")


def left_over(card):
    """What is left on a card of a flash that is over."""
    root = [n for n in card.names() if n.lower().startswith("tf_") and n.lower().endswith(".img")]
    state = [n for n in card.names("mi360d/state") if n == "flash.toml" or n.startswith("carried")]
    return root + state + [n for n in card.names("mi360d/images") if n.startswith("job-")]


class FlashTest(DaemonTest):
    """A camera that is flashed, and the laws that hold for it."""

    def flashing(self, image, **more):
        """A camera whose hook starts nothing, with an image on its card."""
        camera = self.by_hand(**more)
        camera.card.add(IMAGE, image)
        return camera

    def differs(self, chip, wanted, flash_map):
        """Names of the partitions in which a chip is not what was wanted."""
        return [name for name, _, _ in MAPS[flash_map]
                if part(chip, flash_map, name) != part(wanted, flash_map, name)]

    def check_chip(self, camera, wanted):
        """The chip is what was wanted, byte for byte."""
        self.assertEqual(self.differs(camera.flash.read_bytes(), wanted, camera.flash_map), [])
