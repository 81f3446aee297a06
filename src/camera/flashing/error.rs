//! Why a flash is not planned, not begun, or not ended.

use std::path::PathBuf;

use thiserror::Error;

use super::planned::Planned;
use crate::backup::BackupError;
use crate::card::{CardError, Fault};
use crate::error::{Code, Exit, Explain, Kind};
use crate::flash::FlashError;
use crate::image::inspect::InspectError;
use crate::image::slices::ChoiceError;
use crate::machine::MachineError;

/// Why nothing was written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FlashingError {
    /// The source cannot be opened.
    #[error("{} cannot be read", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: CardError,
    },
    /// The source cannot be read.
    #[error("{} cannot be read", path.display())]
    Inspect {
        /// The file.
        path: PathBuf,
        /// Why.
        source: InspectError,
    },
    /// A folder is no whole set.
    #[error("{} is not a whole backup set", path.display())]
    NotASet {
        /// The folder.
        path: PathBuf,
    },
    /// The partitions cannot be chosen.
    #[error(transparent)]
    Choice(#[from] ChoiceError),
    /// The chip cannot be read.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// The chip or the card fails before anything is written.
    #[error(transparent)]
    Flash(#[from] FlashError),
    /// The card.
    #[error(transparent)]
    Card(#[from] CardError),
    /// The machine cannot be made ready.
    #[error(transparent)]
    Machine(#[from] MachineError),
    /// The machine cannot be made ready to go on.
    #[error("the flash is still half done, and cannot go on: {0}")]
    NotReady(#[source] MachineError),
    /// It failed after the vendor's programs were ended and DATA was unmounted.
    #[error(transparent)]
    AfterRelease(Box<FlashingError>),
    /// Something forbids it.
    #[error("{}", first_reason(.0))]
    Blocked(Box<Planned>),
    /// The phrase was not given, or is another one.
    #[error("{}", phrase_reason(.0, *.1))]
    Phrase(Box<Planned>, bool),
    /// Another flash was interrupted.
    #[error("a flash of {partitions} was interrupted and has to end first")]
    Interrupted {
        /// Its partitions.
        partitions: String,
    },
    /// The interrupted flash is another camera's.
    #[error("the interrupted flash on this card is that of another camera")]
    OtherCamera,
    /// What an interrupted flash needs is gone.
    #[error("what the interrupted flash needs is gone: {what}")]
    SourceGone {
        /// What.
        what: String,
    },
    /// Starts went on with it as often as they may by themselves.
    #[error("{starts} starts went on with the interrupted flash, and none ended it")]
    TooManyStarts {
        /// How many.
        starts: u8,
    },
    /// The journal means nothing.
    #[error("the journal of an interrupted flash is damaged: {reason}")]
    Journal {
        /// Why.
        reason: String,
    },
}

impl FlashingError {
    /// Whether nothing was written, and the camera has to restart to have its own programs again.
    pub fn needs_restart(&self) -> bool {
        matches!(
            self,
            FlashingError::AfterRelease(_) | FlashingError::Machine(MachineError::NotBack(_))
        )
    }
}

fn first_reason(planned: &Planned) -> String {
    let reasons = planned.blockers.iter().map(|f| f.reason.trim_end_matches('.'));
    format!("refused: {}", reasons.collect::<Vec<_>>().join("; "))
}

fn phrase_reason(planned: &Planned, given: bool) -> String {
    let phrase = planned.confirm.as_deref().unwrap_or_default();
    if given {
        format!("the phrase is not the right one; it is: {phrase}")
    } else {
        format!("it needs the phrase: {phrase}")
    }
}

impl Explain for FlashingError {
    fn code(&self) -> Code {
        match self {
            FlashingError::Open { source, .. } => match source.fault() {
                Fault::Gone => Code::NoSuchFile,
                _ => Code::Unreadable,
            },
            FlashingError::Inspect { source, .. } => source.code(),
            FlashingError::NotASet { .. } => Code::NotASet,
            FlashingError::Choice(e) => e.code(),
            FlashingError::Backup(e) => e.code(),
            FlashingError::Flash(e) => e.code(),
            FlashingError::Card(e) => e.code(),
            FlashingError::Machine(e) | FlashingError::NotReady(e) => e.code(),
            FlashingError::AfterRelease(e) => e.code(),
            FlashingError::Blocked(planned) => planned
                .blockers
                .first()
                .map_or(Code::Blocked, |finding| Code::Finding(finding.code)),
            FlashingError::Phrase(_, true) => Code::WrongPhrase,
            FlashingError::Phrase(_, false) => Code::PhraseNeeded,
            FlashingError::Interrupted { .. } => Code::FlashInterrupted,
            FlashingError::OtherCamera => Code::OtherCamera,
            FlashingError::SourceGone { .. } => Code::ImageGone,
            FlashingError::TooManyStarts { .. } => Code::ResumeLimit,
            FlashingError::Journal { .. } => Code::JournalDamaged,
        }
    }

    fn hint(&self) -> String {
        match self {
            FlashingError::Open { .. } => "Check the path; on the camera, the card.".to_owned(),
            FlashingError::Inspect { source, .. } => source.hint(),
            FlashingError::NotASet { .. } => {
                "`mi360d backups` lists the sets; `mi360d verify` says what one lacks.".to_owned()
            }
            FlashingError::Choice(e) => e.hint(),
            FlashingError::Backup(e) => e.hint(),
            FlashingError::Flash(e) => e.hint(),
            FlashingError::Card(e) => e.hint(),
            FlashingError::Machine(e) => e.hint(),
            FlashingError::NotReady(_) => {
                "Keep the camera powered. Where the page runs, go on from there; otherwise try \
                 again in a minute."
                    .to_owned()
            }
            FlashingError::AfterRelease(e) => format!(
                "{} The camera's own programs were ended for the flash, and not all of them came \
                 back: it restarts by itself to have them again.",
                e.hint()
            ),
            FlashingError::Blocked(planned) => {
                let hint = planned.blockers.first().map(|finding| finding.hint.clone());
                format!("Nothing was written. {}", hint.unwrap_or_default()).trim_end().to_owned()
            }
            FlashingError::Phrase(planned, _) => format!(
                "Nothing was written. Read the plan; then repeat with --confirm '{}'.",
                planned.confirm.as_deref().unwrap_or_default()
            ),
            FlashingError::Interrupted { .. } => {
                "`mi360d resume` goes on with it. One that writes all of its partitions may \
                 take its place."
                    .to_owned()
            }
            FlashingError::OtherCamera => {
                "Nothing was written. Put the card back into the camera that it belongs to."
                    .to_owned()
            }
            FlashingError::SourceGone { .. } => {
                "Put the image back under that name and `mi360d resume`, or restore a backup: \
                 `mi360d restore`."
                    .to_owned()
            }
            FlashingError::TooManyStarts { .. } => {
                "Look into the log for what ended them. Then continue from the page, or by \
                 `mi360d resume`."
                    .to_owned()
            }
            FlashingError::Journal { .. } => {
                "Compare the camera with the image or the backup by `mi360d plan`, flash it, and \
                 remove mi360d/state/flash.toml."
                    .to_owned()
            }
        }
    }

    fn kind(&self) -> Kind {
        match self {
            FlashingError::Open { source, .. } if source.fault() == Fault::Gone => Kind::Missing,
            FlashingError::Backup(e) => e.kind(),
            FlashingError::Flash(e) => e.kind(),
            FlashingError::Card(e) => e.kind(),
            FlashingError::AfterRelease(e) => e.kind(),
            _ => Kind::of(self.exit()),
        }
    }

    fn exit(&self) -> Exit {
        match self {
            FlashingError::Open { source, .. } if source.fault() == Fault::Gone => Exit::Usage,
            FlashingError::AfterRelease(e) => e.exit(),
            FlashingError::Choice(e) => e.exit(),
            FlashingError::Backup(e) => e.exit(),
            FlashingError::Flash(e) => e.exit(),
            FlashingError::Card(e) => e.exit(),
            FlashingError::NotASet { .. }
            | FlashingError::Machine(_)
            | FlashingError::Blocked(_)
            | FlashingError::Phrase(..)
            | FlashingError::Interrupted { .. }
            | FlashingError::TooManyStarts { .. }
            | FlashingError::OtherCamera => Exit::Refused,
            _ => Exit::Failed,
        }
    }
}
