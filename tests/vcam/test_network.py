"""The camera on its network: its clock from a local server, its name answered to a
real mDNS client, in a network of their own."""

import json
import os
import shutil
import socket
import struct
import subprocess
import threading
import time
import unittest

import vendor
from base import NO_BACKUP, CameraTest, damage, sets
from test_backup import wait_set

CONFIG = "mi360d/config.toml"
PROGRAM = "/mnt/sdcard/mi360d/mi360d"
TO_UNIX = 2208988800


class TimeServer:
    """Answers like a time server, once it is told to."""

    def __init__(self):
        self.answers, self.asked = False, 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                question, who = self._socket.recvfrom(512)
            except OSError:
                return
            self.asked += 1
            if not self.answers:
                continue
            now = time.time() + TO_UNIX
            told = struct.pack("!II", int(now), int(now % 1 * 2**32))
            head = struct.pack("!BBbb", 0x24, 2, 6, -20) + bytes(12)
            self._socket.sendto(head + told + question[40:48] + told + told, who)

    def close(self):
        self._socket.close()


class NetworkTest(CameraTest):
    def test_the_clock_is_set_from_1970_and_backups_stay_in_order(self):
        server = TimeServer()
        self.addCleanup(server.close)
        camera = self.camera()
        camera.card.add(CONFIG, f'[camera]\ntime_servers = ["10.0.2.2:{server.port}"]\n'.encode())
        camera.start()
        camera.run("date -s @1000")
        camera.wait_http()
        wait_set(camera)
        camera.wait_for(lambda: server.asked, 60, "a question for the time")
        self.assertLess(int(camera.run("date +%s").text), 100000)
        server.answers = True
        camera.wait_for(lambda: abs(int(camera.run("date +%s").text) - time.time()) < 60, 120,
                        "the right time")
        # Another content of KERNEL, so that there is something to save.
        camera.run("printf '\\000' | dd of=/dev/mtd1 bs=1 seek=4096 conv=notrunc 2>/dev/null")
        camera.run(f"{PROGRAM} backup", 300)
        camera.power_off()
        found = sets(camera.card.extract(self.folder / "card"))
        self.assertEqual([s.name[:5] for s in found], ["0001-", "0002-"])
        self.assertEqual([damage(s) for s in found], [[], []])
        clocks = [("clock =" in (s / "manifest.toml").read_text()) for s in found]
        self.assertEqual(clocks, [False, True])

    def test_the_vendor_s_updater_is_held_and_let_go_and_the_planned_restart_comes(self):
        camera = self.camera()
        camera.card.add(CONFIG, b"[camera]\nhold_updates = true\nset_clock = false\n"
                        b"time_zone = \"CET-1CEST,M3.5.0,M10.5.0/3\"\nreboot = \"daily 04:30\"\n"
                        b"[backup]\nat_start = false\n")
        camera.start()
        camera.wait_http()
        vendor.start(camera, "miio_ota")

        def state(pid):
            return camera.run(f"cut -d' ' -f3 /proc/{pid}/stat", check=False).text.strip()

        pid = camera.pid("miio_ota")
        camera.wait_for(lambda: state(pid) == "T", 60, "an updater that is held")
        # Its supervisor starts another: that one is held, too. One that is writing the chip is not.
        camera.run("setsid /tmp/miio_ota 3</dev/mtd4 </dev/null >/dev/null 2>&1 &")
        headers = camera.log_in("correct horse")

        def problem():
            status = camera.http("/api/v1/status", headers=headers, seconds=60)[2]
            return json.loads(status)["network"]["updates_problem"]

        camera.wait_for(lambda: "is writing the chip" in (problem() or ""), 60, "the reason", every=1)
        wish = json.dumps({"camera": {"hold_updates": False}}).encode()
        self.assertEqual(camera.http("/api/v1/config", "PUT", wish, headers, 60)[0], 200)
        camera.wait_for(lambda: camera.run(f"test -d /proc/{pid}", check=False).status, 60,
                        "the end of the one that was held")
        self.assertIsNone(problem())

        # In November local time is an hour ahead of UTC.
        camera.run("date -u -s '2026-11-24 03:29:40'")
        camera.wait_end(120)
        self.assertIn("reboot: Restarting system", camera.console)
        self.assertRegex(camera.card.read("mi360d/state/schedule"), rb"^(-\n){4}28\d{6}\n$")

    @unittest.skipUnless(os.geteuid() == 0 and shutil.which("avahi-browse"),
                         "needs root and avahi: apt-get install avahi-daemon avahi-utils")
    def test_the_name_is_answered_to_avahi(self):
        space = f"mi360-{os.getpid()}"

        def inside(*command, check=True, **more):
            return subprocess.run(["ip", "netns", "exec", space, *command], check=check,
                                  capture_output=True, text=True, timeout=90, **more)

        subprocess.run(["ip", "netns", "add", space], check=True)
        self.addCleanup(subprocess.run, ["ip", "netns", "del", space])
        inside("ip", "link", "set", "lo", "up")
        inside("ip", "tuntap", "add", "dev", "cam", "mode", "tap")
        inside("ip", "addr", "add", "10.0.2.2/24", "dev", "cam")
        inside("ip", "link", "set", "cam", "up")
        camera = self.camera()
        camera.card.add(CONFIG, f'[camera]\nname = "Porch-Cam"\n{NO_BACKUP}'.encode())
        camera.nic = "tap,ifname=cam,script=no,downscript=no"
        camera.started_by = ["ip", "netns", "exec", space]
        camera.start()
        environment = self.avahi(space)
        camera.wait_for(lambda: camera.run("wget -q -O - http://127.0.0.1/healthz",
                                           check=False).data == b"ok", 60, "the page")

        def resolved():
            said = inside("avahi-resolve", "-4", "-n", "porch-cam.local", check=False,
                          env=environment)
            return said.stdout.split()

        found = camera.wait_for(resolved, 60, "an address of the name", every=1)
        self.assertEqual(found, ["porch-cam.local", "10.0.2.15"])

        def browsed():
            said = inside("avahi-browse", "-rptk", "_http._tcp", env=environment).stdout
            lines = [line.split(";") for line in said.splitlines()]
            return [line for line in lines if line[0] == "=" and line[6] == "porch-cam.local"]

        line = camera.wait_for(browsed, 60, "the page among the services", every=1)[0]
        self.assertEqual((line[7], line[8], line[9]), ("10.0.2.15", "80", '"path=/"'))
        self.assertEqual(camera.run("hostname").text, "porch-cam\n")

    def avahi(self, space):
        """avahi with a message bus of its own, in a network of its own."""
        bus = self.folder / "bus"
        (self.folder / "bus.conf").write_text(
            '<busconfig><type>system</type>'
            f'<listen>unix:path={bus}</listen><auth>EXTERNAL</auth><auth>ANONYMOUS</auth>'
            '<policy context="default"><allow own="*"/><allow send_destination="*"/>'
            '<allow eavesdrop="true"/></policy></busconfig>')
        (self.folder / "avahi.conf").write_text(
            "[server]\nallow-interfaces=cam\nuse-ipv6=no\n[publish]\ndisable-publishing=yes\n")
        environment = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={bus}"}

        def started(*command):
            process = subprocess.Popen(["ip", "netns", "exec", space, *command], env=environment,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.addCleanup(process.wait)
            self.addCleanup(process.kill)

        started("dbus-daemon", f"--config-file={self.folder}/bus.conf", "--nofork")
        deadline = time.monotonic() + 30
        while not bus.exists():
            self.assertLess(time.monotonic(), deadline, "no message bus")
            time.sleep(0.1)
        # Its own /run: a daemon of this PC's has the one that all see.
        started("sh", "-c", 'mount -t tmpfs tmpfs /run && exec avahi-daemon --no-drop-root '
                '--no-chroot --no-rlimits -f "$0"', str(self.folder / "avahi.conf"))
        return environment


if __name__ == "__main__":
    unittest.main()
