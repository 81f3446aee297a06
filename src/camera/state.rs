//! State of a running daemon.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use serde::Serialize;

use crate::backup::vault::Vaulted;
use crate::backup::{BackupOutcome, Reading, SetName, Verification};
use crate::error::{Code, Explain, chain};
use crate::network::wifi::Wifi;
use crate::settings::config::Loaded;

/// Everything known.
#[derive(Debug, Default)]
pub struct CameraState {
    /// FACTORY, judged and saved.
    pub vaulted: Option<Vaulted>,
    /// The settings in force, and what is wrong with their file.
    pub settings: Loaded,
    /// Where they are from, where that is not the card's own file.
    pub settings_path: Option<PathBuf>,
    /// The last reading of the whole chip.
    pub reading: Option<Reading>,
    /// What became of the backup at this start.
    pub backup: BackupState,
    /// Sets that were read again, and what that came to.
    pub proofs: BTreeMap<SetName, Verification>,
    /// Starts on this card.
    pub boot_count: u64,
    /// Whether three starts in a row did not last.
    pub safe_mode: bool,
    /// Why `STATUS.txt` could not be written the last time.
    pub status_txt_failure: Option<String>,
    /// What was done on the network.
    pub network: Network,
    /// Why there is no page.
    pub page_problem: Option<String>,
    /// Why a newer program did not stay.
    pub update_failure: Option<String>,
    /// Where the page listens.
    pub listen: Option<SocketAddr>,
}

/// The backup of this start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum BackupState {
    /// It has not begun.
    #[default]
    Waiting,
    /// It is under way.
    Running {
        /// What is being done, in a few words.
        step: &'static str,
        /// The same as a stable name.
        step_code: &'static str,
        /// Bytes of the step done.
        done: u64,
        /// Bytes of the step in all.
        total: u64,
    },
    /// A set contains the chip, and is verified.
    Done {
        /// The set.
        set: String,
        /// Whether it was made at this start.
        made: bool,
        /// Whether it has everything.
        complete: bool,
    },
    /// There is none.
    Failed {
        /// A stable name of the reason.
        code: Code,
        /// The reason.
        message: String,
        /// What to do.
        hint: String,
    },
    /// Turned off in `config.toml`.
    Off,
}

impl BackupState {
    /// What an error means for the backup.
    pub fn failed(error: &dyn Explain) -> BackupState {
        BackupState::Failed { code: error.code(), message: chain(error), hint: error.hint() }
    }

    /// What an outcome means for the backup.
    pub fn done(outcome: &BackupOutcome) -> BackupState {
        BackupState::Done {
            set: outcome.set.name.to_string(),
            made: outcome.made,
            complete: outcome.set.closed().is_some(),
        }
    }
}

/// What `GET /api/v1/status` says of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Network {
    /// The name under which the page opens, without `http://`.
    pub name: Option<String>,
    /// Addresses of the vendor's that have a null route now.
    pub cloud_blocked: usize,
    /// Whether the camera's programs no longer find the vendor's names.
    pub cloud_names_blocked: bool,
    /// Why something of the cloud is not blocked, where it should be.
    pub cloud_problem: Option<String>,
    /// Why the vendor's updates are not held, where they should be.
    pub updates_problem: Option<&'static str>,
    /// Why there is no connection to the MQTT broker; null: there is one.
    pub mqtt: Option<String>,
    /// Why the web hook rejected the last event; null: it did not.
    pub web_hook: Option<String>,
    /// The WiFi; null where there is none.
    pub wifi: Option<Wifi>,
    /// Addresses under which the page opens.
    pub addresses: Vec<IpAddr>,
}
