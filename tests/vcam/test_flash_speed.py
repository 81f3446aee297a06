"""The same images written by mtd-utils' flashcp and by a bare loop, on the same
camera in one run: the same chip, and how long it takes."""

import json
import re
import statistics
import unittest

import flash
import oracle
from flasher import BINARY, NO_REBOOT, FlashTest, phrase, without_restart
from parts import partition

OFFSET, SIZE = partition("ipc009", "DATA")
BLOCK = 0x10000
ROUNDS = 5


def jffs2_of(seed, changed=()):
    """A DATA that fills its partition; with one byte changed at each of these places of the
    file in it."""
    content = bytearray(flash.noise(6_350_000, seed))
    for at in changed:
        content[at] ^= 0x55
    image = flash.jffs2({"app": bytes(content)})
    assert SIZE - BLOCK < len(image) <= SIZE, len(image)
    return image.ljust(SIZE, b"\xff")


def differing(one, other):
    """How many erase blocks differ."""
    return sum(one[at : at + BLOCK] != other[at : at + BLOCK] for at in range(0, SIZE, BLOCK))


class SpeedTest(FlashTest):
    def test_it_writes_what_flashcp_writes_and_takes_no_longer_than_it_must(self):
        images = {
            "a": jffs2_of("a"),
            # 5 of 99 blocks, spread over the partition.
            "few": jffs2_of("a", (500_000, 1_700_000, 3_000_000, 4_300_000, 5_600_000)),
            "b": jffs2_of("b"),
        }
        self.assertEqual(differing(images["a"], images["few"]), 5)
        self.assertEqual(differing(images["a"], images["b"]), SIZE // BLOCK)
        camera = self.by_hand(mib=512)
        oracle.onto(camera.card)
        for name, image in images.items():
            camera.card.add(f"{name}.img", image)
        camera.start()
        oracle.fetch(camera)
        camera.run("umount /mnt/data; cp /mnt/sdcard/*.img /tmp/; cp " + BINARY + " /tmp/mi360d")
        live = lambda: flash.read(camera.flash, "ipc009", "DATA")

        def flashcp(name):
            out = camera.run(f"time {oracle.FLASHCP} -v /tmp/{name}.img /dev/mtd3 2>&1", 300)
            self.assertEqual(live(), images[name], "flashcp")
            minutes, seconds = re.findall(r"real\s+(\d+)m ?([\d.]+)s", out.text)[0]
            return int(minutes) * 60 + float(seconds)

        def loop(name):
            took = float(camera.run(f"{oracle.NOR} loop /tmp/{name}.img /dev/mtd3", 300).text)
            self.assertEqual(live(), images[name], "the loop")
            return took

        def ours(name):
            plan = phrase(camera, f"/tmp/{name}.img", "DATA", "/tmp/mi360d")
            self.assertEqual(plan["blockers"], [])
            without_restart(
                camera, f"{NO_REBOOT} /tmp/mi360d --json flash /tmp/{name}.img --only DATA "
                f"--confirm '{plan['confirm']}' >/tmp/said 2>/tmp/heard")
            answer = json.loads(camera.run("cat /tmp/said").text)
            self.assertEqual(answer["outcome"], "done", camera.run("cat /tmp/heard").text)
            self.assertEqual(live(), images[name], "mi360d")
            return answer["seconds"], answer["blocks"]

        took = {name: [] for name in ("flashcp", "few", "loop", "all")}
        for _ in range(ROUNDS):
            took["flashcp"].append(flashcp("a"))
            seconds, blocks = ours("few")
            self.assertEqual(blocks, 6, "the five, and the first")
            took["few"].append(seconds)
            took["loop"].append(loop("a"))
            seconds, blocks = ours("b")
            self.assertEqual(blocks, SIZE // BLOCK)
            took["all"].append(seconds)
        # One turn of the bare loop takes up to half as long again as another: the one in the middle.
        middle = {name: statistics.median(times) for name, times in took.items()}
        few, whole = middle["few"] / middle["flashcp"], middle["all"] / middle["loop"]
        best = min(took["few"]) / min(took["flashcp"]), min(took["all"]) / min(took["loop"])
        print(f"[speed] {SIZE / 2**20:.1f} MiB, median of {ROUNDS}: flashcp -v "
              f"{middle['flashcp']:.2f} s; mi360d, 5 % changed {middle['few']:.2f} s, ratio {few:.2f}; "
              f"bare loop {middle['loop']:.2f} s; mi360d, all changed {middle['all']:.2f} s, ratio "
              f"{whole:.2f}; the best of each: ratios {best[0]:.2f}, {best[1]:.2f}; all of them: {took}")
        self.assertLessEqual(few, 0.5)
        self.assertLessEqual(whole, 1.15)


if __name__ == "__main__":
    unittest.main()
