//! The plan of a flash, with its costs and refusals: one pure function from the facts and the
//! owner's request. `tests/flash/decisions.rs` is the table of its decisions.
//!
//! | file | decides |
//! | --- | --- |
//! | `ownership` | what may be written to BOOT, CONFIG and FACTORY |
//! | `settings` | whether the WiFi settings are carried over |
//! | `cut` | what a power cut would cost, the rescue image, the phrase |
//! | `conditions` | what else forbids it: card, identity, chip, machine, an interrupted flash |

mod conditions;
mod cut;
mod ownership;
mod settings;

use std::time::Duration;

use super::facts::{Facts, PartFacts};
use super::heal::Heals;
use super::plan::PartPlan;
use super::request::PlanRequest;
use crate::chip::Role;
use crate::image::finding::{Finding, Severity};
use crate::machine::Needs;

pub use conditions::is_odd;
pub use cut::may_be_rescue;
pub use settings::{fits, needs_settings};

/// The plan of a flash. It comes from [`decide`] only, and nothing corrects it later: only what the
/// blocks of DATA and of the settings contain is compared again when nobody writes there any more.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The partitions, in the chip's order; those that would not change too.
    pub parts: Vec<PartPlan>,
    /// The WiFi settings that are carried over in CONFIG.
    pub carried: Option<Vec<u8>>,
    /// What forbids it.
    pub blockers: Vec<Finding>,
    /// What the owner must know before he agrees.
    pub warnings: Vec<Finding>,
    /// What is good to know.
    pub notes: Vec<Finding>,
    /// What a power cut in the middle would need.
    pub heals: Heals,
    /// The phrase that agrees to it; `None` where nothing would change.
    pub confirm: Option<String>,
    /// The image that is put at the card's root meanwhile, for the boot loader.
    pub rescue: Option<&'static str>,
    /// How long WiFi, and the page with it, are away, in seconds; `None` where they stay.
    pub away_s: Option<u64>,
}

/// Decides.
pub fn decide(facts: &Facts, request: &PlanRequest) -> Plan {
    let compared = &facts.compared;
    let mut found = compared.source.findings.clone();
    let is_refused = found.iter().any(|f| f.severity == Severity::Blocker);
    if compared.chosen.is_empty() && !is_refused {
        found.push(
            Finding::blocker("nothing-to-flash", "it contains nothing that can be flashed").hint(
                "`mi360d inspect` says what it is; --only takes partitions that it contains.",
            ),
        );
    }
    found.extend(ownership::check(compared, request));
    let chosen = || compared.chosen.iter().filter_map(|chosen| chosen.on_chip.as_ref());
    found.extend(chosen().filter(|part| part.plan.is_none()).map(conditions::not_compared));
    let (carried, said) = settings::carry(facts, request);
    found.extend(said);
    let config = facts.settings.as_ref().and_then(|settings| settings.config.as_ref());
    let config = config.filter(|_| carried.is_some());
    let mut used: Vec<(&PartFacts, &PartPlan)> =
        chosen().chain(config).filter_map(|part| Some((part, part.plan.as_ref()?))).collect();
    used.sort_by_key(|(part, _)| part.part.offset);
    let changing: Vec<&PartFacts> =
        used.iter().filter(|(_, plan)| plan.changes()).map(|(part, _)| *part).collect();
    let cut = cut::decide(facts, &changing);
    found.extend(cut.warning);
    if !changing.is_empty() {
        found.extend(conditions::check(facts, request, &changing, &used, cut.rescue.is_some()));
    }
    let parts: Vec<PartPlan> = used.iter().map(|(_, plan)| (*plan).clone()).collect();
    let goes = compared.changes_data() && facts.page_goes;
    let of = |severity| found.iter().filter(|f| f.severity == severity).cloned().collect();
    Plan {
        away_s: goes.then(|| away(estimate(&parts), facts.card.held_by.is_some())),
        carried: carried.map(<[u8]>::to_vec),
        blockers: of(Severity::Blocker),
        warnings: of(Severity::Warning),
        notes: of(Severity::Note),
        heals: cut.heals,
        confirm: cut.confirm,
        rescue: cut.rescue,
        parts,
    }
}

/// What of the machine a flash of these partitions needs.
pub fn needs(parts: &[PartPlan]) -> Needs {
    Needs { data: parts.iter().any(|plan| plan.part.role == Role::Data && plan.changes()) }
}

/// What the chip takes for them, by the data sheet.
pub fn estimate(parts: &[PartPlan]) -> Duration {
    Duration::from_micros(parts.iter().map(PartPlan::chip_micros).sum())
}

/// What an owner's phrase comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agreement {
    /// The plan has blockers: no phrase agrees to it.
    Refused,
    /// Nothing would change.
    NothingToDo,
    /// It needs the phrase.
    PhraseNeeded,
    /// It is another phrase.
    WrongPhrase,
    /// He agrees.
    Agreed,
}

/// What a phrase comes to, for a plan that is refused or not, and has this phrase.
pub fn agreement(is_refused: bool, confirm: Option<&str>, phrase: Option<&str>) -> Agreement {
    match (confirm, phrase.map(str::trim)) {
        _ if is_refused => Agreement::Refused,
        (None, _) => Agreement::NothingToDo,
        (Some(_), None) => Agreement::PhraseNeeded,
        (Some(right), Some(phrase)) if phrase == right => Agreement::Agreed,
        _ => Agreement::WrongPhrase,
    }
}

/// How long WiFi is away in a flash of DATA whose chip takes this long: DATA is released, what is
/// overwritten is saved, unless a set contains it already, and the camera starts again at the end.
fn away(chip: Duration, is_held: bool) -> u64 {
    const RELEASE: u64 = 60;
    const SAVE: u64 = 90;
    const START: u64 = 60;
    let saved = if is_held { 0 } else { SAVE };
    RELEASE + saved + chip.as_secs() + START
}
