//! The request for a backup, and its outcome.

use super::reading::Reading;
use super::set::{SetFolder, SetName};
use super::{Progress, Verification};
use crate::card::Card;
use crate::chip::Chip;
use crate::identity::Judgement;

/// What a manifest says that the chip does not tell.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// `ipc009`, ...; empty where nobody knows.
    pub model: String,
    /// Release of the running kernel.
    pub kernel: String,
    /// How often the program started on this card.
    pub boot_count: u64,
    /// UTC, if the clock is sane.
    pub clock: Option<String>,
}

/// A backup that is asked for.
pub struct Request<'a> {
    /// The chip to save.
    pub chip: &'a dyn Chip,
    /// Where to.
    pub card: &'a Card,
    /// FACTORY, judged.
    pub identity: &'a Judgement,
    /// For the manifest.
    pub facts: &'a Facts,
    /// Sets to keep next to the pristine one; `None` removes nothing.
    pub keep: Option<usize>,
    /// Whether a set holds the chip only if it holds DATA as it is now too:
    /// before DATA is overwritten.
    pub exact: bool,
    /// A first reading made just before, by whom nothing was written since.
    pub first: Option<Reading>,
    /// The observer of the progress.
    pub progress: &'a dyn Progress,
}

/// What became of a backup.
#[derive(Debug)]
pub struct BackupOutcome {
    /// The set that holds the chip now.
    pub set: SetFolder,
    /// Whether it was made now.
    pub made: bool,
    /// The first reading: what the chip holds.
    pub reading: Reading,
    /// Sets that were read again on the way, the one that holds the chip among them.
    pub proofs: Vec<(SetName, Verification)>,
}

/// A set that holds what certain partitions hold now, verified by reading it
/// again from the card: only a verification gives one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvenBackup(String);

impl ProvenBackup {
    /// The set's name.
    pub fn set(&self) -> &str {
        &self.0
    }
}

impl BackupOutcome {
    /// The proof that the set holds these partitions; `None` where it was not
    /// read again as a whole, or where one of them could not be read.
    pub fn proven(&self, partitions: &[&str]) -> Option<ProvenBackup> {
        let manifest = self.set.manifest()?;
        let is_proven =
            self.proofs.iter().any(|(name, verdict)| *name == self.set.name && verdict.is_whole());
        let holds = |name: &&str| {
            manifest.partitions.iter().any(|note| note.name == **name && note.gaps.is_empty())
        };
        (is_proven && partitions.iter().all(holds)).then(|| ProvenBackup(self.set.name.to_string()))
    }
}
