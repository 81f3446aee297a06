//! The machine of a simulated camera: a folder. `DIR/data` plays the mounted
//! DATA, as far as its settings go.

use std::path::{Path, PathBuf};

use super::{Machine, MachineError, Needs, Obstacles, Prepared};
use crate::chip::sim::SimCamera;

/// The settings in DATA.
const NVRAM: &str = ".config.nvram";
/// Settings that the vendor's daemon has not written to it yet.
const UNWRITTEN: &str = ".config.nvram.unwritten";

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
        std::fs::read(self.dir.join("data").join(NVRAM)).ok()
    }

    fn wifi_mac(&self) -> Option<String> {
        let text = std::fs::read_to_string(self.dir.join("camera.toml")).ok()?;
        crate::formats::document::from_toml::<SimCamera>(&text).ok()?.wifi_mac
    }

    fn obstacles(&self, _needs: Needs) -> Obstacles {
        Obstacles::default()
    }

    fn prepare(&self, needs: Needs) -> Result<Box<dyn Prepared>, MachineError> {
        let data = self.dir.join("data");
        if needs.data {
            // What mortoxd has not written yet: it writes it when it is asked to.
            let _ = std::fs::rename(data.join(UNWRITTEN), data.join(NVRAM));
        }
        let settings = needs.data.then(|| self.nvram()).flatten();
        Ok(Box::new(Ready { settings }))
    }

    /// As on a camera, where `DIR/data` plays DATA; the page of a PC stays anyway.
    fn page_goes(&self, needs: Needs) -> bool {
        needs.data && self.dir.join("data").is_dir()
    }

    fn restart(&self) {}

    fn leave(&self) {}
}

struct Ready {
    settings: Option<Vec<u8>>,
}

impl Prepared for Ready {
    fn beat(&self) {}
    fn nvram(&self) -> Option<Vec<u8>> {
        self.settings.clone()
    }
    fn reboot(&self) {}
    fn restarts(&self) -> bool {
        false
    }
    fn hold(self: Box<Self>) {}
    fn call_off(self: Box<Self>) -> bool {
        true
    }
}
