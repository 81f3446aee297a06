//! Chips with a flash map that this program does not know, and partition files
//! that do not go together.

#![allow(clippy::unwrap_used)] // in the helpers too

mod synthetic;

use mi360d::formats::mxp;
use mi360d::image::inspect;
use mi360d::image::inspect::FileKind;
use mi360d::image::parts::{Member, compose};
use mi360d::image::recover::{Input, recover};
use synthetic::{chip, noise};

fn records() -> Vec<mxp::Record> {
    [
        ("BOOT", 0, 0x5_0000),
        ("KERNEL", 0x5_0000, 0x21_0000),
        ("ROOTFS", 0x26_0000, 0x74_0000),
        ("PARAM", 0x9A_0000, 0x1_0000),
        ("DATA", 0x9B_0000, 0x63_0000),
        ("CONFIG", 0xFE_0000, 0x1_0000),
        ("FACTORY", 0xFF_0000, 0x1_0000),
    ]
    .into_iter()
    .map(|(name, start, size)| mxp::Record {
        kind: mxp::RecordKind::Partition,
        start,
        size,
        name: name.into(),
    })
    .collect()
}

fn input(name: &str, bytes: &[u8]) -> Input {
    Input { name: name.into(), bytes: bytes.to_vec() }
}

#[test]
fn a_table_that_is_not_known_is_used_for_what_it_says() {
    let mut bytes = chip("ipc009");
    bytes[0x2_0000..0x2_1000].copy_from_slice(&mxp::build(&records()).unwrap());
    bytes[0x9A_0000..0x9A_0100].copy_from_slice(&noise(0x100));
    let report = inspect(&bytes).unwrap();
    assert_eq!(report.kind, FileKind::OtherDump, "{}", report.to_text());
    assert!(report.identity.answer.starts_with("Yes."), "{}", report.to_text());
    assert!(report.to_text().contains("PARAM"), "{}", report.to_text());

    let mut other = bytes.clone();
    other[0x5_0090] ^= 4;
    let pairs: Vec<u8> = bytes.chunks(2).flat_map(|p| [p[1], p[0]]).collect();
    let files: Vec<Input> = records()
        .iter()
        .map(|r| {
            let range = r.start as usize..(r.start + r.size) as usize;
            input(&format!("{}.bin", r.name), &bytes[range])
        })
        .collect();
    for inputs in [
        vec![input("a", &bytes)],
        vec![input("a", &bytes), input("b", &other)],
        vec![input("swapped", &pairs)],
        files,
    ] {
        let made = recover(inputs, None).unwrap();
        assert!(made.image == bytes && made.missing.is_empty(), "{:?}", made.missing);
        assert!(made.did.iter().any(|did| did.contains("PARAM")), "{:?}", made.did);
    }
    // Where the table names nothing, the loaders are: without them the image is not whole.
    let later: Vec<mxp::Record> = records().into_iter().skip(1).collect();
    let mut gap = bytes.clone();
    gap[0x2_0000..0x2_1000].copy_from_slice(&mxp::build(&later).unwrap());
    let made = recover(vec![input("a", &gap)], None).unwrap();
    assert!(made.image == gap && made.missing.is_empty(), "{:?}", made.missing);
    let mut other = gap.clone();
    other[0x100] ^= 4;
    let made = recover(vec![input("a", &gap), input("b", &other)], None).unwrap();
    assert!(made.missing.iter().any(|m| m.starts_with("0x0 to 0x50000")), "{:?}", made.missing);
    // A table of which the end is lost says nothing of the chip.
    bytes[0x2_0000 + 4 * mxp::RECORD] ^= 1;
    assert_eq!(recover(vec![input("a", &bytes)], None).unwrap().image.len(), 0x100_0000);
}

#[test]
fn what_is_in_a_file_counts_more_than_its_name() {
    let whole = chip("ipc009");
    let note = b"from the camera in the hall".to_vec();
    let (kernel, factory) = (whole[0x5_0000..0x26_0000].to_vec(), whole[0xFF_0000..].to_vec());
    let of = |files: &[(&str, &Vec<u8>)]| {
        let members: Vec<Member<'_>> = files
            .iter()
            .map(|(name, bytes)| Member {
                name: (*name).into(),
                source: *bytes,
                from: 0,
                length: bytes.len() as u64,
            })
            .collect();
        let chip = compose(&members, None).unwrap().unwrap();
        chip.findings.iter().map(|f| f.code).collect::<Vec<_>>()
    };
    assert!(of(&[("kernel.txt", &note), ("a", &kernel), ("b", &factory)]).is_empty());
    assert_eq!(of(&[("old", &kernel), ("new", &kernel), ("b", &factory)]), ["two-files"]);
    let long = [kernel.clone(), vec![0xFF; 0x1000]].concat();
    assert_eq!(of(&[("a", &long), ("b", &factory)]), ["too-long"]);
}
