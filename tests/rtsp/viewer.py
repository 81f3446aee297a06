"""A viewer that looks closely: RTSP, RTP over TCP or UDP, the pictures put together again, and all
of it held against RFC 2326, 3550, 6184 and 7798. Raises Broken where the server breaks one.
"""

import hashlib
import re
import select
import socket
import struct
import threading
import time


class Broken(Exception):
    pass


class Refused(Exception):
    def __init__(self, status, text):
        super().__init__(f"{status}: {text}")
        self.status = status
        self.text = text


def fingerprint(units, codec):
    """What tells a picture: its slices."""
    slices = [u for u in units if is_slice(u, codec)]
    return hashlib.sha1(b"\0".join(slices)).digest()


def is_slice(unit, codec):
    return (unit[0] & 31) in (1, 5) if codec == "h264" else (unit[0] >> 1 & 63) < 32


def is_key(unit, codec):
    return (unit[0] & 31) == 5 if codec == "h264" else 16 <= (unit[0] >> 1 & 63) <= 23


class Rtsp:
    """One RTSP connection."""

    def __init__(self, port, host="127.0.0.1", timeout=15, buffer=None):
        self.socket = socket.socket()
        if buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.socket.settimeout(timeout)
        self.socket.connect((host, port))
        self.base = f"rtsp://{host}:{port}"
        self.sequence = 0
        self.input = b""
        self.session = None
        self.login = None
        self.challenges = []
        self.interleaved = []

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def more(self):
        data = self.socket.recv(65536)
        if not data:
            raise EOFError
        self.input += data

    def item(self):
        """The next answer, as (status, headers, body), or interleaved frame, as (channel, data)."""
        while True:
            if self.input[:1] == b"$" and len(self.input) >= 4:
                length = struct.unpack(">H", self.input[2:4])[0]
                if len(self.input) >= 4 + length:
                    channel, data = self.input[1], self.input[4:4 + length]
                    self.input = self.input[4 + length:]
                    return channel, data
            elif self.input[:1] not in (b"", b"$"):
                if not b"RTSP/1.0 ".startswith(self.input[:9]):
                    raise Broken(f"no RTSP: {self.input[:40]!r}")
                head, blank, rest = self.input.partition(b"\r\n\r\n")
                if blank:
                    lines = head.decode().split("\r\n")
                    status = int(lines[0].split(" ")[1])
                    headers = [tuple(line.split(": ", 1)) for line in lines[1:]]
                    length = int(dict(headers).get("Content-Length", 0))
                    if len(rest) >= length:
                        self.input = rest[length:]
                        return status, headers, rest[:length].decode()
            self.more()

    def answer(self):
        while True:
            item = self.item()
            if len(item) == 3:
                return item
            self.interleaved.append(item)

    def ask(self, method, uri, headers=(), authorization=None):
        self.sequence += 1
        lines = [f"{method} {uri} RTSP/1.0", f"CSeq: {self.sequence}"]
        if self.session:
            lines.append(f"Session: {self.session}")
        if authorization:
            lines.append(f"Authorization: {authorization}")
        self.send("\r\n".join([*lines, *headers, "", ""]).encode())
        status, found, body = self.answer()
        # What was asked before and not waited for is answered first.
        while int(dict(found).get("CSeq", self.sequence)) < self.sequence:
            status, found, body = self.answer()
        if status != 400 and ("CSeq", str(self.sequence)) not in found:
            raise Broken(f"{method}: CSeq missing in {found}")
        return status, found, body

    def request(self, method, uri, headers=()):
        """As `ask`, with the login where it is wanted; anything but 200 is an error."""
        authorization = self.authorization(method, uri) if self.challenges else None
        status, found, body = self.ask(method, uri, headers, authorization)
        if status == 401 and self.login:
            self.challenges = [value for name, value in found if name == "WWW-Authenticate"]
            status, found, body = self.ask(method, uri, headers, self.authorization(method, uri))
        if status != 200:
            raise Refused(status, body)
        return dict(found), body

    def authorization(self, method, uri):
        user, password = self.login
        challenge = self.challenges[-1]
        field = dict(re.findall(r'(\w+)="?([^",]*)"?', challenge))
        name = "sha256" if field.get("algorithm") == "SHA-256" else "md5"

        def digest(text):
            return hashlib.new(name, text.encode()).hexdigest()

        a1 = digest(f"{user}:{field['realm']}:{password}")
        a2 = digest(f"{method}:{uri}")
        response = digest(f"{a1}:{field['nonce']}:{a2}")
        return (f'Digest username="{user}", realm="{field["realm"]}", nonce="{field["nonce"]}", '
                f'uri="{uri}", response="{response}", algorithm={field.get("algorithm", "MD5")}')


