//! Cost of a power cut in the middle of a flash, reported before anything begins; the phrase by
//! which an owner agrees; and the order of writing. Pure.

use serde::{Deserialize, Serialize};

use super::plan::PartPlan;
use crate::chip::Role;

/// What brings a camera back whose flash was cut short.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Heals {
    /// Linux still starts, and this program continues.
    Itself,
    /// The boot loader flashes the vendor's image that is on the card.
    BootLoader,
    /// Only a PC: U-Boot's console or a programmer.
    NeedsPc,
}

impl Heals {
    /// The words that stand for them in files.
    pub const WORDS: [(&'static str, Heals); 3] = [
        ("itself", Heals::Itself),
        ("boot-loader", Heals::BootLoader),
        ("needs-pc", Heals::NeedsPc),
    ];

    /// Its word in files.
    pub fn word(self) -> &'static str {
        Heals::WORDS.iter().find(|(_, heals)| *heals == self).map_or("needs-pc", |(word, _)| word)
    }

    /// Which case a flash of these partitions is; `rescue` where an image that
    /// the boot loader takes is on the card meanwhile, for all that it writes.
    pub fn of(changed: &[Role], rescue: bool) -> Heals {
        let starts_without =
            |role: &Role| matches!(role, Role::Data | Role::Config | Role::Factory);
        if changed.iter().all(starts_without) {
            Heals::Itself
        } else if rescue && !changed.contains(&Role::Boot) {
            Heals::BootLoader
        } else {
            Heals::NeedsPc
        }
    }

    /// In words for the owner.
    pub fn words(self) -> &'static str {
        match self {
            Heals::Itself => {
                "If the power fails, the camera still starts, and the flash continues by itself."
            }
            Heals::BootLoader => {
                "If the power fails, leave the card in: the boot loader writes the vendor's image \
                 from it at the next start, and the flash continues from there."
            }
            Heals::NeedsPc => {
                "If the power fails while writing, the camera does not start again by itself. \
                 Then you need a PC with a flash programmer or the serial console: see \
                 RECOVERY.txt in the backup."
            }
        }
    }
}

/// The phrase for these partitions, which are in the chip's order; `None`
/// where nothing would change.
pub fn phrase(changed: &[&str], heals: Heals) -> Option<String> {
    if changed.is_empty() {
        return None;
    }
    let mut phrase = format!("FLASH {}", changed.join(" "));
    if heals == Heals::NeedsPc {
        phrase.push_str(" WITHOUT RESCUE");
    }
    Some(phrase)
}

/// The order of writing: what Linux starts without comes first, so that a
/// power cut costs as little as it can for as long as it can.
const ORDER: [Role; 6] =
    [Role::Factory, Role::Config, Role::Data, Role::Rootfs, Role::Kernel, Role::Boot];

/// Plans in the order of writing.
pub fn in_order(mut parts: Vec<PartPlan>) -> Vec<PartPlan> {
    parts.sort_by_key(|plan| ORDER.iter().position(|role| *role == plan.part.role));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_starts_linux_needs_a_rescue_and_boot_has_none() {
        use Role::{Boot, Config, Data, Factory, Kernel, Rootfs};
        assert_eq!(Heals::of(&[Data, Config, Factory], false), Heals::Itself);
        for role in [Kernel, Rootfs] {
            assert_eq!(Heals::of(&[Data, role], true), Heals::BootLoader);
            assert_eq!(Heals::of(&[Data, role], false), Heals::NeedsPc);
        }
        assert_eq!(Heals::of(&[Boot, Kernel], true), Heals::NeedsPc);
    }

    #[test]
    fn there_is_one_phrase_and_it_says_what_it_costs() {
        assert_eq!(phrase(&[], Heals::Itself), None);
        assert_eq!(phrase(&["DATA"], Heals::Itself).unwrap(), "FLASH DATA");
        assert_eq!(
            phrase(&["KERNEL", "ROOTFS", "DATA"], Heals::BootLoader).unwrap(),
            "FLASH KERNEL ROOTFS DATA"
        );
        assert_eq!(phrase(&["ROOTFS"], Heals::NeedsPc).unwrap(), "FLASH ROOTFS WITHOUT RESCUE");
    }
}
