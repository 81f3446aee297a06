"""What the page gets of the streams, through the daemon: `demo`, which has no camera, shows a
made-up scene."""

import http.client
import json
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from rig import BINARY, Case, Decoder, free_port, run, wait_for
from test_viewers import whole_fragments


class Demo(Case):
    """`demo`, with its owner logged in."""

    LISTEN = "127.0.0.1"
    ENVIRONMENT = {}

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="mi360d-page-"))
        self.port = free_port()
        self.log = open(self.folder / "log", "w")
        self.demo = subprocess.Popen(
            [str(BINARY), "demo", str(self.folder / "camera"), "--listen", f"{self.LISTEN}:{self.port}"],
            stdout=self.log, stderr=self.log, env={**os.environ, **self.ENVIRONMENT})
        self.addCleanup(self.end)
        self.headers = {"Content-Type": "application/json"}
        code = self.folder / "camera/sdcard/mi360d/setup-code.txt"
        wait_for(lambda: code.exists() and code.read_text().strip(), "the setup code", 120)
        password = {"code": code.read_text().split()[0], "password": "correct horse"}
        status, found, body = wait_for(lambda: self.try_ask("POST", "/setup", password), "the page")
        self.assertEqual(status, 200, body)
        self.headers["Cookie"] = found["Set-Cookie"].split(";")[0]
        self.headers["X-CSRF-Token"] = json.loads(body)["csrf"]

    def end(self):
        self.demo.send_signal(signal.SIGTERM)
        self.demo.wait(30)
        self.log.close()
        shutil.rmtree(self.folder)

    def try_ask(self, *words):
        try:
            return self.ask(*words)
        except ConnectionRefusedError:
            return None

    def ask(self, method, path, document=None, most=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        body = None if document is None else json.dumps(document)
        connection.request(method, "/api/v1" + path, body, self.headers)
        answer = connection.getresponse()
        data = answer.read(most) if most else answer.read()
        headers = dict(answer.getheaders())
        connection.close()
        return answer.status, headers, data

    def assert_decodes(self, data, frames, form="mp4"):
        path = self.folder / "film.mp4"
        path.write_bytes(data)
        decoder = Decoder(str(path), words=("-f", form, "-i"))
        decoder.process.wait(120)
        self.assertEqual(decoder.stop(), [])
        self.assertEqual(decoder.frames, frames)


class Page(Demo):
    def test_the_page_has_snapshot_live_view_numbers_and_login(self):
        status, _, body = self.ask("GET", "/snapshot")
        self.assertEqual((status, json.loads(body)["error"]["code"]), (503, "rtsp-not-running"))
        port = free_port()
        wait_for(lambda: self.ask("GET", "/services/rtsp-server")[0] == 200, "the hack", 60)
        status, _, body = self.ask("PUT", "/services/rtsp-server",
                                   {"enabled": True, "settings": {"port": port}})
        self.assertEqual(status, 200, body)

        def video():
            found = json.loads(self.ask("GET", "/video")[2])
            return found["server"] and all(s["fps"] for s in found["server"]["streams"]) and found

        found = wait_for(video, "pictures", 60)
        self.assertEqual(found["port"], port)
        self.assertTrue(found["server"]["login"])
        status, headers, jpeg = self.ask("GET", "/snapshot")
        self.assertEqual((status, headers["Content-Type"]), (200, "image/jpeg"))
        self.assert_decodes(jpeg, 1, "jpeg_pipe")
        status, headers, film = self.ask("GET", "/snapshot?stream=substream&form=mp4")
        self.assertEqual((status, headers["Content-Type"]), (200, 'video/mp4; codecs="avc1.42c01e"'))
        self.assert_decodes(film, 1)
        status, headers, live = self.ask("GET", "/live", most=500_000)
        self.assertEqual((status, headers["Content-Type"]), (200, 'video/mp4; codecs="avc1.42c01e"'))
        whole = whole_fragments(live)
        self.assert_decodes(whole, whole.count(b"moof"))
        wait_for(lambda: not json.loads(self.ask("GET", "/video")[2])["server"]["viewers"],
                 "the live view to be ended")
        self.assertEqual(self.ask("GET", "/snapshot?stream=none")[0], 404)
        # The streams' login, to one who types the page's again.
        self.assertEqual(self.ask("POST", "/video/login", {"password": "wrong"})[0], 401)
        status, _, body = self.ask("POST", "/video/login", {"password": "correct horse"})
        self.assertEqual(status, 200, body)
        login = json.loads(body)
        address = f"rtsp://{login['user']}:{login['password']}@127.0.0.1:{port}/mainstream"
        status, _, err = run(["ffmpeg", "-v", "error", "-err_detect", "explode", "-xerror",
                              "-rtsp_transport", "tcp", "-i", address, "-frames:v", "15", "-f",
                              "null", "-"])
        self.assertEqual((status, err.strip()), (0, ""))
        self.headers.pop("Cookie")
        for path in ("/video", "/snapshot", "/live"):
            self.assertEqual(self.ask("GET", path)[0], 401)
