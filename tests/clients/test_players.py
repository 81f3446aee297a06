"""Programs that read the streams on their own terms: OpenCV and PyAV from PyPI, motion from Debian,
and the argument lines with which Frigate, Shinobi and homebridge-camera-ffmpeg start ffmpeg, as
their sources have them."""

import socket
import subprocess
import time

from base import Streams, python, run, wait_for

PACKAGES = ["opencv-python-headless==5.0.0.93", "av==18.1.0"]

OPENCV = """
import cv2, sys
film = cv2.VideoCapture(sys.argv[1], cv2.CAP_FFMPEG)
assert film.isOpened(), 'not opened'
seen = []
for _ in range(30):
    good, picture = film.read()
    assert good, 'no picture'
    seen.append(picture.mean())
assert picture.shape == (192, 320, 3), picture.shape
# The scene moves: its clock does, at least.
assert len(set(seen)) > 1, seen
print(film.get(cv2.CAP_PROP_FPS))
"""
PYAV = """
import av, sys
with av.open(sys.argv[1], options={'rtsp_transport': sys.argv[2]}, timeout=30) as film:
    stream = film.streams.video[0]
    packets = []
    for packet in film.demux(stream):
        if packet.pts is not None:
            packets.append(packet.pts * packet.time_base)
        for picture in packet.decode():
            assert (picture.width, picture.height) == (320, 192), picture
        if len(packets) == 40:
            break
steps = [float(b - a) for a, b in zip(packets[2:], packets[3:])]
assert max(steps) <= 0.15 and min(steps) >= 0.05, steps
print(stream.codec_context.name)
"""
MOTION = """
daemon off
setup_mode off
log_level 6
log_file {folder}/motion.log
target_dir {folder}/out
netcam_url rtsp://127.0.0.1:{port}/mainstream
netcam_userpass {user}:{password}
width 320
height 192
framerate 10
# The sun moves: that is motion enough.
threshold 20
minimum_motion_frames 1
picture_output on
movie_output on
movie_codec mp4
movie_max_time 10
webcontrol_port 0
stream_port 0
"""


