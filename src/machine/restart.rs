//! The restart, and what is left to try where it does not come. There is no sysrq in the vendor's
//! 4.9.84, and its watchdog driver stops the watchdog as soon as a restart begins; so a restart
//! that hangs in the kernel has nothing behind it but what is arranged here beforehand.
//!
//! | | why it may help where the ones before it did not |
//! | --- | --- |
//! | LINUX_REBOOT_CMD_RESTART | the restart itself: no program of the ROOTFS is needed |
//! | the same again | what refused it may have been passing |
//! | RESTART2, with an empty command | another path through the vendor's restart handler |
//! | sysrq `b` | needs neither drivers nor locks; only where the kernel has it (`ipc009`: unknown) |
//! | the watchdog, armed again | from another thread, also while the first call hangs in a driver |
//! | a panic | `kernel.panic` = 1, then out of memory: restarts past every driver |

use std::fs;
use std::io::{self, Write as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::reboot::{RebootMode, reboot};

use super::watchdog::Watchdog;
use crate::sys;

/// How long the card may take for what is not written yet.
const FLUSH: Duration = Duration::from_secs(10);
/// How long a restart may take in the kernel before it counts as one that hangs.
const GRACE: Duration = Duration::from_secs(20);
/// How long the watchdog may take.
const EXPIRE: Duration = Duration::from_secs(90);
/// Bytes of memory taken at a time where the kernel is to run out of it.
const PIECE: usize = 1 << 20;

/// The ways, so that their order can be tested without a machine that restarts.
trait Ways: Send + Sync {
    fn flush(&self);
    fn restart(&self) -> io::Result<()>;
    fn restart2(&self) -> io::Result<()>;
    fn sysrq(&self) -> io::Result<()>;
    fn watchdog(&self) -> io::Result<()>;
    fn panic(&self) -> io::Result<()>;
    fn wait(&self, time: Duration);
}

/// Restarts the machine. Comes back only where nothing of it helps.
pub fn restart(watchdog: Arc<Mutex<Option<Watchdog>>>) {
    by(Arc::new(Kernel { watchdog }));
}

fn by(ways: Arc<dyn Ways>) {
    ways.flush();
    // Beside the first way: that may never come back from the kernel.
    let behind = Arc::clone(&ways);
    let thread = std::thread::Builder::new().name("last resort".to_owned()).stack_size(64 << 10);
    let last = thread.spawn(move || force(behind.as_ref()));
    if let Err(e) = &last {
        log::error!("there is no fallback for the restart: {e}");
    }
    ask(ways.as_ref());
    if let Ok(last) = last {
        let _ = last.join();
    }
}

/// What the kernel is asked for, one after the other.
fn ask(ways: &dyn Ways) {
    type Way = fn(&dyn Ways) -> io::Result<()>;
    let asked: [(&str, Way); 4] = [
        ("the restart", |ways| ways.restart()),
        ("the restart, again", |ways| ways.restart()),
        ("the restart with a command", |ways| ways.restart2()),
        ("sysrq", |ways| ways.sysrq()),
    ];
    for (name, way) in asked {
        if let Err(e) = way(ways) {
            log::error!("{name} fails: {e}");
        }
    }
}

/// What restarts a machine whose kernel does not, or hangs at it.
fn force(ways: &dyn Ways) {
    ways.wait(GRACE);
    log::error!("the camera has not restarted: the watchdog is armed");
    match ways.watchdog() {
        Ok(()) => ways.wait(EXPIRE),
        Err(e) => log::error!("the watchdog cannot be armed: {e}"),
    }
    log::error!("the camera has not restarted: the last way is a panic");
    if let Err(e) = ways.panic() {
        log::error!("the panic fails: {e}; unplug the camera and plug it in again");
    }
}

struct Kernel {
    watchdog: Arc<Mutex<Option<Watchdog>>>,
}

impl Ways for Kernel {
    /// A card that hangs does not hold the restart up.
    fn flush(&self) {
        let (done, ended) = std::sync::mpsc::channel();
        let thread = std::thread::Builder::new().name("flush".to_owned()).stack_size(64 << 10);
        let started = thread.spawn(move || {
            nix::unistd::sync();
            let _ = done.send(());
        });
        if started.is_ok() && ended.recv_timeout(FLUSH).is_err() {
            log::warn!("the card does not accept unwritten data");
        }
    }

    fn restart(&self) -> io::Result<()> {
        let Err(e) = reboot(RebootMode::RB_AUTOBOOT);
        Err(e.into())
    }

    fn restart2(&self) -> io::Result<()> {
        sys::process::restart2()
    }

    fn sysrq(&self) -> io::Result<()> {
        let mut trigger = fs::OpenOptions::new().write(true).open("/proc/sysrq-trigger")?;
        trigger.write_all(b"b")
    }

    fn watchdog(&self) -> io::Result<()> {
        let held = self.watchdog.lock().unwrap_or_else(PoisonError::into_inner);
        held.as_ref().ok_or(io::ErrorKind::NotFound)?.arm_to_restart()
    }

    /// Comes back only where the kernel does not panic.
    fn panic(&self) -> io::Result<()> {
        fs::write("/proc/sys/kernel/panic", "1")?;
        fs::write("/proc/sys/vm/panic_on_oom", "2")?;
        let mut taken = Vec::new();
        loop {
            let mut piece = Vec::new();
            piece.try_reserve_exact(PIECE).map_err(io::Error::other)?;
            // Only what is written to is really there.
            piece.resize(PIECE, 0xA5u8);
            taken.push(piece);
        }
    }

    fn wait(&self, time: Duration) {
        std::thread::sleep(time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Noted {
        what: Mutex<Vec<String>>,
        has_watchdog: bool,
    }

    impl Noted {
        fn note(&self, what: &str) -> io::Result<()> {
            self.what.lock().unwrap().push(what.to_owned());
            Err(io::ErrorKind::PermissionDenied.into())
        }
    }

    impl Ways for Noted {
        fn flush(&self) {
            let _ = self.note("flush");
        }
        fn restart(&self) -> io::Result<()> {
            self.note("restart")
        }
        fn restart2(&self) -> io::Result<()> {
            self.note("restart2")
        }
        fn sysrq(&self) -> io::Result<()> {
            self.note("sysrq")
        }
        fn watchdog(&self) -> io::Result<()> {
            let refused = self.note("watchdog");
            if self.has_watchdog { Ok(()) } else { refused }
        }
        fn panic(&self) -> io::Result<()> {
            self.note("panic")
        }
        fn wait(&self, time: Duration) {
            let _ = self.note(&format!("wait {}", time.as_secs()));
        }
    }

    fn noted(has_watchdog: bool) -> Noted {
        Noted { what: Mutex::default(), has_watchdog }
    }

    #[test]
    fn a_restart_that_does_not_come_is_tried_in_this_order() {
        let ways = noted(true);
        ask(&ways);
        assert_eq!(*ways.what.lock().unwrap(), ["restart", "restart", "restart2", "sysrq"]);
        let ways = noted(true);
        force(&ways);
        assert_eq!(*ways.what.lock().unwrap(), ["wait 20", "watchdog", "wait 90", "panic"]);
        let ways = noted(false);
        force(&ways);
        assert_eq!(*ways.what.lock().unwrap(), ["wait 20", "watchdog", "panic"]);
    }

    #[test]
    fn what_is_behind_the_restart_runs_beside_it_also_where_it_never_comes_back() {
        struct Hangs(Noted);
        impl Ways for Hangs {
            fn flush(&self) {}
            fn restart(&self) -> io::Result<()> {
                // As a driver that never lets go: until everything else was tried.
                let deadline = std::time::Instant::now() + Duration::from_secs(60);
                while !self.0.what.lock().unwrap().iter().any(|what| what == "panic") {
                    assert!(std::time::Instant::now() < deadline);
                    std::thread::sleep(Duration::from_millis(1));
                }
                self.0.note("hung")
            }
            fn restart2(&self) -> io::Result<()> {
                self.0.restart2()
            }
            fn sysrq(&self) -> io::Result<()> {
                self.0.sysrq()
            }
            fn watchdog(&self) -> io::Result<()> {
                self.0.watchdog()
            }
            fn panic(&self) -> io::Result<()> {
                self.0.panic()
            }
            fn wait(&self, time: Duration) {
                self.0.wait(time);
            }
        }
        let ways = Arc::new(Hangs(noted(true)));
        by(Arc::clone(&ways) as Arc<dyn Ways>);
        let what = ways.0.what.lock().unwrap();
        let place = |wanted: &str| what.iter().position(|what| what == wanted).unwrap();
        assert!(place("watchdog") < place("panic") && place("panic") < place("hung"), "{what:?}");
    }
}
