//! The camera's own machine, through Linux.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal};

use super::mark::UnderWay;
use super::oom::Spared;
use super::restore::Ended;
use super::updates::UPDATER;
use super::watchdog::{self, Watchdog};
use super::{Machine, MachineError, Needs, Obstacles, Prepared, data, mounts, process, restart};
use crate::base::host;
use crate::error::Chain;
use crate::sys::memory;
use crate::sys::mmap::map_locked;
use crate::vendor::mortox;

/// The live settings in DATA.
const NVRAM: &str = "/mnt/data/.config.nvram";
/// The longest settings read, in bytes: the size of CONFIG.
const NVRAM_LIMIT: u64 = 0x1_0000;
/// KiB that must be available: a flash needs a few hundred.
const MEMORY_KIB: u64 = 4096;

/// Bytes of files that are held in memory for the first program: init and its C library.
const PINNED: u64 = 3 << 20;

/// How often the watchdog is fed, besides once for each block.
const FEED: Duration = Duration::from_secs(10);
/// How often it is said that this program stays for the watchdog's sake.
const STAY: Duration = Duration::from_secs(60);
/// How long mortoxd may take to write its settings.
const SYNC: Duration = Duration::from_secs(10);

/// This camera.
#[derive(Debug, Default)]
pub struct Device {
    hold: Hold,
    /// What the first program runs from, held in memory.
    pinned: Mutex<Vec<memmap2::Mmap>>,
}

/// The watchdog, from the moment it is ours until it is given back, or the process ends.
#[derive(Clone, Debug, Default)]
struct Hold {
    watchdog: Arc<Mutex<Option<Watchdog>>>,
    /// Ends the thread that feeds it.
    let_go: Arc<Mutex<Arc<AtomicBool>>>,
}

impl Hold {
    fn watchdog(&self) -> MutexGuard<'_, Option<Watchdog>> {
        self.watchdog.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn feed(&self) {
        if let Some(watchdog) = &*self.watchdog() {
            watchdog.feed();
        }
    }

    /// Takes it, and feeds it from now on: a slow card, a long backup or a refusal must not let it
    /// restart a half-written camera.
    fn take(&self, ended: &mut Ended) -> Result<(), MachineError> {
        let mut watchdog = self.watchdog();
        if watchdog.is_none() {
            *watchdog = Some(Watchdog::take(&mut |process| ended.note(process))?);
            self.start_feeder();
        }
        Ok(())
    }

    fn start_feeder(&self) {
        let stop = Arc::new(AtomicBool::new(false));
        *self.let_go.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&stop);
        let hold = self.clone();
        let feeder = std::thread::Builder::new().name("feeder".to_owned()).stack_size(64 << 10);
        let started = feeder.spawn(move || {
            while !stop.load(Ordering::SeqCst) {
                hold.feed();
                // Its supervisor may have started it again.
                for updater in process::who(&|process| process.name == UPDATER) {
                    log::warn!("{UPDATER} was started during a flash: ending it");
                    updater.signal(Signal::SIGKILL);
                }
                std::thread::sleep(FEED);
            }
        });
        if let Err(e) = started {
            log::error!("the watchdog is not fed between blocks: {e}", e = Chain(&e));
        }
    }

    /// Feeds it no more.
    fn stop_feeder(&self) {
        let stop = self.let_go.lock().unwrap_or_else(PoisonError::into_inner);
        stop.store(true, Ordering::SeqCst);
    }

    /// Gives it back to the stock feeder, which is started here. A driver that does not disarm it
    /// leaves it running at the close: then the feeder has its time limit to open it, and where it
    /// does not, it is ours again. Whether the feeder has it.
    fn hand_back(&self, ended: &Ended) -> bool {
        let is_armed = {
            let mut watchdog = self.watchdog();
            match watchdog.take() {
                Some(held) => match held.disarm() {
                    Ok(()) => false,
                    Err(e) => {
                        log::info!(
                            "the watchdog cannot be disarmed ({e}): it is handed over",
                            e = Chain(&e)
                        );
                        held.hand_over();
                        true
                    }
                },
                None => false,
            }
        };
        self.stop_feeder();
        let is_started = ended.start_feeder();
        if watchdog::is_fed_by_stock(FEEDER_OPENS) {
            return is_started;
        }
        log::error!("the watchdog's feeder does not open it");
        if is_armed {
            match Watchdog::again() {
                Ok(again) => {
                    *self.watchdog() = Some(again);
                    self.start_feeder();
                }
                Err(e) => log::error!("the watchdog cannot be opened again: {e}", e = Chain(&e)),
            }
        }
        false
    }

    /// Disarms and closes it. False where the driver does not: then it is ours, and fed, until the
    /// restart.
    fn give_back(&self) -> bool {
        let mut watchdog = self.watchdog();
        let Some(held) = &*watchdog else { return true };
        if let Err(e) = held.disarm() {
            log::warn!(
                "the watchdog cannot be disarmed ({e}): it is fed until the restart",
                e = Chain(&e)
            );
            return false;
        }
        *watchdog = None;
        self.stop_feeder();
        true
    }
}

/// How long the stock feeder may take to open the watchdog, once it was started: well below the
/// time limit.
const FEEDER_OPENS: Duration = Duration::from_secs(20);

