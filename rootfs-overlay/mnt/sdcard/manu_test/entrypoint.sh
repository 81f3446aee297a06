#!/bin/sh
# Boot hook of ipc019: its vendor-signed manu.bin calls this name. It does the same as on
# ipc009, except for factory mode: here the firmware makes its mark after the hook, with
# `touch`, and S50perp and S60service refuse to start if it is a file. A folder of that
# name lets `touch` succeed, but is not a file.

rm -f /tmp/factory_mode
mkdir /tmp/factory_mode 2>/dev/null
exec /bin/sh /mnt/sdcard/manu_test/manu.sh
