#!/usr/bin/env python3
"""GStreamer's RTSP server, for the comparison of processor time: gst_server.py FIFO PORT"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

Gst.init(None)
fifo, port = sys.argv[1:]
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service(port)
factory = GstRtspServer.RTSPMediaFactory()
factory.set_launch(f"( filesrc location={fifo} blocksize=65536 do-timestamp=true ! h264parse ! "
                   "rtph264pay name=pay0 pt=96 config-interval=-1 )")
factory.set_shared(True)
server.get_mount_points().add_factory("/mainstream", factory)
server.attach(None)
GLib.MainLoop().run()