/// Everything back as it was, where nothing was written: DATA first, from which all of it runs, then
/// the watchdog's feeder, then the rest. Whether all of it is back.
fn undo(hold: &Hold, ended: &Ended) -> bool {
    // Fed by us until DATA is there: that may take a minute.
    let has_data = ended.mount_again();
    let mut is_all = has_data;
    if has_data && ended.has_feeder() {
        is_all &= hold.hand_back(ended);
    } else if has_data {
        hold.give_back();
    }
    // Without DATA only a restart helps, which may need the watchdog: it stays ours, and fed.
    has_data && ended.bring_back() && is_all
}

impl Device {
    /// The ROOTFS is rewritten under the first program: a page of it that is read
    /// again then would be another file's, and the kernel ends with its first program.
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
                Err(e) => log::warn!("{path} cannot be kept in memory: {e}", e = Chain(&e)),
            }
        }
    }

    /// All that [`Machine::prepare`] does, with what it ends noted; the live settings as they were
    /// when nobody wrote them any more.
    fn make_ready(&self, needs: Needs, ended: &mut Ended) -> Result<Option<Vec<u8>>, MachineError> {
        if !process::end(UPDATER) {
            return Err(MachineError::OtherWriter { name: UPDATER.to_owned() });
        }
        // Before DATA, on which its feeder lives: released may mean a minute later.
        self.hold.take(ended)?;
        let mut settings = None;
        if needs.data {
            // It writes them up to a minute late, and once more at its end.
            match mortox::sync::sync(Path::new(mortox::SOCKET), SYNC) {
                Ok(()) => log::info!("mortoxd has written its settings"),
                Err(e) => {
                    log::info!("{e}: the settings are kept as they are in DATA", e = Chain(&e));
                }
            }
            let mut read = || settings = self.nvram();
            data::release(&mut |process| ended.note(process), &mut read)?;
        }
        // Judged now: what was ended has given its memory back.
        let mut available = host::memory().available_kib;
        if is_little(available) && !needs.data {
            log::warn!("only {available} KiB are available: ending the vendor's services");
            data::end_users(&mut |process| ended.note(process));
            available = host::memory().available_kib;
        }
        if is_little(available) {
            return Err(MachineError::LittleMemory { available, needed: MEMORY_KIB });
        }
        self.pin_first_program();
        // A card that fails now must not take the program with it.
        if let Err(e) = memory::lock_what_runs() {
            log::warn!("the memory cannot be locked: {e}", e = Chain(&e));
        }
        Ok(settings)
    }
}

/// Whether this is too little memory for a flash; 0 is what a kernel says that does not tell.
fn is_little(available_kib: u64) -> bool {
    available_kib > 0 && available_kib < MEMORY_KIB
}

impl Drop for Device {
    fn drop(&mut self) {
        self.leave();
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

    fn obstacles(&self, needs: Needs) -> Obstacles {
        let holder = watchdog::foreign_holder();
        Obstacles {
            data: if needs.data { data::obstacle() } else { None },
            watchdog: holder.map(|process| (process.name, process.id)),
        }
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
        // Before anything is ended: the hook must not start it again.
        let under_way = UnderWay::begin();
        let mut spared = Spared::now();
        let mut ended = Ended::before();
        match self.make_ready(needs, &mut ended) {
            Ok(settings) => Ok(Box::new(Ready {
                hold: self.hold.clone(),
                spared,
                ended,
                settings,
                _under_way: under_way,
            })),
            Err(e) => {
                // What is started inherits the score.
                spared.restore();
                let is_back = undo(&self.hold, &ended);
                Err(if is_back { e } else { MachineError::NotBack(Box::new(e)) })
            }
        }
    }

    fn page_goes(&self, needs: Needs) -> bool {
        needs.data && mounts::is_mounted()
    }

    fn restart(&self) {
        self.hold.stop_feeder();
        restart::restart(Arc::clone(&self.hold.watchdog));
    }

    fn leave(&self) {
        while !self.hold.give_back() {
            log::error!("the watchdog cannot be disarmed: this program stays until the restart");
            std::thread::sleep(STAY);
        }
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
    hold: Hold,
    spared: Spared,
    ended: Ended,
    settings: Option<Vec<u8>>,
    _under_way: UnderWay,
}

impl Prepared for Ready {
    fn beat(&self) {
        self.hold.feed();
    }

    fn nvram(&self) -> Option<Vec<u8>> {
        self.settings.clone()
    }

    /// By system call: no program of the ROOTFS can be relied on any more.
    fn reboot(&self) {
        log::info!("restarting");
        self.beat();
        self.hold.stop_feeder();
        restart::restart(Arc::clone(&self.hold.watchdog));
    }

    fn restarts(&self) -> bool {
        true
    }

    /// The feeder continues by itself; so does the score, for the chip is half written.
    fn hold(self: Box<Self>) {
        let Ready { spared, .. } = *self;
        std::mem::forget(spared);
    }

    fn call_off(self: Box<Self>) -> bool {
        let Ready { hold, mut spared, ended, .. } = *self;
        spared.restore();
        undo(&hold, &ended)
    }
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
