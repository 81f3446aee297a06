//! One camera: its chip, its card, its identity, and what is being done with
//! them. What the page can do, the command line can do, through this module.
//!
//! | file | contents |
//! | --- | --- |
//! | `startup` | the order of a start: identity, backup, proof |
//! | `state` | what is known so far |
//! | `notice` | notices to the owner, from what is known |
//! | `status`, `flash_view`, `set_view` | the documents of page, API and command line |
//! | `status_txt` | `STATUS.txt`, for an owner that cannot reach the page |
//! | `settings` | `config.toml`, changed from outside |
//! | `job`, `jobs` | one job as it is shown; the running job, and news of it |
//! | `images`, `downloads` | what comes to the card, and what leaves it |
//! | `recordings` | the firmware's own recordings on the card |
//! | `saving` | identity and chip saved; the one writer's lock |
//! | `sets` | backups made, read again and deleted by their owner |
//! | `power`, `uninstall` | the restart, and the way back to stock |
//! | `update` | a newer mi360d: agreed to, confirmed or taken back |
//! | `patrol` | from preset to preset |
//! | `turn` | a single move of the camera |
//! | `schedule` | the table of times at work |
//! | `network` | the camera on its network: clock, name, cloud |
//! | `mqtt` | the camera as a device of Home Assistant |
//! | `web_hook`, `event_pictures` | each event sent to the owner's address; pictures of the last ones |
//! | `sounds` | what the camera's speaker plays |
//! | `eject` | the card given back when the vendor's app formats or ejects it |
//! | `facts` | what this camera's firmware is: gathered once, kept on the card |
//! | `flash_jobs` | plans and flashes as the page asks for them |
//! | `flashing` | a flash from its plan to its proof, and after a power cut |
//! | `framegrabber`, `codec` | the original's framegrabber, and the codec of its pictures |
//! | `services` | the hacks: started, ended, and their documents |

pub mod card_view;
pub mod codec;
pub mod controls;
pub mod downloads;
pub mod eject;
pub mod event_pictures;
pub mod facts;
pub mod flash_ended;
pub mod flash_jobs;
pub mod flash_view;
pub mod flashing;
pub mod framegrabber;
pub mod host_name;
pub mod images;
pub mod job;
pub mod job_thread;
pub mod jobs;
mod libraries;
pub mod memory;
mod mend;
pub mod motors;
pub mod mqtt;
pub mod network;
pub mod notice;
pub mod notices;
pub mod onvif;
pub mod patrol;
pub mod power;
pub mod privacy;
pub mod recordings;
mod saving;
pub mod schedule;
pub mod services;
pub mod set_view;
pub mod sets;
pub mod settings;
pub mod sounds;
pub mod startup;
pub mod state;
pub mod status;
pub mod status_txt;
mod turn;
pub mod uninstall;
pub mod update;
pub mod video;
pub mod web_hook;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::access::login;
use crate::backup::vault;
use crate::card::Card;
use crate::chip::sim::OnCut;
use crate::chip::{Chip, ChipError, Faults, MtdChip, Role, SimChip};
use crate::identity::{self, Judgement};
use crate::machine::{self, Machine};
pub use crate::settings::config::Config;

pub use state::CameraState;

/// One camera, real or simulated.
pub struct Camera {
    chip: Box<dyn Chip>,
    card: Card,
    hardware: Hardware,
    machine: Box<dyn Machine>,
    state: Mutex<CameraState>,
    login: login::Login,
    jobs: jobs::Jobs,
    plans: memory::Plans,
    tickets: memory::Tickets,
    arrivals: memory::Arrivals,
    services: OnceLock<crate::services::Services>,
    controls: OnceLock<crate::controls::Controls>,
    /// The firmware behind them, where that is a fake.
    fake: Mutex<Option<crate::vendor::pretend::Pretend>>,
    /// Held while `STATUS.txt` is written; true once that is no longer to be.
    uninstalled: Mutex<bool>,
    onvif: crate::onvif::door::Door,
    seen: memory::Seen,
    facts: crate::facts::known::Known,
}

/// What a camera runs on.
#[derive(Clone, Debug)]
pub enum Hardware {
    /// This machine.
    Device,
    /// A folder on a PC.
    Simulated {
        /// The folder.
        dir: PathBuf,
        /// Its model.
        model: String,
    },
}

impl Hardware {
    /// A folder of this camera's own that is there without its card: memory,
    /// or the simulated camera's folder.
    fn beside_card(&self) -> &Path {
        match self {
            Hardware::Device => Path::new("/tmp"),
            Hardware::Simulated { dir, .. } => dir,
        }
    }
}

