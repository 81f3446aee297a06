//! DATA: who uses it while it is mounted, and how it is released before it is
//! overwritten. A file system that is mounted writes, and what it writes into
//! a new image ruins it.

use std::fs;
use std::time::{Duration, Instant};

use nix::mount::MsFlags;
use nix::sys::signal::Signal;

use super::MachineError;
use super::mounts::{MOUNT_POINT, elsewhere, mounted, mounted_in_time, sources, unmount};
use super::process::{PATIENCE, Process, who};

/// How long it is tried to unmount DATA: the forks' installer needs up to ten times 5 s.
pub const UNMOUNT: Duration = Duration::from_secs(60);
/// How long between two tries.
const AGAIN: Duration = Duration::from_secs(1);
/// How long this program may read a file of DATA: the vendor's programs are checked for what they
/// can do, and hashed for `facts`.
const OWN_FILES: Duration = Duration::from_secs(10);
/// How often it is checked whether a program has ended.
const LOOK: Duration = Duration::from_millis(100);

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
}
