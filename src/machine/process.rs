//! Running programs, as `/proc` shows them: which files they have open, and how they are ended.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long programs may take to end after TERM, and after KILL.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// A running program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub id: u32,
    /// Its name, as the kernel has it.
    pub name: String,
}

impl Process {
    /// Sends a signal; one that is gone needs none.
    pub fn signal(&self, signal: Signal) {
        if let Err(e) = kill(Pid::from_raw(self.id.cast_signed()), signal) {
            log::debug!("{signal} to {} ({}): {e}", self.name, self.id);
        }
    }

    pub(super) fn folder(&self) -> std::path::PathBuf {
        Path::new("/proc").join(self.id.to_string())
    }

    /// Whether it has a file open.
    pub fn has_open(&self, path: &Path) -> bool {
        let Ok(wanted) = fs::metadata(path) else { return false };
        links(&self.folder().join("fd")).any(|fd| {
            fs::metadata(&fd).is_ok_and(|m| m.dev() == wanted.dev() && m.ino() == wanted.ino())
        })
    }

    /// Whether it has any part of the chip open.
    pub fn has_flash_open(&self) -> bool {
        links(&self.folder().join("fd"))
            .filter_map(|fd| fs::read_link(fd).ok())
            .any(|path| path.to_string_lossy().starts_with("/dev/mtd"))
    }

    /// Whether it runs from, is in, maps or holds open something of this device.
    pub fn uses(&self, device: u64) -> bool {
        let folder = self.folder();
        let on_it = |path: &Path| fs::metadata(path).is_ok_and(|m| m.dev() == device);
        ["exe", "cwd", "root"].iter().any(|link| on_it(&folder.join(link)))
            || links(&folder.join("fd")).any(|fd| on_it(&fd))
            || maps(&folder, device)
    }
}

fn links(folder: &Path) -> impl Iterator<Item = std::path::PathBuf> + use<> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

/// Whether something of a device is mapped: `MAJOR:MINOR` in hex in the maps.
fn maps(folder: &Path, device: u64) -> bool {
    let wanted =
        format!(" {:02x}:{:02x} ", nix::sys::stat::major(device), nix::sys::stat::minor(device));
    fs::read_to_string(folder.join("maps")).is_ok_and(|maps| maps.contains(&wanted))
}

/// The running programs of which something holds, this one aside.
pub fn who(of: &dyn Fn(&Process) -> bool) -> Vec<Process> {
    let own = std::process::id();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let id: u32 = entry.file_name().to_str()?.parse().ok()?;
            let name = fs::read_to_string(entry.path().join("comm")).ok()?;
            Some(Process { id, name: name.trim().to_owned() })
        })
        .filter(|process| process.id != own && of(process))
        .collect()
}

/// Ends every program of this name.
pub fn end(name: &str) -> bool {
    let begun = Instant::now();
    loop {
        let running = who(&|process| process.name == name);
        if running.is_empty() {
            return true;
        }
        if begun.elapsed() > PATIENCE * 2 {
            return false;
        }
        let signal = if begun.elapsed() < PATIENCE { Signal::SIGTERM } else { Signal::SIGKILL };
        for process in &running {
            process.signal(signal);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}
