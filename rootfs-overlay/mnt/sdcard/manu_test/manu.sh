#!/bin/sh
# Boot hook of the stock firmware, run as root once the card is mounted. Starts
# mi360d and keeps it running; mi360d itself decides about safe mode.
#
# Writes nothing to the card. Its own files are in /tmp/mi360d-hook: a copy of
# this script and of the program (a card may be pulled out), the keeper's pid, a log.

# The boot of ipc009 hangs while this file exists, and until this script returns. A folder
# of that name was made by entrypoint.sh.
[ -d /tmp/factory_mode ] || rm -f /tmp/factory_mode

hook=/mnt/sdcard/manu_test/manu.sh
program=/mnt/sdcard/mi360d/mi360d
config=/mnt/sdcard/mi360d/config.toml
# This file exists until a new program has answered; it has this many seconds.
trial=/mnt/sdcard/mi360d/trial
patience=35
here=/tmp/mi360d-hook

# Whether two files are equal; compares only the size if there is no cmp.
same() {
    if command -v cmp >/dev/null; then
        cmp -s "$1" "$2"
    else
        [ -r "$2" ] && [ "$(wc -c <"$1")" = "$(wc -c <"$2")" ]
    fi
}

if [ "$1" != keep ]; then
    # While a flash is open the vendor's start must not rename the rescue image: it checks for this
    # file, maybe before mi360d runs.
    mark=/mnt/sdcard/manu_test/update.txt
    if grep -q mi360d "$mark" 2>/dev/null; then
        mkdir -p /tmp/manu_test && cp "$mark" /tmp/manu_test/ 2>/dev/null
    fi
    if ! mkdir "$here" 2>/dev/null; then
        # A first call that has not yet written its pid counts as alive.
        read -r pid 2>/dev/null <"$here/pid" || exit 0
        case $(cat "/proc/$pid/cmdline" 2>/dev/null) in *hook.shkeep | *manu.shkeep) exit 0 ;; esac
        rm -f "$here/pid"
    fi
    cp "$hook" "$here/hook.sh" 2>/dev/null && same "$hook" "$here/hook.sh" && hook=$here/hook.sh
    session=$(command -v setsid)
    # With `exec`: for a command's own redirections busybox 1.28 keeps copies of the old
    # descriptors, including the boot's output, and the child inherits them.
    (
        exec </dev/null >/dev/null 2>&1 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
        # shellcheck disable=SC2086 # no setsid, no word
        exec $session /bin/sh "$hook" keep
    ) &
    exit 0
fi

# From here on: the keeper, in the background.
trap '' HUP
cd / || exit 1
echo $$ >"$here/pid"
: >"$here/log"

say() {
    echo "$1" >>"$here/log"
}

# The late look: seconds before it, and after it cleared factory mode.
first_look=20
last_look=10

# Seconds since power on: the wall clock jumps when NTP answers.
now() {
    read -r up _ </proc/uptime
    echo "${up%%.*}"
}

# Whether a process runs whose name matches this pattern.
runs() {
    for comm in /proc/[0-9]*/comm; do
        # The process may have ended meanwhile.
        { read -r name <"$comm"; } 2>/dev/null || continue
        # shellcheck disable=SC2254 # it is a pattern
        case $name in $1) return 0 ;; esac
    done
    return 1
}

# perpboot and its perpd.
supervisor() {
    runs "perp*"
}

# A flash ends the supervisor, which must not start again. The journal exists from the first erase
# on; before that, during the backup, a file with the process number does.
flashing() {
    [ ! -e /mnt/sdcard/mi360d/state/flash.toml ] || return 0
    { read -r pid </tmp/mi360d-flashing; } 2>/dev/null && kill -0 "$pid" 2>/dev/null
}

# Whether to start the supervisor: no flash and no supervisor is running. A flash is checked for
# again after the supervisor, because it makes its mark before it ends anything.
missing() {
    ! flashing || { say "$(now): late look: a flash is under way"; return 1; }
    ! supervisor || return 1
    ! flashing || { say "$(now): late look: a flash is under way"; return 1; }
}

