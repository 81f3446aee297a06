//! What people really bring, by kind, and the right answer to each: the words,
//! the exit status, and that every command which is advised takes the very file.

#![allow(clippy::unwrap_used)] // in the helpers too

mod rig;
mod synthetic;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use mi360d::chip::Role;
use mi360d::formats::{flsh, squashfs, uboot_env, uimage};
use mi360d::image::inspect::Kind;
use mi360d::image::{Health, Report, inspect};
use rig::{Ran, Sim, program};
use synthetic::{I3, KEY, chip, factory, noise, tf_image};

const KERNEL: usize = 0x5_0000;
const ROOTFS: usize = 0x26_0000;
const DATA: usize = 0x9B_0000;
const CONFIG: usize = 0xFE_0000;
const FACTORY: usize = 0xFF_0000;

struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Desk {
        Desk(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        fs::write(self.path(name), bytes).unwrap();
        self.path(name)
    }

    fn run(&self, words: &[&str]) -> Ran {
        Ran::of(Command::new(program()).args(words).current_dir(self.0.path()))
    }

    /// Recovers the files named, and gives what was said and made.
    fn recover(&self, words: &[&str]) -> (Ran, Vec<u8>) {
        let _ = fs::remove_file(self.path("made.bin"));
        let all = [&["--json", "recover", "--out", "made.bin"][..], words].concat();
        let ran = self.run(&all);
        (ran, fs::read(self.path("made.bin")).unwrap_or_default())
    }
}

fn look(bytes: &[u8]) -> Report {
    inspect(&bytes).unwrap()
}

fn codes(report: &Report) -> Vec<&'static str> {
    report.findings.iter().map(|f| f.code).collect()
}

fn health(report: &Report, role: Role) -> Health {
    report.by_role(role).unwrap().health
}

fn never_posts(report: &Report) -> bool {
    report.next.iter().any(|step| step.starts_with("Never post"))
}

/// Every command that an inspection of this file advises takes it.
fn advice_is_taken(bytes: &[u8]) {
    let desk = Desk::new();
    desk.put("file.bin", bytes);
    desk.put("donor.img", &tf_image("ipc009"));
    let mut brick = chip("ipc009");
    brick[DATA..CONFIG].fill(0xFF);
    desk.put("dump.bin", &brick);
    let report = look(bytes);
    for step in &report.next {
        for command in step.split('`').skip(1).step_by(2) {
            for out in ["chip.bin", "safe.bin"] {
                let _ = fs::remove_file(desk.path(out));
            }
            let line: Vec<String> = command
                .split_whitespace()
                .map(|word| match word {
                    "FILE" => "file.bin".to_owned(),
                    "DONOR" => "donor.img".to_owned(),
                    "DUMP" => "dump.bin".to_owned(),
                    "mi360d" => program().to_owned(),
                    other => other.to_owned(),
                })
                .collect();
            let mut words = line.join(" ");
            let sim = Sim { dir: tempfile::tempdir().unwrap() };
            if command.starts_with("mi360d plan") {
                fs::write(desk.path("whole.bin"), chip("ipc009")).unwrap();
                let dir = sim.path().join("c");
                let made =
                    desk.run(&["sim", "create", dir.to_str().unwrap(), "--from", "whole.bin"]);
                assert_eq!(made.status, Some(0), "{made:?}");
                words = format!("{words} --sim {}", dir.display());
            }
            let ran = Ran::of(Command::new("sh").arg("-c").arg(&words).current_dir(desk.0.path()));
            let is_fine = match ran.status {
                Some(0) => true,
                // What was recovered may lack something: that is said, and the image is there.
                Some(4) => command.starts_with("mi360d recover") && desk.path("chip.bin").exists(),
                _ => false,
            };
            assert!(is_fine, "{words}: {ran:?}\n{}", report.to_text());
        }
    }
}

// Read errors

#[test]
fn one_wrong_bit_in_the_first_loaders_is_damage_with_its_place() {
    for (bit, at) in [(0x100, 0), (0x1_2000, 0x1_0000)] {
        let mut bytes = chip("ipc009");
        bytes[bit] ^= 4;
        let report = look(&bytes);
        assert_eq!(
            (codes(&report), health(&report, Role::Boot)),
            (vec!["ipl-damaged"], Health::Damaged)
        );
        assert_eq!(report.findings[0].at, Some(at));
        let desk = Desk::new();
        let own = desk.put("own.bin", &bytes);
        desk.put("donor.img", &tf_image("ipc009"));
        let own = own.to_str().unwrap();
        let ran =
            desk.run(&["--json", "assemble", "--own", own, "--donor", "donor.img", "--out", "x"]);
        assert_eq!(
            (ran.status, ran.json()["error"]["code"].as_str()),
            (Some(3), Some("ipl-damaged"))
        );
    }
}

