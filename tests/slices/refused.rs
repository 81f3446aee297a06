//! Files that are refused, each with its reason; and any file at all.

use std::sync::Arc;

use mi360d::chip::{FlashMap, Role};
use mi360d::formats::uimage::Family;
use mi360d::formats::version::Version;
use mi360d::formats::{tf, uimage};
use mi360d::image::genuine;
use mi360d::image::inspect::FileKind;
use mi360d::image::{Slices, Source, Target};
use proptest::prelude::*;

use crate::own::{Own, assert_refused, blockers, names, take, warnings};
use crate::samples;
use crate::synthetic::{I6, chip, noise, tf_image};

#[test]
fn a_dump_of_another_model_is_refused() {
    let mut own = Own::of("ipc009");
    own.model = Some("ipc016".into());
    assert_eq!(blockers(&own.take(chip("ipc009"))), ["wrong-model"]);
}

#[test]
fn a_part_that_is_a_block_too_long_is_refused() {
    let bytes = chip("ipc009");
    for (range, fill) in [
        (0x5_0000..0x26_0000, 0xFF),
        (0x26_0000..0x9B_0000, 0xFF),
        (0x9B_0000..0xFE_0000, 0xFF),
        (0xFE_0000..0xFF_0000, 0xFF),
    ] {
        let mut part = bytes[range.clone()].to_vec();
        part.resize(part.len() + 0x1_0000, fill);
        let slices = take(part);
        assert_eq!(slices.blockers[0].code, "too-long", "{range:x?}: {slices:?}");
        assert!(slices.slices.is_empty());
    }
    // What fits one model's map is too long, or tells that it is not for, the other's.
    let own = Own::of("ipc019");
    assert_eq!(blockers(&own.take(bytes[0x5_0000..0x26_0000].to_vec())), ["too-long"]);
    assert_eq!(blockers(&own.take(bytes[0x26_0000..0x9B_0000].to_vec())), ["wrong-map"]);
}

#[test]
fn what_is_for_the_other_map_or_processor_is_refused() {
    for (ours, theirs) in [("ipc009", "ipc019"), ("ipc019", "ipc009")] {
        let own = Own::of(ours);
        assert!(blockers(&own.take(tf_image(theirs))).contains(&"wrong-map"));
        assert!(blockers(&own.take(chip(theirs))).contains(&"wrong-map"));
    }
    let mut bytes = tf_image("ipc009");
    let kernel = uimage::build(I6, 1, &noise(100_000)).unwrap();
    bytes[..kernel.len()].copy_from_slice(&kernel);
    let slices = take(bytes);
    assert_eq!(blockers(&slices), ["wrong-family"]);
    assert_eq!(slices.blockers[0].partition.as_deref(), Some("KERNEL"));
    // ROOTFS alone may still be taken from it.
    let own = Own::of("ipc009");
    let rootfs = slices.choose(&["rootfs".into()], &own.map).unwrap();
    assert_eq!(slices.blockers_of(&rootfs).count(), 0);
    assert_eq!(blockers(&take(kernel)), ["wrong-family"]);
}

#[test]
fn versions_from_4_0_9_on_are_refused_on_an_older_camera() {
    let mut own = Own::of("ipc009");
    // In ROOTFS behind the file system, where no checksum speaks first.
    for (at, name) in [(0x1000, "KERNEL"), (0x2A_0000, "ROOTFS")] {
        let mut bytes = tf_image("ipc009");
        bytes[at..at + 12].copy_from_slice(b" 4.0.9_0409 ");
        if name == "KERNEL" {
            let kernel = uimage::build(crate::synthetic::I3, 1, &bytes[64..100_064]).unwrap();
            bytes[..kernel.len()].copy_from_slice(&kernel);
        }
        let slices = own.take(bytes.clone());
        assert_eq!(blockers(&slices), ["one-way"]);
        assert_eq!(slices.blockers[0].partition.as_deref(), Some(name));
        assert_eq!(slices.version.unwrap().to_string(), "4.0.9_0409");
        bytes[at + 1..at + 11].copy_from_slice(b"3.5.1_0052");
        if name == "ROOTFS" {
            let slices = own.take(bytes);
            assert!(slices.blockers.is_empty() && !warnings(&slices).contains(&"version-unknown"));
        }
    }
    assert!(warnings(&take(tf_image("ipc009"))).contains(&"version-unknown"));
    // The owner's table does not make an older one of it.
    let mut bytes = tf_image("ipc009");
    bytes[0x2A_0000..0x2A_000C].copy_from_slice(b" 4.0.9_0409 ");
    let line = |bytes: &[u8], version| {
        let hash = mi360d::formats::sha256::Sha256::digest(bytes);
        genuine::table(&format!("{} ipc009 {version}", mi360d::base::hex(&hash)))
    };
    let known = line(&bytes, "3.4.2_0062");
    let target = Target { known: &known, ..own.target() };
    let slices = Slices::of_file(Arc::new(bytes), &target).unwrap();
    assert_eq!(blockers(&slices), ["one-way"]);
    assert!(warnings(&slices).contains(&"table-differs"), "{slices:?}");
    assert_eq!(slices.version.unwrap().to_string(), "4.0.9_0409");
    // An image that does not say its version is what the table says.
    let known = line(&tf_image("ipc009"), "4.0.9_0409");
    let target = Target { known: &known, ..own.target() };
    let slices = Slices::of_file(Arc::new(tf_image("ipc009")), &target).unwrap();
    assert_eq!(slices.version.unwrap().to_string(), "4.0.9_0409");
    assert!(blockers(&slices).contains(&"one-way"));
    // The door is closed already.
    own.firmware = Some(Version { release: [4, 0, 9], build: 409 });
    let mut bytes = tf_image("ipc009");
    bytes[0x2A_0000..0x2A_000C].copy_from_slice(b" 4.0.9_0409 ");
    assert!(own.take(bytes).blockers.is_empty());
}

