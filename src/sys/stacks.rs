//! The size of threads' stacks.

use std::io;

/// The stack in bytes of every thread whose starter names none: tiny_http's. Rust's own default is
/// 2 MiB.
pub const DEFAULT_STACK: usize = 128 * 1024;

/// Makes [`DEFAULT_STACK`] the default for threads started from now on. To be called first in
/// `main`: Rust reads the variable once, at the first thread, and programs started later inherit
/// it (only Rust programs heed it). Fails, and changes nothing, once there is a second thread.
pub fn set_default_stack() -> io::Result<()> {
    let threads = std::fs::read_dir("/proc/self/task")?.count();
    if threads != 1 {
        return Err(io::Error::other(format!("{threads} threads are already running")));
    }
    // SAFETY: this is the only thread of the process, as counted above, so nobody reads or writes
    // the environment meanwhile.
    unsafe { std::env::set_var("RUST_MIN_STACK", DEFAULT_STACK.to_string()) };
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_is_refused_once_there_are_threads() {
        let (done, wait) = std::sync::mpsc::channel::<()>();
        let second = std::thread::spawn(move || wait.recv());
        super::set_default_stack().expect_err("there are two threads at least");
        drop(done);
        second.join().unwrap().unwrap_err();
    }
}
