"""The proofs of the vendor's rig (../shared/vendor/rig: prove.py, real.py) with our reader and our
broadcaster in place of its Python ones: tests/frames_vendor, against the vendor's own library and
programs under qemu-arm. This builds the rig and runs them; what fetchav.py proves is in test_vendor."""

import os
import re
import shutil
import subprocess

import vendor_rig
from rig import LONG, ROOT, TARGET, Case

RIG = TARGET / "vendor-rig"
CARGO = ["cargo", "test", "--quiet", "--locked", "--features", "sdcard", "--test", "frames_vendor"]
# It is asked once a minute, by the clock.
SLOW = "the_vendor_s_client_keeps_the_snapshot_that_the_broadcaster_sends"
# The rig's frames are numbers. Our reader wants to see pictures: these begin with a start code, and
# its answer to one reader is a JPEG file of a size that grows with each request.
PICTURES = [
    ("vbrd", "p[i] = (unsigned char)(i * 7u + (i >> 8) + number * 31u);",
     "p[i] = (unsigned char)(i * 7u + (i >> 8) + number * 31u);\n"
     "    if (number == 256077u && n > 2) { p[0] = 0xff; p[1] = 0xd8; }\n"
     "    else if (n > 6) { memcpy(p, \"\\0\\0\\0\\1\\46\\1\", 6); }"),
    ("vbrd", "} else if (n > 5 && !memcmp(d, \"TEXT \", 5)) {",
     "} else if (n == 14 && !memcmp(d, \"REQ_SNAPSHOT_R\", 14)) {\n"
     "        static const char *sizes[] = { \"SNAP 4000\", \"SNAP 4001\", \"SNAP 262144\", \"SNAP 700000\" };\n"
     "        static int asked; const char *s = sizes[asked++ & 3];\n"
     "        unsigned size = (unsigned)strtoul(s + 5, 0, 10);\n"
     "        unsigned char *f = shbf_brd_alloc(B, size + 32 + 50000);\n"
     "        head(f, 2, 0, size, 0);\n"
     "        fill(f + 32, size, 256077u);\n"
     "        shbf_set_size(f, size + 32);\n"
     "        printf(\"SNAP size=%u send=%d\\n\", size, shbf_brd_send(B, fd, f));\n"
     "        shbf_free(f);\n"
     "    } else if (n > 5 && !memcmp(d, \"TEXT \", 5)) {"),
    ("vrcv", "for (unsigned i = 0; i < h[4]; i++)", "for (unsigned i = 6; i < h[4]; i++)"),
]


def build():
    """The rig, made once, with the two programs that serve and read pictures."""
    if (RIG / "ready").exists():
        return
    shutil.rmtree(RIG, ignore_errors=True)
    shutil.copytree(vendor_rig.MAKER.parent / "rig", RIG, ignore=shutil.ignore_patterns("build", "target"))
    run = lambda *words: subprocess.run(words, cwd=RIG, check=True, stdout=subprocess.DEVNULL, timeout=300)  # noqa: E731
    run("make", f"DATA={vendor_rig.root()}/mnt/data")
    for name in ("vbrd", "vrcv"):
        text = (RIG / f"{name}.c").read_text()
        for _, old, new in (change for change in PICTURES if change[0] == name):
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        (RIG / f"{name}-pictures.c").write_text(text)
        run("arm-linux-gnueabihf-gcc", "-O2", "-std=gnu11", "-o", f"build/{name}-pictures", f"{name}-pictures.c",
            "build/lib/libshbf.so.0.2", "-Wl,--allow-shlib-undefined", "-Wl,-rpath-link,build/lib")
    (RIG / "ready").touch()


def prepare():
    build()
    subprocess.run([*CARGO, "--no-run"], cwd=ROOT, check=True)


class Rig(Case):
    def test_the_rig_s_proofs_with_our_reader_and_our_broadcaster(self):
        why = vendor_rig.missing()
        if why:
            self.fail(f"not run: {why}")
        prepare()
        words = [] if LONG > 1 else ["--skip", SLOW]
        done = subprocess.run([*CARGO, "--", "--test-threads=3", *words], cwd=ROOT, text=True, timeout=600,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env={**os.environ, "MI360D_RIG": str(RIG)})
        self.assertEqual(done.returncode, 0, done.stdout[-6000:])
        passed = int(re.search(r"(\d+) passed; 0 failed", done.stdout)[1])
        self.assertGreaterEqual(passed, 12 + (LONG > 1), done.stdout)
        print(f"  {passed} proofs", flush=True)
