//! The facts that a plan is decided from: the source, the chip, the card and the machine.
//! `camera::flashing::gather` finds them, [`super::decide`] judges them.

use std::fmt;

use super::plan::PartPlan;
use super::rules::Live;
use crate::card::CardState;
use crate::chip::{Partition, Role};
use crate::formats::uimage::Family;
use crate::identity::{Identity, Judgement};
use crate::image::Finding;
use crate::machine::Obstacles;

/// All of it.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The source, compared with this camera.
    pub compared: Compared,
    /// The WiFi settings in DATA; `None` where [`super::decide::needs_settings`] is false.
    pub settings: Option<Settings>,
    /// The rescue images that this camera's boot loader takes from a card; not asked, and empty,
    /// where [`super::decide::may_be_rescue`] is false.
    pub loader: Vec<&'static str>,
    /// The family of the processor, as far as it is known.
    pub family: Option<Family>,
    /// The card, and what of the camera is saved on it.
    pub card: CardFacts,
    /// What of the machine is in the way.
    pub obstacles: Obstacles,
    /// What an earlier flash left.
    pub left: Left,
    /// Whether it is a camera, and no simulated one.
    pub is_device: bool,
    /// Whether WiFi, and the page with it, are away while DATA is written.
    pub page_goes: bool,
}

/// A source, compared with this camera.
#[derive(Clone, Debug)]
pub struct Compared {
    /// The source.
    pub source: SourceFacts,
    /// The camera itself.
    pub own: OwnFacts,
    /// The partitions that were chosen of it, in its order.
    pub chosen: Vec<Chosen>,
}

impl Compared {
    /// The plan of the chosen partition of this role, where there is one.
    pub(super) fn plan(&self, role: Role) -> Option<&PartPlan> {
        let plans = self.chosen.iter().filter_map(|chosen| chosen.on_chip.as_ref()?.plan.as_ref());
        plans.into_iter().find(|plan| plan.part.role == role)
    }

    /// Whether DATA would change.
    pub fn changes_data(&self) -> bool {
        self.plan(Role::Data).is_some_and(PartPlan::changes)
    }
}

/// What the source is.
#[derive(Clone, Debug, Default)]
#[allow(clippy::struct_excessive_bools)] // each is a fact of its own
pub struct SourceFacts {
    /// What was found in it that concerns the chosen partitions.
    pub findings: Vec<Finding>,
    /// The FACTORY in it, judged, where it is a backup set.
    pub factory: Option<Judgement>,
    /// Whether its BOOT is the one on the chip.
    pub has_live_boot: bool,
    /// Whether it is a tf image with its trailer.
    pub is_whole_tf: bool,
    /// Whether it is the vendor's own image, by its hash or its signature.
    pub is_genuine: bool,
    /// Whether it is on the camera's card.
    pub is_on_card: bool,
    /// Bytes of it that have to be copied to the card.
    pub to_copy: u64,
}

/// What tells whose a camera is.
#[derive(Clone, Debug)]
pub struct OwnFacts {
    /// What its FACTORY contains now.
    pub identity: Judgement,
    /// The address of its own WiFi, where that is known.
    pub wifi_mac: Option<String>,
    /// The only healthy identity ever saved on its card, if there is just one.
    pub only_saved: Option<Identity>,
}

impl OwnFacts {
    /// The same for the laws, with the did that was typed.
    pub fn live<'a>(&'a self, typed_did: Option<&'a str>) -> Live<'a> {
        Live {
            identity: &self.identity,
            wifi_mac: self.wifi_mac.as_deref(),
            only_saved: self.only_saved.as_ref(),
            typed_did,
        }
    }
}

/// A chosen partition.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// Its name in the source.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// Whether the card's config.toml unlocks it.
    pub is_unlocked: bool,
    /// The identity in it, where it is a FACTORY that contains one.
    pub identity: Option<Judgement>,
    /// The partition of that name on the chip; `None` where the camera has none.
    pub on_chip: Option<PartFacts>,
}

/// A partition on the chip, compared with what it would contain.
#[derive(Clone, Debug)]
pub struct PartFacts {
    /// The partition.
    pub part: Partition,
    /// What would change; `None` where the chip cannot be read there, and where it was not compared
    /// because [`super::decide::is_odd`] or its new content does not fit.
    pub plan: Option<PartPlan>,
    /// The first byte that the chip does not give back.
    pub gap: Option<u32>,
    /// Whether the kernel writes it.
    pub is_writable: bool,
    /// Whether some of it is write-protected by the chip.
    pub is_protected: bool,
}

/// The WiFi settings in DATA.
#[derive(Clone)]
pub struct Settings {
    /// Whether config.toml says to carry them.
    pub is_wanted: bool,
    /// They, as they are now; `None` where they cannot be read.
    pub nvram: Option<Vec<u8>>,
    /// CONFIG, compared with them; `None` where the camera has none.
    pub config: Option<PartFacts>,
}

/// They are a secret.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nvram = self.nvram.as_ref().map(Vec::len);
        write!(f, "Settings({}, {nvram:?} bytes, {:?})", self.is_wanted, self.config)
    }
}

/// The card, and what of the camera is saved on it.
#[derive(Clone, Debug)]
pub struct CardFacts {
    /// What state it is in.
    pub state: CardState,
    /// The set that contains what the chip contains now, exactly.
    pub held_by: Option<String>,
    /// Bytes of the chip, where the map tells.
    pub chip_size: Option<u32>,
    /// Whether the identity was to be saved on it, and is not.
    pub lacks_identity: bool,
}

/// What an earlier flash left on the card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Left {
    /// Nothing.
    Nothing,
    /// A flash of this camera was interrupted.
    Interrupted {
        /// Its partitions.
        partitions: Vec<String>,
    },
    /// A flash of another camera was interrupted.
    OtherCameras,
    /// A journal that cannot be understood.
    Damaged {
        /// Why.
        reason: String,
    },
}