#[test]
fn one_wrong_bit_in_the_root_file_system_is_damage_with_its_block() {
    let whole = look(&chip("ipc009"));
    let last = whole.next.iter().find(|s| s.contains("checksums reach")).unwrap();
    assert!(last.contains("Read the chip twice and compare"), "{last}");
    for bit in [0x1_0000, 0x7_0000] {
        let mut bytes = chip("ipc009");
        bytes[ROOTFS + bit] ^= 1;
        let report = look(&bytes);
        assert_eq!(codes(&report), ["squashfs-block"], "{}", report.to_text());
        let at = report.findings[0].at.unwrap() as usize;
        assert!((ROOTFS + bit - 0x2_0100..=ROOTFS + bit).contains(&at), "{at:#x}");
    }
}

#[test]
fn a_dump_shifted_by_one_byte_has_a_whole_identity() {
    let mut bytes = vec![0];
    bytes.extend(&chip("ipc009")[..0x100_0000 - 1]);
    let report = look(&bytes);
    assert_eq!(report.kind, Kind::ShiftedDump);
    assert!(report.identity.answer.starts_with("Yes."), "{}", report.identity.answer);
    assert!(codes(&report).contains(&"end-cut-off"));
    advice_is_taken(&bytes);
    let desk = Desk::new();
    desk.put("d.bin", &bytes);
    let (ran, made) = desk.recover(&["d.bin"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(made == chip("ipc009"));
}

#[test]
fn zeros_inserted_by_the_reader_are_taken_out() {
    for (every, count) in [(0x1_0000, 1), (512, 1)] {
        let mut bytes = Vec::new();
        for piece in chip("ipc009").chunks(every) {
            bytes.extend_from_slice(piece);
            bytes.extend(vec![0; count]);
        }
        let report = look(&bytes);
        assert_eq!((report.kind, report.mangled[0].code), (Kind::Mangled, "inserted"));
        assert!(report.identity.answer.starts_with("Yes, but"), "{}", report.identity.answer);
        let desk = Desk::new();
        desk.put("d.bin", &bytes);
        assert!(desk.recover(&["d.bin"]).1 == chip("ipc009"));
    }
}

#[test]
fn with_255_of_each_256_bytes_nothing_is_guessed() {
    let bytes: Vec<u8> = chip("ipc009").chunks(256).flat_map(|page| page[..255].to_vec()).collect();
    let report = look(&bytes);
    assert!(codes(&report).contains(&"lost-bytes"), "{}", report.to_text());
    assert!(report.model.as_ref().is_none_or(|m| m.certain), "{:?}", report.model);
    assert!(!report.next.iter().any(|s| s.contains("ipc019")), "{:?}", report.next);
}

#[test]
fn a_chip_twice_in_one_file_gives_one() {
    let mut bytes = [chip("ipc009"), chip("ipc009")].concat();
    let report = look(&bytes);
    assert_eq!((report.kind, report.mangled[0].code), (Kind::Mangled, "doubled"));
    assert!(report.what.contains("all are equal") && never_posts(&report));
    advice_is_taken(&bytes);
    bytes[0x100_0000 + ROOTFS + 0x1_0000] ^= 8;
    assert!(look(&bytes).what.contains("not equal"));
    let desk = Desk::new();
    desk.put("d.bin", &bytes);
    let (ran, made) = desk.recover(&["d.bin"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(made == chip("ipc009"));
    let differences = ran.json()["differences"].clone();
    assert_eq!(differences["places"][0]["offset"], ROOTFS + 0x1_0000);
    assert_eq!(differences["places"][0]["bits"][0], 3);
    assert_eq!(differences["places"][0]["settled"], "checksum");
}

#[test]
fn a_rotated_and_a_swapped_dump_are_turned_back() {
    let whole = chip("ipc009");
    let rotated = [&whole[0x80_0000..], &whole[..0x80_0000]].concat();
    let pairs: Vec<u8> = whole.chunks(2).flat_map(|p| [p[1], p[0]]).collect();
    let words: Vec<u8> = whole.chunks(4).flat_map(|p| [p[3], p[2], p[1], p[0]]).collect();
    for (bytes, code) in [(rotated, "rotated"), (pairs, "swapped-pairs"), (words, "swapped-words")]
    {
        let report = look(&bytes);
        assert_eq!((report.kind, report.mangled[0].code), (Kind::Mangled, code));
        assert!(report.identity.answer.starts_with("Yes, but"), "{}", report.identity.answer);
        assert!(report.has_damage() && never_posts(&report));
        let desk = Desk::new();
        desk.put("d.bin", &bytes);
        let (ran, made) = desk.recover(&["d.bin"]);
        assert_eq!(ran.status, Some(0), "{ran:?}");
        assert!(made == whole, "{code}");
    }
}

#[test]
fn all_0xff_says_nothing_about_the_chip() {
    let report = look(&vec![0xFF; 0x100_0000]);
    assert_eq!((report.kind, report.has_damage()), (Kind::Erased, true));
    assert!(report.identity.answer.starts_with("It cannot be told"), "{}", report.identity.answer);
    assert!(
        report.next.iter().any(|s| s.contains("clip")) && !report.to_text().contains("is gone")
    );
}

#[test]
fn several_reads_are_merged_by_majority_and_their_differences_are_named() {
    let desk = Desk::new();
    let whole = chip("ipc009");
    for (name, at, bit) in
        [("a.bin", DATA + 0x100, 1u8), ("b.bin", KERNEL + 0x90, 0x40), ("c.bin", 0x100, 2)]
    {
        let mut bytes = whole.clone();
        bytes[at] ^= bit;
        desk.put(name, &bytes);
    }
    let (ran, made) = desk.recover(&["a.bin", "b.bin", "c.bin"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(made == whole);
    let differences = ran.json()["differences"].clone();
    assert_eq!(
        (differences["bytes"].as_u64(), differences["readings"].as_u64()),
        (Some(3), Some(3))
    );
    let cells = differences["cells"].as_str().unwrap();
    assert_eq!((cells.len(), cells.matches('m').count()), (256, 3));
    let text = desk.run(&["recover", "a.bin", "b.bin", "c.bin", "--out", "text.bin"]).out;
    assert!(text.contains("settled by majority") && text.contains("bit 6"), "{text}");
    // Another camera's dump is never mixed in.
    let mut other = whole;
    other[FACTORY..].copy_from_slice(&factory("987654321"));
    desk.put("other.bin", &other);
    let (ran, made) = desk.recover(&["a.bin", "other.bin"]);
    assert_eq!((ran.status, made.len()), (Some(3), 0), "{ran:?}");
}

// Files that were mangled or are something else

#[test]
fn a_transfer_in_text_mode_is_named_and_undone() {
    let mut sent = Vec::new();
    for byte in chip("ipc009") {
        if byte == b'\n' {
            sent.push(b'\r');
        }
        sent.push(byte);
    }
    let report = look(&sent);
    assert_eq!((report.kind, report.mangled[0].code), (Kind::Mangled, "text-mode"));
    assert!(report.identity.answer.starts_with("Yes, but"));
    let desk = Desk::new();
    desk.put("d.bin", &sent);
    assert!(desk.recover(&["d.bin"]).1 == chip("ipc009"));

    // The other way bytes are lost: the identity is still in it.
    let mut full = chip("ipc009");
    let mut state = 1u64;
    for byte in &mut full[ROOTFS + 0x10_0000..ROOTFS + 0x40_0000] {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        *byte = (state >> 33) as u8;
    }
    let mut lost: Vec<u8> = Vec::new();
    for byte in full {
        if byte == b'\n' && lost.last() == Some(&b'\r') {
            lost.pop();
        }
        lost.push(byte);
    }
    let report = look(&lost);
    let healthy = report.identity.health.is_healthy()
        || report.identity.elsewhere.iter().any(|e| e.health.is_healthy());
    assert!(codes(&report).contains(&"text-mode") && healthy, "{}", report.to_text());
    assert!(never_posts(&report));
    advice_is_taken(&lost);
}

#[test]
fn utf_16_of_powershell_is_read_through() {
    let utf16 = |bytes: &[u8], mark: &[u8]| -> Vec<u8> {
        let units = bytes.iter().flat_map(|b| [*b, 0]);
        mark.iter().copied().chain(units).collect()
    };
    for (bytes, kind) in [(chip("ipc009"), "full-dump"), (factory("123456789"), "partition")] {
        let mangled = utf16(&bytes, b"\xFF\xFE");
        let report = look(&mangled);
        assert_eq!((report.kind, report.mangled[0].code), (Kind::Mangled, "utf-16"), "{kind}");
        assert!(report.identity.answer.starts_with("Yes, but") && never_posts(&report));
        assert!(!report.to_text().contains(KEY));
    }
    let page = look(&utf16(b"<!DOCTYPE html><html><body>404</body></html>", b"\xFF\xFE"));
    assert_eq!(page.kind, Kind::Foreign);
    assert!(page.what.contains("web page") && page.what.contains("UTF-16"), "{}", page.what);
}

#[test]
fn a_console_s_log_is_named_and_turned_into_bytes() {
    let part = factory("123456789");
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(" ");
    let bytes_log: String = std::iter::once("SigmaStar # md.b 21000000 10000\r\n".to_owned())
        .chain(part.chunks(16).enumerate().map(|(i, line)| {
            format!("{:08x}: {}    ................\r\n", 0x2100_0000 + i * 16, hex(line))
        }))
        .collect();
    let words_log: String = part
        .chunks(16)
        .enumerate()
        .map(|(i, line)| {
            let words: Vec<String> = line
                .chunks(4)
                .map(|w| format!("{:08x}", u32::from_le_bytes(w.try_into().unwrap())))
                .collect();
            format!("{:08x}: {}    ................\n", 0x2100_0000 + i * 16, words.join(" "))
        })
        .collect();
    let dump: String = part
        .chunks(16)
        .enumerate()
        .map(|(i, l)| {
            format!("{:08x}  {}  {}  |................|\n", i * 16, hex(&l[..8]), hex(&l[8..]))
        })
        .collect();
    let mut intel = ":0200000400FFFB\n".to_owned();
    for (i, line) in part.chunks(16).enumerate() {
        let mut record = vec![line.len() as u8, (i >> 4) as u8, (i << 4) as u8, 0];
        record.extend_from_slice(line);
        record.push(record.iter().fold(0u8, |s, b| s.wrapping_add(*b)).wrapping_neg());
        intel += &format!(":{}\n", record.iter().map(|b| format!("{b:02X}")).collect::<String>());
    }
    intel += ":00000001FF\n";
    for (log, name) in
        [(bytes_log, "md.b"), (words_log, "md.l"), (dump, "hexdump"), (intel, "Intel hex")]
    {
        let report = look(log.as_bytes());
        assert_eq!(
            (report.kind, report.mangled.first().map(|m| m.code)),
            (Kind::Mangled, Some("log")),
            "{name}"
        );
        assert!(report.what.contains(name), "{}", report.what);
        assert!(report.identity.answer.starts_with("Yes, but"), "{name}: {}", report.to_text());
        assert!(never_posts(&report));
        let desk = Desk::new();
        desk.put("log.txt", log.as_bytes());
        let (ran, made) = desk.recover(&["log.txt"]);
        assert_eq!(ran.status, Some(4), "{name}: only FACTORY is in it: {ran:?}");
        assert!(made[FACTORY..] == part[..], "{name}");
    }
}

#[test]
fn files_that_are_something_else_are_named() {
    for (bytes, what) in [
        (&b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        "[..], "macOS"),
        (b"\xEF\xBB\xBF<!DOCTYPE html><html>", "web page"),
        (b"<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>", "XML"),
        (b"{\"message\":\"Not Found\",\"status\":\"404\"}", "JSON"),
        (b"\x5D\x00\x00\x80\x00\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", "lzma"),
        (b"\x04\x22\x4D\x18\x64\x40\xA7", "lz4"),
        (b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", "empty zip"),
    ] {
        let report = look(bytes);
        assert_eq!((report.kind, report.has_damage()), (Kind::Foreign, false), "{what}");
        assert!(report.what.contains(what), "{}", report.what);
    }
}

#[test]
fn odd_names_and_odd_files_are_answered_at_once() {
    use std::os::unix::ffi::OsStrExt;
    let desk = Desk::new();
    let name = std::ffi::OsStr::from_bytes(b"d\xFFmp.bin");
    fs::write(desk.0.path().join(name), factory("123456789")).unwrap();
    for json in [&["--json"][..], &[]] {
        let ran = Ran::of(
            Command::new(program()).args(json).arg("inspect").arg(name).current_dir(desk.0.path()),
        );
        assert_eq!(ran.status, Some(0), "{ran:?}");
        assert!(ran.out.contains("FACTORY"), "{ran:?}");
    }
    let escape = desk.put("a\u{1b}[31mb.bin", &factory("123456789"));
    let ran = Ran::of(Command::new(program()).arg("inspect").arg(&escape));
    assert!(!ran.out.contains('\u{1b}') && ran.out.contains("\\u{1b}"), "{}", ran.out);
    let ran = Ran::of(Command::new(program()).arg("inspect").arg("no\u{1b}[0msuch"));
    assert!(!ran.err.contains('\u{1b}'), "{}", ran.err);

    let fifo = desk.path("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let sparse = desk.path("sparse");
    fs::File::create(&sparse).unwrap().set_len(15 << 40).unwrap();
    for odd in [fifo.as_path(), sparse.as_path(), Path::new("/dev/zero")] {
        for words in
            [&["inspect"][..], &["redact", "--out", "r.bin"], &["recover", "--out", "r.bin"]]
        {
            let ran =
                Ran::of(Command::new(program()).args(words).arg(odd).current_dir(desk.0.path()));
            assert_eq!(ran.status, Some(1), "{words:?} {odd:?}: {ran:?}");
        }
    }
}

// Whole chips that are not whole

#[test]
fn u_boot_alone_on_an_erased_chip_is_a_chip_s_dump() {
    let mut bytes = vec![0xFF; 0x100_0000];
    let uboot = uimage::build(synthetic::I3_BOOT, 1, &noise(0x1_0000)).unwrap();
    bytes[..uboot.len()].copy_from_slice(&uboot);
    let mut header = uimage::parse(&bytes).unwrap();
    header.os = uimage::OS_UBOOT;
    bytes[..uimage::HEADER].copy_from_slice(&header.to_bytes());
    let report = look(&bytes);
    assert_eq!((report.kind, codes(&report)), (Kind::OtherDump, vec!["uboot-alone"]));
    assert!(report.has_damage() && report.what.contains("wrong place"), "{}", report.what);
}

#[test]
fn partition_files_are_taken_together_as_a_folder_and_as_a_tar() {
    let desk = Desk::new();
    let whole = chip("ipc009");
    let folder = desk.path("parts");
    fs::create_dir(&folder).unwrap();
    let places = [0, KERNEL, ROOTFS, DATA, CONFIG, FACTORY, 0x100_0000];
    for (i, pair) in places.windows(2).enumerate() {
        fs::write(folder.join(format!("mtdblock{i}")), &whole[pair[0]..pair[1]]).unwrap();
    }
    let made =
        Command::new("tar").args(["cf", "parts.tar", "parts"]).current_dir(desk.0.path()).status();
    assert!(made.unwrap().success());
    desk.put("donor.img", &tf_image("ipc009"));
    for what in ["parts", "parts.tar"] {
        let ran = desk.run(&["--json", "inspect", what]);
        assert_eq!(ran.status, Some(0), "{ran:?}");
        let report = ran.json();
        assert_eq!(
            (report["kind"].as_str(), report["identity"]["health"].as_str()),
            (Some("parts"), Some("healthy"))
        );
        let (ran, made) = desk.recover(&[what]);
        assert_eq!(ran.status, Some(0), "{ran:?}");
        assert!(made == whole, "{what}");
        let out = format!("{what}.bin");
        let ran = desk.run(&["assemble", "--own", what, "--donor", "donor.img", "--out", &out]);
        assert_eq!(ran.status, Some(0), "{ran:?}");
        let ran = desk.run(&["redact", what, "--out", &format!("{what}.safe")]);
        assert_eq!(ran.status, Some(0), "{ran:?}");
    }
    let files: Vec<String> = (0..6).map(|i| format!("parts/mtdblock{i}")).collect();
    let words: Vec<&str> = files.iter().map(String::as_str).collect();
    assert!(desk.recover(&words).1 == whole);
    assert_eq!(desk.recover(&words[..5]).0.status, Some(4));
}

#[test]
fn parts_in_another_order_and_without_config_are_put_in_their_places() {
    let whole = chip("ipc009");
    let order = [FACTORY..0x100_0000, DATA..CONFIG, 0..KERNEL, ROOTFS..DATA, KERNEL..ROOTFS];
    let bytes: Vec<u8> = order.into_iter().flat_map(|r| whole[r].to_vec()).collect();
    let desk = Desk::new();
    desk.put("joined.bin", &bytes);
    let report = look(&bytes);
    assert_eq!(report.kind, Kind::JumbledDump, "{}", report.to_text());
    assert!(report.identity.answer.starts_with("Yes."), "{}", report.identity.answer);
    advice_is_taken(&bytes);
    let (ran, made) = desk.recover(&["joined.bin"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    for part in [0..KERNEL, KERNEL..ROOTFS, ROOTFS..DATA, FACTORY..0x100_0000] {
        assert!(made[part.clone()] == whole[part.clone()], "{part:x?}");
    }
    assert!(never_posts(&look(&bytes)));
}

#[test]
fn a_cut_out_factory_is_judged_and_put_back() {
    let whole = factory("123456789");
    let cut = &whole[..300];
    let report = look(cut);
    assert!(report.identity.health.is_healthy() && !report.has_damage(), "{}", report.to_text());
    let mut crc = whole.clone();
    crc[8] ^= 1;
    let report = look(&crc);
    assert!(report.has_damage() && codes(&report).contains(&"identity-crc"));
    assert!(report.identity.answer.contains("does not check"), "{}", report.identity.answer);
    for bytes in [cut, &whole, &crc] {
        advice_is_taken(bytes);
    }
    let desk = Desk::new();
    let mut brick = chip("ipc009");
    brick[FACTORY..].fill(0xFF);
    desk.put("brick.bin", &brick);
    desk.put("FACTORY.bin", cut);
    let (ran, made) = desk.recover(&["brick.bin", "--factory", "FACTORY.bin"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(made == chip("ipc009"));
    desk.put("donor.img", &tf_image("ipc009"));
    let ran = desk.run(&[
        "assemble",
        "--own",
        "brick.bin",
        "--donor",
        "donor.img",
        "--factory",
        "FACTORY.bin",
        "--out",
        "a.bin",
    ]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(fs::read(desk.path("a.bin")).unwrap()[FACTORY..] == whole[..]);
    // Not over another camera's healthy one.
    desk.put("other.bin", &factory("987654321"));
    desk.put("own.bin", &chip("ipc009"));
    let (ran, _) = desk.recover(&["own.bin", "--factory", "other.bin"]);
    assert_eq!(
        (ran.status, ran.json()["error"]["code"].as_str()),
        (Some(3), Some("two-identities"))
    );
}

#[test]
fn settings_are_never_posted_even_without_an_identity() {
    let mut bytes = chip("ipc009");
    bytes[FACTORY..].fill(0xFF);
    for bytes in [&bytes[..], &bytes[DATA..CONFIG]] {
        let report = look(bytes);
        assert!(never_posts(&report), "{}", report.to_text());
    }
    assert!(!never_posts(&look(&tf_image("ipc009"))));
}

#[test]
fn a_tf_image_without_its_signature_or_with_padding_is_a_donor() {
    let whole = tf_image("ipc009");
    let bare = whole[..whole.len() - 80].to_vec();
    let mut padded = whole.clone();
    padded.resize(0x100_0000, 0xFF);
    let desk = Desk::new();
    desk.put("own.bin", &chip("ipc009"));
    for (bytes, words) in [(bare, "without its signature"), (padded, "padding")] {
        let report = look(&bytes);
        assert_eq!(
            (report.kind, report.has_damage()),
            (Kind::TfImage, false),
            "{}",
            report.to_text()
        );
        assert!(report.what.contains(words), "{}", report.what);
        desk.put("donor.img", &bytes);
        let _ = fs::remove_file(desk.path("a.bin"));
        let ran =
            desk.run(&["assemble", "--own", "own.bin", "--donor", "donor.img", "--out", "a.bin"]);
        assert_eq!(ran.status, Some(0), "{words}: {ran:?}");
    }
}

#[test]
fn other_systems_are_named_and_nothing_is_guessed() {
    let mut bytes = vec![0xFF; 0x80_0000];
    bytes[..8].copy_from_slice(b"\x02\0\0\xEAIPL_");
    let env = uboot_env::build(
        &[(b"bootargs", b"mtdparts=NOR_FLASH:256k(boot),64k(env),2048k(kernel),-(rootfs)")],
        0x1000,
    );
    bytes[0x4_0000..0x4_1000].copy_from_slice(&env.unwrap());
    let kernel = uimage::build("Linux-4.9.84", 1, &noise(5000)).unwrap();
    bytes[KERNEL..KERNEL + kernel.len()].copy_from_slice(&kernel);
    let rootfs = squashfs::build(60_000, 1, &noise(60_000)).unwrap();
    bytes[0x25_0000..0x25_0000 + rootfs.len()].copy_from_slice(&rootfs);
    let report = look(&bytes);
    assert_eq!(report.kind, Kind::OtherDump, "{}", report.to_text());
    assert!(report.to_text().contains("2048k(kernel)") && report.model.is_none());
    assert!(report.next.iter().any(|s| s.contains("do not flash it")), "{:?}", report.next);
    bytes[0x30_0000..0x30_0007].copy_from_slice(b"OpenIPC");
    assert!(look(&bytes).what.contains("OpenIPC"));

    let wrapped = [&uimage::build("rootfs", 1, &rootfs).unwrap()[..], &[0xFF; 10]].concat();
    assert!(look(&wrapped).what.contains("mkimage"), "{}", look(&wrapped).what);
}

#[test]
fn where_two_maps_fit_none_is_guessed() {
    let mut bytes = chip("ipc009");
    bytes[0x2_0000..0x2_1000].fill(0xFF);
    bytes[KERNEL..DATA].copy_from_slice(&noise(DATA - KERNEL));
    let report = look(&bytes);
    assert!(codes(&report).contains(&"two-maps"), "{}", report.to_text());
    assert!(report.by_role(Role::Kernel).is_none() && report.has_damage());
    assert!(report.identity.health.is_healthy());
}

// What must not be flashed

#[test]
fn what_this_camera_cannot_start_is_refused() {
    let plan = |name: &str, bytes: &[u8]| {
        let desk = Desk::new();
        desk.put("whole.bin", &chip("ipc009"));
        desk.put(name, bytes);
        let made = desk.run(&["sim", "create", "sim", "--from", "whole.bin"]);
        assert_eq!(made.status, Some(0), "{made:?}");
        let ran = desk.run(&["--sim", "sim", "--json", "plan", name]);
        let blockers = ran.json()["blockers"].clone();
        let codes: Vec<String> = blockers
            .as_array()
            .unwrap()
            .iter()
            .map(|f| f["code"].as_str().unwrap().to_owned())
            .collect();
        (ran.status, codes)
    };
    let kernel = uimage::build(I3, 1, &noise(5000)).unwrap();
    assert_eq!(plan("k.bin", &kernel).0, Some(0));
    let mut header = uimage::parse(&kernel).unwrap();
    header.load = 0x4000_8000;
    let other = [&header.to_bytes()[..], &kernel[uimage::HEADER..]].concat();
    assert_eq!(plan("k.bin", &other), (Some(3), vec!["wrong-load-address".to_owned()]));

    let good = squashfs::build(30_000, 1, &noise(30_000)).unwrap();
    assert_eq!(plan("r.bin", &good).0, Some(0));
    let mut gzip = good;
    gzip[20] = 1;
    assert_eq!(plan("r.bin", &gzip), (Some(3), vec!["wrong-compression".to_owned()]));
    let empty = squashfs::build_named(b"sbin", 30_000, 1, &noise(30_000)).unwrap();
    assert_eq!(plan("r.bin", &empty), (Some(3), vec!["no-linuxrc".to_owned()]));
}

#[test]
fn the_steps_for_a_brick_lead_somewhere() {
    let mut dead = chip("ipc009");
    dead[KERNEL..CONFIG].fill(0xFF);
    advice_is_taken(&dead);
    let mut moved = chip("ipc009");
    moved.copy_within(FACTORY.., 0xC0_0000);
    moved[FACTORY..].fill(0xFF);
    advice_is_taken(&moved);
    advice_is_taken(&chip("ipc009"));
    advice_is_taken(&flsh::build(&[(b"a", b"b")], 0x1_0000).unwrap());
}
