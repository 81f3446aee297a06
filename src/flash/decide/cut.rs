//! The cost of a power cut in the middle of a flash, the image that is put on the card against it,
//! and the phrase that says so.

use crate::chip::Role;
use crate::flash::facts::{Compared, Facts, PartFacts};
use crate::flash::heal::{self, Heals};
use crate::formats::uimage::Family;
use crate::image::Finding;

/// What it comes to.
pub struct Cut {
    /// What a power cut would need.
    pub heals: Heals,
    /// The phrase.
    pub confirm: Option<String>,
    /// The name of the rescue image.
    pub rescue: Option<&'static str>,
    /// That only a PC would help, and why.
    pub warning: Option<Finding>,
}

/// Decides it for the partitions that change, which are in the chip's order.
pub fn decide(facts: &Facts, changing: &[&PartFacts]) -> Cut {
    let roles: Vec<Role> = changing.iter().map(|part| part.part.role).collect();
    let names: Vec<&str> = changing.iter().map(|part| part.part.name.as_str()).collect();
    let may_be_rescue = may_be_rescue(&facts.compared);
    // No name in this camera's own U-Boot, or none that can be read: no promise.
    let rescue = name(&facts.loader, facts.family).filter(|_| may_be_rescue);
    let heals = Heals::of(&roles, rescue.is_some() && facts.compared.source.is_genuine);
    let confirm = heal::phrase(&names, heals);
    let warns = heals == Heals::NeedsPc && confirm.is_some();
    let warning = warns.then(|| without_rescue(&roles, may_be_rescue, rescue.is_some()));
    Cut { heals, confirm, rescue, warning }
}

/// Whether the image may be put on the card for the boot loader: a tf image with its trailer, of
/// which all three partitions are written; the boot loader writes all of them.
pub fn may_be_rescue(compared: &Compared) -> bool {
    let is_there = |role| compared.plan(role).is_some();
    compared.source.is_whole_tf
        && [Role::Kernel, Role::Rootfs, Role::Data].into_iter().all(is_there)
}

/// The name to use of those that this camera's U-Boot knows; `None` where it knows none. Where it
/// knows both, either is read: the one that is usual for the family of the processor is taken.
fn name(known: &[&'static str], family: Option<Family>) -> Option<&'static str> {
    let usual = match family {
        Some(Family::I6) => "tf_update.img",
        _ => "tf_recovery.img",
    };
    known.iter().find(|name| **name == usual).or(known.first()).copied()
}

fn without_rescue(roles: &[Role], may_be_rescue: bool, has_name: bool) -> Finding {
    let why = if roles.contains(&Role::Boot) {
        "only a PC can repair a half-written BOOT"
    } else if may_be_rescue && !has_name {
        "this camera's boot loader names no image that it accepts from a card"
    } else if may_be_rescue {
        "it is not certain that the boot loader accepts this image"
    } else {
        "the boot loader writes only a whole vendor image, and this is not one"
    };
    let hint = if may_be_rescue && !has_name {
        "Make sure that the power is reliable, and have a flash programmer ready: no image on \
         the card helps."
    } else {
        "Flash a rescue image (the vendor's own tf image) instead, or make sure that the \
         power is reliable and have a flash programmer ready."
    };
    Finding::warning(
        "without-rescue",
        format!("if the power fails while writing, only a PC can repair the camera: {why}"),
    )
    .hint(hint)
}
