//! The machine around the chip, as far as a flash has to do with it: what
//! runs from the partitions that will change, what else writes to the chip,
//! the watchdog, and the reboot.
//!
//! | file | contents |
//! | --- | --- |
//! | [`boots`] | the count of starts, and the safe mode |
//! | `device` | the camera's own, through Linux |
//! | `data` | who uses DATA, and how it is released |
//! | `mounts` | where DATA is mounted; mounting and unmounting it |
//! | `process` | running programs: what they have open, and their end |
//! | `mark` | a flash is running, as the boot hook sees it |
//! | `restore` | restarts what was ended, if a flash is called off |
//! | `watchdog` | taken over, fed and disarmed |
//! | `restart` | the restart, and what is left where it does not come |
//! | `oom` | spared by the out-of-memory killer while it flashes |
//! | `updates` | the vendor's updater, kept still |
//! | `simulated` | what plays it in a folder on a PC |

pub mod boots;

mod data;
mod device;
mod mark;
mod mounts;
mod oom;
mod process;
mod restart;
mod restore;
mod simulated;
mod updates;
mod watchdog;

use thiserror::Error;

use crate::error::{Code, Exit, Explain};

pub use device::Device;
pub use simulated::Simulated;
pub use updates::Updates;

/// What a flash is about to do.
#[derive(Clone, Copy, Debug, Default)]
pub struct Needs {
    /// DATA will be overwritten.
    pub data: bool,
}

/// What would prevent a flash.
#[derive(Clone, Debug, Default)]
pub struct Obstacles {
    /// Why DATA cannot be released, where that is needed.
    pub data: Option<String>,
    /// The program that has the watchdog and does not give it up: its name and its number.
    pub watchdog: Option<(String, u32)>,
}

/// A machine that a flash runs on.
pub trait Machine: Send + Sync {
    /// The live settings that a flash of DATA would take away
    /// (`.config.nvram`), as they stand; `None` where there are none.
    fn nvram(&self) -> Option<Vec<u8>>;

    /// The address of its own WiFi, in lower case.
    fn wifi_mac(&self) -> Option<String>;

    /// What would prevent it; changes nothing.
    fn obstacles(&self, needs: Needs) -> Obstacles;

    /// Stops what would disturb, takes the watchdog over, has the settings written, releases DATA,
    /// locks the memory, holds signals back.
    ///
    /// # Errors
    /// [`MachineError`]; nothing was written, and what was stopped runs again, unless the error is
    /// [`MachineError::NotBack`].
    fn prepare(&self, needs: Needs) -> Result<Box<dyn Prepared>, MachineError>;

    /// Whether WiFi, and the page with it, are away from [`Machine::prepare`] to the restart.
    fn page_goes(&self, needs: Needs) -> bool;

    /// Restarts the machine, where it is one. Returns only if it is not, or cannot.
    fn restart(&self);

    /// Before the program ends: gives the watchdog back. Does not return while it is armed and
    /// nobody else would feed it.
    fn leave(&self);
}

/// A machine that is ready to be flashed.
pub trait Prepared: Send + Sync {
    /// Feeds the watchdog.
    fn beat(&self);

    /// Restarts the machine, where it is one. Returns only if it is not, or cannot.
    fn reboot(&self);

    /// Whether it is one that restarts after a flash.
    fn restarts(&self) -> bool;

    /// The live settings (`.config.nvram`) as they were when DATA was released, after everybody who
    /// writes them had ended; `None` where it was not, or there are none.
    fn nvram(&self) -> Option<Vec<u8>>;

    /// Goes on feeding the watchdog from a thread: after a flash that failed,
    /// a restart is the last thing that a camera needs.
    fn hold(self: Box<Self>);

    /// The flash is called off, and nothing was written: what was ended runs again, the watchdog is
    /// its feeder's. Whether all of it is back.
    fn call_off(self: Box<Self>) -> bool;
}

/// Why a machine cannot be made ready.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MachineError {
    /// DATA is in use.
    #[error("DATA cannot be released: {reason}")]
    DataBusy {
        /// By whom, or why.
        reason: String,
    },
    /// The watchdog is held by somebody else.
    #[error("the watchdog cannot be taken over: {reason}")]
    Watchdog {
        /// Why.
        reason: String,
    },
    /// Another program that writes the chip does not end.
    #[error("{name} writes to the same chip and does not stop")]
    OtherWriter {
        /// Its name.
        name: String,
    },
    /// Too little memory, also after the vendor's services were ended.
    #[error("only {available} KiB of memory are available, not {needed}")]
    LittleMemory {
        /// KiB available.
        available: u64,
        /// KiB needed.
        needed: u64,
    },
    /// It failed, and what was ended for the flash does not run again.
    #[error(transparent)]
    NotBack(Box<MachineError>),
}

impl Explain for MachineError {
    fn code(&self) -> Code {
        match self {
            MachineError::DataBusy { .. } => Code::DataBusy,
            MachineError::Watchdog { .. } => Code::Watchdog,
            MachineError::OtherWriter { .. } => Code::OtherWriter,
            MachineError::LittleMemory { .. } => Code::LittleMemory,
            MachineError::NotBack(e) => e.code(),
        }
    }

    fn hint(&self) -> String {
        match self {
            MachineError::DataBusy { .. } => {
                "Nothing was written. Restart the camera and try again, or leave DATA out."
            }
            MachineError::Watchdog { .. } => {
                "Nothing was written: the camera would have restarted during the flash. Restart \
                 the camera and try again."
            }
            MachineError::OtherWriter { .. } => {
                "Nothing was written. Restart the camera and try again before the vendor's update \
                 begins."
            }
            MachineError::LittleMemory { .. } => {
                "Nothing was written. Turn hacks off or restart the camera, then try again."
            }
            MachineError::NotBack(e) => {
                return format!(
                    "{} Some of the camera's own programs did not start again, so the camera \
                     restarts by itself.",
                    e.hint()
                );
            }
        }
        .to_owned()
    }

    fn exit(&self) -> Exit {
        Exit::Refused
    }
}
