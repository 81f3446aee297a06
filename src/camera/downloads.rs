//! Downloads: tickets for files of a set, each for one download within a minute, and the memory of
//! whether the identity was ever downloaded.

pub use super::memory::{Wanted, ZIP};
use crate::backup::downloaded;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use thiserror::Error;

use super::{Camera, card_view};
use crate::backup::BackupError;
use crate::backup::set::{self, CHIP};
use crate::backup::sums::is_plain_name;
use crate::base::{hex, random};
use crate::card::file::open_past_cache;
use crate::card::pieces;
use crate::error::{Chain, Code, Exit, Explain, FailureKind};
use crate::image::Source;
use crate::image::redact::{RedactError, RedactedReader, Redaction};

/// How long a ticket counts.
const LIFETIME: Duration = Duration::from_secs(60);
/// Tickets at once; the oldest is dropped.
const MOST: usize = 16;

/// The chip without identity and secrets; it alone needs no password.
pub const REDACTED: &str = "redacted.bin";

/// Why there is no download.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DownloadError {
    /// No such file.
    #[error("this backup has no such file")]
    NoSuchFile,
    /// The ticket is used, too old, or none.
    #[error("this download link was used or has expired")]
    NoTicket,
    /// No random bytes.
    #[error("the system returned no random numbers")]
    Random(#[source] std::io::Error),
    /// The set.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// No safe copy can be made of it.
    #[error(transparent)]
    Redact(#[from] RedactError),
}

impl Explain for DownloadError {
    fn code(&self) -> Code {
        match self {
            DownloadError::NoSuchFile => Code::NoSuchFile,
            DownloadError::NoTicket => Code::NoTicket,
            DownloadError::Random(_) => Code::NoRandom,
            DownloadError::Backup(e) => e.code(),
            DownloadError::Redact(e) => e.code(),
        }
    }

    fn hint(&self) -> String {
        match self {
            DownloadError::NoSuchFile => "The backup's `files` lists them.".to_owned(),
            DownloadError::NoTicket => "Start the download again.".to_owned(),
            DownloadError::Random(_) => "Restart the camera.".to_owned(),
            DownloadError::Backup(e) => e.hint(),
            DownloadError::Redact(e) => e.hint(),
        }
    }

    fn kind(&self) -> FailureKind {
        match self {
            DownloadError::NoSuchFile | DownloadError::NoTicket => FailureKind::Missing,
            DownloadError::Backup(e) => e.kind(),
            _ => FailureKind::of(self.exit()),
        }
    }

    fn exit(&self) -> Exit {
        match self {
            DownloadError::Backup(e) => e.exit(),
            DownloadError::Redact(e) => e.exit(),
            _ => Exit::Refused,
        }
    }
}

/// Whether a name needs the password.
pub fn is_secret(name: &str) -> bool {
    name != REDACTED
}

/// A ticket for a file of a set.
///
/// # Errors
/// [`DownloadError`].
pub fn ticket(camera: &Camera, id: &str, name: &str) -> Result<String, DownloadError> {
    let set = set::find(&camera.card().backups(), id)?;
    let is_file = is_plain_name(name) && set.path.join(name).is_file();
    let is_made = match name {
        ZIP => set.manifest().is_some(),
        REDACTED => set.path.join(CHIP).is_file(),
        _ => false,
    };
    if !is_file && !is_made {
        return Err(DownloadError::NoSuchFile);
    }
    let ticket = hex(&random::<16>().map_err(DownloadError::Random)?);
    let mut tickets = camera.tickets().0.lock().unwrap_or_else(PoisonError::into_inner);
    if tickets.len() >= MOST {
        tickets.remove(0);
    }
    tickets.push((ticket.clone(), Wanted { set, name: name.to_owned() }, Instant::now()));
    Ok(ticket)
}

/// What a ticket is for; it is used up.
///
/// # Errors
/// [`DownloadError::NoTicket`].
pub fn redeem(camera: &Camera, ticket: &str) -> Result<Wanted, DownloadError> {
    let mut tickets = camera.tickets().0.lock().unwrap_or_else(PoisonError::into_inner);
    tickets.retain(|(_, _, made)| made.elapsed() < LIFETIME);
    let at = tickets.iter().position(|(known, ..)| known == ticket);
    Ok(tickets.remove(at.ok_or(DownloadError::NoTicket)?).1)
}

/// A set's chip without identity and secrets, made as it is read; and its length.
///
/// # Errors
/// [`DownloadError`] where the set's chip cannot be read, or is no whole chip.
pub fn redacted(wanted: &Wanted) -> Result<(RedactedReader, u64), DownloadError> {
    let path = wanted.set.path.join(CHIP);
    let file = open_past_cache(&path).map_err(BackupError::from)?;
    let redaction = Redaction::prepare(&file)?;
    let length = redaction.len();
    Ok((redaction.into_reader(Arc::new(Closed(path, length))), length))
}

/// A dump that is open only while it is read: a client that pauses does not keep the card busy.
struct Closed(PathBuf, u64);

impl Source for Closed {
    fn len(&self) -> u64 {
        self.1
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        pieces::read_at(&self.0, offset, buf)
    }
}

/// A download has gone out whole: an identity in it is no longer on the card alone.
pub fn went_out(camera: &Camera, wanted: &Wanted) {
    let Some(mark) = wanted.set.fingerprint().filter(|_| wanted.holds_identity()) else { return };
    log::info!("the identity {mark} was downloaded with {} of {}", wanted.name, wanted.set.name);
    let stored = downloaded::note(camera.card(), mark);
    card_view::renew(camera);
    if let Err(e) = stored {
        log::warn!("the note that the identity was downloaded cannot be saved: {e}", e = Chain(&e));
    }
}
