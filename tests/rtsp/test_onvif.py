"""ONVIF as recorders speak it: found on the network, read by onvif-zeep with ONVIF's own WSDLs, the
stream opened; no wrong, readable or used login gets in, and hostile XML gets a clean refusal."""

import json
import socket
import subprocess
import threading
import time

from onvif_rig import DIGEST, MOTORS, NAMES, PULLS, RECORDER, SEARCH, Soap, interpreter, packages
from rig import Decoder, run, wait_for


class OfTheFirmware(Soap):
    """Motors and imaging, as the (simulated) firmware has them."""

    def call(self, service, inside):
        # The firmware's motors want a pause after each move.
        end = time.monotonic() + 60
        status, _, body = self.soap(service, inside, self.token())
        while status == 500 and time.monotonic() < end:
            time.sleep(0.3)
            status, _, body = self.soap(service, inside, self.token())
        self.assertEqual(status, 200, body)
        return body.decode()

    def position(self):
        return json.loads(self.ask("GET", "/ptz")[2])["position"]

    def test_a_recorder_sets_the_filter_and_moves_to_places_and_presets(self):
        wait_for(lambda: json.loads(self.ask("GET", "/ptz")[2])["absolute"], "the motors")
        source = "<VideoSourceToken>video</VideoSourceToken>"
        self.assertIn("/onvif/imaging", self.call("device", "<GetCapabilities/>"))
        settings = self.call("imaging", f"<GetImagingSettings>{source}</GetImagingSettings>")
        self.assertIn(">AUTO<", settings)
        self.call("imaging", f"<SetImagingSettings>{source}<ImagingSettings><IrCutFilter>OFF"
                             "</IrCutFilter></ImagingSettings></SetImagingSettings>")
        night = json.loads(self.ask("GET", "/controls/night")[2])
        self.assertEqual((night["value"], night["changed"]), ("night", True))
        # Too soon for the filter: a fault, and not a word that it was done.
        status, _, body = self.soap("imaging", f"<SetImagingSettings>{source}<ImagingSettings>"
                                    "<IrCutFilter>ON</IrCutFilter></ImagingSettings>"
                                    "</SetImagingSettings>", self.token())
        self.assertEqual(status, 500, body)
        profile = "<ProfileToken>main</ProfileToken>"
        self.call("ptz", f"<AbsoluteMove>{profile}<Position><PanTilt x='-0.6' y='0.6'/></Position>"
                         "</AbsoluteMove>")
        wait_for(lambda: self.position() == {"pan": 20, "tilt": 80}, "the place", 60)
        self.assertIn('x="-0.60" y="0.60"', self.call("ptz", f"<GetStatus>{profile}</GetStatus>"))
        kept = self.call("ptz", f"<SetPreset>{profile}<PresetName>Door</PresetName></SetPreset>")
        token = kept.split("PresetToken>")[1].split("<")[0]
        self.assertIn("Door", self.call("ptz", f"<GetPresets>{profile}</GetPresets>"))
        self.call("ptz", f"<SetHomePosition>{profile}</SetHomePosition>")
        self.call("ptz", f"<ContinuousMove>{profile}<Velocity><PanTilt x='1' y='0'/></Velocity>"
                         "</ContinuousMove>")
        wait_for(lambda: self.position()["pan"] > 20, "a move to the right", 60)
        self.call("ptz", f"<Stop>{profile}</Stop>")
        wait_for(lambda: not json.loads(self.ask("GET", "/ptz")[2])["moving"], "the end", 60)
        still = self.position()
        go = f"<GotoPreset>{profile}<PresetToken>{token}</PresetToken></GotoPreset>"
        # devicekit takes no place within five seconds after a push.
        wait_for(lambda: self.soap("ptz", go, self.token())[0] == 200, "the preset to be taken", 60)
        self.assertNotEqual(still, {"pan": 20, "tilt": 80})
        wait_for(lambda: self.position() == {"pan": 20, "tilt": 80}, "the preset", 60)
        self.call("ptz", f"<RemovePreset>{profile}<PresetToken>{token}</PresetToken></RemovePreset>")
        self.assertNotIn("Door", self.call("ptz", f"<GetPresets>{profile}</GetPresets>"))


    def test_a_recorder_pulls_motion(self):
        motion = self.folder / "camera/motion"
        wait_for(lambda: json.loads(self.ask("GET", "/events")[2])["motion"] is False, "the detector")
        self.assertIn("/onvif/events", self.call("device", "<GetCapabilities/>"))
        recorder = subprocess.Popen([packages(), "-c", PULLS, "127.0.0.1", str(self.port), *self.login],
                                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(lambda: (recorder.kill(), recorder.communicate()))

        def pull(seconds):
            recorder.stdin.write(f"{seconds}\n")
            recorder.stdin.flush()
            found = []
            while line := recorder.stdout.readline().strip():
                found.append(line)
            self.assertIsNone(recorder.poll())
            return found

        self.assertEqual(pull(20), ["Initialized IsMotion false"])
        began = time.monotonic()
        self.assertEqual(pull(2), [])
        self.assertGreater(time.monotonic() - began, 1.5, "it waits, and asks no faster")
        threading.Timer(1, motion.touch).start()
        self.assertEqual(pull(20), ["Changed IsMotion true"])
        motion.unlink()
        self.assertEqual(pull(20), ["Changed IsMotion false"])

        # By hand: a pull point of its own, renewed, asked twice at once, over; and no more than six.
        create = lambda: self.call("events", "<CreatePullPointSubscription/>")  # noqa: E731
        ask = lambda name, inside: self.soap("", inside, self.token(), f"/onvif/{name}")  # noqa: E731
        points = [create().split("/onvif/")[1].split("<")[0] for _ in range(5)]
        refused = self.soap("events", "<CreatePullPointSubscription/>", self.token())
        self.assertEqual((refused[0], b"TooManySubscriptions" in refused[2]), (500, True))
        self.assertEqual(ask(points[0], "<Renew><TerminationTime>PT30S</TerminationTime></Renew>")[0], 200)
        self.assertEqual(ask(points[0], "<Renew><TerminationTime>soon</TerminationTime></Renew>")[0], 400)
        long = "<PullMessages><Timeout>PT20S</Timeout><MessageLimit>1</MessageLimit></PullMessages>"
        state = ask(points[0], long)[2]
        # onvif-zeep's own schema drops the topic's text.
        self.assertIn(b">tns1:RuleEngine/CellMotionDetector/Motion</wsnt:Topic>", state)
        self.assertIn(b'PropertyOperation="Initialized"', state)
        # One of two waits, until something moves; the other is refused at once.
        statuses = []
        both = [threading.Thread(target=lambda: statuses.append(ask(points[0], long)[0]))
                for _ in range(2)]
        for one in both:
            one.start()
        wait_for(lambda: statuses == [500], "the second pull to be refused", 15)
        motion.touch()
        for one in both:
            one.join()
        self.assertEqual(statuses, [500, 200])
        self.assertEqual(ask(points[0], "<Unsubscribe/>")[0], 200)
        self.assertEqual(ask(points[0], long)[0], 400, "it is over")
        self.assertEqual(self.soap("", long, path=f"/onvif/{points[1]}")[0], 401, "no login")

    def test_switched_off_no_viewer_gets_a_picture_and_each_is_told_why(self):
        address = "rtsp://{}:{}@127.0.0.1:{}/mainstream".format(*self.login, self.stream_port)
        probe = ["ffprobe", "-v", "error", "-rtsp_transport", "tcp", "-show_entries",
                 "stream=codec_name", "-select_streams", "v", "-of", "csv=p=0", address]
        viewers = [Decoder(address, transport) for transport in ("tcp", "udp")]
        wait_for(lambda: all(viewer.frames > 10 for viewer in viewers), "pictures", 60)
        off = {"value": False}
        wait_for(lambda: self.ask("PUT", "/controls/power", off)[0] == 200, "it to be switched off", 30)
        wait_for(lambda: not json.loads(self.ask("GET", "/video")[2])["server"]["viewers"],
                 "the viewers to be sent away", 30)
        frames = [viewer.frames for viewer in viewers]
        status, out, err = run(probe)
        self.assertEqual((status != 0, out), (True, ""))
        self.assertIn("The camera is switched off", err)
        status, _, body = self.ask("GET", "/snapshot")
        self.assertEqual((status, json.loads(body)["error"]["code"]), (409, "camera-off"))
        # Another server is told, too.
        status, _, body = self.ask("POST", "/services/rtsp-server/restart")
        self.assertLess(status, 300, body)
        wait_for(lambda: "The camera is switched off" in run(probe)[2], "the new server to be told", 60)
        wait_for(lambda: self.ask("PUT", "/controls/power", {"value": True})[0] == 200, "it to be on", 30)
        wait_for(lambda: run(probe)[1].strip() == "h264", "pictures again", 60)
        for viewer, before in zip(viewers, frames):
            viewer.stop()
            # What was decoded after that had come before.
            self.assertLess(viewer.frames - before, 40)


class Onvif(Soap):
    # The motors here are motord's.
    ENVIRONMENT = {"MI360D_SIM_SERVICES": "none"}

    def test_a_recorder_finds_the_camera_and_opens_its_streams(self):
        server = lambda: json.loads(self.ask("GET", "/video")[2])["server"]  # noqa: E731
        wait_for(lambda: server()["sound"] and server()["speaker"] == "connected", "sound both ways")
        status, out, err = interpreter(RECORDER, "127.0.0.1", self.port, *self.login)
        self.assertEqual(status, 0, err)
        told = json.loads(out.splitlines()[-1])
        self.assertEqual(told["model"], "ipc009")
        self.assertIn("onvif://www.onvif.org/Profile/Streaming", told["scopes"])
        self.assertEqual(len(told["services"]), 2, "no motors, no PTZ")
        self.assertEqual([p[0] for p in told["profiles"]], ["main", "sub"])
        self.assertEqual({p[1] for p in told["profiles"]}, {"H264"})
        self.assertEqual(told["one"], "substream")
        self.assertEqual(told["encoders"], ["main", "sub"])
        self.assertEqual(told["encoder"], "mainstream")
        self.assertEqual(told["year"], time.gmtime().tm_year)
        streams = {s["name"]: s for s in json.loads(self.ask("GET", "/video")[2])["server"]["streams"]}
        self.assertEqual([p[2] for p in told["profiles"]],
                         [streams[n]["size"]["width"] for n in ("mainstream", "substream")])
        for uri, name in zip(told["uris"], ("mainstream", "substream")):
            self.assertEqual(uri, f"rtsp://127.0.0.1:{self.stream_port}/{name}")
            address = uri.replace("//", "//{}:{}@".format(*self.login))
            status, out, err = run(["ffprobe", "-v", "error", "-rtsp_transport", "tcp",
                                    "-select_streams", "v", "-show_entries",
                                    "stream=codec_name", "-of", "csv=p=0", address])
            self.assertEqual((status, out.strip(), err), (0, "h264", ""))
        # A snapshot is promised, for the firmware's encoder makes JPEG files.
        self.assertTrue(told["can"])
        self.assertEqual(told["snapshot"], f"http://127.0.0.1:{self.port}/onvif/snapshot?form=jpeg")
        self.assertIn("cannot have more", told["create"])
        self.assertIn("fixed", told["delete"])
        # What a client asks for that wants to hear and to speak.
        for name, wanted in {
                "sound": [["microphone", 1]], "microphone": [["microphone", "microphone"]],
                "g711": [["g711", "G711", 64, 8]], "forms": [["G711", [64], [8]]], "inputs": ["microphone"],
                "one_source": "microphone", "one_encoder": 8, "outputs": ["speaker"],
                "speaker": [["speaker", "speaker"]], "one_output": 100, "levels": ["speaker"], "speech": ["speech"],
                "one_decoder": "speech", "decodes": [64],
                "compatible_sound": ["microphone", "g711", "speaker", "speech"],
                "with_sound": [["microphone", "G711", True, True]] * 2}.items():
            self.assertEqual(told[name], wanted, name)
        self.assertIn("does not exist", told["no_such"])
        self.assertEqual(told["protocols"], [["HTTP", True, [self.port]],
                                             ["RTSP", True, [self.stream_port]]])
        self.assertTrue(told["dns"])
        self.assertEqual(told["ntp"], 2)
        self.assertEqual(told["users"], [["admin", "Administrator", None]])
        self.assertEqual(told["discovery"], "Discoverable")
        size = streams["substream"]["size"]
        self.assertEqual(told["options"], [[size["width"], size["height"]]])
        self.assertEqual(told["bounds"], streams["mainstream"]["size"]["width"])
        self.assertEqual(told["compatible"], ["sub"])
        self.assertIn(told["metadata"], (None, []))
        # It is there with HTTP's own Digest.
        film = told["snapshot"]
        shot = self.folder / "shot.jpg"
        login = ":".join(self.login)
        for words, want in ((["--digest", "-u", login], "200"), (["-u", login], "401"), ([], "401")):
            status, out, err = run(["curl", "-s", "-o", shot, "-w", "%{http_code}", *words,
                                    film])
            self.assertEqual(out, want, err)
            if want == "200":
                self.assert_decodes(shot.read_bytes(), 1, "jpeg_pipe")
        # Another password, and the recorder is told so.
        status, _, err = interpreter(RECORDER, "127.0.0.1", self.port, "admin", "wrong")
        self.assertNotEqual(status, 0)
        self.assertIn("Log in with", err)

    def test_the_camera_is_found_on_the_network_while_it_is_on(self):
        base = f":{self.port}/onvif/device_service"

        def search():
            return [line for line in interpreter(SEARCH)[1].splitlines() if base in line]

        found = wait_for(search, "an answer on the network", 120)
        self.assertEqual(len(found), 1)
        self.assertIn("onvif://www.onvif.org/Profile/Streaming", found[0])
        self.switch({"onvif": False})
        status, _, body = self.soap("device", "<GetSystemDateAndTime/>")
        self.assertEqual((status, json.loads(body)["error"]["code"]), (401, "login-needed"))
        wait_for(lambda: not search(), "it to be silent", 120)

    def test_a_recorder_moves_the_camera_where_there_are_motors(self):
        # What listens as motord does.
        hack = self.folder / "camera/sdcard/hacks/motor-control"
        hack.mkdir()
        (hack / "motord.sh").write_text('#!/bin/sh\n: > "$1/event"\nexec sleep 600\n')
        (hack / "motord.sh").chmod(0o755)
        (hack / "hack.toml").write_text(
            'id = "motor-control"\nexec = ["./motord.sh", "{run.dir}"]\n')
        wait_for(lambda: self.ask("GET", "/services/motor-control")[0] == 200, "the hack")
        status, _, body = self.ask("PUT", "/services/motor-control", {"enabled": True})
        self.assertEqual(status, 200, body)
        event = self.folder / "camera/run/hacks/motor-control/event"
        wait_for(event.exists, "motord")
        wait_for(lambda: json.loads(self.ask("GET", "/services/motor-control")[2])["state"] == "running",
                 "it to run")
        done = subprocess.run([packages(), "-c", MOTORS, "127.0.0.1", str(self.port), *self.login],
                              input=f"{event}\n", capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout), "pan reverse 73\0")
        self.assertEqual(event.read_text(), "tilt reverse 20\0")

    def test_only_the_streams_password_opens_it_and_each_token_once(self):
        self.assertEqual(self.soap("device", "<GetSystemDateAndTime/>")[0], 200, "needs no login")
        self.assertEqual(self.soap("device", "<GetScopes/>", self.token())[0], 200)
        for inside in ("GetScopes", "GetServices", "GetCapabilities", "GetDeviceInformation",
                       "GetProfiles", "GetNodes", "Nonsense"):
            status, headers, body = self.soap("device", f"<{inside}/>")
            self.assertEqual((status, b"NotAuthorized" in body), (401, True), inside)
            self.assertIn("Digest", dict(headers)["WWW-Authenticate"])
            self.assertNotIn(b"ipc009", body)
        token = self.token()
        self.assertEqual([self.soap("device", "<GetScopes/>", token)[0] for _ in range(3)],
                         [200, 401, 401], "used again")
        for name, other in (("late", self.token(age=400)), ("early", self.token(age=-400)),
                            ("readable", self.token(kind=DIGEST.replace("Digest", "Text"))),
                            ("the page's", self.token(password="correct horse")),
                            ("empty", self.token(password=""))):
            self.assertEqual(self.soap("device", "<GetScopes/>", other)[0], 401, name)
        # A login in the wrong place is none.
        self.assertEqual(self.soap("device", f"<GetScopes/>{self.token()}")[0], 401)
        # What another site's page makes a browser send is no request.
        self.assertEqual(self.soap("device", "<GetScopes/>", self.token(),
                                   headers={"Origin": "http://evil.example"})[0], 403)
        self.assertEqual(self.soap("device", "<Nonsense/>", self.token())[0], 500)
        self.assertEqual(self.soap("ptz", "<GetNodes/>", self.token())[0], 500, "no motors")
        answers = [self.soap("device", "<GetScopes/>", self.token(password="guess"))
                   for _ in range(12)]
        statuses = [status for status, _, _ in answers]
        self.assertEqual(statuses[-1], 429, f"wrong passwords cost nothing: {statuses}")
        self.assertIn(dict(answers[-1][1])["Retry-After"], [str(n) for n in range(1, 61)])
        # Behind the same address, and at once: the one with the right password.
        self.assertEqual(self.soap("device", "<GetScopes/>", self.token())[0], 200)

    def raw(self, address, head):
        """What comes back to GetCapabilities behind this request's head, byte for byte."""
        body = (f"<s:Envelope {NAMES}><s:Header>{self.token()}</s:Header><s:Body>"
                "<GetCapabilities/></s:Body></s:Envelope>").encode()
        with socket.create_connection((address, self.port), 60) as out:
            out.sendall(head.format(length=len(body)).encode() + body)
            return b"".join(iter(lambda: out.recv(65536), b"")).decode()

    def test_without_a_host_the_addresses_are_the_connection_s_own(self):
        # HTTP/1.0 needs no Host: the addresses are those of the connection itself, and usable.
        for address in ("127.0.0.1", "127.0.0.2"):
            said = self.raw(address, "POST /onvif/device_service HTTP/1.0\r\n"
                                     "Content-Length: {length}\r\n\r\n")
            xaddrs = [part.split("<")[0] for part in said.split("XAddr>")[1::2]]
            self.assertTrue(xaddrs, said)
            for xaddr in xaddrs:
                self.assertTrue(xaddr.startswith(f"http://{address}:{self.port}/onvif/"), xaddr)
        # With one it is the name that the client knows.
        said = self.raw("127.0.0.1", "POST /onvif/device_service HTTP/1.0\r\nHost: cam.local\r\n"
                                     "Content-Length: {length}\r\n\r\n")
        self.assertIn("XAddr>http://cam.local/onvif/", said)

    def test_hostile_xml_gets_a_clean_refusal(self):
        bomb = '<!DOCTYPE a [<!ENTITY b "c"><!ENTITY d "&b;&b;">]>'
        envelope = f"<s:Envelope {NAMES}><s:Body>"
        whole = f"{envelope}<GetScopes/></s:Body></s:Envelope>"
        for text in (bomb + whole, whole.replace("<GetScopes/>", "&d;"), "<" * 60_000,
                     "<a>" * 20_000, "<a>" * 9_000 + "</a>" * 9_000, "<a " + "b='' " * 9000 + "/>",
                     whole.replace("GetScopes", "x" * 60_000), envelope, "\0" * 1000, "\ufffe", " ",
                     whole.replace("<GetScopes/>", "<GetScopes/>" * 4_000), whole + whole,
                     whole.replace("GetScopes", "a:b:c:d"), "<?xml " * 9000, "<!--" * 9000):
            status, _, body = self.soap("device", "", whole=text)
            self.assertIn(status, (400, 401), text[:80])
            self.assertIn(b"Fault>", body)
        status, _, _ = self.soap("device", "", whole=whole + " " * 200_000)
        self.assertIn(status, (400, 401, 411, 413))
        for service in ("", "x", "../api/v1/status", "device_service/x", "%00"):
            status, _, _ = self.soap("", "<GetScopes/>", path=f"/onvif/{service}")
            self.assertIn(status, (400, 401, 404), service)
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as one:
            one.sendall(b"POST /onvif/device_service HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 50"
                        b"\r\n\r\n<s:Env")
            one.shutdown(socket.SHUT_WR)
            one.recv(65536)
        self.assertEqual(self.soap("device", "<GetSystemDateAndTime/>")[0], 200, "it lives")

