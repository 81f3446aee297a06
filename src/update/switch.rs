//! The switch from one release to the next. The new files are next to the old ones,
//! verified, before the first is renamed; the program last. Until the new program has
//! answered, the old files stay as `.old`, and `mi360d/trial` tells the hook to bring
//! the old program back where it does not. `state/update` says what was in progress.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::error::Chain;
use crate::formats::sha256::Sha256;

use super::release::{LISTING, PROGRAM, SIGNATURE};
use super::{Package, UpdateError};
use crate::backup::verify;
use crate::base::{Digest, hex};
use crate::card::file::{NewFile, make_dir, read_bounded, rename, replace, sync_dir};
use crate::card::{Card, CardError, CardState, fat};

/// Is on the card as long as a new program has not answered; the hook looks for it.
pub const TRIAL: &str = "mi360d/trial";
/// Bytes of `state/update` at most.
const LIMIT: u64 = 0x1_0000;
/// Room that stays.
const SPARE: u64 = 1 << 20;

/// What a start finds of an update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// None was in progress.
    Nothing,
    /// This program is the new one, and has to answer.
    OnTrial {
        /// The version that was there before.
        from: String,
    },
    /// This program is the old one: the new one did not answer, or the power failed.
    Failed {
        /// The version that did not come.
        to: String,
    },
}

/// `state/update`: from which version to which, the new program's hash, the files; `+`
/// before a path that was not there before.
struct Note {
    from: String,
    to: String,
    program: String,
    files: Vec<(bool, String)>,
}

fn note_path(card: &Card) -> PathBuf {
    card.state_dir().join("update")
}

impl Note {
    fn text(&self) -> String {
        let files = self
            .files
            .iter()
            .map(|(had, path)| format!("{} {path}\n", if *had { '-' } else { '+' }));
        format!("{} {} {}\n{}", self.from, self.to, self.program, files.collect::<String>())
    }

    fn read(card: &Card) -> Option<Note> {
        let text = String::from_utf8(read_bounded(&note_path(card), LIMIT).ok()?).ok()?;
        let mut lines = text.lines();
        let mut words = lines.next()?.split(' ');
        let (from, to, program) = (words.next()?, words.next()?, words.next()?);
        let files = lines.map(|line| {
            let had = line.starts_with("- ");
            Some((had, line.get(2..).filter(|_| had || line.starts_with("+ "))?.to_owned()))
        });
        Some(Note {
            from: from.to_owned(),
            to: to.to_owned(),
            program: program.to_owned(),
            files: files.collect::<Option<_>>()?,
        })
    }
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(end);
    path.with_file_name(name)
}

/// The files of a release that the card does not hold already, the program last.
fn changed<'p>(card: &Card, package: &'p Package) -> Vec<(&'p str, Option<Digest>)> {
    let same = |path: &str, sha256: &Digest| {
        verify::hash_file(&card.root().join(path), &mut |_| {}).is_ok_and(|now| now == *sha256)
    };
    let files = package.release.files.iter();
    let mut found: Vec<(&str, Option<Digest>)> = files
        .filter(|file| !(file.is_owners() && card.root().join(&file.path).exists()))
        .filter(|file| !same(&file.path, &file.sha256))
        .map(|file| (file.path.as_str(), Some(file.sha256)))
        .collect();
    if !found.is_empty() {
        found.push((LISTING, None));
        if package.minisig.is_some() {
            found.push((SIGNATURE, None));
        }
    }
    found.sort_by_key(|(path, _)| *path == PROGRAM);
    found
}

/// Puts a release in the place of the old one. From here on the new program has to answer.
///
/// # Errors
/// [`UpdateError`]: then the card is as it was.
pub fn lay_down(card: &Card, package: &Package, from: &str) -> Result<(), UpdateError> {
    card.require_writable()?;
    let files = changed(card, package);
    if files.is_empty() {
        return Err(UpdateError::Same);
    }
    let sizes: u64 = files.iter().map(|(path, _)| package.size(path)).sum();
    if let CardState::Ready { free, .. } = card.state()
        && free < 2 * sizes + SPARE
    {
        return Err(UpdateError::NoRoom { free: free >> 10, needed: (2 * sizes + SPARE) >> 10 });
    }
    make_dir(&card.state_dir())?;
    // An older release's would be taken for this one's.
    for (path, _) in &files {
        fat::remove_if_there(&beside(&card.root().join(path), ".old"))?;
        fat::remove_if_there(&beside(&card.root().join(path), ".new"))?;
    }
    let note = Note {
        from: from.to_owned(),
        to: package.release.version.clone(),
        program: package.release.program().map_or_else(String::new, |file| hex(&file.sha256)),
        files: files
            .iter()
            .map(|(path, _)| (card.root().join(path).exists(), (*path).to_owned()))
            .collect(),
    };
    let laid = lay_beside(card, package, &files)
        .and_then(|()| Ok(replace(&note_path(card), note.text().as_bytes())?))
        .and_then(|()| Ok(replace(&card.root().join(TRIAL), note.to.as_bytes())?));
    if let Err(e) = laid {
        // Nothing has its name yet, and a copy that broke off must never get one.
        if let Err(worse) = clear(card, &note) {
            log::error!("the new files could not be removed: {worse}", worse = Chain(&worse));
        }
        return Err(e);
    }
    for (path, _) in &files {
        let path = card.root().join(path);
        if let Err(e) = rename(&beside(&path, ".new"), &path) {
            if let Err(worse) = back(card, &note) {
                log::error!(
                    "the previous files cannot be restored: {worse}",
                    worse = Chain(&worse)
                );
            }
            return Err(e.into());
        }
    }
    Ok(())
}

