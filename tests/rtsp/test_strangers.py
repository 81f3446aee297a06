"""What strangers send: no login, wrong logins, garbage, patience. Others play on."""

import os
import select
import socket
import time

from rig import LONG, RATE, Case, run, wait_for, BINARY
from test_viewers import MEMORY
from viewer import Broken, Refused, Rtsp, Viewer

PASSWORD = 'über "geheim": $x\\'
LOGIN = ("admin", PASSWORD)
METHODS = ["OPTIONS", "DESCRIBE", "SETUP", "PLAY", "PAUSE", "GET_PARAMETER", "SET_PARAMETER",
           "TEARDOWN", "ANNOUNCE", "RECORD", "REDIRECT"]


class Logins(Case):
    def test_without_a_login_there_is_nothing_but_401(self):
        server = self.server(["mainstream"], password=PASSWORD)
        self.grabber(server, "mainstream", "sub.h264")
        for method in METHODS:
            for path in ("mainstream", "nothing", "mainstream/trackID=0", ""):
                rtsp = Rtsp(server.port)
                transport = ["Transport: RTP/AVP/TCP;interleaved=0-1"]
                status, found, body = rtsp.ask(method, f"{rtsp.base}/{path}", transport)
                self.assertEqual((status, body), (401, ""), method)
                challenges = [v for n, v in found if n == "WWW-Authenticate"]
                self.assertEqual(len(challenges), 2)
                self.assertIn("SHA-256", challenges[0])
                self.assertIn("algorithm=MD5", challenges[-1])
                rtsp.close()
        self.assertEqual(server.stats()["wrong_logins"], 0, "who asked nothing was not wrong")

    def test_both_digests_let_the_owner_in(self):
        server = self.server(["mainstream"], password=PASSWORD)
        self.grabber(server, "mainstream", "sub.h264")
        for which in (0, -1):
            rtsp = Rtsp(server.port)
            url = f"{rtsp.base}/mainstream"
            _, found, _ = rtsp.ask("DESCRIBE", url)
            rtsp.login = LOGIN
            rtsp.challenges = [[v for n, v in found if n == "WWW-Authenticate"][which]]
            status, _, sdp = rtsp.ask("DESCRIBE", url, [], rtsp.authorization("DESCRIBE", url))
            self.assertEqual(status, 200)
            self.assertIn("H264/90000", sdp)
            rtsp.close()

    def test_a_new_password_counts_at_once(self):
        server = self.server(["mainstream"], password=PASSWORD)
        self.grabber(server, "mainstream", "sub.h264")
        viewers = [Viewer(server.port, "mainstream", udp=udp, login=LOGIN) for udp in (0, 1)]
        for viewer in viewers:
            viewer.start()
            wait_for(lambda v=viewer: v.error or v.seen, "a picture")
        new = server.password_file.with_suffix(".new")
        new.write_text("another one\n")
        changed = time.monotonic()
        new.rename(server.password_file)
        for viewer in viewers:
            viewer.join(60)
            self.assertIsInstance(viewer.error, Broken, "it should have been sent away")
        self.assertLess(time.monotonic() - changed, 20)
        with self.assertRaises(Refused):
            Viewer(server.port, "mainstream", login=LOGIN).watch()
        again = Viewer(server.port, "mainstream", login=("admin", "another one"))
        again.start()
        wait_for(lambda: again.seen or again.error, "a picture")
        again.stop()
        self.assertNotIn("another one", server.text())
        self.assertNotIn(PASSWORD, server.text())

    def test_wrong_passwords_cost_time(self):
        server = self.server(["mainstream"], password=PASSWORD)
        self.grabber(server, "mainstream", "sub.h264")
        viewer = Viewer(server.port, "mainstream", login=LOGIN)
        viewer.start()
        wait_for(lambda: viewer.seen or viewer.error, "a picture")
        # Many connections at once are no faster than one.
        crowd = [Rtsp(server.port) for _ in range(20)]
        for rtsp in crowd:
            rtsp.login = ("admin", "guess")
            _, found, _ = rtsp.ask("OPTIONS", "*")
            rtsp.challenges = [v for n, v in found if n == "WWW-Authenticate"]
        for rtsp in crowd:
            rtsp.sequence += 1
            rtsp.send(f"OPTIONS * RTSP/1.0\r\nCSeq: {rtsp.sequence}\r\n"
                      f"Authorization: {rtsp.authorization('OPTIONS', '*')}\r\n\r\n".encode())
        wait_for(lambda: server.stats()["wrong_logins"] == 20, "all to be judged")
        answered = [rtsp for rtsp in crowd if select.select([rtsp.socket], [], [], 0)[0]]
        self.assertLessEqual(len(answered), 14, "wrong answers cost nothing")
        # Behind the same address, and at once: the one with the right password.
        began = time.monotonic()
        right = Viewer(server.port, "mainstream", login=LOGIN)
        right.start()
        wait_for(lambda: right.seen or right.error, "a picture")
        self.assertIsNone(right.error)
        self.assertLess(time.monotonic() - began, 20, "it waited for others")
        # Those that were answered were told no.
        self.assertEqual({rtsp.answer()[0] for rtsp in answered}, {401})
        right.stop()
        wait_for(lambda: len(viewer.seen) > RATE or viewer.error, "who is in to play on")
        self.assertGreater(len(viewer.stop()), RATE)

    def test_without_a_password_only_this_machine_may_watch(self):
        status, _, text = run([BINARY, "rtsp", "--stream", "a=/nonexistent", "--listen",
                               "0.0.0.0:0"])
        self.assertEqual(status, 3, text)
        self.assertIn("--password-file", text)
        empty = self.server(["unused"]).folder / "empty"
        empty.write_text("\n")
        status, _, text = run([BINARY, "rtsp", "--stream", "a=/nonexistent", "--listen",
                               "127.0.0.1:0", "--password-file", empty])
        self.assertEqual(status, 1, text)


