"""Answers without an end, asked for by HTTP/1.0, by clients that close their half, and by crowds that
go at any moment: nothing is collected in memory, and a client that is gone is noticed."""

import json
import os
import random
import signal
import socket
import time
from pathlib import Path

from rig import free_port, wait_for
from test_page import Demo
from test_viewers import whole_fragments

# What may be left in memory when a crowd has gone, in KiB.
LEFT = 2 * 1024
CROWD = 300
AT_ONCE = 20


class Endless(Demo):
    # As on the camera, one heap for all threads.
    ENVIRONMENT = {"MALLOC_ARENA_MAX": "1"}

    def setUp(self):
        super().setUp()
        self.stream_port = free_port()
        wait_for(lambda: self.ask("GET", "/services/rtsp-server")[0] == 200, "the hack", 120)
        status, _, body = self.ask("PUT", "/services/rtsp-server",
                                   {"enabled": True, "settings": {"port": self.stream_port}})
        self.assertEqual(status, 200, body)
        wait_for(lambda: self.stats() and all(s["fps"] for s in self.stats()["streams"]), "pictures", 120)

    def stats(self):
        return json.loads(self.ask("GET", "/video")[2])["server"]

    def asker(self, path="/api/v1/live?stream=substream", version="1.0"):
        one = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        one.sendall(f"GET {path} HTTP/{version}\r\nHost: 127.0.0.1:{self.port}\r\n"
                    f"Cookie: {self.headers['Cookie']}\r\n\r\n".encode())
        return one

    def read(self, one, most):
        data = b""
        while len(data) < most and (piece := one.recv(1 << 16)):
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        return head.decode().lower(), body

    def resident(self):
        """Of the daemon and the RTSP server, each in KiB."""
        sizes = {}
        for pid in [self.demo.pid, *children(self.demo.pid)]:
            for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith("VmRSS:"):
                    sizes[pid] = int(line.split()[1])
        return sizes

    def nobody_watches(self, seconds):
        wait_for(lambda: (told := self.stats()) and not told["viewers"],
                 "those who are gone to be noticed", seconds)

    def test_http_1_0_gets_the_stream_until_it_closes(self):
        one = self.asker()
        head, body = self.read(one, 300_000)
        self.assertTrue(head.startswith("http/1.1 200"), head)
        self.assertNotIn("transfer-encoding", head)
        self.assertNotIn("content-length", head)
        self.assertIn("connection: close", head)
        whole = whole_fragments(body)
        self.assert_decodes(whole, whole.count(b"moof"))
        self.assertEqual(len(self.stats()["viewers"]), 1)
        one.close()
        self.nobody_watches(10)
        # A client that closes its half still gets the stream, and is noticed when it has gone.
        one = self.asker()
        one.shutdown(socket.SHUT_WR)
        head, body = self.read(one, 300_000)
        whole = whole_fragments(body)
        self.assert_decodes(whole, whole.count(b"moof"))
        one.close()
        self.nobody_watches(10)

    def test_a_client_that_is_gone_is_noticed_also_while_no_picture_comes(self):
        wait_for(lambda: json.loads(self.ask("GET", "/status")[2])["backup"]["state"] == "done",
                 "the backup", 120)
        time.sleep(1)
        before = self.descriptors()
        one = self.asker()
        self.read(one, 100_000)
        self.assertGreaterEqual(self.descriptors(), before + 3, "client, tiny_http, RTSP server")
        # The server says nothing more, and its socket stays.
        server = children(self.demo.pid)[0]
        os.kill(server, signal.SIGSTOP)
        try:
            one.close()
            wait_for(lambda: self.descriptors() <= before, "the daemon to let go", 20)
        finally:
            os.kill(server, signal.SIGCONT)
        self.nobody_watches(10)

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.demo.pid}/fd"))

    def test_a_crowd_of_every_kind_leaves_nothing_in_memory(self):
        self.crowd(60)
        self.settle()
        before = self.resident()
        began = time.monotonic()
        self.crowd(CROWD)
        self.nobody_watches(15)
        self.settle()
        after = self.resident()
        print(f"{CROWD} askers in {time.monotonic() - began:.0f} s: {before} KiB, then {after} KiB",
              flush=True)
        self.assertEqual(before.keys(), after.keys(), "a process ended")
        for pid, size in after.items():
            self.assertLess(size, before[pid] + LEFT, "memory is kept for those who are gone")
        head, body = self.read(self.asker(), 100_000)
        self.assertIn(b"moof", body, head)

    def settle(self):
        """tiny_http ends the threads that it no longer needs after 5 s."""
        self.nobody_watches(15)
        time.sleep(6)

    def crowd(self, count):
        dice = random.Random(count)
        here = []
        for number in range(count):
            path = f"/api/v1/live?stream={'main' if number % 2 else 'sub'}stream"
            if number % 10 == 9:
                path = "/api/v1/snapshot"
            one = self.asker(path, "1.0" if number % 3 else "1.1")
            if number % 4 == 0:
                one.shutdown(socket.SHUT_WR)
            here.append(one)
            if dice.random() < 0.5:
                one.settimeout(0.2)
                try:
                    one.recv(dice.randrange(1, 100_000))
                except TimeoutError:
                    pass
            while len(here) > AT_ONCE or here and dice.random() < 0.3:
                here.pop(dice.randrange(len(here))).close()
        for one in here:
            one.close()


def children(pid):
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(one) for one in (task / "children").read_text().split()]
    return found
