//! A running program: its process group, its output, its end. Also what others
//! leave behind: orphans that nobody waits for, and strays of a hack that left
//! its group.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, PipeReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

use super::launch::{Launch, MARK};
use super::output::Tail;
use crate::sys;

/// Bytes taken of one program's output at a time: who prints more waits.
const AT_A_TIME: usize = 256 << 10;
/// Bytes of an environment that are checked for the mark.
const ENVIRONMENT: u64 = 16 << 10;

/// The children that a supervisor waits for: reaping orphans leaves them alone.
static WAITED_FOR: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

fn waited_for(change: impl FnOnce(&mut BTreeSet<i32>)) {
    change(&mut WAITED_FOR.lock().unwrap_or_else(PoisonError::into_inner));
}

/// One running program.
#[derive(Debug)]
pub struct Running {
    child: Child,
    group: Pid,
    output: Option<PipeReader>,
}

impl Running {
    /// Starts a program.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn start(launch: &Launch) -> io::Result<Running> {
        let (output, into) = io::pipe()?;
        fcntl(&output, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        let mut command = Command::new(&launch.program);
        command.args(&launch.args).env_clear().envs(&launch.env).current_dir(&launch.dir);
        command.stdin(Stdio::null()).stdout(into.try_clone()?).stderr(into);
        sys::spawn::prepare(&mut command, launch.limits);
        // Held while it is started, so that nobody reaps it before it is known.
        let mut waited_for = WAITED_FOR.lock().unwrap_or_else(PoisonError::into_inner);
        let child = command.spawn()?;
        let group = Pid::from_raw(child.id().cast_signed());
        waited_for.insert(group.as_raw());
        Ok(Running { child, group, output: Some(output) })
    }

    /// Its process.
    pub fn pid(&self) -> Pid {
        self.group
    }

    /// Takes what it printed; whether there may be more.
    pub fn read(&mut self, tail: &mut Tail) -> bool {
        let Some(output) = &mut self.output else { return false };
        let mut buffer = [0; 8192];
        for _ in 0..AT_A_TIME / buffer.len() {
            match output.read(&mut buffer) {
                Ok(0) => {
                    self.output = None;
                    return false;
                }
                Ok(n) => tail.take(&buffer[..n]),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
        true
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        // One that somebody else reaped ended too; how, nobody knows.
        self.child.try_wait().unwrap_or_else(|_| Some(ExitStatus::default()))
    }

    /// Sends a signal to all of its group.
    pub fn signal(&self, signal: Signal) {
        // A group without members is what is wanted.
        let _ = killpg(self.group, signal);
    }
}

impl Drop for Running {
    /// One that was abandoned is an orphan from now on.
    fn drop(&mut self) {
        waited_for(|pids| {
            pids.remove(&self.group.as_raw());
        });
    }
}

/// Reaps what has ended in a group, and says whether anything lives in it.
pub fn group_lives(group: Pid) -> bool {
    let members = Pid::from_raw(-group.as_raw());
    while let Ok(status) = waitpid(members, Some(WaitPidFlag::WNOHANG)) {
        if status.pid().is_none() {
            break;
        }
    }
    kill(members, None) != Err(Errno::ESRCH)
}

/// In words.
pub fn words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(127), _) => "ended with status 127 (a program was not found)".to_owned(),
        (Some(126), _) => "ended with status 126 (a program cannot be run here)".to_owned(),
        (Some(code), _) => format!("ended with status {code}"),
        (None, Some(number)) => match Signal::try_from(number) {
            Ok(signal) => format!("ended by signal {}", signal.as_str().trim_start_matches("SIG")),
            Err(_) => format!("ended by signal {number}"),
        },
        (None, None) => "ended".to_owned(),
    }
}

/// The ids of all processes.
fn processes() -> impl Iterator<Item = Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok().map(Pid::from_raw))
}

/// The processes that carry a mark: that of a hack's run folder, or, with `below`,
/// of any folder in it.
pub fn strays(folder: &Path, below: bool) -> Vec<Pid> {
    let own = nix::unistd::getpid();
    let folder = folder.as_os_str().as_bytes();
    let marked = |pid: &Pid| {
        let mut environment = Vec::new();
        let read = fs::File::open(format!("/proc/{pid}/environ"))
            .and_then(|file| file.take(ENVIRONMENT).read_to_end(&mut environment));
        read.is_ok()
            && environment.split(|b| *b == 0).any(|variable| {
                let value =
                    variable.strip_prefix(MARK.as_bytes()).and_then(|rest| rest.strip_prefix(b"="));
                let rest = value.and_then(|value| value.strip_prefix(folder));
                rest.is_some_and(|rest| rest.is_empty() || below && rest.starts_with(b"/"))
            })
    };
    processes().filter(|pid| *pid != own && marked(pid)).collect()
}

/// Sends a signal to each of some processes.
pub fn signal_all(pids: &[Pid], signal: Signal) {
    for pid in pids {
        let _ = kill(*pid, signal);
    }
}

/// Reaps orphans that became this process's children. A child that another part
/// of the program started, and waits for, is in this process's own group: it is
/// left alone.
pub fn reap_orphans() {
    let (own, own_group) = (nix::unistd::getpid(), nix::unistd::getpgrp());
    for pid in processes() {
        let known = WAITED_FOR.lock().unwrap_or_else(PoisonError::into_inner);
        if known.contains(&pid.as_raw()) {
            continue;
        }
        let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
        // The name in parentheses may hold anything; what follows is numbers.
        let Some((_, rest)) = stat.rsplit_once(')') else { continue };
        let mut fields = rest.split_whitespace();
        let zombie = fields.next() == Some("Z");
        let parent = fields.next().and_then(|n| n.parse().ok()).map(Pid::from_raw);
        let group = fields.next().and_then(|n| n.parse().ok()).map(Pid::from_raw);
        if zombie && parent == Some(own) && group != Some(own_group) {
            let _ = waitpid(pid, Some(WaitPidFlag::WNOHANG));
        }
    }
}
