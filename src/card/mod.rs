//! The SD card: where things are on it, what state it is in, and writes that
//! are verified. Knows nothing of chips and images.

pub mod claim;
pub mod eject;
pub mod error;
pub mod fat;
pub mod file;
pub mod log;
pub mod logger;
pub mod pieces;
pub mod sync;

pub use sync::MOUNT_POINT;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::sys::stat::{major, minor};
use nix::sys::statvfs::{FsFlags, statvfs};
use serde::Serialize;

pub use error::{CardError, CardFault};

/// A card, or the folder that plays one.
#[derive(Clone, Debug)]
pub struct Card {
    root: PathBuf,
    must_be_mounted: bool,
}

/// What state a card is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum CardState {
    /// It can be written.
    Ready {
        /// Bytes free.
        free: u64,
        /// Bytes in all.
        total: u64,
    },
    /// It can be read only: its switch, or an error that made Linux give up writing.
    ReadOnly {
        /// Bytes free.
        free: u64,
        /// Bytes in all.
        total: u64,
    },
    /// No card.
    Missing,
}

impl CardState {
    /// In words for the owner.
    pub fn words(&self) -> String {
        match self {
            CardState::Ready { free, total } => {
                format!("{} free of {}", mib(*free), mib(*total))
            }
            CardState::ReadOnly { .. } => "read-only: nothing can be saved on it".into(),
            CardState::Missing => "missing".into(),
        }
    }
}

fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

impl Card {
    /// The camera's card.
    pub fn of_camera() -> Card {
        Card { root: PathBuf::from(MOUNT_POINT), must_be_mounted: true }
    }

    /// A folder that plays a card.
    pub fn folder(root: &Path) -> Card {
        Card { root: root.to_owned(), must_be_mounted: false }
    }

    /// Its top folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `mi360d/`, the program's own folder.
    pub fn home(&self) -> PathBuf {
        self.root.join("mi360d")
    }

    /// `mi360d/config.toml`.
    pub fn config(&self) -> PathBuf {
        self.home().join("config.toml")
    }

    /// `mi360d/identity/`.
    pub fn identities(&self) -> PathBuf {
        self.home().join("identity")
    }

    /// `mi360d/backups/`.
    pub fn backups(&self) -> PathBuf {
        self.home().join("backups")
    }

    /// `mi360d/state/`.
    pub fn state_dir(&self) -> PathBuf {
        self.home().join("state")
    }

    /// `mi360d/logs/`.
    pub fn logs(&self) -> PathBuf {
        self.home().join("logs")
    }

    /// `mi360d/images/`.
    pub fn images(&self) -> PathBuf {
        self.home().join("images")
    }

    /// What state it is in now.
    #[allow(clippy::unnecessary_cast)] // these are 32 bits wide on the camera
    pub fn state(&self) -> CardState {
        if self.must_be_mounted && !(is_mount_point(&self.root) && has_device(&self.root)) {
            return CardState::Missing;
        }
        let Ok(stat) = statvfs(&self.root) else { return CardState::Missing };
        let unit = stat.fragment_size() as u64;
        let free = stat.blocks_available() as u64 * unit;
        let total = stat.blocks() as u64 * unit;
        if stat.flags().contains(FsFlags::ST_RDONLY) {
            return CardState::ReadOnly { free, total };
        }
        CardState::Ready { free, total }
    }

    /// Makes sure that something can be written, and that the program's folder is there.
    ///
    /// # Errors
    /// [`CardError`] that names what is wrong with the card.
    pub fn require_writable(&self) -> Result<(), CardError> {
        match self.state() {
            CardState::Missing => Err(CardError::missing(&self.root)),
            CardState::ReadOnly { .. } => Err(CardError::read_only(&self.root)),
            CardState::Ready { .. } => file::make_dir(&self.home()),
        }
    }
}

/// Whether the device below a mount is still there. A card that was pulled out
/// stays mounted, and answers from memory; only sysfs tells.
fn has_device(root: &Path) -> bool {
    let Ok(meta) = fs::metadata(root) else { return false };
    let devices = Path::new("/sys/dev/block");
    !devices.exists()
        || devices.join(format!("{}:{}", major(meta.dev()), minor(meta.dev()))).exists()
}

/// A folder on another device than its parent is a mount point.
fn is_mount_point(path: &Path) -> bool {
    let device = |p: &Path| fs::metadata(p).map(|m| m.dev()).ok();
    match (device(path), device(&path.join(".."))) {
        (Some(here), Some(above)) => here != above,
        _ => false,
    }
}
