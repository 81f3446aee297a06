//! For a camera in pieces, on a PC: an image for the programmer, and a copy of
//! a dump that is safe to post. Files and sets are opened and written here;
//! what goes into the new file is decided in [`crate::image`]. Each new file
//! is read again and inspected before it gets its name.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use thiserror::Error;

use super::inputs;
use crate::backup::offer::{self, OfferError};
use crate::base::hex;
use crate::chip::{Role, WINDOW};
use crate::error::{Code, Exit, Explain};
use crate::image::assemble::{AssembleError, Mixture, Own, Side, Taken};
use crate::image::bundle::name_of;
use crate::image::inspect::inspect;
use crate::image::recover::{Input, RecoverError, recover};
use crate::image::redact::{RedactError, Redaction, Summary};
use crate::image::slices::SharedSource;
use crate::image::source::{OpenFile, Source, peek};
use crate::image::{Finding, InspectError, Report, Slices, Target};

/// Why nothing was made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BrickError {
    /// A file is there already.
    #[error("{} already exists", .0.display())]
    Exists(PathBuf),
    /// A file cannot be read or written.
    #[error("{} cannot be used", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// A set cannot be used.
    #[error(transparent)]
    Set(#[from] OfferError),
    /// A file cannot be inspected.
    #[error("{} cannot be used", path.display())]
    Inspect {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: InspectError,
    },
    /// No image can be put together.
    #[error(transparent)]
    Recover(#[from] RecoverError),
    /// The parts do not go together.
    #[error(transparent)]
    Assemble(#[from] AssembleError),
    /// No safe copy can be made.
    #[error(transparent)]
    Redact(#[from] RedactError),
    /// What was written is not what was meant; it was thrown away.
    #[error("what was written reads back wrong and was deleted: {0}")]
    BadOutput(String),
}

impl Explain for BrickError {
    fn code(&self) -> Code {
        match self {
            BrickError::Exists(_) => Code::FileExists,
            BrickError::File { .. } => Code::File,
            BrickError::Set(e) => e.code(),
            BrickError::Inspect { source, .. } => source.code(),
            BrickError::Recover(e) => e.code(),
            BrickError::Assemble(e) => e.code(),
            BrickError::Redact(e) => e.code(),
            BrickError::BadOutput(_) => Code::BadOutput,
        }
    }

    fn hint(&self) -> String {
        match self {
            BrickError::Exists(_) => {
                "Choose another file, or remove this one: nothing is ever overwritten.".to_owned()
            }
            BrickError::File { .. } => "Check the path, its permissions and the disk.".to_owned(),
            BrickError::Set(e) => e.hint(),
            BrickError::Inspect { source, .. } => source.hint(),
            BrickError::Recover(e) => e.hint(),
            BrickError::Assemble(e) => e.hint(),
            BrickError::Redact(e) => e.hint(),
            BrickError::BadOutput(_) => "Check the disk, or use another one.".to_owned(),
        }
    }

    fn exit(&self) -> Exit {
        match self {
            BrickError::Exists(_) => Exit::Refused,
            BrickError::File { .. } => Exit::Failed,
            BrickError::Set(e) => e.exit(),
            BrickError::Inspect { source, .. } => source.exit(),
            BrickError::Recover(e) => e.exit(),
            BrickError::Assemble(e) => e.exit(),
            BrickError::Redact(e) => e.exit(),
            BrickError::BadOutput(_) => Exit::Damaged,
        }
    }
}

/// An image that was assembled.
#[derive(Debug, Serialize)]
pub struct Assembled {
    /// The file.
    pub out: String,
    /// Its bytes.
    pub bytes: u64,
    /// Its SHA-256 in hex.
    pub sha256: String,
    /// The model that its FACTORY says.
    pub model: Option<String>,
    /// What BOOT, CONFIG and FACTORY are from.
    pub own: String,
    /// What KERNEL, ROOTFS and DATA are from.
    pub donor: String,
    /// The parts, in the chip's order, and which is from where.
    pub parts: Vec<Taken>,
    /// What the owner must know.
    pub warnings: Vec<Finding>,
    /// What `inspect` says of the file.
    pub inspected: Report,
}

/// Makes an image for the programmer. `factory` is a cut-out FACTORY of this
/// camera, which takes the place of the own one; `damaged_factory` lets a
/// FACTORY pass that is erased or damaged.
///
/// # Errors
/// [`BrickError`]; then there is no new file.
pub fn assemble(
    own: &Path,
    donor: &Path,
    out: &Path,
    factory: Option<&Path>,
    damaged_factory: bool,
) -> Result<Assembled, BrickError> {
    let with_factory = factory.map(|factory| put_in(own, factory)).transpose()?;
    let facts = match &with_factory {
        Some(chip) => of_chip(own, chip)??,
        None => own_facts(own)??,
    };
    let target = facts.target();
    let own_slices = match with_factory {
        Some(chip) => of_source(own, Arc::new(chip), &target)?,
        None => open(own, &target)?,
    };
    let mut donor_slices = open(donor, &target)?;
    let boot = own_slices.by_role(Role::Boot).map(|slice| own_slices.source_of(slice));
    donor_slices
        .check_genuine(boot.as_ref().map(|boot| boot as &dyn Source))
        .map_err(|source| BrickError::File { path: donor.to_owned(), source })?;
    let mixture = Mixture::of(own_slices, donor_slices, &facts.map, damaged_factory)?;
    let fresh = Fresh::create(out)?;
    let digest = fresh.write(|file| mixture.write(file))?;
    let report = fresh.inspect()?;
    // A FACTORY of which only the checksum is wrong was told as a warning.
    let told = mixture.warnings.iter().any(|f| f.code == "identity-crc");
    let dead = |role| role != Role::Factory || !(damaged_factory || told);
    let lost = report.partitions.iter().find(|p| p.is_lost() && dead(p.role));
    if let Some(lost) = lost {
        return Err(BrickError::BadOutput(format!("{} is {}", lost.name, lost.kind)));
    }
    let is_as_meant = report.sha256 == hex(&digest)
        && report.partitions.len() == mixture.parts.len()
        && report.partitions.iter().zip(&mixture.parts).all(|(seen, meant)| {
            seen.name == meant.slice.name
                && seen.sha256.as_deref() == Some(hex(&meant.slice.sha256).as_str())
        });
    if !is_as_meant {
        return Err(BrickError::BadOutput("it reads back wrong".to_owned()));
    }
    fresh.keep()?;
    Ok(Assembled {
        out: shown(out),
        bytes: report.size,
        sha256: report.sha256.clone(),
        model: report.model.as_ref().filter(|m| m.certain).map(|m| m.id.clone()),
        own: shown(own),
        donor: shown(donor),
        parts: mixture.parts,
        warnings: mixture.warnings,
        inspected: report,
    })
}

impl Assembled {
    /// The file that a part is from.
    pub fn source_of(&self, part: &Taken) -> &str {
        match part.from {
            Side::Own => &self.own,
            Side::Donor => &self.donor,
        }
    }
}

/// A copy that is safe to post.
#[derive(Debug, Serialize)]
pub struct Redacted {
    /// The file.
    pub out: String,
    /// Its bytes.
    pub bytes: u64,
    /// Its SHA-256 in hex.
    pub sha256: String,
    /// What was done.
    #[serde(flatten)]
    pub summary: Summary,
    /// What the owner should know.
    pub findings: Vec<Finding>,
    /// What `inspect` says of the file.
    pub inspected: Report,
}

/// Makes a copy of a dump, or of a set, that is safe to post.
///
/// # Errors
/// [`BrickError`]; then there is no new file.
pub fn redact(from: &Path, out: &Path) -> Result<Redacted, BrickError> {
    let unread = |source| BrickError::File { path: from.to_owned(), source };
    let parts = inputs::chip_of_parts(from).map_err(unread)?;
    let (dump, holds): (Box<dyn Source>, bool) = match parts {
        Some(chip) => (Box::new(chip), true),
        None if from.is_dir() => {
            let (file, holds) = offer::chip(from)?;
            (Box::new(file), holds)
        }
        None => (Box::new(open_file(from)?), true),
    };
    let dump = dump.as_ref();
    let redaction = Redaction::prepare(dump)?;
    let fresh = Fresh::create(out)?;
    let summary = fresh.write(|file| redaction.write(dump, file))?;
    let copy = fresh.reopen()?;
    redaction.prove(&copy)?;
    let report = fresh.inspect()?;
    if report.identity.identity.is_some() || !report.identity.elsewhere.is_empty() {
        return Err(RedactError::Leak("the copy, which contains an identity".to_owned()).into());
    }
    if report.size != redaction.len() {
        return Err(BrickError::BadOutput("it has a different length".to_owned()));
    }
    fresh.keep()?;
    let mut findings = summary.findings();
    if !holds {
        findings.push(
            Finding::warning("set-damaged", "The set's chip.bin has a wrong checksum.")
                .hint("`mi360d verify` shows the damaged place. The copy has it, too."),
        );
    }
    let (bytes, sha256) = (report.size, report.sha256.clone());
    Ok(Redacted { out: shown(out), bytes, sha256, summary, findings, inspected: report })
}

/// The own chip with a cut-out FACTORY in its place.
fn put_in(own: &Path, factory: &Path) -> Result<Vec<u8>, BrickError> {
    let unread = |(path, source)| BrickError::File { path, source };
    let bytes = inputs::read_file(factory).map_err(|e| unread((factory.to_owned(), e)))?;
    let given = Input { name: name_of(factory), bytes };
    Ok(recover(inputs::read(own).map_err(unread)?, Some(&given))?.image)
}

fn of_chip(path: &Path, chip: &dyn Source) -> Result<Result<Own, AssembleError>, BrickError> {
    Own::of_dump(chip).map_err(|source| BrickError::File { path: path.to_owned(), source })
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// What the camera's own BOOT and FACTORY say.
fn own_facts(own: &Path) -> Result<Result<Own, AssembleError>, BrickError> {
    let unread = |source| BrickError::File { path: own.to_owned(), source };
    if let Some(chip) = inputs::chip_of_parts(own).map_err(unread)? {
        return of_chip(own, &chip);
    }
    if !own.is_dir() {
        return Own::of_dump(&open_file(own)?).map_err(unread);
    }
    let (manifest, sums) = offer::manifest_and_sums(own)?;
    let files = offer::files(own, &manifest, &sums);
    let of_role = |role: Role| files.iter().find(|f| f.role == role).map(|f| f.source.clone());
    let Some(boot) = of_role(Role::Boot) else { return Ok(Err(AssembleError::NoMap)) };
    let facts = Own::of(boot.as_ref(), |_| match of_role(Role::Factory) {
        Some(factory) => peek(factory.as_ref(), 0, WINDOW as usize),
        None => Ok(Vec::new()),
    })
    .map_err(unread)?;
    // The set's own map, and the table in its BOOT, must say the same.
    Ok(facts.and_then(|facts| {
        if facts.map.places_like(&manifest.flash_map()) {
            return Ok(facts);
        }
        let reason = "The set's manifest and the table in its BOOT have different flash maps.";
        Err(Finding::blocker("wrong-map", reason)
            .hint("Use another set, or a dump of the chip.")
            .into())
    }))
}

/// Takes a file or a set apart for a camera.
fn open(path: &Path, target: &Target<'_>) -> Result<Slices, BrickError> {
    let unread = |source| BrickError::File { path: path.to_owned(), source };
    if let Some(chip) = inputs::chip_of_parts(path).map_err(unread)? {
        return of_source(path, Arc::new(chip), target);
    }
    if path.is_dir() {
        return Ok(offer::slices(path, target)?);
    }
    of_source(path, Arc::new(open_file(path)?), target)
}

fn of_source(path: &Path, file: SharedSource, target: &Target<'_>) -> Result<Slices, BrickError> {
    let inspect_error = |source| BrickError::Inspect { path: path.to_owned(), source };
    Slices::of_file(file, target).map_err(inspect_error)
}

fn open_file(path: &Path) -> Result<OpenFile, BrickError> {
    OpenFile::open(path).map_err(|source| BrickError::File { path: path.to_owned(), source })
}

/// A new file under a temporary name next to its own, removed unless it is kept.
pub(super) struct Fresh {
    path: PathBuf,
    beside: PathBuf,
    kept: std::cell::Cell<bool>,
}

impl Fresh {
    pub(super) fn create(path: &Path) -> Result<Fresh, BrickError> {
        if path.symlink_metadata().is_ok() {
            return Err(BrickError::Exists(path.to_owned()));
        }
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".new");
        let beside = path.with_file_name(name);
        match OpenOptions::new().write(true).create_new(true).open(&beside) {
            Ok(_) => Ok(Fresh { path: path.to_owned(), beside, kept: false.into() }),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Err(BrickError::Exists(beside)),
            Err(source) => Err(BrickError::File { path: beside, source }),
        }
    }

    pub(super) fn write<T>(
        &self,
        write: impl FnOnce(&mut dyn Write) -> io::Result<T>,
    ) -> Result<T, BrickError> {
        let file_error = |source| BrickError::File { path: self.beside.clone(), source };
        let file = OpenOptions::new().write(true).open(&self.beside).map_err(file_error)?;
        let mut out = BufWriter::new(&file);
        let done = write(&mut out).map_err(file_error)?;
        out.flush().map_err(file_error)?;
        file.sync_all().map_err(file_error)?;
        Ok(done)
    }

    fn reopen(&self) -> Result<File, BrickError> {
        crate::card::file::open_past_cache(&self.beside)
            .map_err(|e| BrickError::File { path: self.beside.clone(), source: e.source })
    }

    pub(super) fn inspect(&self) -> Result<Report, BrickError> {
        let inspect_error = |source| BrickError::Inspect { path: self.beside.clone(), source };
        inspect(&self.reopen()? as &dyn Source).map_err(inspect_error)
    }

    /// Gives it its name.
    pub(super) fn keep(&self) -> Result<(), BrickError> {
        let file_error = |source| BrickError::File { path: self.path.clone(), source };
        if self.path.symlink_metadata().is_ok() {
            return Err(BrickError::Exists(self.path.clone()));
        }
        fs::rename(&self.beside, &self.path).map_err(file_error)?;
        self.kept.set(true);
        let folder = match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        File::open(folder).and_then(|dir| dir.sync_all()).map_err(file_error)
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        if !self.kept.get() {
            let _ = fs::remove_file(&self.beside);
        }
    }
}