class Hostile(Case):
    def setUp(self):
        self.here = self.server(["mainstream", "substream"])
        self.grabber(self.here, "mainstream", "main.h264")
        self.grabber(self.here, "substream", "sub.h264")
        self.viewers = [Viewer(self.here.port, "mainstream"), Viewer(self.here.port, "substream",
                                                                     udp=True)]
        for viewer in self.viewers:
            viewer.start()
            self.assertTrue(viewer.playing.wait(120), viewer.error)

    def play_on(self):
        """The viewers missed nothing of it, and memory stayed small."""
        for viewer, of in zip(self.viewers, ("main.h264", "sub.h264")):
            count = len(viewer.seen)
            wait_for(lambda v=viewer, c=count: v.error or len(v.seen) > c + RATE, "more pictures")
            seen = viewer.stop()
            self.assertEqual(viewer.gaps, 0)
            self.assert_consecutive(seen, of)
        self.assertLess(self.here.status("VmHWM"), MEMORY)

    def test_garbage_kills_nothing(self):
        port = self.here.port
        session = "OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n"
        junk = [
            os.urandom(5000), b"\0" * 100_000, b"$" * 70_000, b"GET / HTTP/1.1\r\n\r\n",
            b"\x16\x03\x01\x02\0\x01\0\x01\xfc", b"OPTIONS" * 20_000, b"\r\n" * 50_000,
            (session + "Content-Length: 4294967296\r\n\r\n").encode() + b"x" * 1000,
            (session + "Content-Length: 18446744073709551616\r\n\r\n").encode(),
            (session + "Content-Length: -5\r\n\r\n").encode(),
            (session + "a: b\r\n" * 10_000).encode(), (session + "x" * 100_000).encode(),
            (session + "Transport: " + "RTP/AVP;client_port=1-1," * 150 + "\r\n\r\n").encode(),
            b"SETUP rtsp://x/mainstream RTSP/1.0\r\nCSeq: 1\r\nTransport: "
            b"RTP/AVP;unicast;client_port=5000-5001;destination=8.8.8.8\r\n\r\n",
            b"PLAY rtsp://x/mainstream RTSP/1.0\r\nCSeq: 1\r\nSession: 1234\r\n\r\n",
            b"PLAY rtsp://x/mainstream RTSP/1.0\r\n\r\n", b"\xff\xfe\xfd\r\n\r\n",
        ]
        for number, data in enumerate(junk * int(3 * min(LONG, 10))):
            with socket.create_connection(("127.0.0.1", port), timeout=10) as one:
                try:
                    one.sendall(data)
                    if number % 2:
                        one.shutdown(socket.SHUT_WR)
                        while one.recv(65536):
                            pass
                except OSError:
                    pass
        self.play_on()

    def test_pipelined_requests_between_interleaved_junk_are_answered_in_order(self):
        rtsp = Rtsp(self.here.port)
        data = b""
        for number in range(200):
            data += b"$\x09\x00\x05hello\r\n"
            data += f"OPTIONS * RTSP/1.0\r\nCSeq: {number}\r\nContent-Length: 3\r\n\r\nabc".encode()
        for at in range(0, len(data), 7):
            rtsp.send(data[at:at + 7])
        for number in range(200):
            status, found, _ = rtsp.answer()
            self.assertEqual((status, dict(found)["CSeq"]), (200, str(number)))
        rtsp.close()
        self.play_on()

    def test_a_slow_loris_holds_nobody_up(self):
        before = self.here.descriptors()
        crowd = []
        for _ in range(200):
            one = socket.create_connection(("127.0.0.1", self.here.port), timeout=10)
            one.sendall(b"OPTIONS * RTSP/1.0\r\nCS")
            crowd.append(one)
        self.assertLess(self.here.descriptors(), before + 70)
        newcomer = Rtsp(self.here.port)
        status, _, _ = newcomer.ask("OPTIONS", "*")
        self.assertEqual(status, 200)
        newcomer.close()
        wait_for(lambda: self.here.descriptors() <= before, "the slow ones to be dropped", 60)
        for one in crowd:
            one.close()
        self.play_on()

    def test_who_reads_no_answers_is_not_asked_for_more(self):
        one = socket.create_connection(("127.0.0.1", self.here.port), timeout=2)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        request = b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n"
        sent = 0
        try:
            for _ in range(200_000):
                sent += one.send(request)
        except TimeoutError:
            pass
        self.assertLess(sent, 200_000 * len(request), "it took all of it without an end")
        one.close()
        self.play_on()
