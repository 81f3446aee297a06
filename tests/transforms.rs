//! Files whose bytes were mangled on their way, or that are something else: each is named, and
//! `recover` undoes what can be undone.

#![allow(clippy::unwrap_used)] // in the helpers too

mod desk;
mod rig;
mod synthetic;

use std::process::Command;

use mi360d::image::inspect::FileKind;

use desk::{DATA, Desk, FACTORY, ROOTFS, advice_is_taken, codes, look, never_posts};
use synthetic::{KEY, chip, factory};

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
    assert_eq!((report.kind, report.mangled[0].code), (FileKind::Mangled, "text-mode"));
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
        assert_eq!((report.kind, report.mangled[0].code), (FileKind::Mangled, "utf-16"), "{kind}");
        assert!(report.identity.answer.starts_with("Yes, but") && never_posts(&report));
        advice_is_taken(&mangled);
        assert!(!report.to_text().contains(KEY));
    }
    let page = look(&utf16(b"<!DOCTYPE html><html><body>404</body></html>", b"\xFF\xFE"));
    assert_eq!(page.kind, FileKind::Foreign);
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
            (FileKind::Mangled, Some("log")),
            "{name}"
        );
        assert!(report.what.contains(name), "{}", report.what);
        assert!(report.identity.answer.starts_with("Yes, but"), "{name}: {}", report.to_text());
        assert!(never_posts(&report));
        advice_is_taken(log.as_bytes());
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
        (b"\x31\x18\x10\x06\xEB\x5D\x2C\x41", "UBIFS"),
    ] {
        let report = look(bytes);
        assert_eq!((report.kind, report.has_damage()), (FileKind::Foreign, false), "{what}");
        assert!(report.what.contains(what), "{}", report.what);
    }
    // What ubinize makes, with an identity in a volume.
    let mut ubi = [b"UBI#\x01\0\0\0", &[0; 120][..]].concat();
    ubi.extend(factory("123456789"));
    let report = look(&ubi);
    assert!(report.what.contains("UBI") && report.identity.answer.starts_with("Yes"));
    assert!(never_posts(&report));
    advice_is_taken(&ubi);
}

#[test]
fn an_identity_that_somebody_has_as_text_is_kept_and_never_posted() {
    let list = "vendor=chuangmi\nmodel=chuangmi.camera.ipc009\nmac=50:EC:50:AB:CD:EF\n\
                did=123456789\nkey=0123456789abcdef\n";
    let lines = "/lib/ld-linux.so.3\n".repeat(9000);
    for text in [list.to_owned(), format!("{lines}{list}{lines}")] {
        let report = look(text.as_bytes());
        assert!(report.identity.answer.starts_with("In part"), "{}", report.to_text());
        assert!(never_posts(&report) && report.next[0].starts_with("Keep this file"));
        assert!(!report.to_text().contains("123456789"), "{}", report.to_text());
        advice_is_taken(text.as_bytes());
    }
    assert!(!never_posts(&look(lines.as_bytes())));
}

#[test]
fn a_rotated_and_a_swapped_dump_are_turned_back() {
    let whole = chip("ipc009");
    let rotated = [&whole[0x80_0000..], &whole[..0x80_0000]].concat();
    let pairs: Vec<u8> = whole.chunks(2).flat_map(|p| [p[1], p[0]]).collect();
    let words: Vec<u8> = whole.chunks(4).flat_map(|p| [p[3], p[2], p[1], p[0]]).collect();
    let halves: Vec<u8> = whole.chunks(4).flat_map(|p| [p[2], p[3], p[0], p[1]]).collect();
    let both: Vec<u8> = rotated.chunks(2).flat_map(|p| [p[1], p[0]]).collect();
    let next = whole[1..].iter().chain([&0xFF]);
    let early = whole.iter().zip(next).map(|(a, b)| a << 1 | b >> 7).collect();
    let inverted = whole.iter().map(|b| !b).collect();
    let mirrored = whole.iter().map(|b| b.reverse_bits()).collect();
    for (bytes, code) in [
        (rotated, "rotated"),
        (pairs, "swapped-pairs"),
        (words, "swapped-words"),
        (inverted, "inverted"),
        (mirrored, "mirrored"),
        (halves, "swapped-groups"),
        (both, "swapped-pairs"),
        (early, "bits-moved"),
        (whole.iter().map(|b| b.rotate_left(4)).collect(), "swapped-nibbles"),
        (whole.iter().rev().copied().collect(), "backwards"),
        (whole.iter().flat_map(|b| [*b, *b]).collect(), "stretched"),
    ] {
        let report = look(&bytes);
        assert_eq!((report.kind, report.mangled[0].code), (FileKind::Mangled, code));
        assert!(report.identity.answer.starts_with("Yes, but"), "{}", report.identity.answer);
        assert!(report.has_damage() && never_posts(&report));
        advice_is_taken(&bytes);
        let desk = Desk::new();
        desk.put("d.bin", &bytes);
        let (ran, made) = desk.recover(&["d.bin"]);
        assert_eq!(ran.status, Some(0), "{ran:?}");
        assert!(made == whole, "{code}");
    }
}