class Depacketizer:
    """RTP packets become pictures: (units, timestamp)."""

    def __init__(self, codec, sink):
        self.codec = codec
        self.sink = sink
        self.sequence = None
        self.ssrc = None
        self.gaps = 0
        self.units = []
        self.fragment = None
        self.timestamp = None
        self.damaged = False

    def feed(self, data):
        if data[0] != 0x80 or data[1] & 0x7F != 96:
            raise Broken(f"RTP header {data[:2].hex()}")
        sequence, timestamp, ssrc = struct.unpack(">HII", data[2:12])
        if self.ssrc not in (None, ssrc):
            raise Broken("the SSRC changed")
        self.ssrc = ssrc
        if self.sequence is not None and sequence != (self.sequence + 1) & 0xFFFF:
            self.gaps += 1
            self.damaged = True
        self.sequence = sequence
        if self.units or self.fragment:
            if timestamp != self.timestamp and not self.damaged:
                raise Broken("a picture without a marker at its end")
        self.timestamp = timestamp
        if len(data) > 12 + 1400:
            raise Broken(f"a packet of {len(data)} bytes")
        self.payload(data[12:])
        if data[1] & 0x80:
            if self.fragment is not None and not self.damaged:
                raise Broken("a marker inside a unit")
            if not self.damaged and self.units:
                self.sink(self.units, timestamp)
            self.units, self.fragment, self.damaged = [], None, False

    def payload(self, data):
        if self.codec == "h264":
            kind, header, rest = data[0] & 31, data[:1], data[1:]
            aggregate, fragment = 24, 28
        else:
            kind, header, rest = data[0] >> 1 & 63, data[:2], data[2:]
            aggregate, fragment = 48, 49
        if kind == aggregate:
            while rest:
                length = struct.unpack(">H", rest[:2])[0]
                if not 0 < length <= len(rest) - 2:
                    raise Broken("an aggregate that does not add up")
                self.units.append(rest[2:2 + length])
                rest = rest[2 + length:]
        elif kind == fragment:
            flags = rest[0]
            inner = flags & (31 if self.codec == "h264" else 63)
            if flags & 0xC0 == 0xC0:
                raise Broken("a fragment that is first and last")
            if flags & 0x80:
                if self.codec == "h264":
                    first = bytes([header[0] & 0xE0 | inner])
                else:
                    first = bytes([header[0] & 0x81 | inner << 1, header[1]])
                self.fragment = [first]
            elif self.fragment is None:
                if not self.damaged:
                    raise Broken("a fragment without a beginning")
                return
            self.fragment.append(rest[1:])
            if flags & 0x40:
                self.units.append(b"".join(self.fragment))
                self.fragment = None
        else:
            if self.fragment is not None and not self.damaged:
                raise Broken("a unit inside a fragmented one")
            self.units.append(data)


