//! The vendor's updater, kept still at its owner's wish: stopped by a signal, so that its
//! supervisor takes it for running and starts no other. Set going again, or after a restart of the
//! camera, all is as it was.

use nix::sys::signal::Signal;

use super::process::{Process, who};

/// The vendor's updater: it writes the same chip, and knows nothing of our lock.
pub const UPDATER: &str = "miio_ota";

/// What is kept still: the numbers of the processes.
#[derive(Debug, Default)]
pub struct Updates {
    held: Vec<u32>,
}

impl Updates {
    /// Whether a program is the vendor's updater.
    pub fn is_it(process: &Process) -> bool {
        process.name == UPDATER
    }

    /// Looks once; why the updates are not held, where they should be.
    pub fn look(&mut self, wanted: bool, is_it: &dyn Fn(&Process) -> bool) -> Option<&'static str> {
        if !wanted && self.held.is_empty() {
            return None;
        }
        let running = who(is_it);
        if !wanted {
            let held = std::mem::take(&mut self.held);
            for process in running.iter().filter(|process| held.contains(&process.id)) {
                // Requests made meanwhile are waiting for it: a new one has not received them.
                process.signal(Signal::SIGKILL);
            }
            log::info!("the vendor's updates are no longer blocked");
            return None;
        }
        self.held.retain(|id| running.iter().any(|process| process.id == *id));
        for process in &running {
            process.signal(Signal::SIGSTOP);
            if process.has_flash_open() {
                // A half-written chip is worse than an update.
                process.signal(Signal::SIGCONT);
                self.held.retain(|id| *id != process.id);
                return Some("the vendor's updater is writing the chip, and is left alone");
            }
            if !self.held.contains(&process.id) {
                log::info!("{} ({}) is paused", process.name, process.id);
                self.held.push(process.id);
            }
        }
        running.is_empty().then_some("the vendor's updater is not running")
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};
    use std::time::{Duration, Instant};

    use super::*;

    fn state(child: &Child) -> Option<char> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).ok()?;
        stat.rsplit_once(") ")?.1.chars().next()
    }

    fn becomes(child: &Child, wanted: char) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while state(child) != Some(wanted) {
            assert!(Instant::now() < deadline, "{:?}, not {wanted}", state(child));
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn the_updater_is_held_still_until_its_owner_lets_it_go() {
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        let id = child.id();
        let is_it = move |process: &Process| process.id == id;
        let mut updates = Updates::default();
        assert_eq!(updates.look(false, &is_it), None);
        becomes(&child, 'S');
        assert_eq!(updates.look(true, &is_it), None);
        becomes(&child, 'T');
        // Somebody sets it going: it is held again.
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(id.cast_signed()), Signal::SIGCONT)
            .unwrap();
        becomes(&child, 'S');
        assert_eq!(updates.look(true, &is_it), None);
        becomes(&child, 'T');
        assert_eq!(updates.look(false, &is_it), None);
        assert!(!child.wait().unwrap().success());
        let said = updates.look(true, &is_it);
        assert_eq!(said, Some("the vendor's updater is not running"));
    }
}
