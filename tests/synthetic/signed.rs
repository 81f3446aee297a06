//! A U-Boot with a key in it, and images that are signed for it.

use ed25519_dalek::SigningKey;
use mi360d::formats::{tf, uimage, xz};
use sha2::{Digest as _, Sha512};

use super::{I3_BOOT, chip, noise};

/// Where the synthetic U-Boot runs, and where its key is: at an odd place.
pub const BASE: u32 = 0x23E0_0000;
pub const KEY_AT: usize = 0x1_2347;

pub fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

/// What compiled code looks like, as far as it matters: handlers, code, texts, the addresses that
/// the code uses, other addresses, the key, and the name of the image that it takes from a card.
pub fn uboot(key: &SigningKey, rescue: &str) -> Vec<u8> {
    let mut out = noise(0x1_3000);
    let mut word = |at: usize, word: u32| out[at..at + 4].copy_from_slice(&word.to_le_bytes());
    for (i, handler) in (0x60..).step_by(0x60).take(7).enumerate() {
        word(0x20 + 4 * i, BASE + handler);
    }
    for i in 0..200 {
        word(0x8000 + 16 * i, BASE + 0xC000 + 40 * i as u32);
    }
    word(0x5A80, BASE + 0x1_1001);
    word(0x5A90, BASE + KEY_AT as u32);
    let text = b"\0Verifying singature using libsodium\n\0";
    out[0x1_1000..0x1_1000 + text.len()].copy_from_slice(text);
    let name = format!("\0{rescue}\0");
    out[0x6000..0x6000 + name.len()].copy_from_slice(name.as_bytes());
    out[KEY_AT..KEY_AT + 32].copy_from_slice(key.verifying_key().as_bytes());
    out
}

/// A BOOT with this U-Boot in it.
pub fn boot_with(data: &[u8]) -> Vec<u8> {
    let mut boot = chip("ipc009")[..0x5_0000].to_vec();
    let image = uimage::build(I3_BOOT, 1, data).unwrap();
    boot[0x3_0000..0x3_0000 + image.len()].copy_from_slice(&image);
    boot
}

/// A BOOT of this key and name, in xz as the vendor's is.
pub fn boot(key: &SigningKey, rescue: &str) -> Vec<u8> {
    boot_with(&xz::build(&uboot(key, rescue)))
}

/// A tf image with this key's signature.
pub fn sign(key: &SigningKey, mut image: Vec<u8>) -> Vec<u8> {
    let mut hash = Sha512::new();
    hash.update(&image[..tf::BODY as usize]);
    let signature = key.sign_prehashed(hash, None).unwrap().to_bytes();
    image[tf::BODY as usize..tf::BODY as usize + 64].copy_from_slice(&signature);
    image
}
