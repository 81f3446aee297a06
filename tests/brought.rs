//! More of what people bring: several chips in one file, texts of numbers with wrong lines, stuck
//! address bits, parts that moved by blocks, and captures that are no dump.

#![allow(clippy::unwrap_used)] // in the helpers too

mod desk;
mod rig;
mod synthetic;

use mi360d::chip::Role;
use mi360d::image::Health;
use mi360d::image::inspect::FileKind;

use desk::{
    CONFIG, DATA, Desk, FACTORY, KERNEL, ROOTFS, advice_is_taken, codes, health, look, never_posts,
};
use synthetic::{chip, factory, noise, tf_image};

/// A chip whose DATA reaches over several blocks.
fn camera() -> Vec<u8> {
    let mut chip = chip("ipc009");
    for block in 1..4 {
        let at = DATA + block * 0x1_0000;
        let node = mi360d::formats::jffs2::dirent(1, block as u32, 9, 8, b"app").unwrap();
        chip[at..at + node.len()].copy_from_slice(&node);
    }
    chip
}

/// What `recover` makes of it, with this status, and all that it says.
fn recovers(bytes: &[u8], status: i32) -> (Vec<u8>, String) {
    let desk = Desk::new();
    desk.put("d.bin", bytes);
    let ran = desk.run(&["inspect", "d.bin"]);
    assert_eq!(ran.status, Some(4), "{ran:?}");
    let (ran, made) = desk.recover(&["d.bin"]);
    assert_eq!(ran.status, Some(status), "{}\n{ran:?}", look(bytes).to_text());
    (made, ran.json().to_string())
}

#[test]
fn dumps_of_two_cameras_in_one_file_are_taken_apart() {
    let one = chip("ipc009");
    let mut other = one.clone();
    other[FACTORY..].copy_from_slice(&factory("987654321"));
    let mut erased = one.clone();
    erased[FACTORY..].fill(0xFF);
    let mut unlike = one.clone();
    unlike[KERNEL + 0x1000..CONFIG].copy_from_slice(&noise(CONFIG - KERNEL - 0x1000));
    for (second, answer, reason) in [
        (&other, "Yes, but of more than one camera", "different cameras"),
        (&erased, "Yes, but not as it is", "Not each of the dumps"),
        (&unlike, "Yes, but not as it is", "no readings of one chip"),
    ] {
        let bytes = [&one[..], second].concat();
        let report = look(&bytes);
        assert_eq!((report.kind, report.mangled[0].code), (FileKind::Mangled, "doubled"));
        assert!(report.identity.answer.starts_with(answer), "{}", report.to_text());
        let finding = report.findings.iter().find(|f| f.code == "two-chips").unwrap();
        assert!(finding.reason.contains(reason), "{}", finding.reason);
        assert!(!report.next.iter().any(|s| s.contains("mi360d recover")), "{:?}", report.next);
        assert!(never_posts(&report));
        advice_is_taken(&bytes);
        let desk = Desk::new();
        desk.put("d.bin", &bytes);
        assert_eq!(desk.run(&["inspect", "d.bin"]).status, Some(4));
        assert_eq!(desk.recover(&["d.bin"]).0.status, Some(3), "{reason}");
    }
    let report = look(&[&one[..], &other].concat());
    assert_eq!(report.identity.elsewhere[0].offset, 0x100_0000 + FACTORY as u64);
    // Two readings of one chip are merged.
    let mut later = one.clone();
    later[DATA + 0x2_0000] = 0;
    let bytes = [&one[..], &later].concat();
    assert!(!codes(&look(&bytes)).contains(&"two-chips"));
    advice_is_taken(&bytes);
}

