//! A file or a set taken apart for one camera: its slices, and the findings about them.

use std::io;
use std::sync::Arc;

use serde::Serialize;

use crate::chip::{FlashMap, Role, WINDOW};
use crate::formats::tf;
use crate::formats::uimage::Family;
use crate::formats::version::Version;
use crate::identity::Judgement;
use crate::image::content::Content;
use crate::image::finding::{Finding, Severity};
use crate::image::genuine::{self, Genuineness, KnownImage};
use crate::image::inspect::{FileKind, Model};
use crate::image::source::Source;

/// Bytes to read from, shared by everything that needs them.
pub type SharedSource = Arc<dyn Source + Send + Sync>;

/// The camera that is to be written.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// Its map, as its kernel has it.
    pub map: &'a FlashMap,
    /// Its model: `ipc009`; `None` where nothing tells.
    pub model: Option<&'a str>,
    /// The family of its processor, by the name of its running kernel.
    pub family: Option<Family>,
    /// Its live FACTORY, judged; `None` where it could not be read.
    pub identity: Option<&'a Judgement>,
    /// The version of its firmware, as far as it is known.
    pub firmware: Option<Version>,
    /// Where its own kernel is loaded to, an address in memory, by the header
    /// on its chip; `None` where that cannot be read.
    pub kernel_load: Option<u32>,
    /// Images that its owner knows, by their hash.
    pub known: &'a [KnownImage],
}

/// What one partition would contain: `length` bytes of a file, then 0xFF.
#[derive(Clone, Debug, Serialize)]
pub struct Slice {
    /// The partition's name.
    pub name: String,
    /// What the partition is for.
    pub role: Role,
    /// Bytes of the partition.
    pub size: u32,
    /// Which of the sources it is read from.
    #[serde(skip)]
    pub source: usize,
    /// Where it begins there, in bytes.
    pub offset: u64,
    /// Bytes that are there; what is missing to `size` is 0xFF.
    pub length: u64,
    /// SHA-256 of the whole partition as it would be, padding included.
    #[serde(serialize_with = "as_hex")]
    pub sha256: [u8; 32],
    /// What it contains.
    pub content: Content,
    /// The highest firmware version that is in clear in it.
    #[serde(serialize_with = "as_text")]
    pub version: Option<Version>,
}

/// What is behind the partitions of a tf image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrailerNote {
    /// It, as it is in the file.
    pub trailer: tf::Trailer,
    /// Whether it can be a signature at all.
    pub is_signed: bool,
}

/// A file or a set, taken apart for one camera.
pub struct Slices {
    /// What it is.
    pub kind: FileKind,
    /// The same in words.
    pub what: String,
    /// Bytes of the file; of all files of a set.
    pub bytes: u64,
    /// SHA-256 of the file; `None` for a set, whose files have one each.
    pub sha256: Option<[u8; 32]>,
    /// The partitions, in the chip's order; none where the file cannot be taken apart.
    pub slices: Vec<Slice>,
    /// What forbids it. One that names a partition counts only where that is chosen.
    pub blockers: Vec<Finding>,
    /// What the owner must know before he agrees.
    pub warnings: Vec<Finding>,
    /// What is good to know.
    pub notes: Vec<Finding>,
    /// Which camera it is from or for, where that is certain.
    pub model: Option<Model>,
    /// The firmware's version, where it tells.
    pub version: Option<Version>,
    /// The trailer of a tf image.
    pub trailer: Option<TrailerNote>,
    /// Whether the vendor made it as it is, as far as that was checked.
    pub genuine: Option<Genuineness>,
    pub(super) sources: Vec<SharedSource>,
}

impl Slices {
    pub(super) fn new(kind: FileKind, what: String, bytes: u64) -> Slices {
        Slices {
            kind,
            what,
            bytes,
            sha256: None,
            slices: Vec::new(),
            blockers: Vec::new(),
            warnings: Vec::new(),
            notes: Vec::new(),
            model: None,
            version: None,
            trailer: None,
            genuine: None,
            sources: Vec::new(),
        }
    }

