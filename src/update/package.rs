//! The zip of a release: listed, judged, and every byte of it checked before a
//! single one counts.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use crate::formats::sha256::Sha256;

use super::release::{self, LISTING, Release, SIGNATURE};
use super::{UpdateError, signature};
use crate::base::hex;
use crate::card::file::open_past_cache;
use crate::formats::zip::{self, Entry};

/// Bytes of a list, and of a signature, at most.
const LONGEST_TEXT: u32 = 0x1_0000;
/// Bytes of a release, unpacked, at most.
const LONGEST_RELEASE: u64 = 32 << 20;
/// Begin of a static ARM program: class, byte order, machine.
const ARM: (&[u8], u16) = (b"\x7fELF\x01\x01", 40);

/// A release's zip.
#[derive(Debug)]
pub struct Package {
    file: File,
    entries: Vec<Entry>,
    /// What it says it is.
    pub release: Release,
    /// Its list, unchanged.
    pub listing: Vec<u8>,
    /// Its signature, unchanged.
    pub minisig: Option<Vec<u8>>,
    /// The comment that was signed with it; `None` where nobody signed it.
    pub signed: Option<String>,
}

impl Package {
    /// Opens the zip and checks all of it: the signature, every file's hash, the program.
    ///
    /// # Errors
    /// [`UpdateError`].
    pub fn open(path: &Path, public_key: &str) -> Result<Package, UpdateError> {
        let file = open_past_cache(path)?;
        let length = file.metadata().map_or(0, |meta| meta.len());
        let read = |at: u64, buf: &mut [u8]| file.read_exact_at(buf, at);
        let entries = zip::list(&read, length)?;
        let text = |name: &str| -> Result<Option<Vec<u8>>, UpdateError> {
            let Some(entry) = entries.iter().find(|e| e.name == name) else { return Ok(None) };
            if entry.size > LONGEST_TEXT {
                return Err(UpdateError::NoRelease(format!("{name} is too long")));
            }
            let mut bytes = Vec::new();
            zip::unpack(&read, entry, &mut |piece| {
                bytes.extend_from_slice(piece);
                Ok(())
            })?;
            Ok(Some(bytes))
        };
        let missing = || UpdateError::NoRelease(format!("it has no {LISTING}"));
        let listing = text(LISTING)?.ok_or_else(missing)?;
        let release = release::parse(&listing)?;
        let minisig = text(SIGNATURE)?;
        let signed = match &minisig {
            Some(minisig) if signature::has_key(public_key) => {
                let minisig = String::from_utf8_lossy(minisig);
                let wrong = |why: &str| UpdateError::Forged(why.to_owned());
                Some(signature::verify(&listing, &minisig, public_key).map_err(wrong)?)
            }
            _ => None,
        };
        let package = Package { file, entries, release, listing, minisig, signed };
        package.check()?;
        Ok(package)
    }

    /// Every file is there and has its hash; nothing else is.
    fn check(&self) -> Result<(), UpdateError> {
        let bytes: u64 = self.entries.iter().map(|entry| u64::from(entry.size)).sum();
        if bytes > LONGEST_RELEASE {
            return Err(UpdateError::NoRelease(format!("{bytes} bytes are too many")));
        }
        let is_known = |name: &str| {
            [LISTING, SIGNATURE].contains(&name)
                || self.release.files.iter().any(|file| file.path == name)
        };
        if let Some(other) = self.entries.iter().find(|entry| !is_known(&entry.name)) {
            let name: String = other.name.chars().filter(|c| !c.is_control()).take(60).collect();
            return Err(UpdateError::Damaged(format!("{name} is not in its list")));
        }
        for file in &self.release.files {
            let (mut hasher, mut head) = (Sha256::new(), Vec::new());
            self.unpack(&file.path, &mut |piece| {
                hasher.update(piece);
                if head.len() < 20 {
                    head.extend_from_slice(&piece[..piece.len().min(20)]);
                }
                Ok(())
            })?;
            if hex(&hasher.finalize()) != hex(&file.sha256) {
                return Err(UpdateError::Damaged(format!("{} has another hash", file.path)));
            }
            let machine = head.get(18..20).map(|m| u16::from_le_bytes([m[0], m[1]]));
            if file.path == release::PROGRAM && (!head.starts_with(ARM.0) || machine != Some(ARM.1))
            {
                let what = format!("{} is not a program for ARM", file.path);
                return Err(UpdateError::OtherMachine(what));
            }
        }
        Ok(())
    }

    /// Unpacks one of its files into `sink`.
    ///
    /// # Errors
    /// [`UpdateError`].
    pub fn unpack(
        &self,
        path: &str,
        sink: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<(), UpdateError> {
        let entry = self.entries.iter().find(|entry| entry.name == path);
        let entry = entry.ok_or_else(|| UpdateError::Damaged(format!("{path} is missing")))?;
        let read = |at: u64, buf: &mut [u8]| self.file.read_exact_at(buf, at);
        Ok(zip::unpack(&read, entry, sink)?)
    }

    /// Bytes of one of its files.
    pub fn size(&self, path: &str) -> u64 {
        self.entries.iter().find(|entry| entry.name == path).map_or(0, |e| e.size.into())
    }
}

/// What agrees to a release. For one that nobody signed it is to be typed, and names
/// this very one.
pub fn phrase(package: &Package) -> String {
    let version = &package.release.version;
    let number = || hex(&Sha256::digest(&package.listing));
    match package.signed {
        Some(_) => format!("INSTALL {version}"),
        None => format!("INSTALL UNSIGNED {version} {}", &number()[..8]),
    }
}
