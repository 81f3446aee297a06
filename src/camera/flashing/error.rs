//! Errors of a flash: reasons why it is not planned, not begun, or not ended.

use std::path::PathBuf;

use thiserror::Error;

use super::planned::Planned;
use crate::backup::BackupError;
use crate::card::{CardError, CardFault};
use crate::error::{Code, Exit, Explain, FailureKind};
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
    #[error("{} is not a complete backup", path.display())]
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
    /// The machine cannot be made ready to continue.
    #[error("the flash is half done and cannot continue")]
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
    /// It is another image than the one of the plan.
    #[error("the image has been replaced since its plan was made")]
    OtherImage,
    /// Another flash was interrupted.
    #[error("a flash of {partitions} was interrupted and must be finished first")]
    Interrupted {
        /// Its partitions.
        partitions: String,
    },
    /// The interrupted flash is another camera's.
    #[error("the interrupted flash on this card belongs to another camera")]
    OtherCamera,
    /// What an interrupted flash needs is gone.
    #[error("the interrupted flash needs something that is missing: {what}")]
    SourceGone {
        /// What.
        what: String,
    },
    /// Starts went on with it as often as they may by themselves.
    #[error("{starts} starts continued the interrupted flash, and none finished it")]
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
    let reasons = planned.plan.blockers.iter().map(|f| f.reason.trim_end_matches('.'));
    format!("refused: {}", reasons.collect::<Vec<_>>().join("; "))
}

fn phrase_reason(planned: &Planned, given: bool) -> String {
    let phrase = planned.plan.confirm.as_deref().unwrap_or_default();
    if given {
        format!("the phrase is wrong; it is: {phrase}")
    } else {
        format!("it needs the phrase: {phrase}")
    }
}

impl Explain for FlashingError {
    fn code(&self) -> Code {
        match self {
            FlashingError::Open { source, .. } => match source.fault() {
                CardFault::Gone => Code::NoSuchFile,
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
                .plan
                .blockers
                .first()
                .map_or(Code::Blocked, |finding| Code::Finding(finding.code)),
            FlashingError::Phrase(_, true) => Code::WrongPhrase,
            FlashingError::Phrase(_, false) => Code::PhraseNeeded,
            FlashingError::OtherImage => Code::OtherImage,
            FlashingError::Interrupted { .. } => Code::FlashInterrupted,
            FlashingError::OtherCamera => Code::OtherCamera,
            FlashingError::SourceGone { .. } => Code::ImageGone,
            FlashingError::TooManyStarts { .. } => Code::ResumeLimit,
            FlashingError::Journal { .. } => Code::JournalDamaged,
        }
    }

    fn hint(&self) -> String {
        match self {
            FlashingError::Open { .. } => {
                "Check the path; on the camera, check the card.".to_owned()
            }
            FlashingError::Inspect { source, .. } => source.hint(),
            FlashingError::NotASet { .. } => {
                "`mi360d backups` lists the sets; `mi360d verify` shows what one lacks.".to_owned()
            }
            FlashingError::Choice(e) => e.hint(),
            FlashingError::Backup(e) => e.hint(),
            FlashingError::Flash(e) => e.hint(),
            FlashingError::Card(e) => e.hint(),
            FlashingError::Machine(e) => e.hint(),
            FlashingError::NotReady(_) => {
                "Keep the camera powered. Continue on the page, or try again in a minute."
                    .to_owned()
            }
            FlashingError::AfterRelease(e) => format!(
                "{} Some of the camera's own programs did not start again, so the camera restarts \
                 by itself.",
                e.hint()
            ),
            FlashingError::Blocked(planned) => {
                let hint = planned.plan.blockers.first().map(|finding| finding.hint.clone());
                format!("Nothing was written. {}", hint.unwrap_or_default()).trim_end().to_owned()
            }
            FlashingError::Phrase(planned, _) => format!(
                "Nothing was written. Read the plan, then run it again with --confirm '{}'.",
                planned.plan.confirm.as_deref().unwrap_or_default()
            ),
            FlashingError::OtherImage => {
                "Nothing was written. Make a new plan and read it before you confirm.".to_owned()
            }
            FlashingError::Interrupted { .. } => {
                "`mi360d resume` continues it. A flash that writes all of its partitions may \
                 replace it."
                    .to_owned()
            }
            FlashingError::OtherCamera => {
                "Nothing was written. Put the card back into its own camera.".to_owned()
            }
            FlashingError::SourceGone { .. } => {
                "Put the image back under that name and run `mi360d resume`, or restore a backup \
                 with `mi360d restore`."
                    .to_owned()
            }
            FlashingError::TooManyStarts { .. } => {
                "See the log for what ended them. Then continue on the page or with `mi360d \
                 resume`."
                    .to_owned()
            }
            FlashingError::Journal { .. } => {
                "Compare the camera with the image or the backup using `mi360d plan`, flash it, \
                 and remove mi360d/state/flash.toml."
                    .to_owned()
            }
        }
    }

    fn kind(&self) -> FailureKind {
        match self {
            FlashingError::Open { source, .. } if source.fault() == CardFault::Gone => {
                FailureKind::Missing
            }
            FlashingError::Backup(e) => e.kind(),
            FlashingError::Flash(e) => e.kind(),
            FlashingError::Card(e) => e.kind(),
            FlashingError::AfterRelease(e) => e.kind(),
            _ => FailureKind::of(self.exit()),
        }
    }

    fn exit(&self) -> Exit {
        match self {
            FlashingError::Open { source, .. } if source.fault() == CardFault::Gone => Exit::Usage,
            FlashingError::AfterRelease(e) => e.exit(),
            FlashingError::Choice(e) => e.exit(),
            FlashingError::Backup(e) => e.exit(),
            FlashingError::Flash(e) => e.exit(),
            FlashingError::Card(e) => e.exit(),
            FlashingError::NotASet { .. }
            | FlashingError::Machine(_)
            | FlashingError::Blocked(_)
            | FlashingError::Phrase(..)
            | FlashingError::OtherImage
            | FlashingError::Interrupted { .. }
            | FlashingError::TooManyStarts { .. }
            | FlashingError::OtherCamera => Exit::Refused,
            _ => Exit::Failed,
        }
    }
}