#[test]
fn a_squashfs_that_lies_about_its_length_is_refused() {
    for lie in [0x75_0001u64, u64::MAX, 0x10, 400_000] {
        let mut bytes = tf_image("ipc009");
        bytes[0x21_0028..0x21_0030].copy_from_slice(&lie.to_le_bytes());
        assert_refused(&take(bytes), &format!("bytes_used {lie:#x}"));
        let mut rootfs = chip("ipc009")[0x26_0000..0x26_0000 + 500_000].to_vec();
        rootfs[0x28..0x30].copy_from_slice(&lie.to_le_bytes());
        assert_refused(&take(rootfs), &format!("a bare one, {lie:#x}"));
    }
}

#[test]
fn an_image_that_is_cut_off_anywhere_is_refused() {
    let whole = tf_image("ipc009");
    for cut in (0..whole.len()).step_by(0x1_0000) {
        let slices = take(whole[..cut].to_vec());
        if cut == 0x21_0000 {
            // Byte for byte the partition KERNEL, and whole: nobody can tell.
            assert_eq!((slices.kind, names(&slices)), (FileKind::Partition, vec!["KERNEL"]));
            continue;
        }
        if cut as u64 == tf::BODY {
            // Only the signature is missing, and it is cut off before it is flashed.
            assert_eq!(
                (slices.kind, warnings(&slices).contains(&"unsigned")),
                (FileKind::TfImage, true)
            );
            continue;
        }
        assert_refused(&slices, &format!("cut at {cut:#x}"));
        assert!(slices.firmware().is_empty() || slices.kind == FileKind::Uimage);
    }
    let whole = chip("ipc009");
    for cut in (0..whole.len()).step_by(0x1_0000 * 5).skip(2) {
        let slices = take(whole[..cut].to_vec());
        assert_refused(&slices, &format!("a dump cut at {cut:#x}"));
    }
    // Byte for byte the partition BOOT.
    assert_eq!(names(&take(whole[..0x5_0000].to_vec())), ["BOOT"]);
    assert_refused(&take(whole[..0x4_0000].to_vec()), "less than BOOT");
}

#[test]
fn what_is_no_firmware_is_refused() {
    for (what, bytes) in [
        ("an empty file", Vec::new()),
        ("random bytes", noise(300_000)),
        ("random bytes, as long as a tf image", noise(tf::SIZE as usize)),
        ("random bytes, as long as a chip", noise(0x100_0000)),
        ("random bytes, as long as KERNEL", noise(0x21_0000)),
        ("random bytes, as long as FACTORY", noise(0x1_0000)),
        ("an erased chip", vec![0xFF; 0x100_0000]),
        ("an erased DATA", vec![0xFF; 0x63_0000]),
        ("zeros", vec![0; 0x63_0000]),
        ("a zip", b"PK\x03\x04 and so on".to_vec()),
        ("a dump and a block", [chip("ipc009"), vec![0xFF; 0x1_0000]].concat()),
        ("a tf image and a block", [tf_image("ipc009"), vec![0xFF; 0x1_0000]].concat()),
        ("a tf image and a byte", [tf_image("ipc009"), vec![0]].concat()),
        ("a shifted dump", [vec![0; 777], chip("ipc009")[..0x100_0000 - 777].to_vec()].concat()),
        ("a chip of two sizes", [chip("ipc009"), chip("ipc009")].concat()),
    ] {
        let slices = take(bytes);
        assert_refused(&slices, what);
        assert!(slices.slices.is_empty(), "{what}");
    }
}

