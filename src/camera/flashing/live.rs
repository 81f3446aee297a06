//! Facts about the camera from the kernel and the boot loader on its chip.

use crate::backup::Reading;
use crate::camera::Camera;
use crate::chip::Role;
use crate::formats::uimage::Family;

/// The family of the processor, by the kernel on the chip, else by its U-Boot.
pub fn family(camera: &Camera, reading: &Reading) -> Option<Family> {
    [Role::Kernel, Role::Boot].into_iter().find_map(|role| {
        let part = camera.chip().map().by_role(role)?;
        let family = reading.of(part)?.content.facts.uimage.as_ref()?.family;
        (family != Family::Other).then_some(family)
    })
}

/// Where the kernel on the chip is loaded to, an address in memory.
pub fn kernel_load(camera: &Camera, reading: &Reading) -> Option<u32> {
    let part = camera.chip().map().by_role(Role::Kernel)?;
    Some(reading.of(part)?.content.facts.uimage.as_ref()?.load)
}
