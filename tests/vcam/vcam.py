"""The virtual camera: an emulated ARMv7 board with a real SPI NOR model, a real
kernel, a real FAT card and a network port on this PC.

    with VirtualCamera(flash, card, flash_map="ipc009") as camera:
        camera.start()
        print(camera.run("cat /proc/mtd").text)

kill() is a power cut: the chip and the card are then what they were.
"""

import base64
import functools
import http.client
import json
import re
import socket
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import bootloader
import parts as rig
from card import Card


# QEMU keeps nothing of a raw image to itself: what the guest was told is written is
# in this PC's page cache, which outlives a killed QEMU. So SIGKILL is a power cut
# without the fdatasync for each 512 bytes that "writethrough" costs.
CACHE = "unsafe"


@functools.cache
def chip_aio():
    """How QEMU brings each page of the chip to its file: where it may, without threads of its own,
    which would take the processor that the guest's second one runs on."""
    with tempfile.NamedTemporaryFile() as file:
        file.truncate(1 << 20)
        tried = subprocess.run(
            ["qemu-system-arm", "-M", "none", "-display", "none", "-monitor", "stdio",
             "-drive", f"file={file.name},if=none,format=raw,aio=io_uring"],
            input=b"quit\n", capture_output=True)
    return ",aio=io_uring" if tried.returncode == 0 else ""


class CameraDied(Exception):
    """QEMU ended while something was awaited."""


class TooLate(Exception):
    """A deadline passed."""


class Failed(Exception):
    """A command in the guest ended with another status than 0."""


@dataclass(frozen=True)
class Output:
    """What a command in the guest said, and its status."""

    status: int
    data: bytes

    @property
    def text(self):
        return self.data.decode(errors="replace")


