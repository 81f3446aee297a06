//! Authenticity of a tf image: it is the vendor's own if its hash is known, or if its signature
//! fits a key in this camera's own boot loader. Which bytes of the boot loader may be a key is in
//! [`super::uboot_key`].
//!
//! The signature is Ed25519ph (RFC 8032, with an empty context), as libsodium's
//! multi-part API makes it, over all but the 80-byte trailer. Facts:
//! docs/formats.md, "tf image".

use std::borrow::Cow;
use std::io;

use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest as _, Sha512};

use super::finding::Finding;
use super::inspect::{Model, Report};
use super::source::{Source, peek};
use super::uboot::NoUboot;
use super::uboot_key::{self, Candidates};
use crate::base::unhex;
use crate::chip::WINDOW;
use crate::formats::tf;
use crate::formats::version::{Scan, Version};

/// A vendor's image that is known by its hash alone.
#[derive(Clone, Debug)]
pub struct KnownImage {
    sha256: [u8; 32],
    /// The firmware's version.
    pub version: Version,
    model: Cow<'static, str>,
}

/// Published recovery images (docs/formats.md, Versions).
static KNOWN_IMAGES: [KnownImage; 2] = [
    KnownImage {
        sha256: digest(b"53271c2d932d1b8f278f0ee815837ea52b838e1afe3d2150587daa7f94ee2e72"),
        version: Version { release: [3, 4, 2], build: 62 },
        model: Cow::Borrowed("ipc009"),
    },
    KnownImage {
        sha256: digest(b"c787e781729cbdbc60f95aa54f84aea2149015277b521a3385cd161b79ec034a"),
        version: Version { release: [3, 5, 1], build: 52 },
        model: Cow::Borrowed("ipc019"),
    },
];

/// Bytes of the owner's table that are read.
pub const TABLE_LIMIT: u64 = 0x1_0000;

/// The owner's own table: in each line an image's SHA-256, its model and its
/// version. It tells what an image is, and never that the vendor made it. A
/// line that says something else is left out.
pub fn table(text: &str) -> Vec<KnownImage> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let sha256 = unhex(words.next()?)?;
            let model = words.next().filter(|m| m.bytes().all(|b| b.is_ascii_alphanumeric()))?;
            let model = model.to_owned().into();
            let mut version = Scan::new();
            version.feed(format!("{}\n", words.next()?).as_bytes());
            Some(KnownImage { sha256, model, version: version.found()? })
        })
        .collect()
}

impl KnownImage {
    /// The model that it is for.
    pub fn model(&self) -> Model {
        let how = "it is in a table of known images".to_owned();
        Model { id: self.model.clone().into_owned(), certain: true, how }
    }

    /// Adds what an owner's table says to a report: what the image says itself counts more.
    pub fn add_to(&self, report: &mut Report) {
        let version = self.version.to_string();
        let own = report.model.as_ref().filter(|model| model.certain);
        let differs = report.firmware.as_ref().is_some_and(|own| *own != version)
            || own.is_some_and(|own| own.id != *self.model);
        if differs {
            report.findings.push(self.differs());
        }
        if own.is_none() {
            report.model = Some(self.model());
        }
        report.firmware.get_or_insert(version);
    }

    /// That the table and the image say different things.
    pub fn differs(&self) -> Finding {
        let reason = format!(
            "known-images.txt says {} {} about it, and the image itself says something else.",
            self.model, self.version
        );
        Finding::warning("table-differs", reason)
            .hint("The image's own words are used. Correct that line of known-images.txt.")
    }

    /// The one of this SHA-256 among those that are known, and `others`.
    pub fn find<'a>(sha256: &[u8; 32], others: &'a [KnownImage]) -> Option<&'a KnownImage> {
        KNOWN_IMAGES.iter().chain(others).find(|k| k.sha256 == *sha256)
    }
}

/// The vendor's image of this SHA-256.
pub fn known(sha256: &[u8; 32]) -> Option<&'static KnownImage> {
    KnownImage::find(sha256, &[])
}