fn intel(bytes: &[u8]) -> Vec<String> {
    let sum = |r: &[u8]| r.iter().fold(0u8, |s, b| s.wrapping_add(*b)).wrapping_neg();
    let text = |mut r: Vec<u8>| {
        r.push(sum(&r));
        format!(":{}", r.iter().map(|b| format!("{b:02X}")).collect::<String>())
    };
    let mut lines = Vec::new();
    for (block, window) in bytes.chunks(0x1_0000).enumerate() {
        lines.push(text(vec![2, 0, 0, 4, (block >> 8) as u8, block as u8]));
        for (i, line) in window.chunks(32).enumerate() {
            let head = [line.len() as u8, (i >> 3) as u8, (i << 5) as u8, 0];
            lines.push(text([&head[..], line].concat()));
        }
    }
    lines.push(":00000001FF".to_owned());
    lines
}

fn srec(bytes: &[u8]) -> Vec<String> {
    let record = |(i, line): (usize, &[u8])| {
        let mut r = vec![line.len() as u8 + 5];
        r.extend(((i * 32) as u32).to_be_bytes());
        r.extend_from_slice(line);
        r.push(!r.iter().fold(0u8, |s, b| s.wrapping_add(*b)));
        format!("S3{}", r.iter().map(|b| format!("{b:02X}")).collect::<String>())
    };
    bytes.chunks(32).enumerate().map(record).collect()
}

fn console(bytes: &[u8]) -> Vec<String> {
    let line = |(i, line): (usize, &[u8])| {
        let hex: Vec<String> = line.iter().map(|b| format!("{b:02x}")).collect();
        format!("{:08x}: {}    {}", 0x2100_0000 + i * 16, hex.join(" "), shown(line))
    };
    bytes.chunks(16).enumerate().map(line).collect()
}

fn shown(line: &[u8]) -> String {
    line.iter().map(|b| if matches!(b, 0x20..=0x7E) { char::from(*b) } else { '.' }).collect()
}

#[test]
fn a_record_with_a_wrong_checksum_is_told_with_its_line_and_nothing_is_whole() {
    let whole = camera();
    for (good, at) in [(intel(&whole), 0xC0_0000 / 32 + 0xC0 + 9), (srec(&whole), 0xC0_0000 / 32)] {
        // Where all is erased no checksum of a part sees it.
        let mut lines = good.clone();
        lines[at].replace_range(14..15, "0");
        let text = lines.join("\r\n");
        let report = look(text.as_bytes());
        let finding = report.findings.iter().find(|f| f.code == "bad-lines").unwrap();
        assert!(finding.reason.contains(&format!("line {}.", at + 1)), "{}", finding.reason);
        let (made, said) = recovers(text.as_bytes(), 4);
        assert!(made == whole && said.contains(&format!("line {}", at + 1)), "{said:.500}");
        advice_is_taken(text.as_bytes());
        let text = good.join("\n");
        assert!(!codes(&look(text.as_bytes())).contains(&"bad-lines"));
        assert!(recovers(text.as_bytes(), 0).0 == whole);
    }
}

#[test]
fn lines_of_a_console_that_were_lost_or_damaged_are_told() {
    let whole = camera();
    let good = console(&whole);
    let at = 0xC0_0000 / 16;
    let lost = [&good[..at], &good[at + 3..]].concat();
    let report = look(lost.join("\r\n").as_bytes());
    let finding = report.findings.iter().find(|f| f.code == "bad-lines").unwrap();
    assert!(finding.reason.contains("48 bytes are in none"), "{}", finding.reason);
    assert!(finding.reason.contains(&format!("line {}", at + 1)), "{}", finding.reason);
    assert!(recovers(lost.join("\r\n").as_bytes(), 4).0 == whole, "it was erased there");
    // A digit of an address that is missing or wrong moves no other line.
    for wrong in ["1c00000", "2fc00000", "20c00000"] {
        let mut lines = good.clone();
        lines[at] = lines[at].replacen("21c00000", wrong, 1);
        let text = lines.join("\n");
        let (made, said) = recovers(text.as_bytes(), 4);
        assert!(made == whole && said.contains(&format!("line {}", at + 1)), "{wrong}");
    }
    let mut lines = good;
    lines[FACTORY / 16 + 0x100].replace_range(20..22, "");
    let (made, _) = recovers(lines.join("\n").as_bytes(), 4);
    assert!(made == whole);
}

