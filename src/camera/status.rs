//! The document of `GET /api/v1/status`: how the camera is, at a glance.

use super::notices;
use serde::Serialize;

use super::flash_ended::Ended;
use super::flashing::Interrupted;
use super::job::Job;
use super::notice::Notice;
use super::state::{BackupState, Network};
use super::{Camera, card_view, set_view};
use crate::backup::vault::Kept;
use crate::base::host;
use crate::card::CardState;
use crate::identity::{Identity, Masked};
use crate::network::wifi;

/// How the camera is.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// Version of this program.
    pub program: &'static str,
    /// `ipc009`, ... or `unknown`.
    pub model: String,
    /// Whether this is a simulated camera.
    pub simulated: bool,
    /// Release of the running kernel.
    pub kernel: String,
    /// Seconds since power-up.
    pub uptime_seconds: u64,
    /// UTC, if the clock is sane.
    pub clock: Option<String>,
    /// Memory in KiB.
    pub memory: host::Memory,
    /// The card.
    pub card: CardState,
    /// The identity.
    pub identity: IdentityStatus,
    /// The backup of this start.
    pub backup: BackupState,
    /// The newest set that counts.
    pub newest_backup: Option<set_view::SetView>,
    /// The camera on its network.
    pub network: Network,
    /// The job that runs, else the newest one.
    pub job: Option<Job>,
    /// A flash that was cut short; null where none was.
    pub interrupted: Option<Interrupted>,
    /// A flash that a start ended by itself after a power cut, until its owner has read that.
    pub flash_ended: Option<Ended>,
    /// The hacks of the card.
    pub services: Vec<crate::services::ServiceBrief>,
    /// Starts on this card.
    pub boot_count: u64,
    /// Whether this is the safe mode.
    pub safe_mode: bool,
    /// What must be reported to the owner, the gravest first.
    pub notices: Vec<Notice>,
}

/// The identity, without a secret.
#[derive(Clone, Debug, Serialize)]
pub struct IdentityStatus {
    /// `healthy`, `blank`, `damaged` or `missing`.
    pub health: &'static str,
    /// The first 8 hex digits of FACTORY's SHA-256.
    pub fingerprint: Option<String>,
    /// `card`, `memory` (until the power is lost), `nowhere`, or `none` where there is none.
    pub saved: &'static str,
    /// Whether a backup that contains it has ever been downloaded: until then, the only copy is on
    /// this card.
    pub downloaded: bool,
    /// The fields, masked.
    pub fields: Vec<Masked>,
}

/// How the camera is now.
pub fn of(camera: &Camera) -> Status {
    let on_card = card_view::of(camera);
    let notices = notices::all(camera);
    let services = super::services::brief(camera);
    let card = camera.card().state();
    let simulated = matches!(camera.hardware(), super::Hardware::Simulated { .. });
    // A driver that connects again may answer only after seconds: nobody waits for it with the
    // lock.
    let wifi = if simulated { Some(wifi::simulated()) } else { wifi::now() };
    let addresses = host::addresses();
    let state = camera.state();
    let (identity, model) = match &state.vaulted {
        None => (
            IdentityStatus {
                health: "missing",
                fingerprint: None,
                saved: "nowhere",
                downloaded: false,
                fields: Vec::new(),
            },
            "unknown".to_owned(),
        ),
        Some(vaulted) => {
            let judgement = &vaulted.judgement;
            let saved = match &vaulted.kept {
                Kept::Already(_) | Kept::Saved(_) => "card",
                Kept::MemoryOnly { .. } => "memory",
                Kept::Nowhere(_) => "nowhere",
                Kept::NoIdentity => "none",
            };
            let identity = IdentityStatus {
                health: judgement.health.name(),
                fingerprint: judgement.mark().map(str::to_owned),
                saved,
                downloaded: on_card.downloaded,
                fields: judgement.identity.as_ref().map(Identity::masked).unwrap_or_default(),
            };
            (identity, camera.model(judgement))
        }
    };
    Status {
        program: env!("CARGO_PKG_VERSION"),
        model,
        simulated,
        kernel: host::kernel_release(),
        uptime_seconds: host::uptime_seconds(),
        clock: host::clock(),
        memory: host::memory(),
        card,
        identity,
        backup: state.backup.clone(),
        newest_backup: on_card.newest.clone(),
        network: Network {
            wifi,
            addresses: match state.listen {
                Some(listen) if !listen.ip().is_unspecified() => vec![listen.ip()],
                _ => addresses,
            },
            ..state.network.clone()
        },
        services,
        job: camera.jobs().newest(),
        interrupted: on_card.interrupted.clone(),
        flash_ended: on_card.ended.clone(),
        boot_count: state.boot_count,
        safe_mode: state.safe_mode,
        notices,
    }
}
