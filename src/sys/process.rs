//! This process: its end without clean-up, its priority; the machine's restart with a command.

use std::io;

use nix::libc;

/// Ends the process at once, as a power cut would: no destructor, no
/// buffered write, no handler runs.
pub fn power_cut(status: i32) -> ! {
    // SAFETY: _exit takes a number and does not return.
    unsafe { libc::_exit(status) }
}

/// Lets everything that answers somebody go before the calling thread and those it starts. A
/// kernel that refuses costs their patience only, so nothing is returned.
pub fn yield_to_answers() {
    // SAFETY: the call takes plain numbers; 0 means the calling thread.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 5) };
}

/// Lowers the calling thread below everything else that wants the processor
/// and the card. A kernel that refuses costs speed only, so nothing is returned.
pub fn lower_priority() {
    const IOPRIO_WHO_PROCESS: libc::c_long = 1;
    const IOPRIO_IDLE: libc::c_long = 3 << 13;
    // SAFETY: both calls take plain numbers; 0 means the calling thread.
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS, 0, 19);
        libc::syscall(libc::SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0 as libc::c_long, IOPRIO_IDLE);
    }
}

/// LINUX_REBOOT_CMD_RESTART2 with an empty command; comes back only where it fails. nix has the
/// calls without a command only.
pub fn restart2() -> io::Result<()> {
    // SAFETY: the command is a text with its NUL that lives as long as the program.
    let done = unsafe {
        libc::syscall(
            libc::SYS_reboot,
            libc::LINUX_REBOOT_MAGIC1,
            libc::LINUX_REBOOT_MAGIC2,
            libc::LINUX_REBOOT_CMD_RESTART2,
            c"".as_ptr(),
        )
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
