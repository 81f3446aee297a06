//! Restarting what was ended for a flash that was called off before its first erase: by
//! the vendor's own init scripts, in the order of their numbers, with the environment that the
//! vendor's supervisor had.
//!
//! Facts: rcS, S15watchdog, S41wifi, S50perp, S60service, S61crond and S99netcheck of a sibling's
//! ROOTFS (`ipc021a04`), `wifi_start.sh` of 3.5.1_0052 (docs/flashing.md).

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::mounts::{self, Mounted};
use super::process::{Process, who};
use crate::card::file::read_bounded;
use crate::sys;

/// Where the vendor's scripts are.
const SCRIPTS: &str = "/etc/init.d";
/// The environment of the vendor's scripts, if no supervisor provides it.
const ENVIRONMENT: &str = "/etc/environment.base";
/// The longest environment read, in bytes.
const LIMIT: u64 = 0x1_0000;
/// How long one script may take: they start what lasts in the background.
const PATIENCE: Duration = Duration::from_secs(30);

/// A group of programs that one script of the vendor's starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    Watchdog,
    Supervisor,
    Wifi,
    Cron,
    Netcheck,
}

impl Group {
    /// The group that a program of this name is of.
    fn of(name: &str) -> Option<Group> {
        Some(match name {
            super::watchdog::FEEDER => Group::Watchdog,
            "wpa_supplicant" | "wpa_cli" | "hostapd" | "udhcpc" | "udhcpd" => Group::Wifi,
            "crond" => Group::Cron,
            "network_governo" | "fsck_check.sh" => Group::Netcheck,
            _ if name.starts_with("perp") => Group::Supervisor,
            _ => return None,
        })
    }

    /// The scripts that start it, without their numbers. The services of the supervisor are
    /// started by a script of their own.
    fn scripts(self) -> &'static [&'static str] {
        match self {
            Group::Watchdog => &["watchdog"],
            Group::Supervisor => &["perp", "service"],
            Group::Wifi => &["wifi"],
            Group::Cron => &["crond"],
            Group::Netcheck => &["netcheck"],
        }
    }
}

/// What was ended, and what is needed to have it back.
#[derive(Debug, Default)]
pub struct Ended {
    groups: Vec<Group>,
    /// Programs that no script starts by itself: the supervisor does, if it was ended too.
    others: bool,
    environment: Vec<(OsString, OsString)>,
    mount: Option<Mounted>,
}

impl Ended {
    /// Notes how things are before anything is ended.
    pub fn before() -> Ended {
        let supervisors = who(&|process| process.name.starts_with("perp"));
        let environment = supervisors
            .first()
            .map(|process| Path::new("/proc").join(process.id.to_string()).join("environ"))
            .and_then(|path| read_bounded(&path, LIMIT).ok())
            .map(|bytes| pairs(&bytes, 0))
            .filter(|pairs| !pairs.is_empty());
        let base =
            || pairs(&read_bounded(Path::new(ENVIRONMENT), LIMIT).unwrap_or_default(), b'\n');
        Ended {
            environment: environment.unwrap_or_else(base),
            mount: mounts::mount_line(),
            ..Ended::default()
        }
    }

    /// A program is about to be ended.
    pub fn note(&mut self, process: &Process) {
        match Group::of(&process.name) {
            Some(group) if !self.groups.contains(&group) => self.groups.push(group),
            Some(_) => {}
            None => self.others = true,
        }
    }

    /// Whether something was ended at all.
    pub fn is_something(&self) -> bool {
        self.others || !self.groups.is_empty()
    }

    /// Mounts DATA again, from which all of it runs; whether it is. May take a minute.
    pub fn mount_again(&self) -> bool {
        let mounted = self.mount.as_ref().map_or(Ok(()), Mounted::again);
        if let Err(e) = &mounted {
            log::error!("DATA cannot be mounted again: {e}");
        }
        mounted.is_ok()
    }

    /// Whether the watchdog's feeder was ended.
    pub fn has_feeder(&self) -> bool {
        self.groups.contains(&Group::Watchdog)
    }

    /// Starts the watchdog's feeder again; whether its script ended well.
    pub fn start_feeder(&self) -> bool {
        self.start_group(&scripts_in(Path::new(SCRIPTS)), Group::Watchdog)
    }

    /// Starts everything again but the feeder, once DATA is mounted; whether all of it is back.
    pub fn bring_back(&self) -> bool {
        if !self.is_something() {
            return true;
        }
        // Services without their supervisor were started by somebody else, and are left alone.
        let mut is_all = !self.others || self.groups.contains(&Group::Supervisor);
        let listed = scripts_in(Path::new(SCRIPTS));
        let mut groups = self.groups.clone();
        groups.sort_unstable();
        groups.retain(|group| *group != Group::Watchdog);
        if groups.contains(&Group::Supervisor) {
            forget_supervisor();
        }
        for group in groups {
            is_all &= self.start_group(&listed, group);
        }
        if is_all {
            log::info!("the programs ended for the flash are running again");
        }
        is_all
    }

    fn start_group(&self, listed: &[PathBuf], group: Group) -> bool {
        let mut is_all = true;
        for name in group.scripts() {
            let started = script(listed, name).is_some_and(|path| start(path, &self.environment));
            if !started {
                log::error!("the vendor's start of '{name}' does not work");
            }
            is_all &= started;
        }
        is_all
    }
}

