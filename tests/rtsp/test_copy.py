"""A long recording without a decoder, as recorders make it: the main stream over TCP and the sub
stream over UDP, at the same time. Run by name:

    MI360D_COPY_MINUTES=20 python3 tests/rtsp/run.py test_copy
"""

import json
import os
import subprocess
import time
from pathlib import Path

from rig import free_port, run, wait_for
from test_page import Demo

MINUTES = float(os.environ.get("MI360D_COPY_MINUTES", "20"))
# The made-up scene's.
RATE = 10


class Copy(Demo):
    def test_no_picture_is_late_or_lost_and_no_memory_grows(self):
        port = free_port()
        wait_for(lambda: self.ask("GET", "/services/rtsp-server")[0] == 200, "the hack", 120)
        status, _, body = self.ask("PUT", "/services/rtsp-server",
                                   {"enabled": True, "settings": {"port": port}})
        self.assertEqual(status, 200, body)
        wait_for(lambda: (json.loads(self.ask("GET", "/video")[2])["server"] or {}).get("streams")
                 and all(s["fps"] for s in self.streams()), "pictures", 120)
        _, _, body = self.ask("POST", "/video/login", {"password": "correct horse"})
        login = json.loads(body)
        base = f"rtsp://{login['user']}:{login['password']}@127.0.0.1:{port}"
        rtsp = next(pid for pid in children(self.demo.pid)
                    if b"\0rtsp\0" in Path(f"/proc/{pid}/cmdline").read_bytes())
        recorders = {}
        for name, transport in (("mainstream", "tcp"), ("substream", "udp")):
            film = self.folder / f"{name}.mkv"
            recorders[name] = film, subprocess.Popen(
                ["ffmpeg", "-v", "verbose", "-nostdin", "-rtsp_transport", transport, "-i",
                 f"{base}/{name}", "-c", "copy", "-t", str(60 * MINUTES), film],
                stdout=subprocess.DEVNULL, stderr=open(self.folder / f"{name}.log", "w"))
        wait_for(lambda: len(json.loads(self.ask("GET", "/video")[2])["server"]["viewers"]) == 2,
                 "both recorders")
        # The first backup reads all of the simulated chip, which then counts as memory.
        wait_for(self.is_saved, "the first backup", 300)
        time.sleep(min(10, 15 * MINUTES))
        before = {"daemon": memory(self.demo.pid), "rtsp": memory(rtsp)}
        end = time.monotonic() + 60 * MINUTES + 120
        lost = {}
        while any(process.poll() is None for _, process in recorders.values()):
            self.assertLess(time.monotonic(), end, "the recorders do not end")
            for viewer in json.loads(self.ask("GET", "/video")[2])["server"]["viewers"]:
                lost[viewer["stream"]] = viewer["lost"]
            time.sleep(2)
        after = {"daemon": memory(self.demo.pid), "rtsp": memory(rtsp)}
        for name, (film, process) in recorders.items():
            said = (self.folder / f"{name}.log").read_text()
            self.assertEqual(process.returncode, 0, said[-2000:])
            # ffmpeg itself gives the first picture of H.264 over RTSP no time, and notices.
            self.assertLessEqual(said.count("Non-monoton"), 1, name)
            for word in ("missed", "lost", "max delay", "corrupt"):
                self.assertFalse(word in said, f"{name}: ffmpeg says '{word}'")
            times = sorted(at for at, _ in packets(film, "v"))[2:]
            steps = [b - a for a, b in zip(times, times[1:])]
            whole = round((times[-1] - times[0]) * RATE) + 1
            print(f"  {name}: {len(times)} pictures in {times[-1] - times[0]:.1f} s, steps of "
                  f"{min(steps):.3f} to {max(steps):.3f} s", flush=True)
            self.assertGreater(times[-1] - times[0], 58 * MINUTES, name)
            self.assertLessEqual(max(steps), 1.5 / RATE, name)
            self.assertEqual(len(times), whole, f"{name}: pictures are missing")
            # G.711 has 8,000 samples of a byte in a second. Pictures are checked above by the same
            # clock, so this is what sound and picture drift apart.
            sound = packets(film, "a")
            drift = max(abs(sum(size for _, size in sound[:at]) / 8000 - (time - sound[0][0]))
                        for at, (time, _) in enumerate(sound))
            ends = sound[-1][0] - times[-1]
            print(f"  {name}: {len(sound)} pieces of sound, {1000 * drift:.0f} ms from the picture's "
                  f"clock at most; the last begins {1000 * ends:+.0f} ms from the last picture", flush=True)
            self.assertLess(drift, 0.04, f"{name}: sound and picture drift apart")
            self.assertLess(abs(ends), 0.3, name)
        print(f"  memory in KiB at the start {before}, at the end {after}", flush=True)
        self.assertEqual(set(lost.values()), {0}, lost)
        self.assertEqual(len(lost), 2, lost)
        for name in before:
            self.assertLess(after[name], before[name] + 1024, f"{name} grows")

    def is_saved(self):
        job = json.loads(self.ask("GET", "/status")[2])["job"]
        saved = json.loads(self.ask("GET", "/backups")[2])["backups"]
        return saved and (job or {}).get("state") != "running"

    def streams(self):
        return json.loads(self.ask("GET", "/video")[2])["server"]["streams"]


def packets(film, kind):
    """When each begins, in seconds, and its bytes."""
    status, out, err = run(["ffprobe", "-v", "error", "-select_streams", kind, "-show_entries",
                            "packet=pts_time,size", "-of", "csv=p=0", film], 300)
    assert (status, err) == (0, ""), err
    return [(float(at), int(size)) for at, size in (line.split(",")[:2] for line in out.split())]


def children(pid):
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += (task / "children").read_text().split()
    return [int(child) for child in found]


def memory(pid):
    """Resident memory in KiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise KeyError(pid)
