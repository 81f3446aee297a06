//! Actions that recorders request by ONVIF: motors, presets, the filter.

use super::facts::FILTERS;
use crate::camera::motors::{self, Ask, MotorError, NewPreset};
use crate::camera::{Camera, controls};
use crate::controls::motors::Aim;
use crate::controls::presets::PresetError;
use crate::controls::table::{Id, Value as Setting};
use crate::error::Chain;
use crate::onvif::control::Deed;
use crate::onvif::{Fault, Moved};
use crate::services::ptz::{Direction, Steps, Wish};

/// Does it; the token of a preset that was kept.
pub fn act(camera: &Camera, deed: Deed) -> Result<String, Fault> {
    let ask = match deed {
        Deed::Move { pan, tilt, ms } => Ask::Move { pan, tilt, ms },
        Deed::Goto(pan, tilt) => Ask::Goto(Aim { pan, tilt }),
        Deed::GotoPreset(id) => Ask::Preset(id),
        Deed::GotoHome => Ask::Home(true),
        Deed::Stop => Ask::Stop(true),
        Deed::SetPreset { id, name } => {
            let known = motors::document(camera).presets;
            let known = known.into_iter().find(|preset| Some(preset.id) == id);
            let home = known.as_ref().is_some_and(|preset| preset.home);
            let number = motors::document(camera).presets.len() + 1;
            let name = name.or(known.map(|preset| preset.name));
            let name = name.unwrap_or_else(|| format!("Preset {number}"));
            let kept = motors::keep(camera, id, &NewPreset { name, at: None, home });
            return kept.map(|preset| preset.id.to_string()).map_err(no_deed);
        }
        Deed::SetHome => {
            let new = NewPreset { name: "Home".to_owned(), at: None, home: true };
            return motors::keep(camera, None, &new).map(|_| String::new()).map_err(no_deed);
        }
        Deed::RemovePreset(id) => {
            return motors::forget(camera, id).map(|()| String::new()).map_err(no_deed);
        }
        Deed::Image { filter, wdr } => return image(camera, filter, wdr),
    };
    motors::ask(camera, ask).map(|_| String::new()).map_err(no_deed)
}

fn no_deed(error: MotorError) -> Fault {
    log::warn!("ONVIF: {error}", error = Chain(&error));
    match error {
        MotorError::NoPreset => Fault::NoHome,
        MotorError::Preset(PresetError::TooMany) => Fault::TooManyPresets,
        MotorError::Preset(PresetError::Name) => Fault::BadSettings,
        _ => Fault::Motors,
    }
}

fn image(camera: &Camera, filter: Option<&str>, wdr: Option<bool>) -> Result<String, Fault> {
    let controls = controls::of(camera).map_err(|_| Fault::Unknown)?;
    let word = FILTERS.iter().find(|(mode, _)| Some(*mode) == filter).map(|(_, word)| *word);
    let wanted = [(Id::Night, word.map(Setting::Word)), (Id::Wdr, wdr.map(Setting::On))];
    for (id, value) in wanted {
        let Some(value) = value else { continue };
        controls.put(id, value).map_err(|error| {
            log::warn!("ONVIF: {error}", error = Chain(&error));
            Fault::Firmware
        })?;
    }
    Ok(String::new())
}

/// One axis moves at a time: the longer way counts.
pub fn go(camera: &Camera, moved: Moved) -> Result<(), Fault> {
    let (direction, steps) = if moved.pan.abs() >= moved.tilt.abs() {
        (if moved.pan < 0 { Direction::Left } else { Direction::Right }, moved.pan.abs())
    } else {
        (if moved.tilt < 0 { Direction::Down } else { Direction::Up }, moved.tilt.abs())
    };
    // Less than a step is none.
    let Ok(steps) = Steps::try_from(steps) else { return Ok(()) };
    let told = motors::wish(camera, Wish::Move { direction, steps });
    told.map(drop).map_err(|error| {
        log::warn!("ONVIF: {error}", error = Chain(&error));
        Fault::Motors
    })
}
