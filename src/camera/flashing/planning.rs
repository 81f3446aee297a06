//! Making the plan of a flash, and comparing again what was written meanwhile. It changes nothing.

use std::sync::Arc;

use super::error::FlashingError;
use super::gather::{compare_part, gather};
use super::planned::Planned;
use crate::backup::Progress;
use crate::camera::Camera;
use crate::chip::Role;
use crate::flash::decide::fits;
use crate::flash::{Bytes, PlanRequest};

/// Makes a plan; changes nothing.
///
/// # Errors
/// [`FlashingError`] where source or chip cannot be read, or names mean nothing.
pub fn plan(
    camera: &Camera,
    request: &PlanRequest,
    progress: &dyn Progress,
) -> Result<Planned, FlashingError> {
    let reading = camera.read(progress)?;
    let (facts, read) = gather(camera, request, reading, progress)?;
    Ok(Planned::of(facts, read, request))
}

/// The settings as they were when DATA was released take the place of those that were there when
/// the plan was made: the vendor's daemon writes them late.
pub(super) fn take_settings(
    camera: &Camera,
    planned: &mut Planned,
    now: Option<Vec<u8>>,
    progress: &dyn Progress,
) -> Result<(), FlashingError> {
    let Some(now) = now.filter(|now| planned.plan.carried.as_ref().is_some_and(|then| then != now))
    else {
        return Ok(());
    };
    let place = planned.plan.parts.iter().position(|plan| plan.part.role == Role::Config);
    let Some(place) = place.filter(|place| fits(&planned.plan.parts[*place].part, &now)) else {
        log::warn!(
            "the settings in DATA are not in the form that CONFIG needs: older ones are \
            deleted"
        );
        return Ok(());
    };
    let part = planned.plan.parts[place].part.clone();
    let content = Arc::new(Bytes(now.clone()));
    if let Some(plan) = compare_part(camera, &part, content, &planned.reading, progress)? {
        planned.plan.parts[place] = plan;
        planned.plan.carried = Some(now);
    }
    Ok(())
}
