//! A redacted copy holds no secret, and all of the firmware.

use std::fs;

use mi360d::formats::{flsh, jffs2, uboot_env};

use crate::rig::Sim;
use crate::synthetic::{self, chip, factory, noise, tf_image};
use crate::{Desk, assert_refused, inspect, redact};

/// What is planted, as texts: an owner's whole life.
const DID: &str = "987654321";
const MAC: &str = "50:EC:50:12:34:AB";
const SSID: &str = "Villa Kunterbunt";
const PASSWORD: &str = "pippi-langstrumpf-1945";
const TOKEN: &str = "00112233445566778899aabbccddeeff";

fn settings() -> Vec<u8> {
    let entries: [(&[u8], &[u8]); 4] = [
        (b"miio_ssid", SSID.as_bytes()),
        (b"miio_passwd", PASSWORD.as_bytes()),
        (b"miio_token", TOKEN.as_bytes()),
        (b"timezone", b"Europe/Stockholm"),
    ];
    flsh::build(&entries, 0x1_0000).unwrap()
}

/// A dump with secrets everywhere, in texts and in bytes.
fn planted() -> Vec<u8> {
    let mut dump = chip("ipc009");
    let mut put = |at: usize, bytes: &[u8]| dump[at..at + bytes.len()].copy_from_slice(bytes);
    let entries: [(&[u8], &[u8]); 5] = [
        (b"vendor", b"chuangmi"),
        (b"model", b"chuangmi.camera.ipc009"),
        (b"mac", MAC.as_bytes()),
        (b"did", DID.as_bytes()),
        (b"key", synthetic::KEY.as_bytes()),
    ];
    put(0xFF_0000, &flsh::build(&entries, 0x1_0000).unwrap());
    put(0xFE_0000, &settings());
    let file = jffs2::inode(2, 1, 0o100_600, 0, &settings()[..400]).unwrap();
    put(0x9B_1000, &file);
    let environment: [(&[u8], &[u8]); 6] = [
        (b"baudrate", b"115200"),
        (b"bootcmd", b"sf probe 0;sf read 0x22000000 0x50000 0x210000;bootm 0x22000000"),
        (b"ethaddr", MAC.as_bytes()),
        (b"ipaddr", b"192.168.178.23"),
        (b"serial#", b"SN-2019-4711"),
        (b"note", PASSWORD.as_bytes()),
    ];
    put(0x4_F000, &uboot_env::build(&environment, 0x1000).unwrap());
    let mac = [0x50, 0xEC, 0x50, 0x12, 0x34, 0xAB];
    for (i, secret) in [
        DID.as_bytes(),
        MAC.as_bytes(),
        b"50ec501234ab",
        synthetic::KEY.as_bytes(),
        SSID.as_bytes(),
        PASSWORD.as_bytes(),
        TOKEN.as_bytes(),
        &mac,
    ]
    .into_iter()
    .enumerate()
    {
        // Between the parts of BOOT, in its first loader, behind U-Boot.
        put(0x2_2000 + i * 0x100, secret);
        put(0x8000 + i * 0x100, secret);
        put(0x4_E000 + i * 0x100, secret);
        // Behind KERNEL and ROOTFS, some across the borders of windows.
        put(0x1F_FFFA + i * 0x1_0000, secret);
        put(0x8F_FFF8 - i * 0x1_0000, secret);
        // In the root file system itself: a wrong byte there is told.
        put(0x27_FFFC + i * 0x1000, secret);
    }
    // A stray copy of the settings, and of another identity.
    put(0x90_1234, &settings()[..300]);
    put(0x91_0000, &factory("555555555")[..300]);
    dump
}

/// Whether this stands anywhere in it, and where.
fn place(bytes: &[u8], secret: &[u8]) -> Option<usize> {
    bytes.windows(secret.len()).position(|w| w == secret)
}

fn assert_clean(bytes: &[u8]) {
    let mac = [0x50, 0xEC, 0x50, 0x12, 0x34, 0xAB];
    for secret in [
        DID.as_bytes(),
        MAC.as_bytes(),
        b"50:ec:50:12:34:ab",
        b"50ec501234ab",
        synthetic::KEY.as_bytes(),
        SSID.as_bytes(),
        PASSWORD.as_bytes(),
        TOKEN.as_bytes(),
        b"SN-2019-4711",
        b"192.168.178.23",
        b"555555555",
        &mac,
    ] {
        let at = place(bytes, secret);
        assert_eq!(at, None, "{} at {at:x?}", String::from_utf8_lossy(secret));
    }
}