/// Removes what a supervisor that was ended leaves of itself, and a new one may take for a
/// supervisor that runs: sockets, locks, process numbers. The counts of resets stay.
fn forget_supervisor() {
    for folder in ["/run/perp", "/var/run/perp"] {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if !entry.file_name().to_string_lossy().contains("reset") {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

/// `KEY=VALUE` between separators; anything else is left out.
fn pairs(bytes: &[u8], separator: u8) -> Vec<(OsString, OsString)> {
    let of = |part: &[u8]| {
        let at = part.iter().position(|b| *b == b'=').filter(|at| *at > 0)?;
        let is_name = part[..at].iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_');
        let text = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
        is_name.then(|| (text(&part[..at]), text(&part[at + 1..])))
    };
    bytes.split(|b| *b == separator).filter_map(of).collect()
}

/// The init scripts, in their order.
fn scripts_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    found.sort();
    found
}

/// The script `SNNname`.
fn script<'a>(listed: &'a [PathBuf], name: &str) -> Option<&'a PathBuf> {
    listed.iter().find(|path| {
        let file = path.file_name().and_then(|file| file.to_str()).unwrap_or_default();
        let number = file.strip_prefix('S').and_then(|rest| rest.strip_suffix(name));
        number.is_some_and(|n| n.len() == 2 && n.bytes().all(|b| b.is_ascii_digit()))
    })
}

/// Runs one script with `start`, as rcS does; whether it ended well. Whatever it starts in the
/// background outlives this program.
fn start(script: &Path, environment: &[(OsString, OsString)]) -> bool {
    let mut command = Command::new("/bin/sh");
    command.arg(script).arg("start").current_dir("/").env_clear();
    command.envs(environment.iter().map(|(key, value)| (key, value)));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    sys::spawn::detach(&mut command);
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(e) => {
            log::error!("{} cannot be run: {e}", script.display());
            return false;
        }
    };
    let begun = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => {
                log::info!("{} start: {status}", script.display());
                return status.success();
            }
            Ok(None) if begun.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(50));
            }
            // It continues by itself.
            _ => return true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(name: &str) -> Process {
        Process { id: 1, name: name.to_owned() }
    }

    #[test]
    fn each_program_comes_back_by_the_script_that_started_it() {
        let mut ended = Ended::default();
        assert!(!ended.is_something());
        for name in ["wpa_cli", "hostapd", "perpd", "perpboot", "imi_watchdog", "network_governo"] {
            ended.note(&process(name));
        }
        let mut groups = ended.groups.clone();
        groups.sort_unstable();
        let scripts: Vec<_> = groups.iter().flat_map(|group| group.scripts()).collect();
        assert_eq!(scripts, [&"watchdog", &"perp", &"service", &"wifi", &"netcheck"]);
        assert!(!ended.others);
        ended.note(&process("fetch_av"));
        assert!(ended.others);
    }

    #[test]
    fn scripts_are_found_by_their_names_whatever_their_numbers() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["S41wifi", "S50perp", "S60service", "S99netcheck", "rcS", "S5perp", "Sxxwifi"]
        {
            fs::write(dir.path().join(name), "").unwrap();
        }
        let listed = scripts_in(dir.path());
        let of = |name| script(&listed, name).map(|path| path.file_name().unwrap().to_owned());
        assert_eq!(of("perp").unwrap(), "S50perp");
        assert_eq!(of("wifi").unwrap(), "S41wifi");
        assert_eq!(of("service").unwrap(), "S60service");
        assert_eq!(of("crond"), None);
    }

    #[test]
    fn an_environment_is_read_from_a_process_and_from_the_vendors_file() {
        let text = |pairs: Vec<(OsString, OsString)>| -> Vec<String> {
            let word = |(key, value): (OsString, OsString)| {
                format!("{}={}", key.to_str().unwrap(), value.to_str().unwrap())
            };
            pairs.into_iter().map(word).collect()
        };
        let wanted = ["PATH=/mnt/data/bin:/bin", "PERP_BASE=/etc/perp"];
        assert_eq!(text(pairs(b"PATH=/mnt/data/bin:/bin\0PERP_BASE=/etc/perp\0", 0)), wanted);
        let file = b"\n# a comment=1\nPATH=/mnt/data/bin:/bin\nPERP_BASE=/etc/perp\n=x\nnone\n";
        assert_eq!(text(pairs(file, b'\n')), wanted);
    }

    #[test]
    fn a_script_runs_with_that_environment_and_no_signal_blocked() {
        let dir = tempfile::tempdir().unwrap();
        let (script, out) = (dir.path().join("S50perp"), dir.path().join("out"));
        let body = format!(
            "[ \"$1\" = start ] || exit 1\ngrep SigBlk /proc/self/status >{0}\necho $WORD $HOME >>{0}\n",
            out.display()
        );
        fs::write(&script, body).unwrap();
        // As the thread of a flash holds them back.
        let signals: nix::sys::signal::SigSet =
            [nix::sys::signal::Signal::SIGTERM].into_iter().collect();
        let path = std::env::var_os("PATH").unwrap();
        let environment = [("WORD".into(), "yes".into()), ("PATH".into(), path)];
        let well = std::thread::spawn(move || {
            signals.thread_block().unwrap();
            start(&script, &environment)
        });
        assert!(well.join().unwrap());
        let said = fs::read_to_string(&out).unwrap();
        assert_eq!(said, "SigBlk:\t0000000000000000\nyes\n");
    }
}
