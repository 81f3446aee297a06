//! The order of the daemon's own start, seen from outside: what it asks the chip for, what it
//! writes to the card, and when it listens. Nothing here calls a part of the start.

#![allow(clippy::unwrap_used, clippy::panic)]

mod rig;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use mi360d::card::file::wait_lock_dir;
use rig::daemon::wait;
use rig::{Sim, factory, names};

/// A process that ends with the value.
struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> Running {
        Running(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    fn proc(&self, name: &str) -> std::path::PathBuf {
        Path::new("/proc").join(self.0.id().to_string()).join(name)
    }

    fn threads(&self) -> usize {
        fs::read_dir(self.proc("task")).unwrap().count()
    }

    /// Whether it has a socket that listens for TCP.
    fn listens(&self) -> bool {
        let listening: Vec<String> = ["net/tcp", "net/tcp6"]
            .iter()
            .flat_map(|table| {
                let text = fs::read_to_string(self.proc(table)).unwrap_or_default();
                let rows = text.lines().map(|l| l.split_whitespace().collect::<Vec<_>>());
                // State 0A is LISTEN; the tenth column is the inode.
                rows.filter(|r| r.get(3) == Some(&"0A"))
                    .filter_map(|r| r.get(9).map(|inode| format!("socket:[{inode}]")))
                    .collect::<Vec<_>>()
            })
            .collect();
        fs::read_dir(self.proc("fd")).unwrap().flatten().any(|fd| {
            fs::read_link(fd.path())
                .is_ok_and(|to| listening.iter().any(|socket| to.as_os_str() == socket.as_str()))
        })
    }

    /// Whether it waits for a lock that somebody else has, as the kernel tells.
    fn waits_for_a_lock(&self) -> bool {
        let me = self.0.id().to_string();
        let locks = fs::read_to_string("/proc/locks").unwrap();
        locks.lines().any(|line| line.contains("->") && line.split(' ').any(|word| word == me))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Everything below a folder that is no folder itself, in order.
fn files(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            match entry.path() {
                path if path.is_dir() => folders.push(path),
                path => found.push(path.strip_prefix(dir).unwrap().display().to_string()),
            }
        }
    }
    found.sort();
    found
}

/// The start is held exactly where it saves the identity: by the lock that guards its folder. All
/// that happened by then came before the identity, and nothing may have.
#[test]
fn the_identity_is_saved_before_anything_else_is_read_started_or_served() {
    let sim = Sim::small();
    let trace = sim.path().join("trace");
    let identities = sim.home().join("identity");
    fs::create_dir_all(&identities).unwrap();
    let held = wait_lock_dir(&identities).unwrap();
    let mut command = sim.command(&["run", "--listen", "127.0.0.1:0"]);
    let daemon = Running::start(command.env("MI360D_SIM_TRACE", &trace));
    wait(|| {
        assert!(!daemon.listens(), "it listens, and the identity is not saved");
        daemon.waits_for_a_lock().then_some(())
    });

    assert!(!daemon.listens(), "it listens, and the identity is not saved");
    assert_eq!(daemon.threads(), 1, "something was started before the identity was saved");
    assert_eq!(files(&sim.path().join("sdcard")), Vec::<String>::new(), "written before it");
    let read = fs::read_to_string(&trace).unwrap();
    assert!(read.lines().any(|line| line.starts_with("read FACTORY")), "{read}");
    for line in read.lines() {
        let of_it = line.starts_with("read FACTORY ") || line.starts_with("read CONFIG ");
        assert!(of_it, "before the identity was saved: {line}");
    }

    drop(held);
    // From here on: whenever it is seen to listen or to read more, the identity is whole.
    let folder = wait(|| {
        let more = fs::read_to_string(&trace).unwrap().lines().count() > read.lines().count();
        if !(daemon.listens() || more || sim.backups().exists()) {
            return None;
        }
        Some(identities.join(&names(&identities)[0]))
    });
    assert_eq!(names(&folder), ["CONFIG.bin", "FACTORY.bin", "SHA256SUMS"]);
    assert!(fs::read(folder.join("FACTORY.bin")).unwrap() == factory(1));
    wait(|| daemon.listens().then_some(()));
}
