//! Laws of taking a file apart for one camera: each part is found by that
//! camera's map, and whatever speaks against it is said with code, reason and hint.

#![allow(clippy::unwrap_used)] // in the helpers too

mod samples;
mod synthetic;

use std::sync::Arc;

use mi360d::chip::{FlashMap, Role, WINDOW};
use mi360d::formats::uimage::Family;
use mi360d::formats::version::Version;
use mi360d::formats::{jffs2, tf, uimage};
use mi360d::identity::{self, Judgement};
use mi360d::image::inspect::Kind;
use mi360d::image::{Health, Slices, Source, Target};
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};
use synthetic::{I6, chip, factory, noise, tf_image};

/// What a camera of a synthetic chip knows of itself.
struct Own {
    map: FlashMap,
    model: Option<String>,
    family: Option<Family>,
    identity: Option<Judgement>,
    firmware: Option<Version>,
}

impl Own {
    fn of(model: &str) -> Own {
        Own {
            map: FlashMap::stock(model).unwrap(),
            model: Some("ipc009".into()), // as the synthetic FACTORY says
            family: Some(Family::I3),
            identity: Some(identity::judge(&factory("123456789"))),
            firmware: None,
        }
    }

    fn target(&self) -> Target<'_> {
        Target {
            map: &self.map,
            model: self.model.as_deref(),
            family: self.family,
            identity: self.identity.as_ref(),
            firmware: self.firmware,
            kernel_load: None,
            known: &[],
        }
    }

    fn take(&self, bytes: Vec<u8>) -> Slices {
        Slices::of_file(Arc::new(bytes), &self.target()).unwrap()
    }
}

fn take(bytes: Vec<u8>) -> Slices {
    Own::of("ipc009").take(bytes)
}

/// Codes of what forbids the partitions that are flashed by default.
fn blockers(slices: &Slices) -> Vec<&'static str> {
    let chosen = slices.firmware();
    slices.blockers_of(&chosen).map(|f| f.code).collect()
}

fn warnings(slices: &Slices) -> Vec<&'static str> {
    slices.warnings.iter().map(|f| f.code).collect()
}

fn names(slices: &Slices) -> Vec<&str> {
    slices.slices.iter().map(|s| s.name.as_str()).collect()
}

/// Each finding has a code, a reason and a hint where the owner can do something.
fn assert_refused(slices: &Slices, what: &str) {
    let chosen = slices.firmware();
    let found: Vec<_> = slices.blockers_of(&chosen).collect();
    assert!(!found.is_empty(), "{what} is not refused: {slices:?}");
    for f in found {
        assert!(!f.code.is_empty() && f.reason.ends_with('.'), "{what}: {f:?}");
    }
    assert!(slices.blockers.iter().any(|f| !f.hint.is_empty()), "{what}: {slices:?}");
}

/// All of a slice, window by window.
fn read(slices: &Slices, role: Role) -> Vec<u8> {
    let slice = slices.by_role(role).unwrap();
    let mut out = Vec::new();
    let mut window = vec![0; WINDOW as usize];
    for index in 0..slice.size.div_ceil(WINDOW) {
        slices.read_window(slice, index, &mut window).unwrap();
        out.extend_from_slice(&window);
    }
    out
}

#[test]
fn a_tf_image_is_split_by_this_cameras_map() {
    for model in ["ipc009", "ipc019"] {
        let own = Own::of(model);
        let slices = own.take(tf_image(model));
        assert_eq!(slices.kind, Kind::TfImage);
        assert_eq!(names(&slices), ["KERNEL", "ROOTFS", "DATA"]);
        assert!(slices.blockers.is_empty(), "{slices:?}");
        let whole = chip(model);
        for slice in &slices.slices {
            let part = own.map.by_name(&slice.name).unwrap();
            let start = part.offset.unwrap() as usize;
            let bytes = &whole[start..start + part.size as usize];
            assert_eq!((slice.size, slice.length), (part.size, part.size.into()));
            assert_eq!(slice.sha256[..], Sha256::digest(bytes)[..]);
            assert!(read(&slices, slice.role) == bytes);
        }
        let digest: [u8; 32] = Sha256::digest(tf_image(model)).into();
        assert_eq!(slices.sha256, Some(digest));
    }
}

