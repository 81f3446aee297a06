#!/bin/sh
# Boot hook of ipc019: its vendor-signed manu.bin calls this name. The work is
# the same as on ipc009, factory mode is not: here the firmware makes its mark after
# the hook, by `touch`, and S50perp and S60service refuse to start where it is a file.
# A folder of that name lets `touch` succeed, and is no file.

rm -f /tmp/factory_mode
mkdir /tmp/factory_mode 2>/dev/null
exec /bin/sh /mnt/sdcard/manu_test/manu.sh
