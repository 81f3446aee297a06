//! The boot hook's late look next to a flash: real files under their real names, in a mount
//! namespace; the firmware's `S50perp` is a script that notes its start.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::process::Command;

/// Runs the hook's keeper until its late look is over. `before` is done first, `during` as the
/// firmware's S50perp; the hook's log and what was noted.
fn late_look(before: &str, during: &str) -> String {
    let hook = concat!(env!("CARGO_MANIFEST_DIR"), "/rootfs-overlay/mnt/sdcard/manu_test/manu.sh");
    let script = format!(
        r#"
        set -e
        cat "$1" >/dev/null
        exec 3<"$1"
        [ -d /etc/init.d ] || {{ mount -t tmpfs tmpfs /etc; mkdir /etc/init.d; }}
        for place in /tmp /mnt /etc/init.d; do mount -t tmpfs tmpfs "$place"; done
        mkdir -p /mnt/sdcard/mi360d/state /tmp/mi360d-hook
        sed -e 's/^first_look=.*/first_look=0/' -e 's/^last_look=.*/last_look=0/' <&3 >/tmp/hook
        printf '#!/bin/sh\necho "started $1" >>/tmp/noted\n{during}\n' >/etc/init.d/S50perp
        chmod 755 /etc/init.d/S50perp
        : >/tmp/noted
        {before}
        PERP_BASE=/x sh /tmp/hook keep >/dev/null 2>&1 &
        keeper=$!
        tries=0
        # It says how it ended.
        until grep -qE 'late look: (a flash|/etc/init.d/S50perp)' /tmp/mi360d-hook/log 2>/dev/null; do
            sleep 0.05
            tries=$((tries + 1))
            [ "$tries" -lt 1200 ] || break
        done
        kill -9 "$keeper"
        cat /tmp/mi360d-hook/log /tmp/noted
        "#
    );
    let out = Command::new("unshare")
        .args(["--map-root-user", "--mount", "--propagation", "private", "sh", "-c", &script])
        .args(["sh", hook])
        .output()
        .expect("unshare of util-linux");
    let said = String::from_utf8(out.stdout).unwrap();
    assert!(out.status.success(), "{said}{}", String::from_utf8_lossy(&out.stderr));
    said
}

#[test]
fn the_late_look_starts_no_supervisor_while_a_flash_is_under_way() {
    // Nothing is under way: it starts, or the rest shows nothing.
    let said = late_look("", ":");
    assert!(said.contains("started start"), "{said}");
    // DATA is released, the backup before the flash is made, and no journal is open yet.
    let said = late_look("echo $$ >/tmp/mi360d-flashing", ":");
    assert!(!said.contains("started") && said.contains("a flash is under way"), "{said}");
    // The journal is open.
    let said = late_look("echo x >/mnt/sdcard/mi360d/state/flash.toml", ":");
    assert!(!said.contains("started") && said.contains("a flash is under way"), "{said}");
    // A flash that was ended leaves its mark: it counts for nothing.
    let said = late_look("sh -c 'echo $$' >/tmp/mi360d-flashing", ":");
    assert!(said.contains("started start"), "{said}");
}

#[test]
fn a_flash_that_begins_while_the_late_look_starts_the_supervisor_can_see_that() {
    // What mi360d waits for: a file with the number of a process that runs.
    let during =
        r#"read -r id </tmp/mi360d-hook/starting; kill -0 "$id" && echo seen >>/tmp/noted"#;
    let said = late_look("", during);
    assert!(said.contains("seen"), "{said}");
}