#[test]
fn a_chip_of_which_only_the_beginning_was_read_is_no_lost_identity() {
    let whole = chip("ipc009");
    for copies in [2, 4] {
        let bytes = whole[..0x100_0000 / copies].repeat(copies);
        let report = look(&bytes);
        assert_eq!((report.kind, report.mangled[0].code), (FileKind::Mangled, "wrapped"));
        assert!(report.identity.answer.contains("not in this file"), "{}", report.identity.answer);
        assert!(report.next.iter().any(|step| step.starts_with("Read or copy it again")));
        let desk = Desk::new();
        desk.put("d.bin", &bytes);
        let (ran, made) = desk.recover(&["d.bin"]);
        assert_eq!(ran.status, Some(4), "{ran:?}");
        assert!(made[..0x100_0000 / copies] == bytes[..0x100_0000 / copies]);
    }
}

#[test]
fn bytes_as_text_are_read_through() {
    let part = factory("123456789");
    let all = |format: &dyn Fn(u8) -> String| part.iter().map(|b| format(*b)).collect::<String>();
    let array = all(&|b| format!("0x{b:02x}, "));
    let decimal = all(&|b| format!("{b},"));
    let srec: String = part
        .chunks(32)
        .enumerate()
        .map(|(i, line)| {
            let mut record = vec![line.len() as u8 + 5, 0, (i >> 11) as u8];
            record.extend([(i >> 3) as u8, (i << 5) as u8]);
            record.extend_from_slice(line);
            record.push(!record.iter().fold(0u8, |s, b| s.wrapping_add(*b)));
            let hex: String = record.iter().map(|b| format!("{b:02X}")).collect();
            format!("S3{hex}\r\n")
        })
        .collect();
    let od: String = part
        .chunks(16)
        .enumerate()
        .map(|(i, line)| {
            let words = line.chunks(2).map(|w| format!(" {:02x}{:02x}", w[1], w[0]));
            format!("{:07o}{}\n", i * 16, words.collect::<String>())
        })
        .collect();
    let base64 = Command::new("base64").arg("/dev/stdin").stdin(file_of(&part)).output().unwrap();
    for (text, name) in [
        (all(&|b| format!("{b:02x}")), "hex digits"),
        (format!("const uint8_t dump[] = {{\n{array}}};\n"), "hex digits"),
        (format!("[{}]", decimal.trim_end_matches(',')), "array of numbers"),
        (format!("x = b'{}'\n", all(&|b| format!("\\x{b:02x}"))), "string with escapes"),
        (String::from_utf8(base64.stdout).unwrap(), "base64"),
        (all(&|b| char::from(b).to_string()), "UTF-8"),
        (srec, "SREC"),
        (od, "od"),
        (format!("\x1b[0m{}", console(&part, "")), "md.b"),
        (console(&part, &kernels_lines()), "md.b"),
    ] {
        let report = look(text.as_bytes());
        assert_eq!(
            (report.kind, report.mangled[0].code),
            (FileKind::Mangled, "log"),
            "{}",
            report.what
        );
        assert!(report.what.contains(name), "{name}: {}", report.what);
        assert!(report.identity.answer.starts_with("Yes, but") && never_posts(&report));
        advice_is_taken(text.as_bytes());
        let desk = Desk::new();
        desk.put("d.txt", text.as_bytes());
        assert!(desk.recover(&["d.txt"]).1[FACTORY..] == part[..], "{name}");
    }
}

