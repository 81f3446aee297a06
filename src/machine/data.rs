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
/// How long it is tried to unmount DATA: the forks' installer needs up to ten times 5 s.
pub const UNMOUNT: Duration = Duration::from_secs(60);
/// How long the kernel may take to mount or unmount it.
const KERNEL: Duration = Duration::from_secs(60);
/// How long between two tries.
const AGAIN: Duration = Duration::from_secs(1);
/// How long this program may read a file of DATA: the vendor's programs are checked for what they
/// can do, and hashed for `facts`.
const OWN_FILES: Duration = Duration::from_secs(10);
/// How often it is checked whether a program has ended.
const LOOK: Duration = Duration::from_millis(100);

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

    /// Whether it runs from, is in, maps or holds open something of this device.
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

/// Why DATA could not be released, as far as it is known beforehand:
/// something is mounted within it, it is mounted at another place too, or this
/// program itself is in it.
pub fn obstacle() -> Option<String> {
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    if let Some(point) = elsewhere(&mounts, &sources()) {
        return Some(format!("it is mounted at {point}"));
    }
    let device = mounted()?;
    let own = Process { id: std::process::id(), name: "mi360d".to_owned() };
    if lasts(|| own.uses(device), OWN_FILES) {
        return Some("this program itself runs from it or has a file in it open".to_owned());
    }
    let inner = format!("{MOUNT_POINT}/");
    mounts
        .lines()
        .filter_map(|line| line.split(' ').nth(1))
        .find(|point| point.starts_with(&inner))
        .map(|point| format!("{point} is mounted within it"))
}

/// Whether something is so each time it is checked until `patience` is over.
fn lasts(mut is_so: impl FnMut() -> bool, patience: Duration) -> bool {
    let begun = Instant::now();
    while is_so() {
        if begun.elapsed() >= patience {
            return true;
        }
        std::thread::sleep(LOOK);
    }
    false
}

/// In which turn a holder of DATA is ended: what would start others again first, then the
/// services, then mortoxd, which writes the others' last settings at its end. It is the order of
/// the installer that the forks of the original hack use (docs/flashing.md).
fn turn(name: &str) -> usize {
    // The kernel cuts names after 15 bytes.
    const FIRST: [&str; 5] = ["perp", "network_governo", "fsck_check.sh", "crond", "log2"];
    const LAST: [&str; 1] = ["mortoxd"];
    let begins_with = |names: &[&str]| names.iter().any(|begin| name.starts_with(begin));
    if begins_with(&FIRST) {
        0
    } else if begins_with(&LAST) {
        2
    } else {
        1
    }
}

/// The last of all, for they are the way to the owner: ended only if DATA is busy without them.
fn is_wifi(name: &str) -> bool {
    const WIFI: [&str; 5] = ["wpa_supplicant", "wpa_cli", "hostapd", "udhcpc", "udhcpd"];
    WIFI.contains(&name)
}

