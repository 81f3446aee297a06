//! The hacks: programs of the owner's choice, each a folder on the card, that
//! are supervised, configured and shown. Knows the card, not the camera: `camera`
//! starts them and shows them.
//!
//! | file | contents |
//! | --- | --- |
//! | `manifest`, `template`, `setting` | `hack.toml`: read, checked, filled in |
//! | `hack` | what a hack is, once it was checked |
//! | `find`, `original` | the folders on the card, those of the original hack too |
//! | `config` | `[hacks.ID]` of `config.toml` |
//! | `launch`, `elf` | from a hack to what is started, or why it cannot be |
//! | `process`, `output`, `ports` | one running program, its output, its port |
//! | `unit`, `table`, `supervisor` | one program, all of them, the thread that looks after them |
//! | `view` | what page and API show |
//! | `ssh`, `framegrabber`, `rtsp` | what these need before they start |
//! | `ptz` | the motors, through the original's motord |

pub mod config;
pub mod elf;
pub mod error;
mod find;
mod found;
pub mod framegrabber;
mod hack;
mod launch;
pub mod manifest;
mod original;
mod output;
mod ports;
mod private;
mod process;
pub mod ptz;
pub mod rtsp;
pub mod setting;
pub mod ssh;
mod supervisor;
mod table;
mod template;
mod unit;
mod view;

use std::path::PathBuf;
use std::time::Duration;

pub use error::{ManifestError, ServiceError};
pub use hack::Origin;
pub use setting::{Value, Values};
pub use supervisor::Services;
pub use unit::ServiceState;
pub use view::{LogView, ProgramView, ServiceBrief, ServiceView};

/// The machine that hacks run on.
#[derive(Clone, Debug)]
pub struct World {
    /// The card's top folder.
    pub card: PathBuf,
    /// `config.toml`.
    pub config: PathBuf,
    /// Where each hack has its folder in memory.
    pub run: PathBuf,
    /// This program's own file.
    pub program: PathBuf,
    /// The camera's model, `ipc009` for example.
    pub model: String,
    /// The time zone for hacks, in POSIX form.
    pub time_zone: String,
    /// How long things are waited for.
    pub pace: Pace,
}

/// How long things are waited for.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// The first pause before a program is started again; each next is twice as long.
    pub first: Duration,
    /// The longest pause.
    pub most: Duration,
    /// A program that lives so long has not failed.
    pub good_after: Duration,
    /// The most that a program gets to end after TERM, whatever its hack says.
    pub stop_most: Duration,
    /// How often running programs are checked.
    pub look: Duration,
    /// How often the card is checked for new hacks and changed settings.
    pub look_at_card: Duration,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace {
            first: Duration::from_secs(1),
            most: Duration::from_secs(300),
            good_after: Duration::from_secs(60),
            stop_most: Duration::from_secs(60),
            look: Duration::from_millis(250),
            look_at_card: Duration::from_secs(5),
        }
    }
}
