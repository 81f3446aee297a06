//! The laws of BOOT, CONFIG and FACTORY in [`rules`](crate::flash::rules), applied to a source and
//! this camera.

use crate::chip::Role;
use crate::flash::facts::Compared;
use crate::flash::request::PlanRequest;
use crate::flash::rules::{self, Ground};
use crate::identity::Judgement;
use crate::image::Finding;

/// What forbids the chosen partitions, and on what ground an identity is written.
pub fn check(compared: &Compared, request: &PlanRequest) -> Vec<Finding> {
    let live = compared.own.live(request.did.as_deref());
    let ground = ground(compared, request);
    let protected = compared.chosen.iter().filter(|chosen| chosen.role.is_protected());
    protected
        .filter_map(|chosen| match (&ground, chosen.role) {
            (Some(Ok(ground)), Role::Factory) if *ground != Ground::Live => Some(
                Finding::note("identity-own", format!("FACTORY is written: {}.", ground.words()))
                    .of("FACTORY"),
            ),
            (Some(Err(blocker)), _) => Some(blocker.clone().of(&chosen.name)),
            (None, _) if !chosen.is_unlocked => Some(rules::locked(&chosen.name)),
            (None, Role::Factory) => {
                let identity = chosen.identity.clone().unwrap_or_else(Judgement::missing);
                rules::own(&identity, &live).err()
            }
            (Some(Ok(_)) | None, _) => None,
        })
        .collect()
}

/// Whether a source is a backup of this very camera.
pub fn is_own_set(compared: &Compared, request: &PlanRequest) -> bool {
    matches!(ground(compared, request), Some(Ok(_)))
}

/// On what ground a set is this camera's; `None` where the source is none, or has no FACTORY.
fn ground(compared: &Compared, request: &PlanRequest) -> Option<Result<Ground, Finding>> {
    let own = &compared.own;
    compared.source.factory.as_ref().map(|factory| {
        rules::own(factory, &own.live(request.did.as_deref())).or_else(|refused| {
            // Neither is healthy, and they are equal: then BOOT tells whose the set is.
            let is_equal = factory.mark().is_some() && factory.mark() == own.identity.mark();
            if is_equal && compared.source.has_live_boot { Ok(Ground::Live) } else { Err(refused) }
        })
    })
}