#[test]
fn times_of_any_form_before_each_line_do_not_matter() {
    let part = factory("123456789");
    for time in [
        "[12:00:01.123] ",
        "2026-01-02 12:00:01.123 ",
        "Nov 28 12:00:01 ",
        "1700000000.123 ",
        "12:00:01: ",
        "(12:00:01) ",
        "12:00:01 | ",
        "00:00:01,123: ",
    ] {
        let text: String = console(&part).iter().map(|l| format!("{time}{l}\r\n")).collect();
        let (made, _) = recovers(text.as_bytes(), 4);
        assert!(made[FACTORY..] == part[..], "{time}");
    }
}

#[test]
fn what_xxd_and_certutil_print_is_read_to_the_last_byte() {
    // Blanks among the characters, and a last line that is short.
    let mut part = factory("123456789");
    for at in (0x1000..0x8000).step_by(16) {
        part[at..at + 3].copy_from_slice(b"  x");
    }
    let part = &part[..0xFFFB];
    let xxd = |(i, line): (usize, &[u8])| {
        let words: Vec<String> =
            line.chunks(2).map(|w| w.iter().map(|b| format!("{b:02x}")).collect()).collect();
        format!("{:08x}: {:<39}  {}\n", i * 16, words.join(" "), shown(line))
    };
    let certutil = |(i, line): (usize, &[u8])| {
        let hex: Vec<String> = line.iter().map(|b| format!("{b:02x}")).collect();
        let (one, two) = hex.split_at(hex.len().min(8));
        format!("    {:04x}  {}  {}   {}\r\n", i * 16, one.join(" "), two.join(" "), shown(line))
    };
    let texts: [String; 2] = [
        part.chunks(16).enumerate().map(xxd).collect(),
        part.chunks(16).enumerate().map(certutil).collect(),
    ];
    for text in texts {
        let (made, _) = recovers(text.as_bytes(), 4);
        assert!(made[FACTORY..FACTORY + part.len()] == *part, "{text:.200}");
    }
}

#[test]
fn a_stuck_address_bit_is_named_and_says_nothing_about_what_was_not_read() {
    let whole = camera();
    for (bit, high, answer) in [
        (16, false, "Unknown. FACTORY"),
        (16, true, "Yes, but not as it is"),
        (17, false, "Unknown. FACTORY"),
        (20, false, "Unknown. FACTORY"),
        (23, true, "Yes, but not as it is"),
        (12, false, "Yes, but not as it is"),
        (12, true, "Unknown"),
    ] {
        let step = 1usize << bit;
        let read = |at: usize| if high { at | step } else { at & !step };
        let bytes: Vec<u8> = (0..whole.len())
            .step_by(step)
            .flat_map(|at| &whole[read(at)..][..step])
            .copied()
            .collect();
        let report = look(&bytes);
        let what = format!("A{bit} stuck at {}", u8::from(high));
        assert_eq!((report.kind, report.mangled[0].code), (FileKind::Mangled, "stuck-line"));
        assert!(report.what.contains(&what), "{what}: {}", report.what);
        assert!(report.identity.answer.starts_with(answer), "{what}: {}", report.to_text());
        assert!(!codes(&report).contains(&"identity-blank"), "{what}");
        assert!(report.next.iter().any(|s| s.contains("Check the clip")), "{:?}", report.next);
        assert!(never_posts(&report), "{what}");
        advice_is_taken(&bytes);
    }
    assert!(look(&whole).mangled.is_empty());
}

