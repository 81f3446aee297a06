//! Observers of a flash: the page, the terminal; and the work at each block that keeps the watchdog
//! from ending it.

use crate::chip::Partition;

/// What a flash is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Reading image and chip.
    Checking,
    /// Saving what will be overwritten.
    Saving,
    /// Stopping what would disturb, copying the image, opening the journal.
    Preparing,
    /// Writing blocks.
    Writing,
    /// Reading whole partitions back.
    Proving,
    /// Putting protection back, closing the journal.
    Closing,
}

impl Step {
    /// All of them.
    pub const ALL: [Step; 6] = [
        Step::Checking,
        Step::Saving,
        Step::Preparing,
        Step::Writing,
        Step::Proving,
        Step::Closing,
    ];

    /// A stable name; the page finds its words by it.
    pub fn code(self) -> &'static str {
        match self {
            Step::Checking => "checking",
            Step::Saving => "saving",
            Step::Preparing => "preparing",
            Step::Writing => "writing",
            Step::Proving => "proving",
            Step::Closing => "closing",
        }
    }

    /// In words for a progress bar.
    pub fn words(self) -> &'static str {
        match self {
            Step::Checking => "reading image and chip",
            Step::Saving => "saving what will be overwritten",
            Step::Preparing => "preparing",
            Step::Writing => "writing",
            Step::Proving => "reading back",
            Step::Closing => "closing",
        }
    }
}

/// How far one block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockState {
    /// It contains what it should already.
    Same,
    /// It will change.
    Waiting,
    /// It is being written.
    Active,
    /// It was written, and reads back right.
    Written,
    /// It could not be written.
    Failed,
}

/// Gets the progress, and feeds the watchdog. Called from the writing thread:
/// quick, and without a failure of its own.
pub trait Watch: Send + Sync {
    /// A step begins; of `partition`, where it is about one.
    fn step(&self, step: Step, partition: Option<&Partition>);

    /// A block changed its state.
    fn block(&self, partition: &Partition, number: u32, state: BlockState);

    /// `done` of `total` blocks that change are written.
    fn progress(&self, done: u32, total: u32);

    /// Something is alive: called at least once for each block.
    fn beat(&self) {}
}

/// Nobody watches.
pub struct Unwatched;

impl Watch for Unwatched {
    fn step(&self, _step: Step, _partition: Option<&Partition>) {}
    fn block(&self, _partition: &Partition, _number: u32, _state: BlockState) {}
    fn progress(&self, _done: u32, _total: u32) {}
}
