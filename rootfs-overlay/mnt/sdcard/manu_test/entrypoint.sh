#!/bin/sh
# Boot hook of ipc019: its vendor-signed manu.bin calls this name. The work is
# the same as on ipc009.

rm -f /tmp/factory_mode
exec /bin/sh /mnt/sdcard/manu_test/manu.sh