class Viewer(threading.Thread):
    """Watches a stream until it is stopped, and keeps what it saw."""

    def __init__(self, port, stream, udp=False, login=None, pace=None, buffer=None, again=False):
        super().__init__(daemon=True)
        self.port, self.stream, self.udp, self.login = port, stream, udp, login
        self.pace, self.buffer, self.again = pace, buffer, again
        self.seen = []  # (monotonic time, fingerprint, key, timestamp, codec)
        self.reports = []
        self.error = None
        self.gaps = 0
        self.connects = 0
        self.byes = 0
        self.first_after = None
        self.stopping = threading.Event()
        self.playing = threading.Event()

    def run(self):
        while True:
            try:
                self.watch()
            except (EOFError, ConnectionError):
                if not self.again and not self.stopping.is_set():
                    self.error = Broken("the server closed the connection")
            except Refused as error:
                if not (self.again and error.status == 503):
                    self.error = error
            except Exception as error:  # noqa: BLE001: shown by the caller
                self.error = error
            if self.stopping.is_set() or self.error or not self.again:
                return
            time.sleep(0.05)

    def stop(self):
        self.stopping.set()
        self.join(20)
        if self.error:
            raise self.error
        return self.seen

    def watch(self):
        rtsp = Rtsp(self.port, buffer=self.buffer)
        sockets = []
        try:
            rtsp.login = self.login
            self.connects += 1
            url = f"{rtsp.base}/{self.stream}"
            _, sdp = rtsp.request("DESCRIBE", url, ["Accept: application/sdp"])
            self.sdp = sdp
            codec = "h264" if "H264/90000" in sdp else "hevc"
            transport = "RTP/AVP/TCP;unicast;interleaved=0-1"
            if self.udp:
                sockets = udp_pair()
                port = sockets[0].getsockname()[1]
                transport = f"RTP/AVP;unicast;client_port={port}-{port + 1}"
            found, _ = rtsp.request("SETUP", f"{url}/trackID=0", [f"Transport: {transport}"])
            rtsp.session = found["Session"].split(";")[0]
            began = time.monotonic()
            found, _ = rtsp.request("PLAY", url, ["Range: npt=0.000-"])
            info = int(re.search(r"seq=(\d+)", found["RTP-Info"]).group(1))
            last = None
            told = set()

            def sink(units, timestamp):
                nonlocal last
                now = time.monotonic()
                key = any(is_key(u, codec) for u in units)
                if self.first_after is None:
                    self.first_after = now - began
                if last is None and not key:
                    raise Broken("it does not begin with a key frame")
                if last is not None and not 0 < (timestamp - last) & 0xFFFFFFFF < 1 << 31:
                    raise Broken("times do not grow")
                last = timestamp
                if key and not parameter_sets(units, codec):
                    raise Broken("a key frame without its parameter sets")
                mark = fingerprint(units, codec)
                told.add(mark)
                self.seen.append((now, mark, key, timestamp, codec))

            depacketizer = Depacketizer(codec, sink)
            depacketizer.sequence = (info - 1) & 0xFFFF
            self.playing.set()
            alive = time.monotonic()
            while not self.stopping.is_set():
                if time.monotonic() - alive > 20:
                    alive = time.monotonic()
                    rtsp.sequence += 1
                    rtsp.send(f"GET_PARAMETER {url} RTSP/1.0\r\nCSeq: {rtsp.sequence}\r\n"
                              f"Session: {rtsp.session}\r\n\r\n".encode())
                ready, _, _ = select.select([rtsp.socket, *sockets], [], [], 0.2)
                for one in ready:
                    if one is rtsp.socket:
                        rtsp.more()
                    else:
                        data = one.recv(65536)
                        self.packet(one is not sockets[0], data, depacketizer)
                self.take(rtsp, depacketizer)
                self.gaps = depacketizer.gaps
                if self.pace:
                    time.sleep(self.pace)
            rtsp.socket.settimeout(10)
            rtsp.request("TEARDOWN", url)
        finally:
            for one in sockets:
                one.close()
            rtsp.close()

    def take(self, rtsp, depacketizer):
        items, rtsp.interleaved = rtsp.interleaved, []
        for channel, data in items:
            self.packet(channel == 1, data, depacketizer)
        while rtsp.input:
            if rtsp.input[:1] == b"$":
                if len(rtsp.input) < 4:
                    return
                length = struct.unpack(">H", rtsp.input[2:4])[0]
                if len(rtsp.input) < 4 + length:
                    return
                channel, data = rtsp.item()
                self.packet(channel == 1, data, depacketizer)
            elif b"\r\n\r\n" in rtsp.input:
                rtsp.item()
            else:
                return

    def packet(self, control, data, depacketizer):
        if not control:
            depacketizer.feed(data)
            return
        while data:
            kind, length = data[1], 4 * (1 + struct.unpack(">H", data[2:4])[0])
            if data[0] >> 6 != 2 or length > len(data):
                raise Broken(f"RTCP {data[:8].hex()}")
            if kind == 200:
                high, low, timestamp = struct.unpack(">III", data[8:20])
                self.reports.append((time.monotonic(), high + low / 2**32, timestamp))
            self.byes += kind == 203
            data = data[length:]


def parameter_sets(units, codec):
    if codec == "h264":
        return {7, 8} <= {u[0] & 31 for u in units}
    return {32, 33, 34} <= {u[0] >> 1 & 63 for u in units}


def udp_pair():
    while True:
        first = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        first.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        first.bind(("127.0.0.1", 0))
        port = first.getsockname()[1]
        second = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            if port % 2 == 0:
                second.bind(("127.0.0.1", port + 1))
                return [first, second]
        except OSError:
            pass
        first.close()
        second.close()