#[test]
fn a_block_added_in_data_never_makes_config_the_identity() {
    let whole = camera();
    let block = &whole[DATA..DATA + 0x1_0000];
    let erased = vec![0xFF; 0x1_0000];
    for (at, added, twice) in [
        (DATA + 0x1_0000, block, true),
        (DATA + 0x4_0000, &erased, false),
        (ROOTFS + 0x2_0000, &whole[ROOTFS + 0x1_0000..ROOTFS + 0x2_0000], true),
    ] {
        let mut bytes = [&whole[..at], added, &whole[at..]].concat();
        bytes.truncate(whole.len());
        let report = look(&bytes);
        let text = report.to_text();
        assert_eq!(report.kind, FileKind::ShiftedDump, "{at:#x}: {text}");
        let slipped = &report.findings.iter().find(|f| f.code == "slipped").unwrap().reason;
        assert!(slipped.contains("CONFIG begins 65536 bytes later"), "{slipped}");
        assert!(slipped.contains("FACTORY begins 65536 bytes later, which is behind"), "{slipped}");
        assert_eq!(slipped.contains(&format!("at {at:#x} are those before")), twice, "{slipped}");
        assert!(report.identity.answer.contains("not in this file"), "{}", report.identity.answer);
        assert!(report.identity.identity.is_none() && report.identity.fingerprint.is_none());
        let (made, _) = recovers(&bytes, 4);
        assert!(made[CONFIG..FACTORY] == whole[CONFIG..FACTORY], "{at:#x}");
        assert!(made[FACTORY..].iter().all(|byte| *byte == 0xFF), "{at:#x}");
        advice_is_taken(&bytes);
    }
}

#[test]
fn a_block_more_at_the_beginning_is_no_rotation() {
    let whole = camera();
    for first in [whole[..0x1_0000].to_vec(), vec![0xFF; 0x1_0000], noise(0x1_0000)] {
        let mut bytes = [first, whole.clone()].concat();
        bytes.truncate(whole.len());
        let report = look(&bytes);
        assert_eq!(report.kind, FileKind::ShiftedDump, "{}", report.to_text());
        let finding = report.findings.iter().find(|f| f.code == "shifted").unwrap();
        assert!(finding.reason.contains("(one block) too late"), "{}", finding.reason);
        assert!(report.identity.answer.contains("not in this file"), "{}", report.identity.answer);
        assert!(recovers(&bytes, 4).0[..FACTORY] == whole[..FACTORY]);
        advice_is_taken(&bytes);
    }
}

#[test]
fn parts_that_moved_are_named_by_what_they_are() {
    let whole = camera();
    for order in [
        [DATA..CONFIG, 0..KERNEL, KERNEL..ROOTFS, ROOTFS..DATA, CONFIG..FACTORY],
        [0..KERNEL, DATA..CONFIG, ROOTFS..DATA, KERNEL..ROOTFS, CONFIG..FACTORY],
    ] {
        let mut bytes: Vec<u8> = order.into_iter().flat_map(|part| whole[part].to_vec()).collect();
        bytes.extend(&whole[FACTORY..]);
        let report = look(&bytes);
        assert_eq!(report.kind, FileKind::JumbledDump, "{}", report.to_text());
        assert!(report.identity.answer.starts_with("Yes."), "{}", report.to_text());
        assert!(recovers(&bytes, 0).0 == whole);
        advice_is_taken(&bytes);
    }
    let end = &whole[0x80_0000..];
    let report = look(end);
    assert_eq!(report.kind, FileKind::ShiftedDump, "{}", report.to_text());
    assert!(report.what.contains("end of a chip") && codes(&report).contains(&"shifted"));
    assert!(recovers(end, 4).0[DATA..] == whole[DATA..]);
    for before in [noise(0x1_0000), vec![0xFF; 0x10_0000]] {
        let bytes = [before, tf_image("ipc009")].concat();
        let report = look(&bytes);
        assert!(report.what.contains("tf image with something before it"), "{}", report.what);
        assert!(report.next.iter().any(|step| step.contains("tail -c +")), "{:?}", report.next);
        advice_is_taken(&bytes);
    }
}

