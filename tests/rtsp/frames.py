"""A stand-in for fetch_av: serves streams, sound and snapshots by the firmware's frame transport
(docs/rtsp.md), with the encoder's times. The vendor's own: vendor_rig.py."""

import math
import os
import select
import socket
import struct
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import framegrabber
from rig import RATE, Case, alaw, stream

PAGE, HEAD = 4096, 64


class Endpoint:
    """One broadcaster."""

    def __init__(self, folder):
        self.folder = str(folder)
        os.makedirs(folder, mode=0o700, exist_ok=True)
        kind = socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        self.socket = socket.socket(socket.AF_UNIX, kind)
        path = f"{folder}/control"
        if os.path.exists(path):
            os.unlink(path)
        self.socket.bind(path)
        self.socket.listen(10)
        self.peers = {}
        self.tick = 0
        self.accepted = 0
        self.early = 0
        self.texts = []

    def serve(self):
        """Lets readers in, takes what they say."""
        while True:
            try:
                peer, _ = self.socket.accept()
            except BlockingIOError:
                break
            peer.setblocking(False)
            path = self.folder.encode()
            first = struct.pack("<IIII", 1, 12 + len(path), 2, len(path)) + path
            try:
                peer.send(first + struct.pack("<I", self.tick))
                self.peers[peer] = 0
                self.accepted += 1
            except OSError:
                self.early += 1
        for peer in list(self.peers):
            try:
                while True:
                    said = peer.recv(65540)
                    if not said:
                        self.drop(peer)
                        break
                    self.texts.append((peer, said[4:]))
            except BlockingIOError:
                pass
            except OSError:
                self.drop(peer)

    def drop(self, peer):
        self.peers.pop(peer, None)
        peer.close()

    def send(self, payload, to=None):
        whole = (len(payload) + HEAD + PAGE - 1) & -PAGE
        file = os.memfd_create("frame")
        os.ftruncate(file, whole)
        os.pwrite(file, struct.pack("<iIII", -1, self.tick, len(payload), whole) + bytes(48)
                  + payload, 0)
        self.tick += 1
        for peer in [to] if to else list(self.peers):
            if peer not in self.peers:
                continue
            self.peers[peer] += 1
            try:
                socket.send_fds(peer, [struct.pack("<III", 2, self.peers[peer], whole)], [file],
                                socket.MSG_NOSIGNAL)
            except BlockingIOError:
                pass
            except OSError:
                self.drop(peer)
        os.close(file)

    def close(self):
        for peer in list(self.peers):
            self.drop(peer)
        self.socket.close()


class Camera(threading.Thread):
    """Plays streams, a sound (a function of the sample's number), and one JPEG file to all who ask."""

    def __init__(self, folder, streams, rate=RATE, sound=None, jpeg=None, jitter=0.0, key_flag=True,
                 speaker=False):
        super().__init__(daemon=True)
        self.folder, self.rate, self.sound, self.jpeg = folder, rate, sound, jpeg
        self.jitter, self.key_flag = jitter, key_flag
        self.videos = {}
        for name, of in streams.items():
            found = framegrabber.pictures(stream(of).read_bytes(), framegrabber.codec_of(of))
            self.videos[name] = (Endpoint(folder / name), found)
        self.audio = Endpoint(folder / "audio_in") if sound else None
        self.snap = Endpoint(folder / "jpeg_snap") if jpeg is not None else None
        self.speaker = Endpoint(folder / "audio_play") if speaker else None
        self.played = []  # (monotonic time, bytes)
        self.ending = threading.Event()
        self.answering = True
        self.pictures = self.pieces = 0
        self.start()

    def endpoints(self):
        others = (self.audio, self.snap, self.speaker)
        return [e for e, _ in self.videos.values()] + [e for e in others if e]

    def run(self):
        began = time.monotonic()
        noise = 1
        while not self.ending.is_set():
            now = time.monotonic()
            next_picture = began + self.pictures / self.rate
            next_piece = began + self.pieces * 0.04 if self.audio else now + 1
            # What is taken at an even pace arrives at an uneven one.
            noise = noise * 1103515245 + 12345 & 0x7FFFFFFF
            late = self.jitter * (noise % 1000) / 1000
            if now >= next_picture + late:
                for endpoint, found in self.videos.values():
                    data, key = found[self.pictures % len(found)]
                    head = struct.pack("<IIQIIII", 1, self.pictures + 1, int(next_picture * 1e6),
                                       len(data), key and self.key_flag, 0, 0x7F123456)
                    endpoint.send(head + data)
                self.pictures += 1
            if self.audio and now >= next_piece:
                first = self.pieces * 640
                data = bytes(self.sound(first + n) for n in range(640))
                head = struct.pack("<IIIIQII", self.pieces + 1, 0, 0, 7, int(next_piece * 1e6),
                                   len(data), 9)
                self.audio.send(head + data)
                self.pieces += 1
            for endpoint in self.endpoints():
                endpoint.serve()
            if self.speaker:
                said, self.speaker.texts[:] = self.speaker.texts[:], []
                self.played += [(time.monotonic(), text) for _, text in said]
            if self.snap and self.answering:
                asked, self.snap.texts[:] = self.snap.texts[:], []
                for peer, _ in asked:
                    self.shots = getattr(self, "shots", 0) + 1
                    head = struct.pack("<IIQIIII", 2, 0, int(now * 1e6), len(self.jpeg), 0, 0, 0)
                    self.snap.send(head + self.jpeg, peer)
            watched = [s for e in self.endpoints() for s in [e.socket, *e.peers]]
            select.select(watched, [], [], max(0, min(next_picture + late, next_piece)
                                               - time.monotonic()))
        for endpoint in self.endpoints():
            endpoint.close()

    def stop(self):
        self.ending.set()
        self.join(20)


def encode(sample):
    """The A-law byte nearest to a sample: slowly, by looking at all."""
    return min(range(256), key=lambda byte: abs(alaw(byte) - sample))


PERIOD = [encode(8000 * math.sin(2 * math.pi * n / 16)) for n in range(16)]


def tone(number):
    """1 kHz at 16,000 samples in a second."""
    return PERIOD[number % 16]


class FromFrames(Case):
    """Tests of a server that reads this stand-in."""

    def camera(self, server_folder, streams, **more):
        camera = Camera(server_folder, streams, **more)
        self.addCleanup(camera.stop)
        return camera

    def from_frames(self, streams, *words, sound=None, jpeg=None, speaker=False, **more):
        """A camera and a server that reads it."""
        folder = Path(tempfile.mkdtemp(prefix="mi360d-frames-"))
        self.addCleanup(lambda: subprocess.run(["rm", "-r", str(folder)], check=True))
        camera = self.camera(folder, streams, sound=sound, jpeg=jpeg, speaker=speaker, **more)
        line = list(words)
        if sound:
            line += ["--audio", str(folder / "audio_in")]
        if jpeg is not None:
            line += ["--snapshot", str(folder / "jpeg_snap")]
        if speaker:
            line += ["--speaker", str(folder / "audio_play")]
        server = self.server({name: folder / name for name in streams}, words=line)
        return camera, server
