"""Processor time for each viewer, against GStreamer's RTSP server and live555, side by side: the
same stream, the same viewers, at the same time."""

import os
import socket
import subprocess
import time

from rig import HERE, LONG, Case, Grabber, free_port, process_seconds, wait_for
from test_clients import live555

VIEWERS = 6
# The system's python has the bindings, which another one may not.
PYTHON = "/usr/bin/python3"


class Cost(Case):
    def test_a_viewer_costs_no_more_than_with_gstreamer_or_live555(self):
        ours = self.server(["mainstream"])
        servers = {"mi360d": (ours.pid, ours.port)}
        fifos = [ours.fifos["mainstream"]]
        for name, words in (("gstreamer", [PYTHON, HERE / "gst_server.py"]),
                            ("live555", [live555() / "serve"])):
            fifo = ours.folder / name
            os.mkfifo(fifo)
            fifos.append(fifo)
            port = free_port()
            process = subprocess.Popen([*map(str, words), str(fifo), str(port)],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.addCleanup(lambda p=process: (p.kill(), p.wait()))
            wait_for(lambda p=port: listens(p), name)
            servers[name] = (process.pid, port)
        for fifo in fifos:
            grabber = Grabber(fifo, "main.h264", waits=True)
            self.addCleanup(grabber.kill)
        for transport in ("tcp", "udp"):
            with self.subTest(transport):
                # live555 sends such key frames to nobody over TCP.
                compared = [n for n in servers if (n, transport) != ("live555", "tcp")]
                self.compare({name: servers[name] for name in compared}, transport)

    def compare(self, servers, transport):
        viewers = [(name, Copier(port, transport)) for name, (_, port) in servers.items()
                   for _ in range(VIEWERS)]
        try:
            wait_for(lambda: all(viewer.pictures > 20 for _, viewer in viewers), "viewers", 90)
            before = {name: process_seconds(pid) for name, (pid, _) in servers.items()}
            seen = {name: sum(v.pictures for n, v in viewers if n == name) for name in servers}
            began = time.monotonic()
            time.sleep(15 * LONG)
            took = time.monotonic() - began
            cost = {}
            for name, (pid, _) in servers.items():
                used = process_seconds(pid) - before[name]
                pictures = sum(v.pictures for n, v in viewers if n == name) - seen[name]
                self.assertGreater(pictures, 0, name)
                cost[name] = used / pictures
                print(f"  {transport}, {name}: {used:.2f} s of {took:.0f} s for {VIEWERS} viewers, "
                      f"{1e6 * cost[name]:.0f} us for each picture", flush=True)
            for name, theirs in cost.items():
                self.assertLessEqual(cost["mi360d"], theirs, name)
        finally:
            for _, viewer in viewers:
                viewer.stop()


class Copier:
    """A viewer that takes the pictures and looks at none of them."""

    def __init__(self, port, transport):
        self.process = subprocess.Popen(
            ["ffmpeg", "-v", "quiet", "-nostdin", "-rtsp_transport", transport, "-i",
             f"rtsp://127.0.0.1:{port}/mainstream", "-c", "copy", "-f", "null", "-progress",
             "pipe:1", "-"], stdout=subprocess.PIPE, text=True)
        os.set_blocking(self.process.stdout.fileno(), False)
        self._seen, self._text = 0, ""

    @property
    def pictures(self):
        try:
            self._text += os.read(self.process.stdout.fileno(), 1 << 20).decode()
        except BlockingIOError:
            pass
        *lines, self._text = self._text.split("\n")
        for line in lines:
            if line.startswith("frame="):
                self._seen = int(line[6:])
        return self._seen

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def listens(port):
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