/// Ends the programs that use DATA, and unmounts it. What uses it is ended by TERM first and
/// by KILL where that is not enough; `ended` is called for each program before it is. Between the
/// end of the last program and the unmount `read` is called: for what was written last.
///
/// # Errors
/// [`MachineError::DataBusy`], naming who holds it after a minute.
pub fn release(
    ended: &mut dyn FnMut(&Process),
    read: &mut dyn FnMut(),
) -> Result<(), MachineError> {
    if let Some(reason) = obstacle() {
        return Err(MachineError::DataBusy { reason });
    }
    let Some(device) = mounted() else { return Ok(()) };
    let begun = Instant::now();
    let users = || who(&|process| process.id != 1 && process.uses(device));
    end_users(ended);
    read();
    let mut wifi_too = false;
    loop {
        if unmount() {
            log::info!("DATA is unmounted");
            return Ok(());
        }
        if begun.elapsed() > UNMOUNT {
            break;
        }
        // What was started meanwhile, and what holds it without being seen to.
        let busy = || {
            let mut busy = users();
            if wifi_too {
                busy.extend(who(&|process| is_wifi(&process.name)));
            }
            busy
        };
        end_all(&busy, ended);
        wifi_too = true;
        std::thread::sleep(AGAIN);
    }
    // One that only reads it does no harm.
    let flags = MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
    if mounted_in_time(None, None, flags).is_ok() {
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

/// Ends the vendor's services that use DATA, in their turn; WiFi stays.
pub fn end_users(ended: &mut dyn FnMut(&Process)) {
    let Some(device) = mounted() else { return };
    let users = || who(&|process| process.id != 1 && process.uses(device));
    for now in 0..3 {
        end_all(&|| in_turn(users(), now), ended);
    }
}

/// Those of `now`'s turn, or of one before: they may have been started again.
fn in_turn(mut users: Vec<Process>, now: usize) -> Vec<Process> {
    users.retain(|process| !is_wifi(&process.name) && turn(&process.name) <= now);
    users
}

/// Ends all of these, also those that come meanwhile; gives up after a while.
fn end_all(wanted: &dyn Fn() -> Vec<Process>, ended: &mut dyn FnMut(&Process)) {
    let begun = Instant::now();
    let mut told: Vec<(u32, Signal)> = Vec::new();
    while begun.elapsed() < PATIENCE * 2 {
        let running = wanted();
        if running.is_empty() {
            return;
        }
        let signal = if begun.elapsed() < PATIENCE { Signal::SIGTERM } else { Signal::SIGKILL };
        for process in running {
            if told.contains(&(process.id, signal)) {
                continue;
            }
            log::info!("{signal} to {} ({}): it uses DATA", process.name, process.id);
            ended(&process);
            process.signal(signal);
            told.push((process.id, signal));
        }
        std::thread::sleep(LOOK);
    }
}

/// How DATA is mounted, as the kernel lists it; `None` where it is not.
pub fn mount_line() -> Option<Mounted> {
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    mounted_by(&mounts)
}

fn mounted_by(mounts: &str) -> Option<Mounted> {
    // The last one is the one that is seen.
    mounts.lines().rev().find_map(|line| {
        let mut words = line.split(' ');
        let (source, point, kind) = (words.next()?, words.next()?, words.next()?);
        (point == MOUNT_POINT).then(|| Mounted { source: source.to_owned(), kind: kind.to_owned() })
    })
}

/// A mount of DATA that can be made again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mounted {
    source: String,
    kind: String,
}

impl Mounted {
    /// Mounts it again, or makes it writable again.
    pub fn again(&self) -> std::io::Result<()> {
        if mounted().is_some() {
            return mounted_in_time(None, None, MsFlags::MS_REMOUNT | MsFlags::MS_RELATIME);
        }
        let (source, kind) = (self.source.clone(), self.kind.clone());
        mounted_in_time(Some(source), Some(kind), MsFlags::MS_RELATIME)
    }
}

fn unmount() -> bool {
    in_time(KERNEL, || umount2(MOUNT_POINT, MntFlags::empty())).is_ok()
}

fn mounted_in_time(
    source: Option<String>,
    kind: Option<String>,
    flags: MsFlags,
) -> std::io::Result<()> {
    in_time(KERNEL, move || {
        mount(source.as_deref(), MOUNT_POINT, kind.as_deref(), flags, None::<&str>)
    })
}

/// A call that may never come back: a kernel that fails in it ends the thread that made it, and
/// says nothing. (6.1 does so where JFFS2 meets a summary that it wrote wrongly itself.)
///
/// # Errors
/// Its own, or `TimedOut`.
fn in_time(
    patience: Duration,
    call: impl FnOnce() -> nix::Result<()> + Send + 'static,
) -> std::io::Result<()> {
    let (done, ended) = std::sync::mpsc::channel();
    std::thread::Builder::new().name("mount".to_owned()).stack_size(64 << 10).spawn(move || {
        let _ = done.send(call());
    })?;
    if let Ok(answer) = ended.recv_timeout(patience) {
        return Ok(answer?);
    }
    let what = "the kernel did not return from it";
    Err(std::io::Error::new(std::io::ErrorKind::TimedOut, what))
}

/// Whether something is mounted on DATA's place.
pub fn is_mounted() -> bool {
    mounted().is_some()
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
    fn a_file_that_is_read_for_a_moment_is_no_obstacle() {
        let mut looks = 0;
        let reads = || {
            looks += 1;
            looks < 3
        };
        assert!(!lasts(reads, Duration::from_secs(60)));
        assert!(lasts(|| true, Duration::ZERO));
    }

    #[test]
    fn the_supervisor_ends_first_mortoxd_after_its_clients_and_wifi_only_if_it_must() {
        let names = [
            "mortoxd",
            "wpa_supplicant",
            "miio_client",
            "perpd",
            "hostapd",
            "fetch_av",
            "wpa_cli",
            "network_governo",
            "perpboot",
            "imi_watchdog",
        ];
        let users = || names.iter().map(|n| Process { id: 1, name: (*n).to_owned() }).collect();
        let of = |now| -> Vec<String> {
            in_turn(users(), now).into_iter().map(|process| process.name).collect()
        };
        assert_eq!(of(0), ["perpd", "network_governo", "perpboot"]);
        let services = ["miio_client", "perpd", "fetch_av", "network_governo", "perpboot"];
        assert_eq!(of(1), [&services[..], &["imi_watchdog"]].concat());
        assert_eq!(of(2).len(), 7);
        assert!(of(2).contains(&"mortoxd".to_owned()));
    }

    #[test]
    fn a_program_that_ignores_term_is_ended_all_the_same() {
        let mut child = std::process::Command::new("sh")
            .args(["-c", "trap '' TERM; while :; do sleep 0.05; done"])
            .spawn()
            .unwrap();
        let id = child.id();
        // Not before it ignores TERM (bit 14).
        let ignores = || {
            let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
            let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
            u64::from_str_radix(mask.trim(), 16).unwrap() & 1 << 14 != 0
        };
        let deadline = Instant::now() + Duration::from_secs(60);
        while !ignores() {
            assert!(Instant::now() < deadline);
            std::thread::sleep(Duration::from_millis(5));
        }
        let mut seen = 0;
        end_all(
            // One that has ended and was not waited for has no files any more.
            &|| who(&|p| p.id == id && fs::read_link(p.folder().join("exe")).is_ok()),
            &mut |_| seen += 1,
        );
        assert!(!child.wait().unwrap().success());
        assert_eq!(seen, 2, "TERM, then KILL");
    }

    #[test]
    fn a_mount_that_never_comes_back_does_not_hold_a_flash_up() {
        let (never, waits) = std::sync::mpsc::channel::<()>();
        let begun = Instant::now();
        let hangs = in_time(Duration::from_millis(100), move || {
            let _ = waits.recv();
            Ok(())
        });
        assert_eq!(hangs.unwrap_err().kind(), std::io::ErrorKind::TimedOut);
        assert!(begun.elapsed() < Duration::from_secs(60));
        drop(never);
        in_time(Duration::from_secs(60), || Ok(())).unwrap();
        let refused = in_time(Duration::from_secs(60), || Err(nix::errno::Errno::EBUSY));
        assert_eq!(refused.unwrap_err().raw_os_error(), Some(nix::errno::Errno::EBUSY as i32));
    }

    #[test]
    fn how_data_was_mounted_is_read_from_the_kernels_list() {
        let list = "rootfs / squashfs ro 0 0\n/dev/mtdblock3 /mnt/data jffs2 rw,relatime 0 0\n";
        let found = mounted_by(list).unwrap();
        assert_eq!((found.source.as_str(), found.kind.as_str()), ("/dev/mtdblock3", "jffs2"));
        assert_eq!(mounted_by("tmpfs /tmp tmpfs rw 0 0\nbroken"), None);
    }

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
