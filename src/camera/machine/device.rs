//! The camera's own machine, through Linux.

use std::fs;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::sys::reboot::{RebootMode, reboot};
use nix::sys::signal::{SigSet, Signal};

use super::updates::UPDATER;
use super::watchdog::{self, Watchdog};
use super::{Machine, MachineError, Needs, Prepared, data};
use crate::camera::host;
use crate::image::Finding;
use crate::sys::memory;
use crate::sys::mmap::map_locked;

/// The live settings in DATA.
const NVRAM: &str = "/mnt/data/.config.nvram";
/// The longest settings read, in bytes: the size of CONFIG.
const NVRAM_LIMIT: u64 = 0x1_0000;
/// KiB that must be available: a flash needs a few hundred.
const MEMORY_KIB: u64 = 4096;

/// Bytes of files that are held in memory for the first program: init and its C library.
const PINNED: u64 = 3 << 20;

/// How often the watchdog is fed beside what each block feeds it.
const FEED: Duration = Duration::from_secs(10);

/// This camera.
#[derive(Debug, Default)]
pub struct Device {
    /// Held from the first flash on, until the process ends.
    watchdog: Arc<Mutex<Option<Watchdog>>>,
    /// The reboot was asked for: the watchdog is the last that can bring it about.
    let_go: Arc<AtomicBool>,
    /// What the first program runs from, held in memory.
    pinned: Mutex<Vec<memmap2::Mmap>>,
}

impl Device {
    /// The ROOTFS is rewritten under the first program: a page of it that is read
    /// anew then would be another file's, and the kernel ends with its first program.
    fn pin_first_program(&self) {
        let mut pinned = self.pinned.lock().unwrap_or_else(PoisonError::into_inner);
        if !pinned.is_empty() {
            return;
        }
        let maps = fs::read_to_string("/proc/1/maps").unwrap_or_default();
        let mut left = PINNED;
        for path in mapped_files(&maps) {
            let result = fs::File::open(path).and_then(|file| {
                let length = file.metadata()?.len();
                left = left.checked_sub(length).ok_or(std::io::ErrorKind::OutOfMemory)?;
                map_locked(&file)
            });
            match result {
                Ok(map) => pinned.push(map),
                Err(e) => log::warn!("{path} is not held in memory: {e}"),
            }
        }
    }

    /// From the moment it is ours: a slow card, a long backup or a refusal must
    /// not let it restart a half-written camera. It ends with the reboot only.
    fn feed_from_now_on(&self) {
        let watchdog = Arc::clone(&self.watchdog);
        let let_go = Arc::clone(&self.let_go);
        let feeder = std::thread::Builder::new().name("feeder".to_owned()).stack_size(64 << 10);
        let started = feeder.spawn(move || {
            while !let_go.load(Ordering::SeqCst) {
                if let Some(watchdog) = &*watchdog.lock().unwrap_or_else(PoisonError::into_inner) {
                    watchdog.feed();
                }
                // Its supervisor may have started it again.
                for updater in data::who(&|process| process.name == UPDATER) {
                    log::warn!("{UPDATER} was started during a flash: it is ended");
                    updater.signal(Signal::SIGKILL);
                }
                std::thread::sleep(FEED);
            }
        });
        if let Err(e) = started {
            log::error!("nobody feeds the watchdog between blocks: {e}");
        }
    }

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
        let signals: SigSet = [
            Signal::SIGHUP,
            Signal::SIGINT,
            Signal::SIGTERM,
            Signal::SIGQUIT,
            Signal::SIGTSTP,
            Signal::SIGTTIN,
            Signal::SIGTTOU,
        ]
        .into_iter()
        .collect();
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
            self.feed_from_now_on();
        }
        self.pin_first_program();
        // A card that fails now must not take the program with it.
        if let Err(e) = memory::lock_what_runs() {
            log::warn!("the memory cannot be locked: {e}");
        }
        let (watchdog, let_go) = (Arc::clone(&self.watchdog), Arc::clone(&self.let_go));
        Ok(Box::new(Ready { watchdog, let_go }))
    }
}

/// The files that a process maps, each once.
fn mapped_files(maps: &str) -> Vec<&str> {
    let mut found: Vec<&str> = Vec::new();
    for path in maps.lines().filter_map(|line| line.find('/').map(|at| &line[at..])) {
        if !found.contains(&path) {
            found.push(path);
        }
    }
    found
}

struct Ready {
    watchdog: Arc<Mutex<Option<Watchdog>>>,
    let_go: Arc<AtomicBool>,
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
        self.let_go.store(true, Ordering::SeqCst);
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

    /// The feeder goes on by itself.
    fn hold(self: Box<Self>) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_process_maps_is_told_once_and_can_be_held() {
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        let files = mapped_files(&maps);
        let own = std::env::current_exe().unwrap();
        assert_eq!(files.iter().filter(|path| **path == own.to_str().unwrap()).count(), 1);
        assert!(!files.iter().any(|path| path.contains("[stack]")));
        let file = tempfile::tempfile().unwrap();
        file.set_len(0x3000).unwrap();
        assert_eq!(map_locked(&file).unwrap().len(), 0x3000);
    }
}
