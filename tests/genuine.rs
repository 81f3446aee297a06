//! Laws of the vendor's signature: it is checked against the key in this
//! camera's own boot loader, and what is not proven is never called genuine.

#![allow(clippy::unwrap_used)] // in the helpers too

mod samples;
mod synthetic;

use std::sync::Arc;

use ed25519_dalek::SigningKey;
use mi360d::chip::FlashMap;
use mi360d::formats::tf;
use mi360d::image::genuine::{Genuineness, How, Why, check};
use mi360d::image::{Slices, Target, uboot, uboot_key};
use sha2::{Digest as _, Sha256};
use synthetic::signed::{self, KEY_AT, boot_with, key};
use synthetic::{noise, tf_image};

/// A BOOT of a U-Boot with this key.
fn boot(key: &SigningKey) -> Vec<u8> {
    signed::boot(key, "tf_recovery.img")
}

/// A tf image with this key's signature.
fn signed(key: &SigningKey) -> Vec<u8> {
    signed::sign(key, tf_image("ipc009"))
}

fn judge(image: &Vec<u8>, boot: &Vec<u8>) -> Genuineness {
    check(image, &Sha256::digest(image).into(), Some(boot)).unwrap()
}

#[test]
fn a_signature_by_the_key_in_the_boot_loader_is_genuine() {
    let key = key(1);
    let wanted = Genuineness::Genuine(How::Signature { key_at: KEY_AT });
    assert_eq!(judge(&signed(&key), &boot(&key)), wanted);
    // One that is not packed.
    let code = signed::uboot(&key, "tf_recovery.img");
    assert_eq!(judge(&signed(&key), &boot_with(&code)), wanted);
}

#[test]
fn one_wrong_bit_anywhere_is_not_genuine() {
    let key = key(1);
    let (image, boot) = (signed(&key), boot(&key));
    let body = tf::BODY as usize;
    for at in [0, 1000, 0x20_0000, 0x7F_0001, body - 1, body, body + 31, body + 40, body + 62] {
        let mut wrong = image.clone();
        wrong[at] ^= 1;
        assert!(!judge(&wrong, &boot).is_genuine(), "at {at:#x}");
    }
    // The last 16 bytes are signed by nobody.
    let mut other = image;
    other[body + 70] ^= 1;
    assert!(judge(&other, &boot).is_genuine());
}

#[test]
fn a_signature_by_a_key_that_is_not_there_is_not_proven() {
    let found = judge(&signed(&key(2)), &boot(&key(1)));
    let Genuineness::NotProven(Why::NoKey { tried }) = found else { unreachable!("{found:?}") };
    assert!(tried > 0);
    // Where the address of the key is nowhere, it is not found.
    let mut code = signed::uboot(&key(1), "tf_recovery.img");
    code[0x5A90..0x5A94].fill(0);
    let found = judge(&signed(&key(1)), &boot_with(&code));
    assert!(matches!(found, Genuineness::NotProven(Why::NoKey { .. })), "{found:?}");
}

#[test]
fn a_key_that_no_text_tells_of_is_found_by_its_address_alone() {
    let mut code = signed::uboot(&key(1), "tf_recovery.img");
    code[0x1_1000..0x1_1030].fill(0);
    assert!(judge(&signed(&key(1)), &boot_with(&code)).is_genuine());
}

#[test]
fn what_cannot_be_a_signature_is_bad_whatever_the_key_is() {
    let boot = boot(&key(1));
    let image = signed(&key(1));
    let body = tf::BODY as usize;
    for fill in [0, 0xFF] {
        let mut unsigned = image.clone();
        unsigned[body..].fill(fill);
        assert!(matches!(judge(&unsigned, &boot), Genuineness::Bad(_)));
    }
    // Its number plus the order of the curve: the same point, and refused.
    let order: [u8; 16] = [
        0xED, 0xD3, 0xF5, 0x5C, 0x1A, 0x63, 0x12, 0x58, 0xD6, 0x9C, 0xF7, 0xA2, 0xDE, 0xF9, 0xDE,
        0x14,
    ];
    let mut moved = image.clone();
    let mut carry = 0u16;
    for (i, byte) in moved[body + 32..body + 64].iter_mut().enumerate() {
        let add = order.get(i).copied().unwrap_or(if i == 31 { 0x10 } else { 0 });
        let sum = u16::from(*byte) + u16::from(add) + carry;
        (*byte, carry) = (sum as u8, sum >> 8);
    }
    assert!(matches!(judge(&moved, &boot), Genuineness::Bad(_)));
    assert!(matches!(judge(&image[1..].to_vec(), &boot), Genuineness::Bad(_)));
}

