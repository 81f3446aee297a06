"""What the page gets of the streams, through the daemon: `demo`, which has no camera, shows a
made-up scene."""

import http.client
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from rig import BINARY, Case, Decoder, free_port, run, wait_for
from test_cost import listens
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
        body = None if document is None or isinstance(document, bytes) else json.dumps(document)
        headers = self.headers
        if isinstance(document, bytes):
            body, headers = document, {**self.headers, "Content-Type": "audio/wav"}
        connection.request(method, "/api/v1" + path, body, headers)
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
    def sounds(self):
        """The microphone, next to the picture and alone; the speaker."""
        wait_for(lambda: json.loads(self.ask("GET", "/video")[2])["server"]["sound"]["pieces"] > 30, "sound")
        status, headers, live = self.ask("GET", "/live?sound=1", most=500_000)
        self.assertEqual((status, headers["Content-Type"]),
                         (200, 'video/mp4; codecs="avc1.42c01e, flac"'))
        path = self.folder / "heard.mp4"
        path.write_bytes(whole_fragments(live))
        status, out, err = run(["ffprobe", "-v", "error", "-show_entries", "stream=codec_name", "-of",
                                "csv=p=0", path])
        self.assertEqual((status, out.split(), err), (0, ["h264", "flac"], ""))
        status, headers, wav = self.ask("GET", "/audio", most=16_044)
        self.assertEqual((status, headers["Content-Type"], wav[:4]), (200, "audio/wav", b"RIFF"))
        status, _, body = self.ask("GET", "/sounds")
        # A made-up camera has a speaker, and no sounds of its own.
        self.assertEqual((status, json.loads(body)), (200, {"sounds": [], "speaker": True}))
        status, _, body = self.ask("POST", "/sounds", {"id": "ding"})
        self.assertEqual((status, json.loads(body)["error"]["code"]), (404, "no-such-sound"))
        # A sound is a job, as the backup of the start is.
        wait_for(lambda: (json.loads(self.ask("GET", "/status")[2])["job"] or {}).get("state") != "running",
                 "the backup", 120)
        for body, wanted in ((wav, 202), (wav, 409), (b"OggS" + wav, 422)):
            status, _, answer = self.ask("POST", "/sounds", body)
            self.assertEqual(status, wanted, answer)
        status, _, answer = self.ask("POST", "/sounds", {"id": 4})
        self.assertEqual(status, 422, answer)

    def pictures_by_mqtt(self, begins):
        """Home Assistant's camera: announced, and a JPEG file at its topic."""
        port = free_port()
        config = self.folder / "mosquitto.conf"
        config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nuser root\n")
        broker = subprocess.Popen(["/usr/sbin/mosquitto", "-c", str(config)], stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
        self.addCleanup(lambda: (broker.kill(), broker.wait()))
        wait_for(lambda: listens(port), "the broker")
        settings = {"mqtt": {"broker": f"127.0.0.1:{port}", "picture_seconds": 5}}
        status, _, body = self.ask("PUT", "/config", settings)
        self.assertEqual(status, 200, body)

        def heard(topic, count):
            return subprocess.run(["mosquitto_sub", "-p", str(port), "-t", topic, "-C", str(count),
                                   "-N", "-W", "60"], stdout=subprocess.PIPE, timeout=90).stdout

        document = json.loads(heard("homeassistant/camera/+/picture/config", 1))
        began = time.monotonic()
        picture = heard(document["topic"], 2)
        self.assertEqual((picture[:2], picture.count(b"\xff\xd8\xff")), (begins, 2))
        # Two of them have the set time between them.
        self.assertGreater(time.monotonic() - began, 4)
        status, _, body = self.ask("PUT", "/config", {"mqtt": {"picture_seconds": 3}})
        self.assertEqual(status, 422, body)

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
        self.sounds()
        self.pictures_by_mqtt(jpeg[:2])
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
