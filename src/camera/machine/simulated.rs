//! The machine of a simulated camera: a folder. `DIR/data` plays the mounted
//! DATA, as far as its settings go.

use std::path::{Path, PathBuf};

use super::{Machine, MachineError, Needs, Prepared};
use crate::chip::sim::SimCamera;
use crate::image::Finding;

/// A simulated camera's machine.
#[derive(Debug)]
pub struct Simulated {
    dir: PathBuf,
}

impl Simulated {
    /// That of the camera in this folder.
    pub fn new(dir: &Path) -> Simulated {
        Simulated { dir: dir.to_owned() }
    }
}

impl Machine for Simulated {
    fn nvram(&self) -> Option<Vec<u8>> {
        std::fs::read(self.dir.join("data/.config.nvram")).ok()
    }

    fn wifi_mac(&self) -> Option<String> {
        let text = std::fs::read_to_string(self.dir.join("camera.toml")).ok()?;
        crate::formats::toml::from_str::<SimCamera>(&text).ok()?.wifi_mac
    }

    fn obstacles(&self, _needs: Needs) -> Vec<Finding> {
        Vec::new()
    }

    fn prepare(&self, _needs: Needs) -> Result<Box<dyn Prepared>, MachineError> {
        Ok(Box::new(Ready))
    }
}

struct Ready;

impl Prepared for Ready {
    fn beat(&self) {}
    fn reboot(&self) {}
    fn restarts(&self) -> bool {
        false
    }
    fn hold(self: Box<Self>) {}
}