#[test]
fn the_trailer_is_cut_off_and_its_signature_told_as_unchecked() {
    let slices = take(tf_image("ipc009"));
    let note = slices.trailer.unwrap();
    assert!(note.is_signed);
    assert_eq!(note.trailer.to_bytes()[..], noise(80)[..]);
    assert!(warnings(&slices).contains(&"signature-unchecked"));
    let mut bytes = tf_image("ipc009");
    bytes[tf::BODY as usize..].fill(0);
    let slices = take(bytes);
    assert!(!slices.trailer.unwrap().is_signed && warnings(&slices).contains(&"unsigned"));
    assert!(slices.blockers.is_empty());
}

#[test]
fn a_full_dump_gives_its_firmware_and_never_its_identity_by_default() {
    let slices = take(chip("ipc009"));
    assert_eq!(slices.kind, Kind::FullDump);
    assert_eq!(names(&slices), ["BOOT", "KERNEL", "ROOTFS", "DATA", "CONFIG", "FACTORY"]);
    let default: Vec<Role> = slices.firmware().iter().map(|s| s.role).collect();
    assert_eq!(default, [Role::Kernel, Role::Rootfs, Role::Data]);
    assert!(slices.blockers.is_empty(), "{slices:?}");
    assert!(!warnings(&slices).contains(&"foreign-identity"));
    assert_eq!(slices.model.unwrap().id, "ipc009");
}

#[test]
fn another_cameras_dump_is_told_and_its_settings_too() {
    let mut bytes = chip("ipc009");
    bytes[0xFF_0000..].copy_from_slice(&factory("987654321"));
    let slices = take(bytes.clone());
    let found = warnings(&slices);
    assert!(found.contains(&"foreign-identity") && found.contains(&"foreign-settings"));
    // Where the own identity is gone, nobody can tell yet whose it is.
    let mut own = Own::of("ipc009");
    own.identity = Some(identity::judge(&vec![0xFF; 0x1_0000]));
    let found = own.take(bytes);
    assert!(warnings(&found).contains(&"unproven-identity"));
}

#[test]
fn a_dump_of_another_model_is_refused() {
    let mut own = Own::of("ipc009");
    own.model = Some("ipc016".into());
    assert_eq!(blockers(&own.take(chip("ipc009"))), ["wrong-model"]);
}

#[test]
fn a_dead_identity_in_a_dump_forbids_only_itself() {
    let mut bytes = chip("ipc009");
    bytes[0xFF_0000..].fill(0xFF);
    let own = Own::of("ipc009");
    let slices = own.take(bytes);
    assert!(blockers(&slices).is_empty());
    let factory = slices.choose(&["FACTORY".into()], &own.map).unwrap();
    let codes: Vec<_> = slices.blockers_of(&factory).map(|f| f.code).collect();
    assert_eq!(codes, ["identity-blank"]);
}