#[test]
fn a_camera_whose_map_nobody_knows_is_never_written() {
    let mut own = Own::of("ipc009");
    own.map = FlashMap::conclude(&[]);
    for bytes in [tf_image("ipc009"), chip("ipc009"), chip("ipc009")[0x5_0000..0x26_0000].into()] {
        let slices = own.take(bytes);
        assert_eq!(blockers(&slices), ["unknown-map"]);
        assert!(slices.slices.is_empty());
    }
}

#[test]
fn one_wrong_byte_that_a_checksum_covers_is_refused_and_any_other_told() {
    let Some(image) = real_tf_image() else { return };
    let mut own = Own::of("ipc019");
    own.model = None;
    own.family = Some(Family::I6);
    let clean = own.take(image.clone());
    assert!(clean.blockers.is_empty(), "{clean:?}");
    let kernel = clean.by_role(Role::Kernel).unwrap().content.facts.uimage.clone().unwrap().bytes;
    let mut seed = 0x1234_5678_9ABC_DEF1u64;
    let mut random = |n: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % n
    };
    // The slices apart: the whole of 16 MiB for each of the places would take minutes.
    let (mut refused, mut told) = (0, 0);
    for round in 0..400 {
        // Every other place is in the kernel or in the nodes of DATA, which checksums cover.
        let at = match round % 4 {
            0 => random(kernel),
            1 => 0x96_0000 + random(3_800_000),
            _ => random(image.len() as u64),
        } as usize;
        let (start, end) = match at as u64 {
            0..0x20_0000 => (0, 0x20_0000),
            0x20_0000..0x96_0000 => (0x20_0000, 0x96_0000),
            0x96_0000..tf::BODY => (0x96_0000, tf::BODY as usize),
            _ => (0, 0), // in the trailer: told by what is said of the signature
        };
        if end == 0 {
            assert!(clean.warnings.iter().any(|f| f.code == "signature-unchecked"));
            told += 1;
            continue;
        }
        let mut part = image[start..end].to_vec();
        part[at - start] ^= 1 << random(8);
        let slices = own.take(part);
        if (at as u64) < kernel {
            assert_refused(&slices, &format!("a flip at {at:#x}"));
        }
        let says = |code: &str| slices.warnings.iter().chain(&slices.notes).any(|f| f.code == code);
        if slices.blockers.is_empty() {
            let is_told = says("unprovable") || says("kernel-trailing") || says("rootfs-trailing");
            assert!(is_told, "a flip at {at:#x}: {slices:?}");
            told += 1;
        } else {
            assert_refused(&slices, &format!("a flip at {at:#x}"));
            refused += 1;
        }
    }
    eprintln!("{refused} of 400 refused, {told} told as unprovable");
    assert!(refused >= 190, "{refused} of 400 refused");
}

/// A tf image of real parts, with a ROOTFS that nobody could mount.
fn real_tf_image() -> Option<Vec<u8>> {
    let kernel = samples::read("ipc019/KERNEL-2019.uImage")?;
    let data = samples::read("ipc019/DATA-3.5.1_0052.jffs2")?;
    let rootfs = chip("ipc019")[0x25_0000..0x25_0000 + 500_000].to_vec();
    let trailer = tf::Trailer::parse(&noise(80)).unwrap();
    mi360d::chip::tf::build(&FlashMap::stock("ipc019").unwrap(), &kernel, &rootfs, &data, &trailer)
}

#[test]
fn a_file_that_cannot_be_read_is_an_error_and_no_finding() {
    struct Broken(Vec<u8>);
    impl Source for Broken {
        fn len(&self) -> u64 {
            self.0.len() as u64
        }
        fn read_at(&self, offset: u64, buf: &mut [u8]) -> std::io::Result<()> {
            if (offset..offset + buf.len() as u64).contains(&0x60_0000) {
                return Err(std::io::Error::other("a bad sector"));
            }
            Source::read_at(&self.0, offset, buf)
        }
    }
    let own = Own::of("ipc009");
    let error = Slices::of_file(Arc::new(Broken(tf_image("ipc009"))), &own.target()).unwrap_err();
    assert!(error.to_string().contains("0x600000"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_file_brings_a_panic_and_no_slice_leaves_its_file(
        start in 0usize..0x90_0000, len in 0usize..0x20_0000, spoilt in any::<[(u32, u8); 3]>(),
    ) {
        let mut bytes = chip("ipc009");
        for (at, value) in spoilt {
            let at = at as usize % bytes.len();
            bytes[at] = value;
        }
        let file = bytes[start..start + len].to_vec();
        let slices = take(file);
        for slice in &slices.slices {
            prop_assert!(slice.offset + slice.length <= len as u64);
            prop_assert!(slice.length <= u64::from(slice.size));
        }
        prop_assert!(!slices.slices.is_empty() || !slices.blockers.is_empty());
    }
}
