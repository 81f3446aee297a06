//! The camera's own machine, through Linux.

use std::fs;
use std::io::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::sys::mman::{MlockAllFlags, mlockall};
use nix::sys::reboot::{RebootMode, reboot};
use nix::sys::signal::{SigSet, Signal};

use super::watchdog::{self, Watchdog};
use super::{FEED, FEEDER_STACK, Machine, MachineError, Needs, Prepared, data};
use crate::camera::host;
use crate::image::Finding;

/// The live settings in DATA.
const NVRAM: &str = "/mnt/data/.config.nvram";
/// The longest settings read, in bytes: the size of CONFIG.
const NVRAM_LIMIT: u64 = 0x1_0000;
/// The vendor's updater: it writes the same chip, and knows nothing of our lock.
const UPDATER: &str = "miio_ota";
/// KiB that must be available: a flash needs a few hundred.
const MEMORY_KIB: u64 = 4096;

/// This camera.
#[derive(Debug, Default)]
pub struct Device {
    /// Held from the first flash on, until the process ends.
    watchdog: Arc<Mutex<Option<Watchdog>>>,
}

impl Device {
    fn watchdog(&self) -> MutexGuard<'_, Option<Watchdog>> {
        self.watchdog.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Machine for Device {
    fn nvram(&self) -> Option<Vec<u8>> {
        let size = fs::metadata(NVRAM).ok()?.len();
        (size <= NVRAM_LIMIT).then(|| fs::read(NVRAM).ok())?
    }

    fn wifi_mac(&self) -> Option<String> {
        host::wifi_mac()
    }

    fn obstacles(&self, needs: Needs) -> Vec<Finding> {
        let mut found = Vec::new();
        if needs.data
            && let Some(reason) = data::obstacle()
        {
            found.push(
                Finding::blocker("data-busy", format!("DATA cannot be released: {reason}"))
                    .of("DATA")
                    .hint("Restart the camera and try again, or leave DATA out."),
            );
        }
        if let Some(process) = watchdog::foreign_holder() {
            found.push(
                Finding::blocker(
                    "watchdog",
                    format!("{} ({}) holds the watchdog", process.name, process.id),
                )
                .hint("End that program, or restart the camera, and try again."),
            );
        }
        let available = host::memory().available_kib;
        if available > 0 && available < MEMORY_KIB {
            found.push(
                Finding::blocker(
                    "little-memory",
                    format!("only {available} KiB of memory are available, not {MEMORY_KIB}"),
                )
                .hint("Switch hacks off, or restart the camera, and try again."),
            );
        }
        found
    }

    fn prepare(&self, needs: Needs) -> Result<Box<dyn Prepared>, MachineError> {
        // A closed terminal or an impatient owner does not end it in the middle. Threads that
        // are started from here on hold them back too; those of the daemon always do.
        let signals: SigSet =
            [Signal::SIGHUP, Signal::SIGINT, Signal::SIGTERM].into_iter().collect();
        let _ = signals.thread_block();
        if !data::end(UPDATER) {
            return Err(MachineError::OtherWriter { name: UPDATER.to_owned() });
        }
        if needs.data {
            data::release()?;
        }
        let mut watchdog = self.watchdog();
        if watchdog.is_none() {
            *watchdog = Some(Watchdog::take()?);
        }
        // The ROOTFS is rewritten under the programs that run from it: what is mapped now stays
        // in memory. Future mappings are not locked: that would make every stack resident.
        if let Err(e) = mlockall(MlockAllFlags::MCL_CURRENT) {
            log::warn!("the memory cannot be locked: {e}");
        }
        Ok(Box::new(Ready { watchdog: Arc::clone(&self.watchdog) }))
    }
}

struct Ready {
    watchdog: Arc<Mutex<Option<Watchdog>>>,
}

impl Prepared for Ready {
    fn beat(&self) {
        if let Some(watchdog) = &*self.watchdog.lock().unwrap_or_else(PoisonError::into_inner) {
            watchdog.feed();
        }
    }

    /// By system call: no program of the ROOTFS can be relied on any more.
    fn reboot(&self) {
        log::info!("restarting");
        self.beat();
        nix::unistd::sync();
        let Err(e) = reboot(RebootMode::RB_AUTOBOOT);
        log::error!("the reboot call fails: {e}");
        let by_sysrq = fs::OpenOptions::new()
            .write(true)
            .open("/proc/sysrq-trigger")
            .and_then(|mut trigger| trigger.write_all(b"b"));
        if let Err(e) = by_sysrq {
            // The watchdog is the last resort: it is not fed from here on.
            log::error!("sysrq fails: {e}; the watchdog will restart the camera");
        }
    }

    fn restarts(&self) -> bool {
        true
    }

    fn hold(self: Box<Self>) {
        let feeder = std::thread::Builder::new().name("feeder".to_owned()).stack_size(FEEDER_STACK);
        let started = feeder.spawn(move || {
            loop {
                self.beat();
                std::thread::sleep(FEED);
            }
        });
        if let Err(e) = started {
            log::error!("nobody feeds the watchdog: {e}");
        }
    }
}