impl Camera {
    /// Opens this machine's chip, or the simulated camera in a folder.
    ///
    /// # Errors
    /// [`ChipError`] where there is none.
    pub fn open(sim: Option<&Path>) -> Result<Camera, ChipError> {
        let (chip, card, hardware): (Box<dyn Chip>, Card, Hardware) = match sim {
            None => (Box::new(MtdChip::open()?), Card::of_camera(), Hardware::Device),
            Some(dir) => {
                let chip = SimChip::open(dir, Faults::from_env()?, OnCut::EndProcess)?;
                let model = chip.camera().model.clone();
                let hardware = Hardware::Simulated { dir: dir.to_owned(), model };
                (Box::new(chip), Card::folder(&dir.join("sdcard")), hardware)
            }
        };
        Ok(Camera::new(chip, card, hardware))
    }

    /// A camera of these parts.
    pub fn new(chip: Box<dyn Chip>, card: Card, hardware: Hardware) -> Camera {
        let machine: Box<dyn Machine> = match &hardware {
            Hardware::Device => Box::new(machine::Device::default()),
            Hardware::Simulated { dir, .. } => Box::new(machine::Simulated::new(dir)),
        };
        let login = login::Login::new(card.clone());
        Camera {
            chip,
            card,
            hardware,
            machine,
            state: Mutex::default(),
            login,
            jobs: jobs::Jobs::default(),
            plans: memory::Plans::default(),
            tickets: memory::Tickets::default(),
            arrivals: memory::Arrivals::default(),
            services: OnceLock::new(),
            controls: OnceLock::new(),
            fake: Mutex::default(),
            uninstalled: Mutex::default(),
            onvif: crate::onvif::door::Door::default(),
            seen: memory::Seen::default(),
            facts: crate::facts::known::Known::default(),
        }
    }

    /// Its chip.
    pub fn chip(&self) -> &dyn Chip {
        self.chip.as_ref()
    }

    /// Its card.
    pub fn card(&self) -> &Card {
        &self.card
    }

    /// Plans that were made.
    pub fn plans(&self) -> &memory::Plans {
        &self.plans
    }

    /// The machine around its chip.
    pub fn machine(&self) -> &dyn Machine {
        self.machine.as_ref()
    }

    /// Where it is.
    pub fn hardware(&self) -> &Hardware {
        &self.hardware
    }

    /// The login.
    pub fn login(&self) -> &login::Login {
        &self.login
    }

    /// What is being done.
    pub fn jobs(&self) -> &jobs::Jobs {
        &self.jobs
    }

    fn facts(&self) -> &crate::facts::known::Known {
        &self.facts
    }

    fn tickets(&self) -> &memory::Tickets {
        &self.tickets
    }

    fn uninstalled(&self) -> MutexGuard<'_, bool> {
        self.uninstalled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn arrivals(&self) -> &memory::Arrivals {
        &self.arrivals
    }

    /// The file with the settings in force.
    pub fn settings_path(&self) -> PathBuf {
        self.state().settings_path.clone().unwrap_or_else(|| self.card.config())
    }

    /// Whether the WiFi settings are carried through a flash of DATA: by the settings in force,
    /// read when it is decided.
    pub fn carries_wifi(&self) -> bool {
        crate::settings::config::load(&self.settings_path()).config.flash.carry_wifi
    }

    /// Whether a protected partition is unlocked. Only the file on the card counts, whatever file
    /// the daemon was started with: it takes a hand at the camera. Read when it is decided, so that
    /// an unlock that was removed counts no longer.
    pub fn is_unlocked(&self, partition: &str) -> bool {
        let flash = crate::settings::config::load(&self.card.config()).config.flash;
        flash.unlock.iter().any(|name| name.0 == partition)
    }

    /// What is known so far.
    pub fn state(&self) -> MutexGuard<'_, CameraState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// FACTORY, read until two readings agree, and judged; changes nothing.
    pub fn judge_identity(&self) -> Judgement {
        let factory = self.chip.map().by_role(Role::Factory);
        factory
            .and_then(|part| vault::read_factory(self.chip(), part).ok())
            .map_or_else(Judgement::missing, |(judgement, ..)| judgement)
    }

    /// The model: what FACTORY says, else what the simulated camera is, else `unknown`.
    pub fn model(&self, identity: &Judgement) -> String {
        let said = identity.identity.as_ref().and_then(identity::Identity::model);
        match (said, &self.hardware) {
            (Some(model), _) => model,
            (None, Hardware::Simulated { model, .. }) => model.clone(),
            (None, Hardware::Device) => "unknown".to_owned(),
        }
    }
}