    /// Fills `buf` with what is in a partition from window `index` on
    /// (windows have [`WINDOW`] bytes), 0xFF where the file has nothing. A
    /// short `buf` reads the window's beginning.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn read_window(&self, slice: &Slice, index: u32, buf: &mut [u8]) -> io::Result<()> {
        self.read(slice, u64::from(index) * u64::from(WINDOW), buf)
    }

    /// The same from any byte of the partition on.
    ///
    /// # Errors
    /// As [`Slices::read_window`].
    pub fn read(&self, slice: &Slice, at: u64, buf: &mut [u8]) -> io::Result<()> {
        let there = slice.length.saturating_sub(at).min(buf.len() as u64) as usize;
        let (content, padding) = buf.split_at_mut(there);
        padding.fill(0xFF);
        if content.is_empty() {
            return Ok(());
        }
        let source = self.sources.get(slice.source).ok_or(io::ErrorKind::NotFound)?;
        source.read_at(slice.offset + at, content)
    }

    /// The partition as it would be, to be read as a file is.
    pub fn source_of<'a>(&'a self, slice: &'a Slice) -> SliceSource<'a> {
        SliceSource { slices: self, slice }
    }

    /// The slice for the partition of this role, if there is one.
    pub fn by_role(&self, role: Role) -> Option<&Slice> {
        self.slices.iter().find(|s| s.role == role)
    }

    /// The slice for the partition of this name, if there is one.
    pub fn by_name(&self, name: &str) -> Option<&Slice> {
        self.slices.iter().find(|s| s.name == name)
    }

    /// What is wrong with the choice of these partitions: that of the whole
    /// file, and that of each of them.
    pub fn blockers_of<'a>(&'a self, chosen: &'a [&Slice]) -> impl Iterator<Item = &'a Finding> {
        self.blockers.iter().filter(|f| self.concerns(f, chosen))
    }

    /// The same for warnings.
    pub fn warnings_of<'a>(&'a self, chosen: &'a [&Slice]) -> impl Iterator<Item = &'a Finding> {
        self.warnings.iter().filter(|f| self.concerns(f, chosen))
    }

    /// The file that it was made from; `None` for a set.
    pub fn file(&self) -> Option<&SharedSource> {
        self.sources.first().filter(|_| self.kind != FileKind::Set)
    }

    /// Checks whether a tf image is the vendor's own, against the key in this
    /// camera's BOOT; says so in the findings in place of that it was not
    /// checked. Reads all of the image, unless its hash is known. Of other
    /// files there is nothing to check.
    ///
    /// # Errors
    /// Where the image or BOOT cannot be read.
    pub fn check_genuine(&mut self, boot: Option<&dyn Source>) -> io::Result<()> {
        let (Some(_), Some(sha256), Some(file)) = (self.trailer, self.sha256, self.file()) else {
            return Ok(());
        };
        let genuine = genuine::check(file.as_ref(), &sha256, boot)?;
        self.set_genuine(genuine);
        Ok(())
    }

    pub(super) fn set_genuine(&mut self, genuine: Genuineness) {
        // A missing signature is reported already, and better.
        if genuine.is_genuine() || self.trailer.is_some_and(|t| t.is_signed) {
            self.warnings.retain(|f| f.code != UNCHECKED && f.code != UNSIGNED);
            self.add(genuine.finding());
        }
        if genuine.is_genuine() {
            self.warnings.retain(|f| f.code != UNPROVABLE);
            self.notes.retain(|f| f.code != UNPROVABLE);
        }
        self.genuine = Some(genuine);
    }

    /// The findings about a partition that cannot even be taken from the file
    /// concerns all of it.
    pub(super) fn concerns(&self, finding: &Finding, chosen: &[&Slice]) -> bool {
        let Some(name) = &finding.partition else { return true };
        chosen.iter().any(|s| s.name == *name) || self.by_name(name).is_none()
    }

    pub(super) fn add_all(&mut self, findings: Vec<Finding>) {
        for finding in findings {
            self.add(finding);
        }
    }

    pub(super) fn add(&mut self, finding: Finding) {
        match finding.severity {
            Severity::Blocker => self.blockers.push(finding),
            Severity::Warning => self.warnings.push(finding),
            Severity::Note => self.notes.push(finding),
        }
    }
}

/// A partition as it would be; see [`Slices::source_of`].
pub struct SliceSource<'a> {
    slices: &'a Slices,
    slice: &'a Slice,
}

impl Source for SliceSource<'_> {
    fn len(&self) -> u64 {
        self.slice.size.into()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        if offset.saturating_add(buf.len() as u64) > self.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.slices.read(self.slice, offset, buf)
    }
}

impl std::fmt::Debug for Slices {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slices")
            .field("kind", &self.kind)
            .field("slices", &self.slices)
            .field("blockers", &self.blockers)
            .field("warnings", &self.warnings)
            .finish_non_exhaustive()
    }
}

/// No checksum covers this.
pub(super) const UNPROVABLE: &str = "unprovable";

/// There is a signature, and it was not checked.
pub(super) const UNCHECKED: &str = "signature-unchecked";

/// There is no signature.
pub(super) const UNSIGNED: &str = "unsigned";

fn as_hex<S: serde::Serializer>(digest: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&crate::base::hex(digest))
}

#[allow(clippy::ref_option, clippy::trivially_copy_pass_by_ref)] // as serde calls it
fn as_text<S: serde::Serializer>(
    version: &Option<Version>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match version {
        Some(version) => serializer.collect_str(version),
        None => serializer.serialize_none(),
    }
}
