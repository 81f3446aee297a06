#!/usr/bin/env python3
"""Writes an elementary stream into a FIFO as the vendor's framegrabber does: one picture after the
other at an even pace, without ever waiting for the reader. What does not fit is lost, in the
middle of a picture if need be.

    framegrabber.py FIFO STREAM [--rate 20] [--pictures N] [--from N]

The last line of its output, at its end or on TERM, is a JSON document: what it wrote whole, what it
cut, what it could not write at all.
"""

import argparse
import errno
import json
import os
import signal
import sys
import time


def units(data):
    """The NAL units of an Annex-B stream, as (start of its start code, start of its header)."""
    found = []
    at = data.find(b"\0\0\1")
    while at >= 0:
        code = at - 1 if at > 0 and data[at - 1] == 0 else at
        found.append((code, at + 3))
        at = data.find(b"\0\0\1", at + 3)
    return found


def pictures(data, codec):
    """The stream cut into pictures: each a byte string with its parameter sets, start codes and
    all, and whether it is a key frame."""
    cuts, keys = [], []
    seen_slice = True
    for code, header in units(data):
        first = data[header]
        if codec == "h264":
            kind = first & 31
            is_slice = kind in (1, 5)
            begins = is_slice and data[header + 1] & 0x80
            key = kind == 5
        else:
            kind = first >> 1 & 63
            is_slice = kind < 32
            begins = is_slice and data[header + 2] & 0x80
            key = 16 <= kind <= 23
        if seen_slice and (begins or not is_slice):
            cuts.append(code)
            keys.append(False)
            seen_slice = False
        if is_slice:
            seen_slice = True
            keys[-1] |= key
    cuts.append(len(data))
    return [(data[a:b], key) for a, b, key in zip(cuts, cuts[1:], keys)]


def codec_of(path):
    return "h264" if str(path).endswith(".h264") else "hevc"


def open_fifo(path, waits):
    while True:
        try:
            fifo = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
            os.set_blocking(fifo, waits)
            return fifo
        except OSError as error:
            if error.errno not in (errno.ENXIO, errno.ENOENT):
                raise
            time.sleep(0.01)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("fifo")
    parser.add_argument("stream")
    parser.add_argument("--rate", type=float, default=20)
    parser.add_argument("--pictures", type=int, default=0, help="0: without end")
    parser.add_argument("--start", type=int, default=0, help="the first picture's number")
    parser.add_argument("--waits", action="store_true", help="wait for room, and lose nothing")
    options = parser.parse_args()
    with open(options.stream, "rb") as file:
        stream = pictures(file.read(), codec_of(options.stream))
    told = {"whole": 0, "cut": 0, "lost": 0, "largest": max(len(p) for p, _ in stream)}
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    fifo = open_fifo(options.fifo, options.waits)
    due = time.monotonic()
    number = options.start
    try:
        while not options.pictures or number < options.start + options.pictures:
            picture = stream[number % len(stream)][0]
            try:
                wrote = os.write(fifo, picture)
                while options.waits and wrote < len(picture):
                    wrote += os.write(fifo, picture[wrote:])
                told["whole" if wrote == len(picture) else "cut"] += 1
            except BlockingIOError:
                told["lost"] += 1
            except BrokenPipeError:
                os.close(fifo)
                fifo = open_fifo(options.fifo, options.waits)
            number += 1
            due = max(due + 1 / options.rate, time.monotonic() - 1)
            time.sleep(max(0, due - time.monotonic()))
    finally:
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