# Starts one of the firmware's scripts as its own rcS does: with its environment, and with the
# signals that the keeper ignores as they were.
vendor_start() {
    (
        trap - HUP
        # A keeper called by hand has no such environment.
        if [ -z "$PERP_BASE" ]; then
            set -a
            for file in /etc/environment.base /etc/environment; do
                # shellcheck disable=SC1090 # a file of the firmware
                [ ! -r "$file" ] || . "$file"
            done
            set +a
        fi
        cd / && exec "$1" start
    )
    say "$(now): late look: $1 start ended with status $?"
}

# Waits until the firmware's start has ended, for a minute: it may hang.
started() {
    tries=0
    while runs rcS; do
        [ "$tries" -lt 60 ] || return 1
        sleep 1
        tries=$((tries + 1))
    done
}

# The late look: if factory mode still kept the firmware's services off, it is cleared, and the two
# scripts that refused to start are started. Once per power-on, and never while the firmware is still
# starting, a supervisor runs, or a flash is running.
late_look() {
    mkdir "$here/looked" 2>/dev/null || return
    sleep "$first_look"
    started
    ! supervisor || return
    [ -x /etc/init.d/S50perp ] || { say "$(now): late look: no S50perp in this firmware"; return; }
    missing || return
    say "$(now): late look: no supervisor: factory mode is cleared"
    rm -rf /tmp/factory_mode
    # A start that waited for this continues now.
    sleep "$last_look"
    started || { say "$(now): late look: the firmware's start does not end"; return; }
    ! supervisor || { say "$(now): late look: the supervisor runs now"; return; }
    # A flash that begins now waits as long as this file exists.
    echo $$ >"$here/starting"
    if missing; then
        vendor_start /etc/init.d/S50perp
        [ ! -x /etc/init.d/S60service ] || vendor_start /etc/init.d/S60service
    fi
    rm -f "$here/starting"
}

# The copy in memory is replaced when the program on the card differs, and kept when the
# card cannot be read. If there is no room for it, the program runs from the card.
copy() {
    [ -r "$program" ] || return 0
    same "$program" "$here/mi360d" && return 0
    rm -f "$here/mi360d"
    cp "$program" "$here/new" && same "$program" "$here/new" && chmod 755 "$here/new" &&
        mv "$here/new" "$here/mi360d" && return 0
    rm -f "$here/new"
    say "no copy in /tmp: running from the card"
}

# Runs the program.
run() {
    "$run" run --config "$config" 2>"$here/stderr"
    status=$?
}

# Runs a program that was just installed on the card. It removes the mark when it answers;
# if it does not answer, the previous program is restored.
try() {
    "$run" run --config "$config" 2>"$here/stderr" &
    child=$!
    left=$patience
    while [ -e "$trial" ] && [ "$left" -gt 0 ] && kill -0 "$child" 2>/dev/null; do
        sleep 1
        left=$((left - 1))
    done
    if [ -e "$trial" ]; then
        kill -9 "$child" 2>/dev/null
        wait "$child"
        say "$(now): the new program does not answer: restoring the old one"
        # As a copy: a power cut may lose the name that is renamed.
        if [ -s "$program.old" ]; then
            if cp "$program.old" "$program.new" && same "$program.old" "$program.new"; then
                sync
                mv -f "$program.new" "$program"
            else
                mv -f "$program.old" "$program"
            fi
            sync
        fi
        rm -f "$trial"
        sync
        # A card that cannot be written any more must not keep the old program from starting.
        [ ! -e "$trial" ] || trial=
        status=$again
    else
        wait "$child"
        status=$?
    fi
}

# The exit status of a program that was replaced on the card.
again=10
pause=2
short=0
late_look &
while :; do
    copy 2>/dev/null
    run=$here/mi360d
    [ -x "$run" ] && [ "$status" != 126 ] || run=$program
    began=$(now)
    if [ -e "$trial" ]; then try; else run; fi
    [ "$status" -ne "$again" ] || { sleep 1; continue; }
    [ "$status" -ne 0 ] || { say "$(now): ended cleanly"; exit 0; }

    # After three short runs in a row the pauses grow, up to five minutes.
    if [ $(($(now) - began)) -lt 10 ]; then
        short=$((short + 1))
        [ "$short" -lt 3 ] || pause=$((pause * 2))
        [ "$pause" -le 300 ] || pause=300
    else
        short=0
        pause=2
    fi
    say "$(now): $run ended with status $status, again in $pause s"
    sleep "$pause"
done
