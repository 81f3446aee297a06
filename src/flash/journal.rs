//! Journal of a flash, for a later start if it is cut short: the image, the partitions, and the
//! progress. The state of each block is found by comparison with the chip; so the journal is small,
//! and cannot contradict the chip.
//!
//! Two files in `state/`. `flash.toml` says what is to be done; it is written
//! whole before anything is erased. `flash.journal` has 16 slots of 512 bytes,
//! written in turn in place, each with a sequence number and a CRC32: a torn
//! slot leaves the one before it.

mod job;

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

pub use job::{Job, JobNeighbour, JobPart, JobProtected, JobSource};

use crate::card::file::{make_dir, read_bounded, replace};
use crate::card::{Card, CardError, fat};
use crate::error::chain;
use crate::formats::crc32;
use crate::formats::document;

/// Bytes of a slot: a card's sector.
const SLOT: usize = 512;
/// Slots in the file.
const SLOTS: u64 = 16;
/// What a slot begins with.
const MAGIC: &[u8; 8] = b"MI360J01";
/// The longest `flash.toml` read, in bytes.
const LIMIT: u64 = 0x4000;

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Opened: from here on something may have been erased.
    Opened,
    /// This partition, counted from 0 in the job's order, is being written.
    Writing(u8),
    /// This one is verified.
    Proven(u8),
    /// A later start continues with it, for this time since the first.
    Resumed(u8),
    /// It is over.
    Closed,
}

/// An open journal.
#[derive(Debug)]
pub struct Journal {
    file: Option<File>,
    path: PathBuf,
    sequence: u64,
    id: u32,
    carried: PathBuf,
    /// How often a later start went on with it.
    pub resumed: u8,
    /// Whether something may have been written by an earlier run already.
    pub begun_before: bool,
}

/// What is on the card.
#[derive(Debug)]
pub enum Found {
    /// No flash was interrupted.
    Nothing,
    /// One was.
    Open(Box<Job>, Journal),
    /// Something is there that cannot be understood.
    Damaged {
        /// Why.
        reason: String,
    },
}

/// What is to be done.
const JOB: &str = "flash.toml";

fn paths(card: &Card) -> (PathBuf, PathBuf) {
    (card.state_dir().join(JOB), card.state_dir().join("flash.journal"))
}

/// Where a job's carried settings are while it is open.
pub fn carried(card: &Card, id: &str) -> PathBuf {
    let plain: String = id.chars().filter(char::is_ascii_alphanumeric).take(32).collect();
    card.state_dir().join(format!("carried-{plain}.bin"))
}

/// Whether a file in `state/` is a job's own: what is to be done, or what it carries.
pub fn is_of_a_job(name: &str) -> bool {
    let carried = name.strip_prefix("carried-").and_then(|rest| rest.strip_suffix(".bin"));
    name == JOB || carried.is_some()
}

/// Whether the newest slot, whosever, is not that of a flash that ended.
pub fn is_unclosed(card: &Card) -> bool {
    let slots = read_bounded(&paths(card).1, SLOT as u64 * SLOTS).unwrap_or_default();
    let newest = slots.chunks_exact(SLOT).filter_map(parse).max_by_key(|(sequence, ..)| *sequence);
    newest.is_some_and(|(.., stage)| !matches!(stage, Stage::Closed))
}

/// Looks for a flash that was interrupted; changes nothing.
pub fn find(card: &Card) -> Found {
    let (job_path, path) = paths(card);
    let text = match read_bounded(&job_path, LIMIT) {
        // The power went while it got its name: nothing was begun.
        Ok(text) if text.is_empty() && !is_unclosed(card) => return Found::Nothing,
        Ok(text) => text,
        Err(e) if e.source.kind() == std::io::ErrorKind::NotFound => return Found::Nothing,
        Err(e) => return Found::Damaged { reason: chain(&e) },
    };
    let parsed = std::str::from_utf8(&text).ok().and_then(|t| document::from_toml::<Job>(t).ok());
    let Some(job) = parsed.filter(|job| job.format == 1) else {
        return Found::Damaged { reason: format!("{} cannot be understood", job_path.display()) };
    };
    let id = id_of(&job);
    let slots = read_bounded(&path, SLOT as u64 * SLOTS).unwrap_or_default();
    let ours = slots.chunks_exact(SLOT).filter_map(parse).filter(|(_, of, _)| *of == id);
    let all: Vec<(u64, u32, Stage)> = ours.collect();
    let newest = all.iter().max_by_key(|(sequence, ..)| *sequence);
    // Without a slot of its own it was agreed to and not begun, or the slots were lost: going on
    // is right in both cases.
    let sequence = newest.map_or(0, |(sequence, ..)| *sequence);
    if matches!(newest, Some((_, _, Stage::Closed))) {
        return Found::Nothing;
    }
    let times = |stage: &Stage| match stage {
        Stage::Resumed(times) => *times,
        _ => 0,
    };
    let carried = carried(card, &job.id);
    let resumed = all.iter().map(|(.., stage)| times(stage)).max().unwrap_or(0);
    Found::Open(
        Box::new(job),
        Journal { file: None, path, sequence, id, carried, resumed, begun_before: true },
    )
}