#[test]
fn a_single_part_goes_into_its_partition_and_the_rest_is_erased() {
    let bytes = chip("ipc009");
    for (range, kind, role) in [
        (0x5_0000..0x26_0000, Kind::Partition, Role::Kernel),
        (0x5_0000..0x5_0000 + 100_064, Kind::Uimage, Role::Kernel),
        (0x26_0000..0x9B_0000, Kind::Partition, Role::Rootfs),
        (0x26_0000..0x26_0000 + 500_000, Kind::Squashfs, Role::Rootfs),
        (0x9B_0000..0xFE_0000, Kind::Partition, Role::Data),
        (0x9B_0000..0x9E_0000, Kind::Jffs2, Role::Data),
        (0xFE_0000..0xFF_0000, Kind::Partition, Role::Config),
        (0xFF_0000..0x100_0000, Kind::Partition, Role::Factory),
        (0xFF_0000..0xFF_0200, Kind::Flsh, Role::Factory),
        (0..0x5_0000, Kind::Partition, Role::Boot),
    ] {
        let slices = take(bytes[range.clone()].to_vec());
        assert_eq!((slices.kind, slices.slices.len()), (kind, 1), "{slices:?}");
        assert!(slices.blockers.is_empty(), "{slices:?}");
        let slice = &slices.slices[0];
        assert_eq!((slice.role, slice.length), (role, range.len() as u64));
        assert_eq!(slice.content.health, Health::Healthy);
        let mut wanted = bytes[range].to_vec();
        wanted.resize(slice.size as usize, 0xFF);
        assert!(read(&slices, role) == wanted);
        assert_eq!(slice.sha256[..], Sha256::digest(&wanted)[..]);
        // Any place, any length.
        let mut some = vec![0; 1000];
        let at = (slice.length - 100) as usize;
        slices.read(slice, at as u64, &mut some).unwrap();
        wanted.resize(at + 1000, 0xFF);
        assert!(some == wanted[at..at + 1000]);
    }
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
fn a_processor_that_nobody_knows_is_a_warning() {
    let mut own = Own::of("ipc009");
    own.family = None;
    let slices = own.take(tf_image("ipc009"));
    assert!(slices.blockers.is_empty() && warnings(&slices).contains(&"family-unknown"));
}

#[test]
fn versions_from_4_0_9_on_are_refused_on_an_older_camera() {
    let mut own = Own::of("ipc009");
    // In ROOTFS behind the file system, where no checksum speaks first.
    for (at, name) in [(0x1000, "KERNEL"), (0x2A_0000, "ROOTFS")] {
        let mut bytes = tf_image("ipc009");
        bytes[at..at + 12].copy_from_slice(b" 4.0.9_0409 ");
        if name == "KERNEL" {
            let kernel = uimage::build(synthetic::I3, 1, &bytes[64..100_064]).unwrap();
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
            assert_eq!((slices.kind, names(&slices)), (Kind::Partition, vec!["KERNEL"]));
            continue;
        }
        if cut as u64 == tf::BODY {
            // Only the signature is missing, and it is cut off before it is flashed.
            assert_eq!(
                (slices.kind, warnings(&slices).contains(&"unsigned")),
                (Kind::TfImage, true)
            );
            continue;
        }
        assert_refused(&slices, &format!("cut at {cut:#x}"));
        assert!(slices.firmware().is_empty() || slices.kind == Kind::Uimage);
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
fn what_no_checksum_covers_is_told_as_unprovable() {
    let slices = take(tf_image("ipc009"));
    let told: Vec<Option<&str>> = slices
        .warnings
        .iter()
        .chain(&slices.notes)
        .filter(|f| f.code == "unprovable")
        .map(|f| f.partition.as_deref())
        .collect();
    assert_eq!(told, [Some("ROOTFS"), Some("DATA")]);
}

#[test]
fn padding_that_is_none_is_told() {
    let mut bytes = tf_image("ipc009");
    bytes[0x10_0000] = 0x7F;
    bytes[0x60_0000] = 0x7F;
    let slices = take(bytes);
    let at: Vec<(&str, Option<u64>)> = slices.warnings.iter().map(|f| (f.code, f.at)).collect();
    assert!(at.contains(&("kernel-trailing", Some(100_064))), "{at:?}");
    assert!(at.contains(&("rootfs-trailing", Some(0x60_0000))), "{at:?}");
}

#[test]
fn torn_nodes_are_normal_on_a_chip_and_none_of_a_made_image() {
    let node = jffs2::inode(3, 1, 0o100_644, 0, &noise(100)).unwrap();
    let at = 0x96_1000;
    let mut image = tf_image("ipc009");
    image[at..at + 40].copy_from_slice(&node[..40]);
    assert_eq!(blockers(&take(image)), ["jffs2-torn"]);
    let mut dump = chip("ipc009");
    dump[at + 0x5_0000..at + 0x5_0000 + 40].copy_from_slice(&node[..40]);
    assert!(take(dump).blockers.is_empty());
}

#[test]
fn names_are_chosen_as_the_chip_has_them_and_wrong_ones_are_named() {
    let own = Own::of("ipc009");
    let slices = own.take(tf_image("ipc009"));
    let choose = |text: &str| {
        let names: Vec<String> = text.split(',').map(str::to_owned).collect();
        slices
            .choose(&names, &own.map)
            .map(|chosen| chosen.iter().map(|s| s.name.clone()).collect::<Vec<_>>().join(" "))
    };
    assert_eq!(choose("DATA,kernel, DATA").unwrap(), "KERNEL DATA");
    for (text, words) in [
        ("KERNL", "no partition 'KERNL'"),
        ("KERNEL,FACTORY", "FACTORY is not in this file"),
        (" ,", "no partition is selected"),
    ] {
        let error = choose(text).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
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
    for round in 0..1000 {
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
    eprintln!("{refused} of 1,000 refused, {told} told as unprovable");
    assert!(refused >= 480, "{refused} of 1,000 refused");
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
