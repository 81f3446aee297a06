//! Lines for the terminal, written by a thread of their own: a terminal that
//! takes nothing (Ctrl-S, a dropped connection) must never delay a flash.
//! Lines that do not fit are dropped.

use std::io::{self, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, Instant};

/// Pieces of text that wait at most.
const WAITING: usize = 32;
/// How long an end waits for what still has to be written.
const LAST: Duration = Duration::from_millis(200);

static PENDING: AtomicUsize = AtomicUsize::new(0);

fn queue() -> Option<&'static SyncSender<String>> {
    static QUEUE: OnceLock<Option<SyncSender<String>>> = OnceLock::new();
    let start = || {
        let (out, lines) = sync_channel::<String>(WAITING);
        let writer = std::thread::Builder::new().name("lines".to_owned()).stack_size(64 << 10);
        let write = move || {
            while let Ok(text) = lines.recv() {
                // Standard error may be closed.
                let _ = std::io::stderr().write_all(text.as_bytes());
                PENDING.fetch_sub(1, Ordering::SeqCst);
            }
        };
        writer.spawn(write).ok().map(|_| out)
    };
    QUEUE.get_or_init(start).as_ref()
}

/// Writes text to standard error, soon, or never.
pub fn say(text: String) {
    let Some(queue) = queue() else { return };
    PENDING.fetch_add(1, Ordering::SeqCst);
    if queue.try_send(text).is_err() {
        PENDING.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A writer whose whole lines go out by [`say`].
#[derive(Default)]
pub struct Lines {
    line: Vec<u8>,
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.extend_from_slice(bytes);
        if self.line.ends_with(b"\n") {
            say(String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Waits until all is written, but not for long.
pub fn flush() {
    let begun = Instant::now();
    while PENDING.load(Ordering::SeqCst) > 0 && begun.elapsed() < LAST {
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Does something that may wait for a terminal, for so long at most.
pub fn within(limit: Duration, work: impl FnOnce() + Send + 'static) {
    let (done, end) = sync_channel::<()>(1);
    let started = std::thread::Builder::new().name("answer".to_owned()).spawn(move || {
        work();
        let _ = done.send(());
    });
    if started.is_ok() {
        let _ = end.recv_timeout(limit);
    }
}
