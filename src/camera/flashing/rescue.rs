//! The vendor's image at the card's root, while all that the boot loader
//! would write is being written: if the power fails, it writes that, and the
//! flash continues. Left behind it would be flashed at every power-up, so that
//! it is gone is verified. Who renames it meanwhile is in [`super::renamers`].

use std::fs;
use std::path::{Path, PathBuf};

use crate::backup::{Progress, Silent, Work, verify};
use crate::base::{Digest, unhex};
use crate::card::file::{NewFile, rename, sync_dir};
use crate::card::{Card, CardError, CardState, fat};
use crate::chip::WINDOW;
use crate::error::Chain;
use crate::flash::journal::{Job, JobSource};
use crate::image::Source;
use crate::image::source::OpenFile;

/// The names that boot loaders read.
pub use crate::image::uboot::RESCUE_NAMES as NAMES;

/// Behind the name of one that is being copied: no boot loader reads that.
const HALF: &str = ".new";

/// Whether a file at the card's root is one that was being copied.
pub fn is_half_copied(name: &str) -> bool {
    name.strip_suffix(HALF).is_some_and(|name| NAMES.contains(&name))
}

/// Bytes that are written before they are brought to the card: all at once would fill the memory
/// of a small camera, and keep the card from everybody else meanwhile.
const PIECE: u64 = 0x10_0000;

/// Copies a file, and proves the copy past the cache.
///
/// # Errors
/// [`CardError`]; what was begun is removed.
pub fn copy_proven(
    from: &dyn Source,
    to: &Path,
    sha256: &Digest,
    progress: &dyn Progress,
) -> Result<(), CardError> {
    let total = 2 * from.len();
    let mut done = 0;
    let mut tick = |bytes: u64| {
        done += bytes;
        progress.at(Work::CopyImage, done, total.max(done));
    };
    let copied = copy(from, to, &mut tick).and_then(|()| {
        let read = verify::hash_file(to, &mut tick)?;
        if read == *sha256 { Ok(()) } else { Err(CardError::lying(to)) }
    });
    if copied.is_err() {
        let _ = fat::remove_file(to);
    }
    copied
}

fn copy(from: &dyn Source, to: &Path, tick: &mut dyn FnMut(u64)) -> Result<(), CardError> {
    let target = NewFile::create(to.to_owned())?;
    let mut buf = vec![0; WINDOW as usize];
    let (mut flushed, mut written) = (0, 0);
    while written < from.len() {
        let now = (from.len() - written).min(u64::from(WINDOW)) as usize;
        from.read_at(written, &mut buf[..now])
            .map_err(|e| CardError::new("cannot read what is copied to", to, e))?;
        target.write(&buf[..now])?;
        written += now as u64;
        if written - flushed >= PIECE {
            target.flush(flushed, written - flushed)?;
            flushed = written;
        }
        tick(now as u64);
    }
    target.sync()?;
    to.parent().map_or(Ok(()), sync_dir)
}

/// What a job's rescue image is, and where.
#[derive(Debug)]
pub struct Rescue {
    root: PathBuf,
    name: String,
    image: PathBuf,
    sha256: Digest,
    owners_bak: bool,
}

impl Rescue {
    /// That of a job; `None` where it has none, or does not come from an image.
    pub fn of(card: &Card, job: &Job) -> Option<Rescue> {
        let JobSource::Image { path, sha256 } = &job.source else { return None };
        Some(Rescue {
            root: card.root().to_owned(),
            name: job.rescue.clone()?,
            image: card.root().join(path),
            sha256: unhex(sha256)?,
            owners_bak: job.owners_bak,
        })
    }

    fn place(&self) -> PathBuf {
        self.root.join(&self.name)
    }

    fn bak(&self) -> PathBuf {
        self.root.join(bak_name(&self.name))
    }

    fn is_it(&self, path: &Path) -> bool {
        verify::hash_file(path, &mut |_| {}).is_ok_and(|now| now == self.sha256)
    }

    /// Puts the image there, unless it is there already. Another image of that
    /// name is moved aside, never lost. One that was renamed meanwhile gets its name back.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn put(&self, progress: &dyn Progress) -> Result<(), CardError> {
        let (at, bak) = (self.place(), self.bak());
        if at.exists() {
            if self.is_it(&at) {
                return Ok(());
            }
            let aside = (1..1000)
                .map(|n| self.root.join(format!("{}.other{n}", self.name)))
                .find(|path| !path.exists())
                .unwrap_or_else(|| self.root.join(format!("{}.other", self.name)));
            rename(&at, &aside)?;
            log::warn!(
                "{} on the card was another image: it was renamed to {}",
                self.name,
                aside.display()
            );
        }
        if !self.owners_bak && bak.exists() && self.is_it(&bak) {
            log::warn!("{} was renamed to {}: its name was restored", self.name, bak.display());
            return rename(&bak, &at);
        }
        // A half-copied one never has the name.
        let fresh = self.root.join(format!("{}{HALF}", self.name));
        let image = OpenFile::open(&self.image)
            .map_err(|e| CardError::new("cannot read", &self.image, e))?;
        copy_proven(&image, &fresh, &self.sha256, progress)?;
        rename(&fresh, &at)
    }

    /// Puts it back where it is gone. Cheap where it is there: what it contains was verified when
    /// it was put there.
    pub fn look(&self) {
        if self.place().exists() {
            return;
        }
        log::warn!("the rescue image {} was missing from the card: restoring it", self.name);
        if let Err(e) = self.put(&Silent) {
            log::error!("the rescue image cannot be restored: {e}", e = Chain(&e));
        }
    }

    /// Removes the one that was renamed, where it is ours.
    pub fn remove_bak(&self) {
        let bak = self.bak();
        if !self.owners_bak
            && bak.exists()
            && self.is_it(&bak)
            && let Err(e) = fat::remove_if_there(&bak)
        {
            log::warn!("{e}", e = Chain(&e));
        }
    }
}

/// The name under which the vendor's renamers leave an image.
fn bak_name(name: &str) -> String {
    format!("{name}.bak")
}

/// Whether the owner has an image under the name that the renamers leave. To be asked before the
/// image is put there.
pub fn has_bak(card: &Card, name: &str) -> bool {
    card.root().join(bak_name(name)).exists()
}

/// Takes it away, and makes sure that it is gone.
///
/// # Errors
/// [`CardError`] where it is still there.
pub fn remove(card: &Card, name: &str) -> Result<(), CardError> {
    let at = card.root().join(name);
    if !matches!(card.state(), CardState::Ready { .. }) {
        // On the empty place of a card that was pulled out nothing is ever listed.
        return Err(CardError::missing(&at));
    }
    fat::remove_if_there(&at)?;
    let listed = fs::read_dir(card.root())
        .map_err(|e| CardError::new("cannot read", card.root(), e))?
        .flatten()
        .any(|entry| entry.file_name().eq_ignore_ascii_case(name));
    if listed { Err(CardError::lying(&at)) } else { Ok(()) }
}