#[test]
fn no_planted_secret_is_found_in_a_redacted_copy() {
    let desk = Desk::new();
    let dump = desk.put("dump.bin", &planted());
    let out = desk.path("safe.bin");
    let ran = redact(&dump, &out);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let copy = fs::read(&out).unwrap();
    assert_clean(&copy);
    assert_eq!(copy.len(), 0x100_0000);
    assert!(copy[0x9B_0000..].iter().all(|b| *b == 0xFF));
    // What is no secret stays: the loaders, U-Boot, the kernel.
    let whole = chip("ipc009");
    assert!(copy[..0x8000] == whole[..0x8000]);
    assert!(copy[0x3_0000..0x4_0000] == whole[0x3_0000..0x4_0000]);
    assert!(copy[0x5_0000..0x6_0000] == whole[0x5_0000..0x6_0000]);
    let env = uboot_env::parse(&copy[0x4_F000..0x5_0000]).unwrap();
    assert!(env.crc_ok());
    assert_eq!(env.get("baudrate"), Some(&b"115200"[..]));
    assert!(env.get("bootcmd").unwrap().starts_with(b"sf probe 0;sf read 0x22000000 0x50000"));
    // It says what it did, in no word too many.
    let said = ran.json();
    assert_eq!(said["blanked"], serde_json::json!(["DATA", "CONFIG", "FACTORY"]));
    let replaced = said["environment"]["replaced"].as_array().unwrap().len();
    assert_eq!(replaced, 4);
    let inside: Vec<&str> = said["in_content"]
        .as_array()
        .unwrap()
        .iter()
        .map(|b| b["partition"].as_str().unwrap())
        .collect();
    assert_eq!(inside, ["BOOT", "ROOTFS"]);
    for secret in [DID, MAC, SSID, PASSWORD, TOKEN, synthetic::KEY] {
        assert!(!ran.out.contains(secret) && !ran.err.contains(secret));
    }
    let report = inspect(&out).json();
    assert_eq!(report["kind"], "full-dump");
    assert_eq!(report["identity"]["health"], "blank");
    desk.holds(&["dump.bin", "safe.bin"]);
}

#[test]
fn a_clean_dump_keeps_every_byte_of_its_firmware() {
    let desk = Desk::new();
    let whole = chip("ipc009");
    let dump = desk.put("dump.bin", &whole);
    let ran = redact(&dump, &desk.path("safe.bin"));
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let copy = fs::read(desk.path("safe.bin")).unwrap();
    assert!(copy[..0x9B_0000] == whole[..0x9B_0000]);
    let said = ran.json();
    assert_eq!(said["slack"], serde_json::json!([]));
    assert_eq!(said["in_content"], serde_json::json!([]));
}

#[test]
fn a_bad_checksum_of_the_environment_stays_bad() {
    let desk = Desk::new();
    let mut dump = planted();
    dump[0x4_F000] ^= 1;
    let ran = redact(&desk.put("dump.bin", &dump), &desk.path("safe.bin"));
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let copy = fs::read(desk.path("safe.bin")).unwrap();
    assert!(!uboot_env::parse(&copy[0x4_F000..0x5_0000]).unwrap().crc_ok());
    assert_eq!(copy[0x4_F000..0x4_F004], dump[0x4_F000..0x4_F004]);
    assert_clean(&copy);
}

#[test]
fn a_brick_is_redacted_too_whatever_is_left_of_it() {
    for damage in [0..0x5_0000, 0x5_0000..0x26_0000, 0x26_0000..0x9B_0000, 0xFF_0000..0xFF_0020] {
        let desk = Desk::new();
        let mut dump = planted();
        dump[damage.clone()].copy_from_slice(&noise(damage.len()));
        // The secrets are still there.
        dump[0x30_0000..0x30_0000 + PASSWORD.len()].copy_from_slice(PASSWORD.as_bytes());
        let ran = redact(&desk.put("dump.bin", &dump), &desk.path("safe.bin"));
        assert_eq!(ran.status, Some(0), "{damage:x?}: {ran:?}");
        let copy = fs::read(desk.path("safe.bin")).unwrap();
        for secret in [DID, MAC, SSID, PASSWORD, TOKEN, synthetic::KEY] {
            let at = place(&copy, secret.as_bytes());
            assert_eq!(at, None, "{damage:x?}: {secret} at {at:x?}");
        }
    }
}

#[test]
fn a_set_is_redacted_and_what_is_no_dump_is_refused() {
    let desk = Desk::new();
    let sim = Sim::whole();
    assert_eq!(sim.run(&["backup"], "").status, Some(0));
    let set = sim.backups().join(&sim.sets()[0]);
    let ran = redact(&set, &desk.path("set.bin"));
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let copy = fs::read(desk.path("set.bin")).unwrap();
    let own = fs::read(sim.flash()).unwrap();
    assert!(
        copy[..0x4_F000] == own[..0x4_F000]
            && copy[0x5_0000..0x9B_0000] == own[0x5_0000..0x9B_0000]
    );
    for (name, bytes) in [
        ("tf.img", tf_image("ipc009")),
        ("factory.bin", factory("123456789")),
        ("cut.bin", chip("ipc009")[..0xF0_0000].to_vec()),
        ("shifted.bin", [vec![0; 512], chip("ipc009")].concat()),
        ("noise.bin", noise(0x100_0000)),
    ] {
        let ran = redact(&desk.put(name, &bytes), &desk.path("never.bin"));
        assert_refused(&ran, "not-a-dump");
        assert!(!desk.path("never.bin").exists());
    }
}

#[test]
fn the_page_sends_the_same_copy_as_the_command_makes() {
    use mi360d::camera::downloads;
    use std::io::Read as _;

    let desk = Desk::new();
    let sim = Sim::whole();
    fs::write(sim.flash(), planted()).unwrap();
    assert_eq!(sim.run(&["backup"], "").status, Some(0));
    let id = sim.sets()[0].clone();
    let out = desk.path("safe.bin");
    assert_eq!(redact(&sim.backups().join(&id), &out).status, Some(0));

    let camera = sim.camera("");
    let ticket = downloads::ticket(&camera, &id, downloads::REDACTED).unwrap();
    let wanted = downloads::redeem(&camera, &ticket).unwrap();
    let (mut reader, length) = downloads::redacted(&wanted).unwrap();
    let mut sent = Vec::new();
    reader.read_to_end(&mut sent).unwrap();
    assert_eq!(sent.len() as u64, length);
    assert!(sent == fs::read(&out).unwrap());
    assert_clean(&sent);
}