impl Journal {
    /// Writes down what is to be done, and opens the journal: from here on a
    /// later start continues with it.
    ///
    /// # Errors
    /// [`CardError`]; then nothing was opened.
    pub fn open(card: &Card, job: &Job) -> Result<Journal, CardError> {
        make_dir(&card.state_dir())?;
        let begun_before = matches!(find(card), Found::Open(..));
        let (job_path, path) = paths(card);
        let text = job.to_text().map_err(|e| CardError::new("cannot write", &job_path, e))?;
        let before = read_bounded(&path, SLOT as u64 * SLOTS).unwrap_or_default();
        let newest = before.chunks_exact(SLOT).filter_map(parse).map(|(n, ..)| n).max();
        let sequence = newest.unwrap_or(0);
        let carried = carried(card, &job.id);
        let mut journal = Journal {
            file: None,
            path,
            sequence,
            id: id_of(job),
            carried,
            resumed: 0,
            begun_before,
        };
        journal.file()?;
        replace(&job_path, text.as_bytes())?;
        journal.note(Stage::Opened)?;
        Ok(journal)
    }

    /// The file with its slots, made where it is not there.
    fn file(&mut self) -> Result<&File, CardError> {
        if self.file.is_none() {
            let whole = SLOT as u64 * SLOTS;
            if fs::metadata(&self.path).map_or(0, |meta| meta.len()) != whole {
                replace(&self.path, &vec![0; whole as usize])?;
            }
            let opened = OpenOptions::new().read(true).write(true).open(&self.path);
            self.file = Some(opened.map_err(|e| CardError::new("cannot write", &self.path, e))?);
        }
        self.file.as_ref().ok_or_else(|| CardError::missing(&self.path))
    }

    /// Writes how far the job is.
    ///
    /// # Errors
    /// [`CardError`]; the chip still tells how far it is.
    pub fn note(&mut self, stage: Stage) -> Result<(), CardError> {
        self.sequence += 1;
        if let Stage::Resumed(times) = stage {
            self.resumed = times;
        }
        let slot = build(self.sequence, self.id, stage);
        let at = (self.sequence % SLOTS) * SLOT as u64;
        let file = self.file()?;
        let done = file.write_all_at(&slot, at).and_then(|()| file.sync_data());
        done.map_err(|e| CardError::new("cannot write", &self.path, e))
    }

    /// Closes it, and takes away what was to be done.
    ///
    /// # Errors
    /// [`CardError`]; a later start then finds that nothing is left to do.
    pub fn close(mut self, card: &Card) -> Result<(), CardError> {
        self.note(Stage::Closed)?;
        let (job_path, _) = paths(card);
        for path in [job_path, self.carried.clone()] {
            fat::remove_if_there(&path)?;
        }
        Ok(())
    }
}

/// A job's number in the slots.
fn id_of(job: &Job) -> u32 {
    crc32::hash(job.id.as_bytes())
}

fn build(sequence: u64, id: u32, stage: Stage) -> [u8; SLOT] {
    let (kind, value) = match stage {
        Stage::Opened => (1, 0),
        Stage::Writing(n) => (2, n),
        Stage::Proven(n) => (3, n),
        Stage::Resumed(n) => (4, n),
        Stage::Closed => (5, 0),
    };
    let mut slot = [0; SLOT];
    slot[..8].copy_from_slice(MAGIC);
    slot[8..16].copy_from_slice(&sequence.to_le_bytes());
    slot[16..20].copy_from_slice(&id.to_le_bytes());
    slot[20] = kind;
    slot[21] = value;
    let crc = crc32::hash(&slot[..SLOT - 4]);
    slot[SLOT - 4..].copy_from_slice(&crc.to_le_bytes());
    slot
}

