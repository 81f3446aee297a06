"""The page behind nginx and Caddy, by the examples of docs/network.md: below a path of its own, with
a name of its own, and with nginx's default proxying, which is HTTP/1.0."""

import http.client
import json
import re
import shutil
import subprocess

from rig import ROOT, free_port, run, wait_for
from test_page import Demo
from test_viewers import whole_fragments

NAME = "home.example"


def example(language):
    """The example for this proxy, as the document has it."""
    text = (ROOT / "docs/network.md").read_text()
    return re.search(rf"```{language}\n(.*?)```", text, re.S).group(1)


class Proxies(Demo):
    def setUp(self):
        super().setUp()
        self.proxy_port = free_port()
        wait_for(lambda: self.ask("GET", "/services/rtsp-server")[0] == 200, "the hack", 120)
        self.change("/services/rtsp-server", {"enabled": True, "settings": {"port": free_port()}})

    def change(self, path, document):
        status, _, body = self.ask("PUT", path, document)
        self.assertEqual(status, 200, body)

    def begin(self, *words):
        log = open(self.folder / "proxy.log", "w")
        self.addCleanup(log.close)
        proxy = subprocess.Popen([str(word) for word in words], stdout=log, stderr=log)
        self.addCleanup(proxy.wait, 30)
        self.addCleanup(proxy.terminate)

        def listens():
            self.assertIsNone(proxy.poll(), (self.folder / "proxy.log").read_text())
            try:
                self.through("GET", "/")
                return True
            except ConnectionRefusedError:
                return False

        wait_for(listens, "the proxy", 30)

    def nginx(self, server):
        """nginx with this server block, nothing of the system's own."""
        config = self.folder / "nginx.conf"
        temporary = "".join(f"{kind}_temp_path {self.folder}/{kind};" for kind in
                            ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        config.write_text(f"daemon off; worker_processes 1; pid {self.folder}/nginx.pid;\n"
                          f"events {{}}\nhttp {{ access_log off; {temporary}\n{server}\n}}\n")
        self.begin("nginx", "-e", "stderr", "-p", self.folder, "-c", config)

    def through(self, method, path, body=None, headers=(), most=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.proxy_port, timeout=60)
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        host = f"{NAME}:{self.proxy_port}"
        for name, value in {"Host": host, "Origin": f"http://{host}", **dict(headers)}.items():
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        data = answer.read(most) if most else answer.read()
        found = answer.status, dict(answer.getheaders()), data
        connection.close()
        return found

    def use(self, base):
        """What a browser does there, below `base`."""
        status, _, body = self.through("GET", base, headers={"Accept": "text/html"})
        self.assertEqual(status, 403)
        self.assertIn(f"the name {NAME}", body.decode())
        self.assertIn(f"http://127.0.0.1:{self.port}/", body.decode())
        self.change("/config", {"web": {"host_names": [NAME]}})

        status, _, body = self.through("GET", base, headers={"Accept": "text/html"})
        self.assertEqual(status, 200)
        self.assertIn(b'src="mi360d.js"', body)
        status, found, body = self.through("POST", base + "api/v1/login",
                                           json.dumps({"password": "correct horse"}).encode())
        self.assertEqual(status, 200, body)
        self.assertNotIn("Path", found["Set-Cookie"], "another camera's session would be lost")
        # The proxy's own cookie, in an encoding of its own.
        mine = {"Cookie": b"city=Z\xfcrich; " + found["Set-Cookie"].split(";")[0].encode(),
                "X-CSRF-Token": json.loads(body)["csrf"]}
        self.assertEqual(self.through("GET", base + "api/v1/status", headers=mine)[0], 200)
        status, _, body = self.through("POST", base + "api/v1/tokens", b'{"name": "x"}', mine)
        self.assertEqual(status, 201, body)
        # The backup at the start comes first.
        wait_for(lambda: json.loads(self.ask("GET", "/status")[2])["backup"]["state"] == "done",
                 "the backup", 120)
        status, _, body = self.through("POST", base + "api/v1/images", b"x" * 100_000,
                                       {**mine, "X-Filename": b"c\xc3\xa2mera.bin"})
        self.assertEqual((status, json.loads(body).get("name")), (201, "c\u00e2mera.bin"), body)
        self.live(base, mine)

    def live(self, base, mine):
        path = base + "api/v1/live?stream=substream"
        wait_for(lambda: self.through("GET", path, headers=mine, most=1)[0] == 200, "pictures", 120)
        for _ in range(4):
            status, _, film = self.through("GET", path, headers=mine, most=200_000)
            self.assertEqual(status, 200)
        whole = whole_fragments(film)
        self.assert_decodes(whole, whole.count(b"moof"))
        wait_for(lambda: not json.loads(self.ask("GET", "/video")[2])["server"]["viewers"],
                 "those who are gone to be noticed", 20)

    def test_nginx_by_the_example(self):
        text = example("nginx").replace("listen 80;", f"listen 127.0.0.1:{self.proxy_port};")
        self.nginx(text.replace("http://192.168.1.7/", f"http://127.0.0.1:{self.port}/"))
        self.use("/camera1/")
        # A browser, whose scripts find the camera below the path.
        profile = self.folder / "profile"
        status, page, err = run(
            [shutil.which("chromium"), "--headless", "--no-sandbox", "--disable-gpu",
             f"--user-data-dir={profile}", f"--host-resolver-rules=MAP {NAME} 127.0.0.1",
             "--virtual-time-budget=10000", "--dump-dom",
             f"http://{NAME}:{self.proxy_port}/camera1/"], 120)
        self.assertEqual(status, 0, err)
        self.assertIn('type="password"', page, "the page did not come up")

    def test_caddy_by_the_example(self):
        text = example("caddy").replace(f"{NAME} {{", f"http://{NAME}:{self.proxy_port} {{")
        text = text.replace("192.168.1.7:80", f"127.0.0.1:{self.port}")
        config = self.folder / "Caddyfile"
        config.write_text("{\n admin off\n auto_https off\n storage file_system "
                          f"{self.folder}/caddy\n}}\n{text}")
        self.begin("caddy", "run", "--adapter", "caddyfile", "--config", config)
        self.use("/camera1/")

    def test_nginx_that_is_told_nothing_speaks_http_1_0_and_gets_the_live_view(self):
        self.nginx(f"server {{ listen 127.0.0.1:{self.proxy_port}; location / {{ "
                   f"proxy_pass http://127.0.0.1:{self.port}; }} }}")
        self.live("/", {"Cookie": self.headers["Cookie"]})