#[test]
fn a_boot_loader_that_is_gone_proves_nothing() {
    let image = signed(&key(1));
    for boot in [vec![0xFF; 0x5_0000], Vec::new(), noise(0x5_0000)] {
        assert_eq!(judge(&image, &boot), Genuineness::NotProven(Why::NoBootLoader));
    }
    assert_eq!(check(&image, &[0; 32], None).unwrap(), Genuineness::NotProven(Why::NoBootLoader));
    let mut broken = boot(&key(1));
    broken[0x3_0000 + 64 + 14] = 7; // another filter than the one that is known
    assert_eq!(judge(&image, &broken), Genuineness::NotProven(Why::Packed));
}

#[test]
fn what_a_signature_proves_is_no_longer_told_as_unprovable() {
    let map = FlashMap::stock("ipc009").unwrap();
    let target = Target {
        map: &map,
        model: Some("ipc009"),
        family: None,
        identity: None,
        firmware: None,
        kernel_load: None,
        known: &[],
    };
    let boot = boot(&key(1));
    let codes = |slices: &Slices| -> Vec<&str> {
        slices.warnings.iter().chain(&slices.notes).map(|f| f.code).collect()
    };
    let mut slices = Slices::of_file(Arc::new(signed(&key(1))), &target).unwrap();
    assert!(codes(&slices).contains(&"unprovable"));
    assert!(codes(&slices).contains(&"signature-unchecked"));
    slices.check_genuine(Some(&boot)).unwrap();
    assert!(codes(&slices).contains(&"genuine"), "{slices:?}");
    assert!(!codes(&slices).contains(&"unprovable"));
    assert!(!codes(&slices).contains(&"signature-unchecked"));

    let mut slices = Slices::of_file(Arc::new(signed(&key(2))), &target).unwrap();
    slices.check_genuine(Some(&boot)).unwrap();
    assert!(codes(&slices).contains(&"unprovable"));
    assert!(codes(&slices).contains(&"not-proven-genuine"));
    let finding = slices.warnings.iter().find(|f| f.code == "not-proven-genuine").unwrap();
    assert!(!finding.hint.is_empty());
}

#[test]
fn the_key_in_the_real_boot_loader_is_among_the_first_that_are_tried() {
    let Some(real) = samples::read("ipc019/BOOT.bin") else { return };
    let found = uboot_key::candidates(&real).unwrap().unwrap_or_else(|why| unreachable!("{why:?}"));
    // The argument of the check, as the code that calls it has it.
    let place = found.iter().position(|(at, _)| at == 0x3_49C3);
    assert!(place.is_some_and(|p| p < 16), "{place:?} of {}", found.iter().count());
    assert!(found.iter().count() < 4096);
    // A signature by no key at all, against all of them.
    let began = std::time::Instant::now();
    let result = judge(&signed(&key(1)), &real);
    eprintln!("{result:?} after {:?}", began.elapsed());
    assert!(!result.is_genuine());
}

#[test]
fn the_real_boot_loader_names_the_one_image_that_it_takes_from_a_card() {
    let Some(real) = samples::read("ipc019/BOOT.bin") else { return };
    assert_eq!(uboot::rescue_names(&real).unwrap(), ["tf_update.img"]);
    let loader = uboot::Loader::of(&real).unwrap();
    let mut commands = loader.commands.unwrap();
    commands.sort_unstable();
    assert_eq!(commands, ["crc32", "fatload", "reset", "sf"]);
    assert_eq!(loader.starts_alone, Some(false));
    // Its own environment is good. Without it the camera would stop at the prompt.
    let lost = |boot: &Vec<u8>| {
        let report = mi360d::image::inspect(boot).unwrap();
        report.findings.iter().any(|f| f.code == "environment-lost")
    };
    assert!(!lost(&real));
    let mut bad = real.clone();
    bad[0x4_F010] ^= 1;
    assert!(lost(&bad));
}
