//! Files that are taken: their parts, and what is reported of them.

use mi360d::chip::Role;
use mi360d::formats::{jffs2, tf};
use mi360d::identity;
use mi360d::image::Health;
use mi360d::image::inspect::FileKind;
use sha2::{Digest as _, Sha256};

use crate::own::{Own, blockers, names, read, take, warnings};
use crate::synthetic::{chip, factory, noise, tf_image};

#[test]
fn a_tf_image_is_split_by_this_cameras_map() {
    for model in ["ipc009", "ipc019"] {
        let own = Own::of(model);
        let slices = own.take(tf_image(model));
        assert_eq!(slices.kind, FileKind::TfImage);
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
    assert_eq!(slices.kind, FileKind::FullDump);
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
        (0x5_0000..0x26_0000, FileKind::Partition, Role::Kernel),
        (0x5_0000..0x5_0000 + 100_064, FileKind::Uimage, Role::Kernel),
        (0x26_0000..0x9B_0000, FileKind::Partition, Role::Rootfs),
        (0x26_0000..0x26_0000 + 500_000, FileKind::Squashfs, Role::Rootfs),
        (0x9B_0000..0xFE_0000, FileKind::Partition, Role::Data),
        (0x9B_0000..0x9E_0000, FileKind::Jffs2, Role::Data),
        (0xFE_0000..0xFF_0000, FileKind::Partition, Role::Config),
        (0xFF_0000..0x100_0000, FileKind::Partition, Role::Factory),
        (0xFF_0000..0xFF_0200, FileKind::Flsh, Role::Factory),
        (0..0x5_0000, FileKind::Partition, Role::Boot),
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
fn a_processor_that_nobody_knows_is_a_warning() {
    let mut own = Own::of("ipc009");
    own.family = None;
    let slices = own.take(tf_image("ipc009"));
    assert!(slices.blockers.is_empty() && warnings(&slices).contains(&"family-unknown"));
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