/// Removes the files of the new release, and nothing else; the note first, so that no start acts on it.
fn clear(card: &Card, note: &Note) -> Result<(), CardError> {
    fat::remove_if_there(&note_path(card))?;
    fat::remove_if_there(&card.root().join(TRIAL))?;
    for (_, path) in &note.files {
        let path = card.root().join(path);
        fat::remove_if_there(&beside(&path, ".old"))?;
        fat::remove_if_there(&beside(&path, ".new"))?;
    }
    sync_dir(&card.state_dir())
}

/// The new files as `.new`, copies of the old ones as `.old`.
fn lay_beside(
    card: &Card,
    package: &Package,
    files: &[(&str, Option<Digest>)],
) -> Result<(), UpdateError> {
    for (path, sha256) in files {
        let place = card.root().join(path);
        if let Some(folder) = place.parent() {
            make_dir(folder)?;
        }
        let new = NewFile::create(beside(&place, ".new"))?;
        let mut hasher = Sha256::new();
        let mut failed = None;
        let unpacked = package.unpack(path, &mut |piece| {
            hasher.update(piece);
            new.write(piece).map_err(|e| {
                let kind = e.source.kind();
                failed = Some(e);
                kind.into()
            })
        });
        if let Some(e) = failed {
            return Err(e.into());
        }
        unpacked?;
        new.sync()?;
        let wanted = hasher.finalize();
        if sha256.is_some_and(|listed| listed[..] != wanted[..]) {
            return Err(UpdateError::Damaged(format!("{path} has another hash")));
        }
        proven(&beside(&place, ".new"), &wanted)?;
        if place.exists() {
            copy(&place, &beside(&place, ".old"))?;
        }
    }
    Ok(())
}

fn proven(path: &Path, wanted: &[u8]) -> Result<(), CardError> {
    let read = verify::hash_file(path, &mut |_| {})?;
    if read[..] == *wanted { Ok(()) } else { Err(CardError::lying(path)) }
}

fn copy(from: &Path, to: &Path) -> Result<(), CardError> {
    fat::remove_if_there(to)?;
    let copied = fs::copy(from, to).and_then(|_| File::open(to)?.sync_all());
    copied.map_err(|e| CardError::new("cannot write", to, e))?;
    proven(to, &verify::hash_file(from, &mut |_| {})?)
}

/// Whether a new program still has to answer.
pub fn is_trial(card: &Card) -> bool {
    card.root().join(TRIAL).exists()
}

/// What a start finds; `own` is the hash of the program that runs.
pub fn standing(card: &Card, own: &Digest) -> Standing {
    match Note::read(card) {
        None => Standing::Nothing,
        Some(note) if note.program == hex(own) => Standing::OnTrial { from: note.from },
        Some(note) => Standing::Failed { to: note.to },
    }
}

/// The new program answers: the old files go, the old program aside.
///
/// # Errors
/// [`CardError`]; the next start tries again.
pub fn confirm(card: &Card) -> Result<(), CardError> {
    // First the hook's mark: it waits for that.
    fat::remove_if_there(&card.root().join(TRIAL))?;
    sync_dir(&card.home())?;
    let Some(note) = Note::read(card) else { return Ok(()) };
    for (_, path) in note.files.iter().filter(|(_, path)| path != PROGRAM) {
        fat::remove_if_there(&beside(&card.root().join(path), ".old"))?;
    }
    fat::remove_if_there(&note_path(card))?;
    sync_dir(&card.state_dir())
}

/// The old program runs again: its files come back too.
///
/// # Errors
/// [`CardError`]; the next start tries again.
pub fn take_back(card: &Card) -> Result<(), CardError> {
    let Some(note) = Note::read(card) else { return Ok(()) };
    back(card, &note)
}

fn back(card: &Card, note: &Note) -> Result<(), CardError> {
    for (had, path) in &note.files {
        let place = card.root().join(path);
        let (old, new) = (beside(&place, ".old"), beside(&place, ".new"));
        match (had, old.exists()) {
            // By a copy: a name that is renamed may be the one that a power cut costs.
            (true, true) => copy(&old, &new)
                .and_then(|()| rename(&new, &place))
                .or_else(|_| rename(&old, &place))?, // no room for a copy
            // Never touched.
            (true, false) => {}
            (false, _) => fat::remove_if_there(&place)?,
        }
        fat::remove_if_there(&new)?;
    }
    fat::remove_if_there(&card.root().join(TRIAL))?;
    fat::remove_if_there(&note_path(card))?;
    // Only now: until here a start continues them.
    for (_, path) in &note.files {
        fat::remove_if_there(&beside(&card.root().join(path), ".old"))?;
    }
    Ok(())
}