/// What can be said about an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Genuineness {
    /// The vendor made it, and no byte of it is another: the boot loader takes it.
    Genuine(How),
    /// Nothing proves it, and nothing speaks against it either.
    NotProven(Why),
    /// The boot loader refuses it, whatever its key is.
    Bad(&'static str),
}

/// How an image is known to be genuine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// By the hash of a published image.
    Hash,
    /// By its signature, against the key at this place of the unpacked U-Boot.
    Signature {
        /// Bytes from the start of U-Boot.
        key_at: usize,
    },
}

/// Why an image is not known to be genuine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// There is no boot loader to look into.
    NoBootLoader,
    /// It is packed in a way that this program does not know, or damaged.
    Packed,
    /// The signature is by none of the keys that may be in it.
    NoKey {
        /// How many were tried.
        tried: usize,
    },
}

impl From<NoUboot> for Why {
    fn from(why: NoUboot) -> Why {
        match why {
            NoUboot::Missing => Why::NoBootLoader,
            NoUboot::Packed => Why::Packed,
        }
    }
}

impl Genuineness {
    /// Whether it is verified.
    pub fn is_genuine(&self) -> bool {
        matches!(self, Genuineness::Genuine(_))
    }

    /// What is reported to the owner.
    pub fn finding(&self) -> Finding {
        const NO_RESCUE: &str =
            "Do not rely on the boot loader's rescue from the card: have a flash programmer ready.";
        match self {
            Genuineness::Genuine(How::Hash) => Finding::note(
                "genuine",
                "It is the vendor's own: its hash is that of a published image.",
            ),
            Genuineness::Genuine(How::Signature { .. }) => Finding::note(
                "genuine",
                "It is the vendor's own: its signature matches the key in this camera's boot \
                 loader.",
            ),
            Genuineness::NotProven(why) => {
                let why = match why {
                    Why::NoBootLoader => "there is no boot loader to look for the key in".into(),
                    Why::Packed => {
                        "the boot loader could not be unpacked to look for the key".into()
                    }
                    Why::NoKey { tried: 0 } => "no key was found in the boot loader".to_owned(),
                    Why::NoKey { tried } => format!(
                        "its signature matches none of the {tried} possible keys in the boot \
                         loader"
                    ),
                };
                Finding::warning("not-proven-genuine", format!("Whether it is genuine: {why}."))
                    .at(tf::BODY)
                    .hint(NO_RESCUE)
            }
            Genuineness::Bad(why) => {
                Finding::warning("not-genuine", format!("The boot loader refuses it: {why}."))
                    .at(tf::BODY)
                    .hint(NO_RESCUE)
            }
        }
    }
}

/// Says whether a tf image is genuine. `boot` is this camera's BOOT.
///
/// # Errors
/// Where one of the two cannot be read.
pub fn check(
    image: &dyn Source,
    sha256: &[u8; 32],
    boot: Option<&dyn Source>,
) -> io::Result<Genuineness> {
    if known(sha256).is_some() {
        return Ok(Genuineness::Genuine(How::Hash));
    }
    if image.len() != tf::SIZE {
        return Ok(Genuineness::Bad("it does not have the length of a tf image"));
    }
    let Some(trailer) = tf::Trailer::parse(&peek(image, tf::BODY, tf::TRAILER)?) else {
        return Ok(Genuineness::Bad("it has no trailer"));
    };
    if !trailer.is_plausible() {
        return Ok(Genuineness::Bad("it has no signature"));
    }
    // The second half of a signature is a number below the order of the curve.
    let Some(signature) = Signature::from_slice(&trailer.signature).ok().filter(is_canonical)
    else {
        return Ok(Genuineness::Bad("its signature is not valid"));
    };
    let Some(boot) = boot else { return Ok(Genuineness::NotProven(Why::NoBootLoader)) };
    let candidates = match uboot_key::candidates(boot)? {
        Ok(candidates) => candidates,
        Err(why) => return Ok(Genuineness::NotProven(why.into())),
    };
    let body = body_hash(image)?;
    Ok(match matching(&candidates, &body, &signature) {
        (Some(key_at), _) => Genuineness::Genuine(How::Signature { key_at }),
        (None, tried) => Genuineness::NotProven(Why::NoKey { tried }),
    })
}

