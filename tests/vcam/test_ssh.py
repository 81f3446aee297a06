"""SSH and SFTP from the card, with OpenSSH's own client: by key and by password,
with a terminal, switched off and on while it runs."""

import json
import os
import pty
import select
import subprocess
import time
import unittest

import flash
from base import NO_BACKUP, CameraTest
from vcam import free_port

KEYS = "mi360d/ssh/authorized_keys"
CONFIG = "mi360d/config.toml"
PASSWORD = "correct horse; $(reboot) \"battery\""
TOML_PASSWORD = PASSWORD.replace("\\", "\\\\").replace('"', '\\"')


class SshTest(CameraTest):
    def key(self, name="id"):
        path = self.folder / name
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "me@pc", "-f", path],
                       check=True)
        return path

    def booted(self, config, keys=""):
        """A camera whose SSH port reaches this PC."""
        camera = self.camera()
        camera.card.add(CONFIG, (config + NO_BACKUP).encode())
        if keys:
            camera.card.add(KEYS, keys.encode())
        camera.more_ports = {22: free_port()}
        camera.start()
        camera.wait_http()
        self.target = camera
        self.port = camera.more_ports[22]
        return camera

    def options(self):
        return ["-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={self.folder}/known",
                "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=20", "-o", "IdentitiesOnly=yes",
                "-o", f"Port={self.port}"]

    def ssh(self, *command, key=None, seconds=60, stdin=b""):
        options = self.options() + ["-o", "BatchMode=yes"] + (["-i", str(key)] if key else [])
        return subprocess.run(["ssh", *options, "root@127.0.0.1", *command], input=stdin,
                              capture_output=True, timeout=seconds)

    def by_password(self, password, *command, seconds=60):
        """Types the password where ssh asks for it: on a terminal."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.execvp("ssh", ["ssh", *self.options(), "-o", "PubkeyAuthentication=no",
                              "-o", "NumberOfPasswordPrompts=1", "root@127.0.0.1", *command])
        said, sent, deadline = b"", False, time.monotonic() + seconds
        try:
            while time.monotonic() < deadline:
                if not select.select([terminal], [], [], 0.5)[0]:
                    continue
                try:
                    got = os.read(terminal, 4096)
                except OSError:
                    break
                if not got:
                    break
                said += got
                if not sent and b"assword:" in said:
                    os.write(terminal, password.encode() + b"\n")
                    sent = True
        finally:
            os.close(terminal)
        _, status = os.waitpid(pid, 0)
        return os.waitstatus_to_exitcode(status), said.decode(errors="replace")

    def wait_ssh(self, key, seconds=90):
        self.target.wait_for(lambda: self.ssh("true", key=key).returncode == 0, seconds,
                             "a login by key", every=0.5)

    def listens(self):
        """Whether port 22 is open, as the camera's kernel sees it."""
        return " 0A " in self.target.run("grep -h ':0016 ' /proc/net/tcp /proc/net/tcp6",
                                         check=False).text

    def test_by_key_a_command_runs_files_go_both_ways_and_the_switch_holds(self):
        key = self.key()
        public = key.with_suffix(".pub").read_text()
        camera = self.booted("[hacks.ssh-server]\nenabled = true\n")
        # Without a key and a password nothing listens, and the log says why.
        camera.wait_for(lambda: "neither a key nor a password is set" in
                        camera.run("cat /mnt/sdcard/mi360d/logs/mi360d.log").text, 60, "the reason")
        self.assertFalse(self.listens())
        camera.run("mkdir -p /mnt/sdcard/mi360d/ssh")
        camera.put(f"/mnt/sdcard/{KEYS}", public.encode())
        camera.run("kill -HUP $(pidof mi360d)")
        self.wait_ssh(key)
        said = self.ssh("echo $HOME; id -u; pwd; echo 'a  b;c'", key=key)
        self.assertEqual(said.stdout, b"/tmp/mi360d/ssh/root\n0\n/tmp/mi360d/ssh/root\na  b;c\n",
                         said.stderr)
        self.assertEqual(self.ssh("exit 7", key=key).returncode, 7)

        # A terminal: its size and its name, from a login shell.
        options = self.options() + ["-tt", "-i", str(key)]
        said = subprocess.run(["ssh", *options, "root@127.0.0.1", "tty; test -t 0 && echo yes"],
                              capture_output=True, timeout=60)
        self.assertRegex(said.stdout, rb"/dev/pts/\d+\r\nyes\r\n", said.stderr)

        # 8 MiB there and back.
        sent, back = self.folder / "sent", self.folder / "back"
        sent.write_bytes(flash.noise(8 << 20, "sftp"))
        batch = f"put {sent} /mnt/sdcard/noise\nget /mnt/sdcard/noise {back}\n"
        began = time.monotonic()
        said = subprocess.run(["sftp", "-b", "-", *self.options(), "-i", str(key), "root@127.0.0.1"],
                              input=batch.encode(), capture_output=True, timeout=300)
        self.assertEqual(said.returncode, 0, said.stderr)
        self.assertEqual(back.read_bytes(), sent.read_bytes())
        print(f"[ssh] 8 MiB put and got in {time.monotonic() - began:.1f} s")

        # The fingerprint is that of the key that the client saw.
        known = subprocess.run(["ssh-keygen", "-l", "-f", self.folder / "known"],
                               capture_output=True, check=True, text=True).stdout.split()[1]
        self.assertTrue(known.startswith("SHA256:"))
        headers = camera.log_in("correct horse")
        shown = camera.http("/api/v1/ssh/keys", headers=headers, seconds=60)[2]
        self.assertEqual(json.loads(shown)["host_key"], known)
        for name in ("dropbearmulti", "mi360d"):
            print(f"[ssh] {name}: {camera.memory(camera.pid(name))}")
        self.assertLess(camera.memory(camera.pid())["VmHWM"], 8192)

        # Another key, and nobody else's.
        stranger = self.key("stranger")
        self.assertNotEqual(self.ssh("true", key=stranger).returncode, 0)

        # Off, as the page does it: the port is closed within three seconds; on again: open.
        def switch(on):
            body = json.dumps({"enabled": on}).encode()
            status, _, said = camera.http("/api/v1/services/ssh-server", "PUT", body, headers, 60)
            self.assertEqual(status, 200, said)

        began = time.monotonic()
        switch(False)
        camera.wait_for(lambda: not self.listens(), 30, "a closed port", every=0.1)
        took = time.monotonic() - began
        print(f"[ssh] switched off: the port is closed after {took:.2f} s")
        self.assertLess(took, 3)
        switch(True)
        self.wait_ssh(key)
        # The same host key after the restart of the server: the client would refuse another.
        said = subprocess.run(["ssh", *self.options(), "-o", "StrictHostKeyChecking=yes", "-i",
                               str(key), "root@127.0.0.1", "true"], capture_output=True, timeout=60)
        self.assertEqual(said.returncode, 0, said.stderr)

    def test_by_password_and_never_with_a_wrong_or_a_blank_one(self):
        key = self.key()
        # Written by hand, in clear: it is hashed before the server sees it.
        camera = self.booted("[hacks.ssh-server]\nenabled = true\n\n[hacks.ssh-server.settings]\n"
                             f"password = \"{TOML_PASSWORD}\"\n", key.with_suffix(".pub").read_text())
        self.wait_ssh(key)
        status, said = self.by_password(PASSWORD, "echo in as $(id -u)")
        self.assertEqual(status, 0, said)
        self.assertIn("in as 0", said)
        for wrong in ("wrong", "", PASSWORD[:-1], PASSWORD + "x"):
            status, said = self.by_password(wrong, "echo in")
            self.assertNotEqual(status, 0, f"{wrong!r}: {said}")
            self.assertNotIn("in\r\n", said)
        account = camera.run("cat /tmp/mi360d/ssh/account").text
        self.assertRegex(account, r"^root:\$6\$rounds=")
        # Without a password none is asked for.
        camera.run(f"sed -i 's/^password.*/password = \"\"/' /mnt/sdcard/{CONFIG}; "
                   "kill -HUP $(pidof mi360d)")
        camera.wait_for(lambda: camera.run("cat /tmp/mi360d/ssh/account").text.startswith("root:!:"),
                        30, "a server without a password")
        self.wait_ssh(key)
        status, said = self.by_password(PASSWORD, "echo in")
        self.assertNotEqual(status, 0, said)
        self.assertNotIn("assword:", said)


if __name__ == "__main__":
    unittest.main()