/// What `md.b` prints, behind other lines.
fn console(part: &[u8], before: &str) -> String {
    let mut text = before.to_owned();
    for (i, line) in part.chunks(16).enumerate() {
        let hex: Vec<String> = line.iter().map(|b| format!("{b:02x}")).collect();
        text += &format!("{:08x}: {}    ....\r\n", 0x2100_0000 + i * 16, hex.join(" "));
    }
    text
}

/// A boot's own words, longer than what a file is first told by.
fn kernels_lines() -> String {
    (0..600).map(|i| format!("[    {i}.000000] a driver says what it found\r\n")).collect()
}

#[test]
fn an_ordinary_text_that_looks_like_bytes_stays_a_text() {
    let numbers: Vec<String> = (0..256).map(|i| (i * 7 % 256).to_string()).collect();
    let line = "MIIDdzCCAl+gAwIBAgIEAgAAuTANBgkqhkiG9w0BAQUFADBaMQswCQYDVQQGEwJJ";
    for text in [
        format!(
            "-----BEGIN CERTIFICATE-----\n{}-----END CERTIFICATE-----\n",
            format!("{line}\n").repeat(20)
        ),
        format!("{{\"level\": [{}]}}\n", numbers.join(", ")),
        format!("static const unsigned char table[256] = {{{}}};\n", numbers.join(", ")),
    ] {
        let report = look(text.as_bytes());
        assert_eq!(report.kind, FileKind::Foreign, "{text:.60}: {}", report.what);
        assert!(!report.has_damage());
    }
    // CRs before all LFs are taken out, and are no loss then.
    let text = [&[0xFF, 0][..], &b"\r\n".repeat(9000)].concat();
    assert!(codes(&look(&text)).iter().filter(|code| **code == "text-mode").count() <= 1);
}

/// A file with these bytes, open at its beginning.
fn file_of(bytes: &[u8]) -> std::fs::File {
    use std::io::{Seek, Write};
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.rewind().unwrap();
    file
}

#[test]
fn what_nothing_brings_back_is_named() {
    let zeros = look(&vec![0; 0x1_2000]);
    assert!(!codes(&zeros).contains(&"seven-bits"), "{}", zeros.to_text());
    let whole = chip("ipc009");
    let text = String::from_utf8_lossy(&whole).into_owned().into_bytes();
    let seven: Vec<u8> = whole[ROOTFS + 0x1000..DATA].iter().map(|b| b & 0x7F).collect();
    let lost: Vec<u8> = whole.chunks(512).flat_map(|page| page[..511].to_vec()).collect();
    let no_zeros: Vec<u8> = whole.iter().copied().filter(|b| *b != 0).collect();
    for (bytes, code) in [
        (text, "replaced-bytes"),
        (seven, "seven-bits"),
        (lost, "lost-bytes"),
        (no_zeros, "no-zeros"),
    ] {
        let report = look(&bytes);
        assert!(codes(&report).contains(&code), "{code}: {}", report.to_text());
        assert!(report.has_damage(), "{code}");
        advice_is_taken(&bytes);
    }
    // Its first bytes are lost, which no other place of the file has.
    let early = [&whole[4..], &[0xFF; 4]].concat();
    let desk = Desk::new();
    desk.put("d.bin", &early);
    assert_eq!(desk.recover(&["d.bin"]).0.status, Some(4));
}

#[test]
fn a_chip_in_pieces_is_joined() {
    let whole = chip("ipc009");
    let desk = Desk::new();
    for (i, piece) in whole.chunks(0x10_0000).enumerate() {
        desk.put(&format!("dump.{}", i + 1), piece);
    }
    let names: Vec<String> = (1..=16).rev().map(|i| format!("dump.{i}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (ran, made) = desk.recover(&names);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(made == whole);
    desk.put("low", &whole[..0x80_0000]);
    desk.put("high", &whole[0x80_0000..]);
    assert!(desk.recover(&["high", "low"]).1 == whole);
}