/// Whether the number in a signature is below the order of the curve,
/// 2^252 + 27742317777372353535851937790883648493.
fn is_canonical(signature: &Signature) -> bool {
    const ORDER: [u8; 32] = [
        0xED, 0xD3, 0xF5, 0x5C, 0x1A, 0x63, 0x12, 0x58, 0xD6, 0x9C, 0xF7, 0xA2, 0xDE, 0xF9, 0xDE,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    signature.s_bytes().iter().rev().lt(ORDER.iter().rev())
}

fn body_hash(image: &dyn Source) -> io::Result<Sha512> {
    let mut hash = Sha512::new();
    let mut window = vec![0; WINDOW as usize];
    let mut at = 0;
    while at < tf::BODY {
        let there = (tf::BODY - at).min(u64::from(WINDOW)) as usize;
        image.read_at(at, &mut window[..there])?;
        hash.update(&window[..there]);
        at += there as u64;
    }
    Ok(hash)
}

/// The offset of the key that made the signature; and how many were tried.
fn matching(
    candidates: &Candidates,
    body: &Sha512,
    signature: &Signature,
) -> (Option<usize>, usize) {
    let mut tried = 0;
    for (at, bytes) in candidates.iter() {
        let Ok(key) = VerifyingKey::from_bytes(bytes) else { continue };
        tried += 1;
        if key.verify_prehashed_strict(body.clone(), None, signature).is_ok() {
            return (Some(at), tried);
        }
    }
    (None, tried)
}

/// 32 bytes from 64 hex digits, when the program is built.
const fn digest(hex: &[u8; 64]) -> [u8; 32] {
    const fn nibble(digit: u8) -> u8 {
        if digit <= b'9' { digit - b'0' } else { digit - b'a' + 10 }
    }
    let mut out = [0; 32];
    let mut i = 0;
    while i < 32 {
        out[i] = nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]);
        i += 1;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_image_is_known_by_its_hash() {
        let mut sha256 = KNOWN_IMAGES[0].sha256;
        assert_eq!((sha256[0], sha256[1], sha256[31]), (0x53, 0x27, 0x72));
        assert_eq!(known(&sha256).map(|k| k.model().id).as_deref(), Some("ipc009"));
        sha256[5] ^= 1;
        assert!(known(&sha256).is_none());
    }

    #[test]
    fn an_owner_s_table_tells_what_its_lines_say() {
        let hash = "ab".repeat(32);
        let text = format!("# mine\n{hash}  ipc019  4.0.9_0426 from a friend\n{hash}\nx y z\n");
        let table = table(&text);
        assert_eq!(table.len(), 1);
        let found = KnownImage::find(&[0xAB; 32], &table).unwrap();
        assert_eq!((found.model().id.as_str(), found.version.is_one_way()), ("ipc019", true));
        assert!(known(&[0xAB; 32]).is_none());
    }

    #[test]
    fn what_the_image_says_itself_counts_more_than_the_table() {
        let known = &table(&format!("{}  ipc019  3.5.1_0052\n", "ab".repeat(32)))[0];
        let mut report = crate::image::inspect(&b"an image".to_vec()).unwrap();
        known.add_to(&mut report);
        assert_eq!(report.firmware.as_deref(), Some("3.5.1_0052"));
        assert_eq!(report.model.as_ref().map(|m| m.id.as_str()), Some("ipc019"));
        assert!(!report.findings.iter().any(|f| f.code == "table-differs"));
        // A 4.0.9 stays one, whatever its line in the table says.
        report.firmware = Some("4.0.9_0426".to_owned());
        known.add_to(&mut report);
        assert_eq!(report.firmware.as_deref(), Some("4.0.9_0426"));
        assert!(report.findings.iter().any(|f| f.code == "table-differs"));
    }
}