fn parse(slot: &[u8]) -> Option<(u64, u32, Stage)> {
    let (body, crc) = slot.split_at(SLOT - 4);
    if &body[..8] != MAGIC || crc != crc32::hash(body).to_le_bytes() {
        return None;
    }
    let sequence = u64::from_le_bytes(body[8..16].try_into().ok()?);
    let id = u32::from_le_bytes(body[16..20].try_into().ok()?);
    let stage = match (body[20], body[21]) {
        (1, _) => Stage::Opened,
        (2, n) => Stage::Writing(n),
        (3, n) => Stage::Proven(n),
        (4, n) => Stage::Resumed(n),
        (5, _) => Stage::Closed,
        _ => return None,
    };
    // A number that we did not count up would win forever.
    (sequence < u64::MAX / 2).then_some((sequence, id, stage))
}

#[cfg(test)]
mod tests {
    use super::super::heal::Heals;
    use super::*;

    fn job(id: &str) -> Job {
        Job {
            format: 1,
            id: id.into(),
            identity: "0a1b2c3d".into(),
            source: JobSource::Image { path: "mi360d/images/x.img".into(), sha256: "00".into() },
            before: "0001-01234567".into(),
            heals: Heals::NeedsPc,
            rescue: None,
            owners_bak: false,
            owners_mark: false,
            wifi: None,
            protected: Vec::new(),
            neighbours: Vec::new(),
            partitions: vec![JobPart { name: "DATA".into(), sha256: "11".into(), carried: false }],
        }
    }

    fn is_open(card: &Card) -> bool {
        matches!(find(card), Found::Open(..))
    }

    #[test]
    fn it_is_open_until_it_is_closed_and_the_next_one_starts_afresh() {
        let dir = tempfile::tempdir().unwrap();
        let card = Card::folder(dir.path());
        assert!(matches!(find(&card), Found::Nothing));
        for round in 0..20u8 {
            let mine = job(&round.to_string());
            let mut journal = Journal::open(&card, &mine).unwrap();
            for n in 0..round {
                journal.note(Stage::Writing(n)).unwrap();
            }
            journal.note(Stage::Resumed(2)).unwrap();
            let Found::Open(found, again) = find(&card) else { panic!("round {round}") };
            assert_eq!((*found, again.resumed), (mine, 2));
            journal.close(&card).unwrap();
            assert!(matches!(find(&card), Found::Nothing));
        }
    }

    #[test]
    fn a_slot_torn_anywhere_leaves_the_one_before() {
        let dir = tempfile::tempdir().unwrap();
        let card = Card::folder(dir.path());
        let mut journal = Journal::open(&card, &job("1")).unwrap();
        let path = card.state_dir().join("flash.journal");
        for stage in [Stage::Writing(0), Stage::Closed] {
            let before = fs::read(&path).unwrap();
            journal.note(stage).unwrap();
            let after = fs::read(&path).unwrap();
            for cut in 0..after.len() {
                let mut torn = after[..cut].to_vec();
                torn.extend(&before[cut..]);
                fs::write(&path, &torn).unwrap();
                assert!(is_open(&card) || torn == after, "{stage:?} torn at {cut}");
            }
            fs::write(&path, &after).unwrap();
        }
        assert!(!is_open(&card));
    }

    #[test]
    fn a_job_whose_slots_are_lost_is_open_and_one_that_means_nothing_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let card = Card::folder(dir.path());
        Journal::open(&card, &job("1")).unwrap().close(&card).unwrap();
        let text = job("2").to_text().unwrap();
        fs::write(card.state_dir().join("flash.toml"), text).unwrap();
        assert!(is_open(&card), "agreed to, and not yet begun");
        fs::write(card.state_dir().join("flash.journal"), [7; 100]).unwrap();
        let Found::Open(_, mut journal) = find(&card) else { panic!("it is open") };
        journal.note(Stage::Writing(0)).unwrap();
        assert!(is_open(&card));
        fs::write(card.state_dir().join("flash.toml"), "format = 9").unwrap();
        assert!(matches!(find(&card), Found::Damaged { .. }));
    }
}
