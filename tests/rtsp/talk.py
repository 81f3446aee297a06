"""Clients of both directions of sound: one that speaks, and one that plays pictures and sound and keeps
their times."""

import math
import re
import select
import struct
import time

from rig import alaw
from viewer import Depacketizer, Rtsp, fingerprint, udp_pair

# Hertz of the tone that is spoken.
TONE = 1000


class Talker:
    """A client that speaks."""

    REQUIRE = "Require: www.onvif.org/ver20/backchannel"

    def __init__(self, port, udp):
        self.rtsp = Rtsp(port, timeout=20)
        self.url = f"{self.rtsp.base}/mainstream"
        self.udp = udp_pair() if udp else None
        self.number = 0

    def describe(self):
        return self.rtsp.request("DESCRIBE", self.url, [self.REQUIRE])[1]

    def set_up(self):
        transport = "RTP/AVP/TCP;unicast;interleaved=4-5"
        if self.udp:
            ours = self.udp[0].getsockname()[1]
            transport = f"RTP/AVP;unicast;client_port={ours}-{ours + 1}"
        found, _ = self.rtsp.request("SETUP", f"{self.url}/trackID=2",
                                     [f"Transport: {transport}", self.REQUIRE])
        self.rtsp.session = found["Session"].split(";")[0]
        if self.udp:
            theirs = int(re.search(r"server_port=(\d+)", found["Transport"]).group(1))
            self.udp[0].connect(("127.0.0.1", theirs))
        self.rtsp.request("PLAY", self.url, [self.REQUIRE])

    def say(self, seconds, kind):
        """The tone, 40 ms in each packet, as fast as it is spoken."""
        began = time.monotonic()
        codes = [alaw(byte) if kind == 8 else ulaw(byte) for byte in range(256)]
        for piece in range(int(seconds * 25)):
            samples = [8000 * math.sin(2 * math.pi * TONE * (piece * 320 + n) / 8000)
                       for n in range(320)]
            data = bytes(min(range(256), key=lambda b, s=s: abs(codes[b] - s)) for s in samples[:8]) * 40
            packet = struct.pack(">BBHII", 0x80, kind, self.number, piece * 320, 7) + data
            self.number += 1
            if self.udp:
                self.udp[0].send(packet)
            else:
                self.rtsp.send(b"$\x04" + struct.pack(">H", len(packet)) + packet)
            time.sleep(max(0, began + (piece + 1) * 0.04 - time.monotonic()))

    def end(self):
        self.rtsp.request("TEARDOWN", self.url)
        for one in self.udp or ():
            one.close()
        self.rtsp.close()


def ulaw(byte):
    """One byte of G.711's mu-law as a sample of 16 bits."""
    byte = ~byte & 255
    value = (((byte & 15) << 3) + 132 << (byte >> 4 & 7)) - 132
    return -value if byte & 0x80 else value


class Both:
    """Plays both tracks and keeps what comes, and the reports."""

    def __init__(self, port, udp):
        self.rtsp = Rtsp(port, timeout=20)
        self.seen, self.reports, self.sockets = [[], []], [[], []], []
        self.pictures = Depacketizer("hevc", lambda units, at: self.seen[0].append(
            (fingerprint(units, "hevc"), at)))
        url = f"{self.rtsp.base}/mainstream"
        _, text = self.rtsp.request("DESCRIBE", url)
        assert "m=audio" in text, text
        for track in (0, 1):
            transport = f"RTP/AVP/TCP;unicast;interleaved={2 * track}-{2 * track + 1}"
            if udp:
                pair = udp_pair()
                self.sockets += pair
                ours = pair[0].getsockname()[1]
                transport = f"RTP/AVP;unicast;client_port={ours}-{ours + 1}"
            found, _ = self.rtsp.request("SETUP", f"{url}/trackID={track}",
                                         [f"Transport: {transport}"])
            self.rtsp.session = found["Session"].split(";")[0]
        found, _ = self.rtsp.request("PLAY", url, ["Range: npt=0.000-"])
        # The instant at which both tracks begin, which a client goes by until the first reports.
        self.begins = [int(time) for time in re.findall(r"seq=\d+;rtptime=(\d+)", found["RTP-Info"])]
        assert len(self.begins) == 2, found

    def read(self):
        if self.sockets:
            for one in select.select(self.sockets, [], [], 1)[0]:
                self.take(self.sockets.index(one), one.recv(65536))
            return
        items, self.rtsp.interleaved = self.rtsp.interleaved, []
        for channel, data in items or [self.rtsp.item()]:
            self.take(channel, data)

    def take(self, channel, data):
        track, control = divmod(channel, 2)
        if control:
            high, low, timestamp = struct.unpack(">III", data[8:20])
            self.reports[track].append((high + low / 2 ** 32, timestamp))
        elif track == 0:
            self.pictures.feed(data)
        else:
            assert data[1] & 0x7F == 97, data[:2]
            first, at = struct.unpack(">h", data[12:14])[0], struct.unpack(">I", data[4:8])[0]
            self.seen[1].append((first, at))

    def wall(self, track, at):
        """A time on the wall clock, by the track's own report."""
        wall, reported = self.reports[track][0]
        rate = 16000 if track else 90000
        return wall + (((at - reported + (1 << 31)) & 0xFFFFFFFF) - (1 << 31)) / rate

    def close(self):
        for one in self.sockets:
            one.close()
        self.rtsp.close()
