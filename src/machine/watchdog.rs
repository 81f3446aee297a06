//! The watchdog: it restarts a camera that hangs, and so it would a camera
//! that is being flashed. The stock feeder lives on the partitions that a flash
//! rewrites; so it is ended by signal, which disarms, and the device is taken
//! over and fed at each block.
//!
//! Closing the device disarms it on no camera with 4.9.84, with a `V` or without ("did not
//! stop!"): only WDIOC_SETOPTIONS does. A driver that refuses that too is fed until the restart.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::fd::IntoRawFd as _;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::MachineError;
use super::process::{Process, who};
use crate::sys;

/// The device.
const DEVICE: &str = "/dev/watchdog";
/// The stock feeder.
pub const FEEDER: &str = "imi_watchdog";
/// The time limit that is asked for, in seconds: longer than the slowest erase.
const LIMIT: i32 = 60;
/// The time limit where it is to bring about a restart, in seconds.
const LAST_LIMIT: i32 = 10;
/// How long the feeder may take to end.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether there is one at all.
pub fn exists() -> bool {
    Path::new(DEVICE).exists()
}

/// The process that has it open, other than the stock feeder.
pub fn foreign_holder() -> Option<Process> {
    let mut holders = who(&|process| process.has_open(Path::new(DEVICE)));
    holders.retain(|process| process.name != FEEDER && process.id != std::process::id());
    holders.into_iter().next()
}

/// Whether the stock feeder holds it open, within this time.
pub fn is_fed_by_stock(within: Duration) -> bool {
    let holds = |process: &Process| process.name == FEEDER && process.has_open(Path::new(DEVICE));
    let begun = Instant::now();
    while who(&holds).is_empty() {
        if begun.elapsed() > within {
            return false;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    true
}

/// A watchdog that is ours; fed by [`Watchdog::feed`].
#[derive(Debug)]
pub struct Watchdog(Option<File>);

impl Watchdog {
    /// Ends the stock feeder and opens the device; where there is no device,
    /// there is nothing to feed. Calls `ended` before a feeder is ended.
    ///
    /// # Errors
    /// [`MachineError::Watchdog`].
    pub fn take(ended: &mut dyn FnMut(&Process)) -> Result<Watchdog, MachineError> {
        if !exists() {
            return Ok(Watchdog(None));
        }
        for process in who(&|process| process.name == FEEDER) {
            ended(&process);
            // TERM lets it disarm; KILL would leave it armed and unfed.
            process.signal(Signal::SIGTERM);
        }
        let begun = Instant::now();
        loop {
            match OpenOptions::new().write(true).open(DEVICE) {
                Ok(device) => {
                    match sys::watchdog::set_timeout(&device, LIMIT) {
                        Ok(seconds) => log::info!("the watchdog was taken over, {seconds} s"),
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

    /// Restarts its time.
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

    /// Disarms it, so that it may be closed.
    ///
    /// # Errors
    /// Where the driver does not: then it has to be fed until the restart.
    pub fn disarm(&self) -> io::Result<()> {
        self.0.as_ref().map_or(Ok(()), sys::watchdog::disable)
    }

    /// Closes it while it runs, fed for the last time: for a feeder that is started at once.
    pub fn hand_over(mut self) {
        self.feed();
        // Not by `drop`, which leaves it open.
        self.0 = None;
    }

    /// Opens it once more, and feeds it; nobody else holds it.
    ///
    /// # Errors
    /// Where somebody does, or it is gone.
    pub fn again() -> io::Result<Watchdog> {
        let device = OpenOptions::new().write(true).open(DEVICE)?;
        let _ = sys::watchdog::set_timeout(&device, LIMIT);
        let watchdog = Watchdog(Some(device));
        watchdog.feed();
        Ok(watchdog)
    }

    /// Arms it with a short time limit, for a restart that does not come. Not fed from here on.
    ///
    /// # Errors
    /// No watchdog, or the driver refuses.
    pub fn arm_to_restart(&self) -> io::Result<()> {
        let device = self.0.as_ref().ok_or(io::ErrorKind::NotFound)?;
        // One of 4.9.84 was stopped by the restart that hangs now; one that runs refuses nothing.
        let armed = sys::watchdog::enable(device);
        let limited = sys::watchdog::set_timeout(device, LAST_LIMIT);
        armed.or_else(|e| limited.map(|_| ()).map_err(|_| e))
    }
}

impl Drop for Watchdog {
    /// Closed only where it is disarmed: an armed one without a feeder restarts the camera.
    fn drop(&mut self) {
        if let Err(e) = self.disarm()
            && let Some(device) = self.0.take()
        {
            log::error!("the watchdog cannot be disarmed ({e}): it stays open");
            let _open_until_the_process_ends = device.into_raw_fd();
        }
    }
}
