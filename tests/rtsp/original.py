#!/usr/bin/env python3
"""How the original reads its FIFO, for comparison: a pipe as it comes, 64 KiB at a time, busy with
its viewers in between, and everything passed on as it lies.

    original.py FIFO > stream
"""

import os
import sys
import time

fifo = os.open(sys.argv[1], os.O_RDONLY)
while data := os.read(fifo, 64 * 1024):
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
    time.sleep(0.04)
