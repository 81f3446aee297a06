//! `facts`: what it tells, and that no secret of a camera is in it, wherever one is planted.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;
use std::process::Command;

mod samples;

const DID: &str = "467812399";
const MAC: &str = "7C:49:EB:0A:1B:2C";
const KEY: &str = "kEy9fU3xQz71LmPa";
const PASSWORD: &str = "correct-horse-battery";
const SSID: &str = "Ann and Bob's net";
const TOKEN: &str = "Zt5fQw83LkPz0aXv";

/// A camera with secrets in FACTORY, in the live settings, and in all that Linux tells.
struct Rig {
    folder: tempfile::TempDir,
}

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_mi360d"))
}

fn flsh(entries: &[(&str, &str)]) -> Vec<u8> {
    let entries: Vec<(&[u8], &[u8])> =
        entries.iter().map(|(k, v)| (k.as_bytes(), v.as_bytes())).collect();
    mi360d::formats::flsh::build(&entries, 0x1_0000).unwrap()
}

fn write(path: &Path, bytes: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

impl Rig {
    fn new() -> Rig {
        let rig = Rig { folder: tempfile::tempdir().unwrap() };
        let made = program().args(["sim", "create"]).arg(rig.sim()).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let flash = rig.sim().join("flash.bin");
        let mut chip = fs::read(&flash).unwrap();
        let factory = flsh(&[
            ("vendor", "chuangmi"),
            ("model", "chuangmi.camera.ipc009"),
            ("did", DID),
            ("key", KEY),
            ("mac", MAC),
        ]);
        chip[0xFF_0000..0x100_0000].copy_from_slice(&factory);
        // U-Boot's environment: names may be shown, values may not.
        let env = format!("bootdelay=0\0wifi={PASSWORD}\0serial={DID}\0\0");
        chip[0x4_F004..0x4_F004 + env.len()].copy_from_slice(env.as_bytes());
        fs::write(&flash, chip).unwrap();
        rig.plant();
        rig
    }

    fn sim(&self) -> std::path::PathBuf {
        self.folder.path().join("camera")
    }

    fn root(&self) -> std::path::PathBuf {
        self.folder.path().join("firmware")
    }

    fn plant(&self) {
        let at = |path: &str| self.root().join(path);
        let nvram = flsh(&[
            ("miio_ssid", SSID),
            ("miio_passwd", PASSWORD),
            ("miio_token", TOKEN),
            ("light", "on"),
        ]);
        write(&at("mnt/data/.config.nvram"), nvram);
        write(&at("mnt/data/bin/mortoxd"), b"\x7fELF a program");
        write(&at("mnt/data/bin/wifi_start.sh"), b"#!/bin/sh\nexit 0\n");
        // Its hash would tell a short password.
        write(
            &at("mnt/data/bin/wpa_supplicant.conf"),
            format!("network={{\npsk=\"{PASSWORD}\"\n}}\n"),
        );
        write(&at(&format!("mnt/data/bin/{TOKEN}")), b"#!/bin/sh\n");
        write(&at("etc/init.d/S49factory"), b"#!/bin/sh\ntouch /tmp/factory_mode\n");
        write(&at("etc/inittab"), b"::sysinit:/etc/init.d/rcS\n");
        write(
            &at("mnt/data/etc/os-release"),
            format!("NAME=mijia\nVERSION_ID=3.5.1_0052\nWIFI_ID={PASSWORD}\n"),
        );
        write(&at("proc/version"), format!("Linux version 4.9.84 ({MAC} {TOKEN})\n"));
        write(
            &at("proc/cmdline"),
            format!("console=ttyS0 ro root=/dev/{KEY} token={TOKEN} {PASSWORD}\n"),
        );
        write(&at("proc/meminfo"), "MemTotal: 39364 kB\nMemAvailable: 21000 kB\n");
        write(
            &at("proc/mtd"),
            format!(
                "dev:    size   erasesize  name\nmtd0: 00050000 00010000 \"BOOT\"\nmtd9: 1 1 \"{TOKEN}\"\n"
            ),
        );
        write(
            &at("proc/mounts"),
            format!(
                "/dev/root / squashfs ro 0 0\n//nas/{PASSWORD} /mnt/{DID} cifs rw,password={PASSWORD} 0 0\n"
            ),
        );
        write(&at("proc/modules"), format!("fat 73728 0 - Live 0x0\n{TOKEN} 1 0 - Live 0x0\n"));
        write(&at("proc/filesystems"), "nodev\tsysfs\n\tvfat\n");
        write(
            &at("proc/net/unix"),
            format!(
                "Num RefCount Protocol Flags Type St Inode Path\n\
             0: 2 0 00010000 1 01 1 /tmp/mortox.socket\n0: 2 0 00010000 1 01 1 /tmp/{DID}\n"
            ),
        );
        write(&at("proc/net/tcp"), "sl local\n 0: 0100007F:D430 00000000:0000 0A 0\n");
        for (id, name) in [("100", "mortoxd"), ("101", "perpd"), ("102", TOKEN)] {
            write(&at(&format!("proc/{id}/status")), format!("Name:\t{name}\nVmRSS:\t 1000 kB\n"));
            write(&at(&format!("proc/{id}/cmdline")), format!("{name}\0-p\0{PASSWORD}\0"));
            write(&at(&format!("proc/{id}/environ")), format!("TOKEN={TOKEN}\0"));
            write(&at(&format!("proc/{id}/oom_score_adj")), "-1000\n");
        }
        write(&at("sys/class/watchdog/watchdog0/identity"), "SStar watchdog\n");
        write(&at(&format!("run/{TOKEN}/control")), b"");
    }

    fn facts(&self, words: &[&str]) -> String {
        let out = program()
            .arg("--sim")
            .arg(self.sim())
            .args(words)
            .arg("facts")
            .env("MI360D_FIRMWARE", self.root())
            .output()
            .unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap()
    }
}

#[test]
fn no_secret_of_a_camera_is_in_its_facts_wherever_it_is_planted() {
    let rig = Rig::new();
    for text in [rig.facts(&[]), rig.facts(&["--json"])] {
        let lower = text.to_lowercase();
        for secret in [DID, MAC, &MAC.replace(':', ""), KEY, PASSWORD, SSID, TOKEN] {
            assert!(!lower.contains(&secret.to_lowercase()), "{secret} in {text}");
        }
        // That it looked, and hid on purpose.
        assert!(text.contains("/etc/init.d/S49factory"), "{text}");
    }
    let text = rig.facts(&[]);
    for told in [
        "model: ipc009",
        "Linux version 4.9.84",
        "MemTotal 39364",
        "mtd0: 00050000 00010000 \"BOOT\"",
        "/dev/root / squashfs ro",
        "fat 73728",
        "mortoxd 1000 -1000",
        "perpd 1000 -1000",
        "/tmp/mortox.socket",
        "tcp 54320",
        "mortoxd: is not there",
        "identity: SStar watchdog",
        "VERSION_ID=3.5.1_0052",
        "/mnt/data/bin/mortoxd",
        "/mnt/data/bin/wifi_start.sh",
        "/etc/inittab",
        "names in U-Boot's environment: bootdelay wifi serial",
        "token=(not shown)",
    ] {
        assert!(text.contains(told), "{told} is missing in {text}");
    }
    assert!(!text.contains("wpa_supplicant.conf"), "{text}");
}

#[test]
fn facts_of_a_chip_alone_say_so_and_change_nothing() {
    let rig = Rig::new();
    let before = fs::read(rig.sim().join("flash.bin")).unwrap();
    let out = program().arg("--sim").arg(rig.sim()).args(["--json", "facts"]).output().unwrap();
    assert!(out.status.success());
    let document: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(document["machine"], serde_json::Value::Null);
    assert_eq!(document["simulated"], true);
    assert_eq!(document["flash"]["partitions"].as_array().unwrap().len(), 6);
    assert_eq!(document["firmware"].as_str().unwrap().len(), 8);
    assert_eq!(fs::read(rig.sim().join("flash.bin")).unwrap(), before);
    let logs = rig.sim().join("sdcard/mi360d/logs");
    assert!(!logs.exists(), "a command that reads writes nothing");
}

#[test]
fn the_real_u_boot_names_its_rescue_image() {
    let Some(boot) = samples::read("ipc019/BOOT.bin") else { return };
    let rig = Rig::new();
    let flash = rig.sim().join("flash.bin");
    let mut chip = fs::read(&flash).unwrap();
    chip[..boot.len()].copy_from_slice(&boot);
    fs::write(&flash, chip).unwrap();
    let text = rig.facts(&[]);
    let line = text.lines().find(|line| line.starts_with("files named in U-Boot: ")).unwrap();
    assert!(line.contains("tf_update.img") && !line.contains("tf_recovery.img"), "{line}");
    assert!(text.contains("U-Boot: U-Boot 20"), "{text}");
}
