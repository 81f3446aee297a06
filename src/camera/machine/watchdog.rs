//! The watchdog: it restarts a camera that hangs, and so it would a camera
//! that is being flashed. The stock feeder lives on the ROOTFS that a flash
//! rewrites; so it is ended by signal, which disarms, and the device is taken
//! over and fed at each block.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::MachineError;
use super::data::{self, Process};
use crate::sys;

/// The device.
const DEVICE: &str = "/dev/watchdog";
/// The stock feeder.
const FEEDER: &str = "imi_watchdog";
/// The time limit that is asked for, in seconds: longer than the slowest erase.
const LIMIT: i32 = 60;
/// How long the feeder may take to end.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether there is one at all.
pub fn exists() -> bool {
    Path::new(DEVICE).exists()
}

/// Who holds it open, other than the stock feeder.
pub fn foreign_holder() -> Option<Process> {
    let mut holders = data::who(&|process| process.has_open(Path::new(DEVICE)));
    holders.retain(|process| process.name != FEEDER && process.id != std::process::id());
    holders.into_iter().next()
}

/// A watchdog that is ours; fed by [`Watchdog::feed`].
#[derive(Debug)]
pub struct Watchdog(Option<File>);

impl Watchdog {
    /// Ends the stock feeder and opens the device; where there is no device,
    /// there is nothing to feed.
    ///
    /// # Errors
    /// [`MachineError::Watchdog`].
    pub fn take() -> Result<Watchdog, MachineError> {
        if !exists() {
            return Ok(Watchdog(None));
        }
        for process in data::who(&|process| process.name == FEEDER) {
            // TERM lets it disarm; KILL would leave it armed and unfed.
            process.signal(Signal::SIGTERM);
        }
        let begun = Instant::now();
        loop {
            match OpenOptions::new().write(true).open(DEVICE) {
                Ok(device) => {
                    match sys::watchdog::set_timeout(&device, LIMIT) {
                        Ok(seconds) => log::info!("the watchdog is ours, {seconds} s"),
                        Err(e) => log::warn!("the watchdog keeps its own time limit: {e}"),
                    }
                    let watchdog = Watchdog(Some(device));
                    watchdog.feed();
                    return Ok(watchdog);
                }
                Err(e) if begun.elapsed() > PATIENCE => {
                    return Err(MachineError::Watchdog { reason: e.to_string() });
                }
                Err(_) => std::thread::sleep(Duration::from_millis(50)),
            }
        }
    }

    /// Begins its time anew.
    pub fn feed(&self) {
        if let Some(mut device) = self.0.as_ref()
            && let Err(e) = sys::watchdog::keep_alive(device)
        {
            // Any byte but V does the same.
            if device.write(b"\0").is_err() {
                log::error!("the watchdog cannot be fed: {e}");
            }
        }
    }
}

impl Drop for Watchdog {
    /// Disarms it, as far as the driver lets; the stock feeder is gone until the next start.
    fn drop(&mut self) {
        if let Some(device) = &mut self.0 {
            let _ = device.write(b"V");
        }
    }
}
