//! Starting programs that a supervisor owns: what is done between fork and exec,
//! and the two settings of this process that go with it.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::libc;

/// What a started program is held to.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Descriptors it may have open.
    pub open_files: u32,
    /// Niceness, -20 to 19.
    pub nice: i32,
    /// The kernel's out-of-memory score, -1000 to 1000: the highest dies first.
    pub oom_score: i32,
}

/// Makes this process the parent of all orphans among its descendants, so that
/// it can reap them. Linux 3.4 and later.
pub fn adopt_orphans() -> io::Result<()> {
    // SAFETY: the call takes plain numbers.
    let done = unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Has the program start in a session and a process group of its own, with no
/// signal blocked, within these limits, and be sent TERM should this process
/// end without stopping it.
pub fn prepare(command: &mut Command, limits: Limits) {
    // The number in text is made here: after fork nothing may be allocated.
    let score = limits.oom_score.to_string();
    let parent = nix::unistd::getpid().as_raw();
    // SAFETY: between fork and exec the closure makes only calls that are safe in
    // a signal handler (setsid, prctl, getppid, setrlimit, setpriority, sigprocmask,
    // open, write, close), allocates nothing, and takes no lock. `score` and
    // `parent` were moved in.
    unsafe {
        command.pre_exec(move || {
            if libc::setsid() < 0 {
                return Err(io::Error::last_os_error());
            }
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM, 0, 0, 0);
            if libc::getppid() != parent {
                return Err(io::Error::from_raw_os_error(libc::ESRCH));
            }
            let files = libc::rlimit {
                rlim_cur: libc::rlim_t::from(limits.open_files),
                rlim_max: libc::rlim_t::from(limits.open_files),
            };
            libc::setrlimit(libc::RLIMIT_NOFILE, &raw const files);
            let no_core = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
            libc::setrlimit(libc::RLIMIT_CORE, &raw const no_core);
            // These two may be refused to a user on a PC; the program runs anyway.
            libc::setpriority(libc::PRIO_PROCESS, 0, limits.nice);
            let file =
                libc::open(c"/proc/self/oom_score_adj".as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
            if file >= 0 {
                libc::write(file, score.as_ptr().cast(), score.len());
                libc::close(file);
            }
            let mut none: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&raw mut none);
            libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
            libc::umask(0o022);
            Ok(())
        });
    }
}

/// Has the program start as one of the vendor's: in a session of its own, with no signal blocked,
/// the usual priority, and the stack that rcS gives. It outlives this process.
pub fn detach(command: &mut Command) {
    const STACK: libc::rlim_t = 256 << 10;
    // SAFETY: between fork and exec the closure makes only calls that are safe in a signal handler
    // (setsid, setpriority, getrlimit, setrlimit, sigprocmask, umask), allocates nothing, and
    // takes no lock.
    unsafe {
        command.pre_exec(move || {
            if libc::setsid() < 0 {
                return Err(io::Error::last_os_error());
            }
            libc::setpriority(libc::PRIO_PROCESS, 0, 0);
            let mut stack: libc::rlimit = std::mem::zeroed();
            if libc::getrlimit(libc::RLIMIT_STACK, &raw mut stack) == 0 {
                stack.rlim_cur = STACK.min(stack.rlim_max);
                libc::setrlimit(libc::RLIMIT_STACK, &raw const stack);
            }
            let mut none: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&raw mut none);
            libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
            libc::umask(0o022);
            Ok(())
        });
    }
}