#[test]
fn pages_that_changed_places_and_halves_of_bytes_are_put_back() {
    let whole = camera();
    for unit in [256, 2048, 0x1000, 0x1_0000] {
        let bytes: Vec<u8> = whole
            .chunks(unit * 2)
            .flat_map(|pair| [&pair[unit..], &pair[..unit]].concat())
            .collect();
        let report = look(&bytes);
        assert_eq!(report.mangled.first().map(|m| m.code), Some("swapped-groups"), "{unit}");
        assert!(recovers(&bytes, 0).0 == whole, "{unit}");
        advice_is_taken(&bytes);
    }
    for upper in [true, false] {
        let halves = |b: &u8| if upper { [b >> 4, b & 15] } else { [b & 15, b >> 4] };
        let bytes: Vec<u8> = whole.iter().flat_map(halves).collect();
        assert!(recovers(&bytes, 0).0 == whole, "{upper}");
        advice_is_taken(&bytes);
    }
}

#[test]
fn captures_pictures_and_messages_are_named() {
    let zip = [b"PK\x03\x04".as_slice(), &[0; 26], b"version2"].concat();
    for (bytes, what) in [
        (&zip[..], "logic analyzer"),
        (b"$date now $end\n$timescale 1 ns $end\n", "logic analyzer"),
        (b"Time [s],Packet ID,MOSI,MISO\n0.1,0,0x03,0xFF\n", "logic analyzer"),
        (b"flashrom v1.3.0 on Linux\nReading flash... done.\n", "messages of flashrom"),
        (b"GIF89a..........", "picture"),
        (b"\0\0\0\x18ftypheic", "picture"),
        (b"begin 644 chip.bin\nM", "uuencoded"),
    ] {
        let report = look(bytes);
        assert_eq!((report.kind, report.has_damage()), (FileKind::Foreign, false), "{what}");
        assert!(report.what.contains(what), "{}", report.what);
        assert!(report.identity.answer.starts_with("Unknown"), "{}", report.identity.answer);
        advice_is_taken(bytes);
    }
}

#[test]
fn no_image_is_advised_that_a_damaged_config_prevents() {
    let mut bytes = camera();
    bytes[CONFIG..FACTORY].copy_from_slice(&noise(0x1_0000));
    bytes[DATA..DATA + 0x1000].copy_from_slice(&noise(0x1000));
    let report = look(&bytes);
    assert_eq!(health(&report, Role::Config), Health::Damaged, "{}", report.to_text());
    assert!(report.next.iter().any(|s| s.contains("CONFIG is damaged")), "{:?}", report.next);
    advice_is_taken(&bytes);
}

#[test]
fn settings_in_a_file_of_data_neither_end_it_nor_are_config() {
    let mut whole = camera();
    // The vendor's settings, as a node of one file that is not compressed.
    let settings = mi360d::formats::flsh::build(&[(b"light", b"on")], 1024).unwrap();
    let node = mi360d::formats::jffs2::inode(2, 1, 0o100_644, 0, &settings).unwrap();
    let at = DATA + 0x1_0000 + 0x400;
    whole[at..at + node.len()].copy_from_slice(&node);
    for (cut, status) in [(None, 0), (Some(CONFIG), 4)] {
        let mut wanted = whole.clone();
        if let Some(cut) = cut {
            wanted[cut..cut + 0x1_0000].fill(0xFF);
        }
        // Something before each part, so that none is where a map says.
        let borders = [0, KERNEL, ROOTFS, DATA, CONFIG, FACTORY, wanted.len()];
        let part = |ends: &[usize]| [&noise(0x210)[..], &wanted[ends[0]..ends[1]]].concat();
        let bytes: Vec<u8> = borders.windows(2).flat_map(part).collect();
        let desk = Desk::new();
        desk.put("d.bin", &bytes);
        let (ran, made) = desk.recover(&["d.bin"]);
        assert_eq!(ran.status, Some(status), "{ran:?}");
        assert_eq!(made[DATA..CONFIG], wanted[DATA..CONFIG], "{ran:?}");
        assert!(made == wanted || cut.is_some(), "{ran:?}");
    }
}
