"""The daemon under attack from the network: whatever comes in through the port,
/healthz answers within a second, and memory stays bounded."""

import contextlib
import http.client
import socket
import struct
import threading
import time
import unittest

from base import NO_BACKUP, CameraTest
from test_backup import wait_idle

MIB = 1 << 20


class GateTest(CameraTest):
    def connect(self):
        line = self.target.connect()
        self.addCleanup(line.close)
        return line

    def reset(self, line):
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        line.close()

    def push(self, line, content):
        """Sends until the other side has had enough."""
        with contextlib.suppress(OSError):
            line.sendall(content)

    def push_all(self, lines, content):
        threads = [threading.Thread(target=self.push, args=(line, content)) for line in lines]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def healthy(self, what, times=5):
        took = []
        for _ in range(times):
            began = time.monotonic()
            try:
                status, _, body = self.target.http("/healthz", seconds=5)
            except (OSError, http.client.HTTPException) as wrong:
                self.fail(f"{what}: /healthz: {wrong!r}")
            took.append(time.monotonic() - began)
            self.assertEqual((status, body.strip()), (200, b"ok"), what)
            time.sleep(0.2)
        shown = ", ".join(f"{t * 1000:.0f}" for t in took)
        print(f"[gate] {what}: /healthz after {shown} ms")
        # QEMU's network may lose one segment of a flood, and sends it again after a second: that is
        # not the daemon's doing. So one probe from outside may lose that second, no more, and the
        # camera itself is asked too: there it is a second, whatever comes in.
        worst, *others = sorted(took, reverse=True)
        self.assertLess(max(others), 1.0, f"{what}: {shown} ms; {self.counters()}")
        self.assertLess(worst, 2.0, f"{what}: {shown} ms; {self.counters()}")
        inside = self.target.run("timeout 1 wget -q -O - http://127.0.0.1/healthz", check=False)
        self.assertEqual((inside.status, inside.data), (0, b"ok"), f"{what}, asked inside")

    def counters(self):
        """What the guest's TCP lost, and where: a full listen queue is the daemon's
        doing, a retransmission without one is the rig's network."""
        wanted = ("ListenOverflows", "ListenDrops", "TCPTimeouts", "RetransSegs")
        lines = self.target.run("cat /proc/net/netstat /proc/net/snmp").text.splitlines()
        found = {}
        for names, values in zip(lines[::2], lines[1::2]):
            found.update(zip(names.split(), values.split()))
        return {name: found.get(name) for name in wanted}

    def test_healthz_answers_within_a_second_whatever_comes_in(self):
        self.target = camera = self.camera()
        camera.card.add("mi360d/config.toml", NO_BACKUP.encode())
        camera.start()
        camera.wait_http()
        pid = wait_idle(camera)
        self.healthy("at rest")

        idle = [self.connect() for _ in range(300)]
        self.healthy("300 idle connections")
        for line in idle:
            line.close()

        self.drip()
        self.upload(b"POST /api/v1/login", 4 << 30, 64 * 1024, "4 GiB declared, little sent")
        self.upload(b"POST /api/v1/images", 16 * MIB, MIB, "an upload of 16 MiB cut short")

        for _ in range(200):
            self.reset(self.connect())
        self.healthy("200 resets")

        lines = [self.connect() for _ in range(4)]
        self.push_all(lines, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: " + b"a" * MIB)
        self.healthy("headers of 1 MiB")

        self.assertEqual(camera.pid(), pid, "the daemon was started anew")
        memory = camera.memory(pid)
        print(f"[gate] after all: {memory}")
        self.assertLess(memory["VmHWM"], 8192)

    def drip(self):
        stop = threading.Event()

        def slowly(line):
            for byte in b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: " + b"a" * 10_000:
                if stop.wait(0.5):
                    return
                try:
                    line.send(bytes([byte]))
                except OSError:
                    return

        threads = [threading.Thread(target=slowly, args=(self.connect(),)) for _ in range(50)]
        for thread in threads:
            thread.start()
        try:
            time.sleep(2)
            self.healthy("50 dripping heads")
        finally:
            stop.set()
            for thread in threads:
                thread.join()

    def upload(self, request, declared, sent, what):
        head = request + b" HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n" % declared
        lines = [self.connect() for _ in range(8)]
        for line in lines:
            line.settimeout(2)
        self.push_all(lines, head + b"x" * sent)
        self.healthy(f"{what}, held open")
        for line in lines:
            self.reset(line)
        self.healthy(what)


if __name__ == "__main__":
    unittest.main()
