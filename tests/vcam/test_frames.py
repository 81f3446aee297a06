"""Programs that are sent to the camera: one for a PC; the one for its own pictures, out of the
original's zip; and the codec's byte in a library on a real JFFS2, put back, and refused where DATA
cannot be written."""

import hashlib
import io
import json
import subprocess
import unittest
import zipfile

from base import NO_BACKUP, CameraTest
from parts import REPO

NAME = "hacks/framegrabber/bin/ipc009/framegrabber"
LIBRARY = "/mnt/data/lib/libboardav.so.1.0.0"
CODEC_AT, SIZE = 0x4318, 48540
HEAD = b"\x7fELF\x01\x01\x01" + bytes(9) + b"\x03\0\x28\0"


def library(codec):
    bytes_ = bytearray(HEAD.ljust(SIZE, b"\0"))
    bytes_[CODEC_AT] = codec
    return hashlib.sha256(bytes_).hexdigest()


class FramesTest(CameraTest):
    def ask(self, method, path, body=None, wanted=200):
        if not isinstance(body, (bytes, type(None))):
            body = json.dumps(body).encode()
        status, _, answer = self.target.http(path, method, body, self.headers, seconds=180)
        self.assertEqual(status, wanted, answer)
        return json.loads(answer)

    def pc_program_is_named_and_never_started(self):
        def shown():
            alien = self.ask("GET", "/api/v1/services/alien")
            return alien if alien["state"] == "pausing" else None

        alien = self.target.wait_for(shown, 60, "the reason", every=1)
        self.assertIn("is a program for a PC (x86-64), not for ARM", alien["reason"])
        self.assertEqual(alien["programs"][0]["starts"], 0)

    def test_the_program_comes_out_of_the_zip_and_the_codec_changes_on_jffs2_and_back(self):
        program = self.folder / "framegrabber"
        subprocess.run(["arm-linux-gnueabihf-gcc", "-O1", "-o", program,
                        REPO / "tests/vcam/framegrabber.c"], check=True)
        camera = self.target = self.camera()
        camera.card.add("mi360d/config.toml", NO_BACKUP.encode())
        camera.card.add("hacks/alien/hack.toml", b'id = "alien"\nenabled = true\nexec = ["./alien"]\n')
        # The head of a program for x86-64; FAT lets any file be executed.
        camera.card.add("hacks/alien/alien", b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x03\0\x3e\0" + bytes(44))
        camera.start()
        camera.wait_http()
        self.headers = camera.log_in("correct horse")
        self.pc_program_is_named_and_never_started()
        # The firmware's own, real where there are samples, is none that is known.
        self.assertTrue(self.ask("GET", "/api/v1/framegrabber")["codec_problem"])

        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
            zipped.writestr("sdcard/" + NAME, program.read_bytes())
            zipped.writestr("sdcard/hacks/runit/bin/runit", b"not wanted")
        image = self.ask("POST", "/api/v1/images", archive.getvalue(), 201)["id"]
        found = self.ask("POST", "/api/v1/framegrabber", {"image": image})
        # It is linked with glibc, which this camera does not have.
        self.assertTrue(found["there"], found)
        self.assertEqual(set(found["missing"]), {"libc.so.6", "ld-linux-armhf.so.3"})
        self.assertIn("firmware lacks", found["reason"])
        self.assertEqual(camera.run(f"sha256sum </mnt/sdcard/{NAME}").text.split()[0],
                         hashlib.sha256(program.read_bytes()).hexdigest())

        head = "".join(f"\\{byte:03o}" for byte in HEAD)
        camera.run(f"mkdir -p /mnt/data/lib; head -c {SIZE} /dev/zero >{LIBRARY}; chmod 755 {LIBRARY}; "
                   f"printf '{head}' | dd of={LIBRARY} conv=notrunc 2>/dev/null; "
                   f"printf '\\001' | dd of={LIBRARY} bs=1 seek={CODEC_AT} conv=notrunc 2>/dev/null; sync")
        self.assertEqual(self.hash(), library(1))
        found = self.ask("GET", "/api/v1/framegrabber")
        self.assertIn(library(0), found["codec_problem"])
        self.ask("PUT", "/api/v1/framegrabber", {"codec": "h264"}, 409)
        self.assertEqual(self.hash(), library(1), "unknown: not written")
        camera.put("/mnt/sdcard/mi360d/known-libboardav.txt", library(0).encode())

        camera.run("mount -o remount,ro /mnt/data")
        said = self.ask("PUT", "/api/v1/framegrabber", {"codec": "h264"}, 409)
        self.assertIn("read-only", said["error"]["message"])
        camera.run("mount -o remount,rw /mnt/data")
        found = self.ask("PUT", "/api/v1/framegrabber", {"codec": "h264"})
        self.assertEqual((found["codec"], found["codec_now"]), ("h264", "h264"))
        # A power cut now: what was renamed is there, whole.
        camera.power_off()
        camera.start()
        camera.wait_http()
        self.assertEqual(self.hash(), library(2))
        self.assertIn("rwxr-xr-x", camera.run(f"ls -l {LIBRARY}").text)
        self.assertNotIn(".new", camera.run("ls /mnt/data/lib").text)
        self.headers = camera.log_in("correct horse")
        found = self.ask("PUT", "/api/v1/framegrabber", {"codec": "firmware"})
        self.assertEqual((found["codec"], found["codec_now"]), ("firmware", "h265"))
        self.assertEqual(self.hash(), library(1))

    def hash(self):
        return self.target.run(f"sha256sum {LIBRARY}").text.split()[0]


if __name__ == "__main__":
    unittest.main()
