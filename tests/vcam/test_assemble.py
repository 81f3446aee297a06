"""A brick brought back with a programmer: `assemble` makes the chip's image out
of what is left of the camera and a tf image, and the camera starts with it."""

import json
import os
import subprocess
import unittest
from pathlib import Path

import flash
from base import CameraTest
from parts import CHIP_SIZE, MAPS, REPO, partition
from vcam import VirtualCamera

# The PC's own build, as `cargo test` leaves it.
ON_PC = Path(os.environ.get("MI360D_ON_PC", REPO / "target" / "debug" / "mi360d"))
OWN = ("BOOT", "CONFIG", "FACTORY")


def on_pc(*words):
    """Runs the program on this PC: its status and its document."""
    done = subprocess.run([ON_PC, "--json", *words], capture_output=True, text=True)
    return done.returncode, json.loads(done.stdout or "{}"), done.stderr


class AssembleTest(CameraTest):
    def test_a_brick_and_a_tf_image_make_a_camera_that_starts(self):
        if not ON_PC.exists():
            self.fail(f"no {ON_PC}: run cargo build first")
        for flash_map in MAPS:
            with self.subTest(map=flash_map):
                self.brought_back(flash_map)

    def brought_back(self, flash_map):
        place = self.folder / flash_map
        place.mkdir()
        whole = place / "whole.bin"
        flash.chip(whole, flash_map, release=f"brought back {flash_map}")
        alive = whole.read_bytes()
        # The vendor's image, as far as one can be made: its signature is by nobody.
        image = place / "tf.img"
        image.write_bytes(alive[0x050000:0xFE0000] + flash.noise(80, "trailer"))
        brick = bytearray(flash.noise(CHIP_SIZE, f"brick {flash_map}"))
        for name in OWN:
            offset, size = partition(flash_map, name)
            brick[offset : offset + size] = alive[offset : offset + size]
        dump = place / "brick.bin"
        dump.write_bytes(brick)
        self.assertEqual(on_pc("inspect", dump)[0], 4)

        chip = place / "chip.bin"
        status, said, errors = on_pc("assemble", "--own", dump, "--donor", image, "--out", chip)
        self.assertEqual(status, 0, errors)
        self.assertEqual([p["from"] for p in said["parts"]],
                         ["own" if name in OWN else "donor" for name, _, _ in MAPS[flash_map]])
        self.assertEqual(on_pc("inspect", chip)[0], 0)
        self.assertEqual(chip.read_bytes(), alive)

        # The programmer's part: chip.bin is written to the chip.
        with VirtualCamera(chip, None, flash_map) as camera:
            camera.start()
            self.assertEqual(camera.run("cat /etc/release").text, f"brought back {flash_map}\n")
            mounts = camera.run("cat /proc/mounts").text
            self.assertRegex(mounts, r"(?m)^/dev/mtdblock2 / squashfs ro,")
            self.assertRegex(mounts, r"(?m)^/dev/mtdblock3 /mnt/data jffs2 rw,")
            files = int(camera.run("find /mnt/data -type f | wc -l").text)
            self.assertGreater(files, 0)
            camera.kill()
        self.assertEqual(flash.read(chip, flash_map, "FACTORY"), flash.factory(model=flash_map))


if __name__ == "__main__":
    unittest.main()
