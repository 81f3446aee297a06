//! DATA: who uses it while it is mounted, and how it is released before it is
//! overwritten. A file system that is mounted writes, and what it writes into
//! a new image ruins it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::MachineError;
use crate::chip::Role;
use crate::chip::mtd::parse_proc_mtd;

/// Where the stock firmware mounts DATA.
pub const MOUNT_POINT: &str = "/mnt/data";
/// How long programs may take to end after TERM, and after KILL.
const PATIENCE: Duration = Duration::from_secs(5);

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

    fn folder(&self) -> std::path::PathBuf {
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

    /// Whether it runs from, stands in, maps or holds open something of this device.
    fn uses(&self, device: u64) -> bool {
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

/// The device number of what is mounted on DATA's place; `None` where nothing is.
fn mounted() -> Option<u64> {
    let here = fs::metadata(MOUNT_POINT).ok()?.dev();
    let above = fs::metadata(Path::new(MOUNT_POINT).join("..")).ok()?.dev();
    (here != above).then_some(here)
}

/// What the kernel's list of mounts may call DATA's partition.
fn sources() -> Vec<String> {
    let list = fs::read_to_string("/proc/mtd").unwrap_or_default();
    let data = Role::Data.name();
    let number =
        parse_proc_mtd(&list).into_iter().find(|raw| raw.name == data).map(|raw| raw.index);
    let mut names = vec![format!("mtd:{data}")];
    if let Some(n) = number {
        names.extend([format!("/dev/mtdblock{n}"), format!("/dev/mtd{n}"), format!("mtd{n}")]);
    }
    names
}

/// Another place than its own where one of these sources is mounted.
fn elsewhere(mounts: &str, sources: &[String]) -> Option<String> {
    mounts.lines().find_map(|line| {
        let mut words = line.split(' ');
        let (source, point) = (words.next()?, words.next()?);
        (sources.iter().any(|s| s == source) && point != MOUNT_POINT).then(|| point.to_owned())
    })
}

/// Why DATA could not be released, as far as that can be told beforehand:
/// something is mounted within it, it is mounted at another place too, or this
/// program itself is in it.
pub fn obstacle() -> Option<String> {
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    if let Some(point) = elsewhere(&mounts, &sources()) {
        return Some(format!("it is mounted at {point}"));
    }
    let device = mounted()?;
    let own = Process { id: std::process::id(), name: "mi360d".to_owned() };
    if own.uses(device) {
        return Some("this program itself runs from it or has a file in it open".to_owned());
    }
    let inner = format!("{MOUNT_POINT}/");
    mounts
        .lines()
        .filter_map(|line| line.split(' ').nth(1))
        .find(|point| point.starts_with(&inner))
        .map(|point| format!("{point} is mounted within it"))
}

/// Ends every program that uses DATA, and unmounts it.
///
/// # Errors
/// [`MachineError::DataBusy`], naming who holds it.
pub fn release() -> Result<(), MachineError> {
    if let Some(reason) = obstacle() {
        return Err(MachineError::DataBusy { reason });
    }
    let Some(device) = mounted() else { return Ok(()) };
    let users = || {
        let mut users = who(&|process| process.id != 1 && process.uses(device));
        // The supervisor first: it would start again what is ended before it.
        users.sort_by_key(|process| !process.name.starts_with("perp"));
        users
    };
    let begun = Instant::now();
    loop {
        if unmount() {
            log::info!("DATA is unmounted");
            return Ok(());
        }
        let signal = if begun.elapsed() < PATIENCE { Signal::SIGTERM } else { Signal::SIGKILL };
        for process in users() {
            log::info!("{signal} to {} ({}): it uses DATA", process.name, process.id);
            process.signal(signal);
        }
        if begun.elapsed() > PATIENCE * 2 {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    // One that only reads it does no harm.
    let flags = MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
    if mount(None::<&str>, MOUNT_POINT, None::<&str>, flags, None::<&str>).is_ok() {
        log::warn!("DATA cannot be unmounted; it is read-only now");
        return Ok(());
    }
    let names: Vec<String> = users().into_iter().map(|p| p.name).collect();
    let reason = if names.is_empty() {
        "the system holds it".to_owned()
    } else {
        format!("{} do not end", names.join(", "))
    };
    Err(MachineError::DataBusy { reason })
}

fn unmount() -> bool {
    umount2(MOUNT_POINT, MntFlags::empty()).is_ok()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_place_of_data_is_seen_whatever_it_is_mounted_by() {
        let sources = ["mtd:DATA", "/dev/mtdblock3", "mtd3"].map(str::to_owned);
        let own = "rootfs / squashfs ro 0 0\n/dev/mtdblock3 /mnt/data jffs2 rw 0 0\n";
        assert_eq!(elsewhere(own, &sources), None);
        for source in &sources {
            let both = format!("{own}{source} /tmp/x jffs2 rw 0 0\n");
            assert_eq!(elsewhere(&both, &sources).as_deref(), Some("/tmp/x"));
        }
    }
}