def free_port():
    """A TCP port of this PC that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class VirtualCamera:
    """One camera. It can be started again after it has stopped or was killed."""

    def __init__(self, flash, card, flash_map="ipc009", chip="mx25l12855e", guest_port=80):
        assert chip in rig.CHIPS and flash_map in rig.MAPS
        self.flash, self.flash_map, self.chip = Path(flash), flash_map, chip
        self.card = Card(card, 0) if isinstance(card, (str, Path)) else card
        self.guest_port = guest_port
        self.port = None
        # Further ports of the camera: {its port: this PC's}.
        self.more_ports = {}
        # Another network than QEMU's own, and the command that QEMU is started by.
        self.nic, self.started_by = None, []
        # Words for the kernel at each start; whether QEMU's own network leads nowhere.
        self.append, self.restrict = "", False
        self.rescued = False
        self._qemu = None
        self._commands = 0
        self._said = b""
        self._news = threading.Condition()
        self._folder = tempfile.TemporaryDirectory(prefix="vcam-")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        self._folder.cleanup()

    # --- power ---

    def start(self, seconds=400, signed=False, wait=True, append=""):
        """Power on. `signed`: take a rescue image on the card as the vendor's.
        Returns when the hook has returned and the console answers."""
        assert not self.alive
        parts = rig.build()
        card = self.card if self.card is not None else None
        self.rescued = bootloader.power_up(self.flash, card, self.flash_map, signed)
        self.port = free_port()
        args = [
            "qemu-system-arm", "-M", f"ast2600-evb,fmc-model={self.chip}", "-smp", "2", "-m", "1G",
            "-accel", "tcg,thread=multi", "-display", "none", "-no-reboot", "-monitor", "none",
            "-kernel", parts.kernel, "-initrd", parts.initramfs,
            "-dtb", parts.dtbs[self.flash_map],
            "-append", f"console=ttyS4,115200n8 loglevel=4 panic=1 {self.append} {append}",
            "-drive", f"file={self.flash},if=mtd,format=raw,index=0,id=chip,cache={CACHE}{chip_aio()}",
            "-nic", self.nic or "user" + ",restrict=on" * self.restrict + "".join(
                f",hostfwd=tcp:127.0.0.1:{here}-:{there}"
                for there, here in {self.guest_port: self.port, **self.more_ports}.items()),
            "-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
        ]
        if card is not None:
            args += ["-drive",
                     f"file={card.path},if=sd,format=raw,index=0,id=card,cache={CACHE}"]
        with self._news:
            self._said = b""
        self._errors = open(Path(self._folder.name) / "qemu.err", "w+b")
        self._qemu = subprocess.Popen(
            [*self.started_by, *(str(a) for a in args)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors,
        )
        threading.Thread(target=self._listen, args=(self._qemu,), daemon=True).start()
        if wait:
            self.wait_console(r"@@VCAM console", seconds)

    @property
    def alive(self):
        return self._qemu is not None and self._qemu.poll() is None

    def kill(self):
        """A power cut: SIGKILL, now."""
        if self._qemu is not None:
            self._qemu.kill()
            self._ended()

    def power_off(self, seconds=30, sync=True):
        """Ends the guest from inside, with its card unmounted unless `sync` is off."""
        if sync:
            # The card may be busy (a binary runs from it): read-only is as good.
            self.run("umount /mnt/sdcard 2>/dev/null || mount -o remount,ro /mnt/sdcard; sync", 60)
        self._type("reboot -f")
        self._send("!off\n")
        self.wait_end(seconds)

    def wait_end(self, seconds):
        """Waits until the guest has ended by itself: a reboot, or a panic."""
        try:
            self._qemu.wait(seconds)
        except subprocess.TimeoutExpired:
            raise TooLate(f"still running after {seconds} s\n{self._tail()}") from None
        self._ended()

    def _ended(self):
        self._qemu.wait()
        for pipe in (self._qemu.stdin, self._qemu.stdout):
            try:
                pipe.close()
            except OSError:
                pass
        self._errors.close()
        self._qemu = None

    # --- console ---

    @property
    def console(self):
        """All that the serial line said since power on."""
        with self._news:
            return self._said.decode(errors="replace")

    def _listen(self, qemu):
        while True:
            try:
                got = qemu.stdout.read1(65536)
            except (OSError, ValueError):
                got = b""
            with self._news:
                if got:
                    self._said += got.replace(b"\r", b"")
                self._news.notify_all()
            if not got:
                return

    def wait_console(self, regex, seconds, after=0):
        """The first match of `regex` in what the console said from `after` on."""
        wanted = re.compile(regex.encode() if isinstance(regex, str) else regex, re.M)
        deadline = time.monotonic() + seconds
        with self._news:
            while True:
                found = wanted.search(self._said, after)
                if found:
                    return found
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TooLate(f"no {wanted.pattern!r} in {seconds} s\n{self._tail()}")
                if not self.alive:
                    self._errors.flush()
                    errors = Path(self._errors.name).read_text(errors="replace")
                    raise CameraDied(f"waiting for {wanted.pattern!r}\n{self._tail()}\n{errors}")
                self._news.wait(min(left, 0.5))

    def _tail(self):
        return self._said[-3000:].decode(errors="replace")

    def _send(self, text):
        try:
            self._qemu.stdin.write(text.encode())
            self._qemu.stdin.flush()
        except (BrokenPipeError, ValueError):
            raise CameraDied(self._tail()) from None

    def _type(self, command):
        """The command's text, in lines that a terminal's buffer holds."""
        coded = base64.b64encode(command.encode()).decode()
        for i in range(0, len(coded), 2048):
            with self._news:
                after = len(self._said)
            self._send(f"+{coded[i:i + 2048]}\n")
            self.wait_console(r"^@@MORE\n", 120, after)

    def run(self, command, seconds=180, check=True):
        """Runs a shell command in the guest, as root, without a terminal."""
        self._commands += 1
        name = f"c{self._commands}"
        with self._news:
            after = len(self._said)
        self._type(command)
        self._send(f"!{name}\n")
        # Who watches the memory (vendor.py, watcher.c) writes its lines to the same console, at any time.
        found = self.wait_console(
            rf"^@@BEGIN {name}\n((?:@@(?:HWM|LEAST|OOM) \d+\n|[A-Za-z0-9+/=]*\n)*)^@@END {name} (\d+)\n",
            seconds, after)
        output = Output(int(found[2]), base64.b64decode(re.sub(rb"@@(?:HWM|LEAST|OOM) \d+\n", b"", found[1])))
        if check and output.status != 0:
            raise Failed(f"{command}: {output.status}\n{output.text}")
        return output

    def put(self, path, content):
        """Writes a small file in the guest."""
        coded = base64.b64encode(content).decode()
        self.run(f"echo {coded} | base64 -d >{path}", 120)

    def uptime(self):
        """Seconds by the guest's own clock."""
        return float(self.run("cat /proc/uptime").text.split()[0])

    def pid(self, name="mi360d"):
        """The process with this name in /proc/PID/comm, or None."""
        out = self.run(f"pidof {name} | tr ' ' '\\n' | sort -n | head -n 1", check=False).text.strip()
        return int(out) if out else None

    def memory(self, pid):
        """VmHWM and VmRSS of a process, in KiB."""
        text = self.run(f"cat /proc/{pid}/status").text
        return {k: int(re.search(rf"^{k}:\s+(\d+) kB", text, re.M)[1]) for k in ("VmHWM", "VmRSS")}

    # --- from this PC ---

    def wait_for(self, condition, seconds, what, every=0.3):
        """Waits until `condition()` answers something true, and returns that."""
        deadline = time.monotonic() + seconds
        while True:
            value = condition()
            if value:
                return value
            if not self.alive:
                raise CameraDied(f"waiting for {what}\n{self._tail()}")
            if time.monotonic() > deadline:
                raise TooLate(f"no {what} in {seconds} s\n{self._tail()}")
            time.sleep(every)

    def connect(self):
        """A connection to the page's port. QEMU takes them with a backlog of one: what comes too
        soon behind another is dropped by this PC, which tries again a second later."""
        time.sleep(0.01)
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def http(self, path, method="GET", body=None, headers=None, seconds=10):
        """One request through the forwarded port: status, headers, body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def log_in(self, password):
        """The headers of a session: by the code on the card first, then by the password."""
        code = self.run("head -n 1 /mnt/sdcard/mi360d/setup-code.txt", check=False)
        path, wish = "/api/v1/login", {"password": password}
        if code.status == 0 and code.text.strip():
            path, wish["code"] = "/api/v1/setup", code.text.strip()
        status, headers, body = self.http(path, "POST", json.dumps(wish).encode(), seconds=60)
        assert status == 200, (path, status, body)
        return {
            "Cookie": headers["Set-Cookie"].split(";")[0],
            "X-CSRF-Token": json.loads(body)["csrf"],
        }

    def wait_http(self, path="/healthz", seconds=60):
        """Waits until a page answers 200."""

        def answers():
            try:
                return self.http(path, seconds=3)[0] == 200
            except (OSError, http.client.HTTPException):
                return False

        self.wait_for(answers, seconds, f"200 for {path}")

    def written(self):
        """Bytes written to the card since power on, as the kernel counts them.
        (QEMU 7.2 counts nothing for its SD card: wr_bytes stays 0.)"""
        return int(self.run("cat /sys/block/mmcblk0/stat").text.split()[6]) * 512