class Players(Streams):
    def test_opencv_reads_the_streams(self):
        interpreter = python("players", PACKAGES)
        for name in ("mainstream", "substream"):
            out = self.run_quietly([interpreter, "-c", OPENCV, self.address(name)])
            self.assertEqual(out.strip(), "10.0")

    def test_pyav_reads_even_times(self):
        interpreter = python("players", PACKAGES)
        for transport in ("tcp", "udp"):
            out = self.run_quietly([interpreter, "-c", PYAV, self.address("substream"), transport])
            self.assertIn("h264", out)

    def test_motion_sees_motion(self):
        (self.folder / "out").mkdir()
        user, password = self.login
        (self.folder / "motion.conf").write_text(MOTION.format(
            folder=self.folder, port=self.stream_port, user=user, password=password))
        motion = subprocess.Popen(["motion", "-n", "-c", self.folder / "motion.conf"],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            pictures = wait_for(lambda: sorted((self.folder / "out").glob("*.jpg"))[:-1],
                                "motion's pictures", 90)
            wait_for(lambda: list((self.folder / "out").glob("*.mp4")), "motion's film", 90)
        finally:
            motion.terminate()
            motion.wait(60)
        log = (self.folder / "motion.log").read_text()
        for word in ("[ERR]", "[WRN]", "lost"):
            self.assertFalse(word in log, log)
        out = self.run_quietly(["ffprobe", "-v", "error", "-show_entries",
                                "stream=codec_name,width,height", "-of", "csv=p=0", pictures[0]])
        self.assertEqual(out.strip(), "mjpeg,320,192")

    def assert_films(self, pattern, least):
        """Whole films with even times, none of which ffmpeg complains of."""
        films = sorted((self.folder / "out").glob(pattern))
        self.assertGreaterEqual(len(films), least, films)
        for film in films:
            out = self.run_quietly(["ffprobe", "-v", "error", "-show_entries", "packet=pts_time",
                                    "-of", "csv=p=0", film])
            times = sorted(float(line.strip(",")) for line in out.split())
            steps = [b - a for a, b in zip(times[2:], times[3:])]
            self.assertGreater(len(times), 10, film)
            # By the wall clock of a PC that does other things, too, where that is what it uses.
            self.assertLess(max(steps), 1, film)

    def test_the_argument_lines_of_frigate(self):
        """Its preset-rtsp-generic and preset-rtsp-restream, with record and detect at once."""
        (self.folder / "out").mkdir()
        generic = ["-avoid_negative_ts", "make_zero", "-fflags", "+genpts+discardcorrupt",
                   "-rtsp_transport", "tcp", "-timeout", "10000000",
                   "-use_wallclock_as_timestamps", "1"]
        restream = ["-rtsp_transport", "tcp", "-timeout", "10000000"]
        udp = [*generic[:4], "-rtsp_transport", "udp", *generic[6:]]
        for number, preset in enumerate((generic, restream, udp)):
            words = ["ffmpeg", "-hide_banner", "-loglevel", "warning", "-threads", "2",
                     "-user_agent", "FFmpeg Frigate/0.17", *preset, "-i", self.address("mainstream"),
                     # For the test's sake: it ends.
                     "-t", "14",
                     "-f", "segment", "-segment_time", "10", "-segment_format", "mp4",
                     "-reset_timestamps", "1", "-strftime", "1", "-c", "copy", "-an",
                     str(self.folder / f"out/frigate{number}@%Y%m%d%H%M%S%z.mp4"), "-t", "14",
                     "-r", "5", "-vf", "fps=5,scale=320:192", "-threads", "2", "-f", "rawvideo",
                     "-pix_fmt", "yuv420p", "pipe:"]
            done = subprocess.run(words, capture_output=True, timeout=120)
            said = done.stderr.decode()
            self.assertEqual(done.returncode, 0, said)
            for word in ("missed", "corrupt", "error", "Invalid"):
                self.assertNotIn(word, said)
            pictures = len(done.stdout) / (320 * 192 * 3 / 2)
            self.assertTrue(60 <= pictures <= 75 and pictures.is_integer(), pictures)
            self.assert_films(f"frigate{number}@*.mp4", 1)

    def test_the_argument_lines_of_shinobi(self):
        (self.folder / "out").mkdir()
        out = self.folder / "out"
        words = ["ffmpeg", "-loglevel", "warning", "-analyzeduration", "1000000", "-probesize",
                 "1000000", "-fflags", "+igndts", "-rtsp_transport", "tcp", "-i",
                 self.address("mainstream"), "-t", "14",
                 "-an", "-c:v", "copy", "-f", "hls", "-tune", "zerolatency", "-g", "1", "-hls_time",
                 "2", "-hls_list_size", "3", "-start_number", "0", "-hls_allow_cache", "0",
                 "-hls_flags", "+delete_segments+omit_endlist", str(out / "s.m3u8"), "-t", "14",
                 "-map", "0:0", "-an", "-c:v", "copy", "-f", "segment", "-segment_atclocktime", "1",
                 "-reset_timestamps", "1", "-strftime", "1", "-segment_list", "pipe:1",
                 "-segment_time", "900", str(out / "%Y-%m-%dT%H-%M-%S.mp4"), "-t", "14",
                 "-an", "-vf", "fps=2,scale=320:192", "-f", "image2", "-update", "1", "-y",
                 str(out / "s.jpg")]
        status, said, err = run(words, 120)
        self.assertEqual(status, 0, err)
        self.assertIn(".mp4", said)
        for word in ("missed", "corrupt", "Invalid"):
            self.assertNotIn(word, err)
        self.assert_films("*.mp4", 1)
        self.assertIn("s", (out / "s.m3u8").read_text())

    def test_the_argument_lines_of_homebridge(self):
        """A snapshot, and a live view as HomeKit takes it: encrypted RTP, to a port of our own."""
        out = self.folder / "snap.jpg"
        source = ["-rtsp_transport", "tcp", "-i", self.address("mainstream")]
        with open(out, "wb") as file:
            subprocess.run(["ffmpeg", *source, "-frames:v", "1", "-hide_banner", "-loglevel",
                            "error", "-f", "image2", "-"], stdout=file, check=True, timeout=60)
        self.assertEqual(out.read_bytes()[:2], b"\xff\xd8")
        for codec in ("copy", "libx264"):
            more = [] if codec == "copy" else ["-r", "10", "-preset", "ultrafast", "-tune",
                                               "zerolatency", "-b:v", "299k"]
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
                phone.bind(("127.0.0.1", 0))
                phone.settimeout(60)
                port = phone.getsockname()[1]
                words = ["ffmpeg", *source, "-an", "-sn", "-dn", "-codec:v", codec, "-pix_fmt",
                         "yuv420p", "-color_range", "mpeg", *more, "-payload_type", "99", "-ssrc",
                         "1234567", "-f", "rtp", "-srtp_out_suite", "AES_CM_128_HMAC_SHA1_80",
                         "-srtp_out_params", "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkw",
                         f"srtp://127.0.0.1:{port}?rtcpport={port}&pkt_size=1316",
                         "-loglevel", "level+warning", "-progress", "pipe:1"]
                viewer = subprocess.Popen([str(w) for w in words], stdout=subprocess.DEVNULL,
                                          stderr=subprocess.PIPE, text=True)
                try:
                    packets, end = 0, time.monotonic() + 60
                    while packets < 50:
                        self.assertLess(time.monotonic(), end, f"{packets} packets")
                        packets += phone.recv(2048)[1] & 0x7F == 99
                finally:
                    viewer.terminate()
                    _, said = viewer.communicate(timeout=30)
                self.assertNotIn("[error]", said.replace("Exiting", ""))


