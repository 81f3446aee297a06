//! The log file on the card: bounded, in two generations, and silent rather
//! than fatal when the card turns read-only or goes away.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::claim;
use super::file::sync_dir;
use crate::base::host;

/// Lines kept in memory for the page; the oldest go first.
const KEPT_LINES: usize = 400;
/// The longest line kept, in bytes; a longer one is cut.
const LINE_LIMIT: usize = 512;
/// Lines between two tries to open a file that failed.
const RETRY_LINES: u32 = 20;

/// The last lines of the log, in memory: there also when the card is not.
#[derive(Clone, Default)]
pub struct Recent {
    lines: Arc<Mutex<VecDeque<(u64, String)>>>,
}

impl Recent {
    fn push(&self, line: String) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == KEPT_LINES {
            lines.pop_front();
        }
        lines.push_back((host::uptime_seconds(), line));
    }

    /// The last `count` lines, oldest first.
    pub fn last(&self, count: usize) -> Vec<String> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let from = lines.len().saturating_sub(count);
        lines.iter().skip(from).map(|(_, line)| line.clone()).collect()
    }

    /// All that are kept, oldest first, each with the seconds since power-up when it was written:
    /// these can be trusted before the clock is set.
    pub fn with_times(&self) -> Vec<(u64, String)> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().cloned().collect()
    }
}

/// A writer for the logger: to standard error, to memory, and, once a
/// [`Handle`] opened it, to `mi360d.log` on the card.
pub struct LogFile {
    target: Arc<Mutex<Option<Target>>>,
    recent: Recent,
    line: Vec<u8>,
}

/// Opens the file of a [`LogFile`] later: the identity is saved before a log is written.
pub struct Handle {
    target: Arc<Mutex<Option<Target>>>,
    recent: Recent,
}

/// Opened for each line, and closed again: an open file would keep the firmware from ejecting or
/// formatting the card.
struct Target {
    path: PathBuf,
    limit: u64,
    /// Lines since the file could not be opened or written; `None` while it can.
    missed: Option<u32>,
    /// How often a card had come back then.
    returns: u32,
}

impl Handle {
    /// Logs into `dir` from now on, and what is in memory first. A file of
    /// `limit` bytes becomes `mi360d.1.log`.
    pub fn open(&self, dir: &Path, limit: u64) {
        let path = dir.join("mi360d.log");
        let mut target = Target { path, limit, missed: None, returns: claim::returns() };
        target.make_folder();
        for line in self.recent.last(KEPT_LINES) {
            target.append(&line);
        }
        *self.target.lock().unwrap_or_else(PoisonError::into_inner) = Some(target);
    }
}

impl LogFile {
    /// A log that keeps its last lines in `recent`.
    pub fn new(recent: Recent) -> LogFile {
        LogFile { target: Arc::default(), recent, line: Vec::new() }
    }

    /// What opens its file.
    pub fn handle(&self) -> Handle {
        Handle { target: Arc::clone(&self.target), recent: self.recent.clone() }
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let mut text = String::from_utf8_lossy(&line).into_owned();
        text.truncate(text.floor_char_boundary(LINE_LIMIT));
        let mut target = self.target.lock().unwrap_or_else(PoisonError::into_inner);
        let on_card = target.as_mut().is_some_and(|target| target.append(&text));
        drop(target);
        // Without a terminal it is a file in the camera's memory, which must not grow forever.
        if !on_card || io::stderr().is_terminal() {
            // It may be closed; there is nobody left to tell.
            let _ = writeln!(io::stderr(), "{text}");
        }
        self.recent.push(text);
    }
}

impl LogFile {
    /// Takes the program's messages from now on.
    pub fn take_messages(self, level: log::LevelFilter) {
        super::logger::to(level, self);
    }
}

impl Target {
    fn make_folder(&self) {
        if let Some(dir) = self.path.parent() {
            // A card that cannot be written: the lines in memory are what is left.
            let _ = fs::create_dir_all(dir);
        }
    }

    /// Whether the line went to the card.
    fn append(&mut self, text: &str) -> bool {
        if claim::is_claimed() {
            return false;
        }
        let is_back = self.returns != claim::returns();
        if let Some(missed) = &mut self.missed {
            // A card that came back is found again, without a try for every line.
            *missed += 1;
            if !missed.is_multiple_of(RETRY_LINES) && !is_back {
                return false;
            }
        }
        if is_back || self.missed.is_some() {
            // An empty card has none.
            self.make_folder();
        }
        let done = self.write(text).is_ok();
        if done {
            self.missed = None;
        } else {
            self.missed.get_or_insert(0);
        }
        self.returns = claim::returns();
        done
    }

    fn write(&self, text: &str) -> io::Result<()> {
        let open = || OpenOptions::new().append(true).create(true).open(&self.path);
        let mut file = open()?;
        if file.metadata()?.len() >= self.limit {
            drop(file);
            self.rotate();
            file = open()?;
        }
        writeln!(file, "{text}")
    }

    fn rotate(&self) {
        let old = self.path.with_file_name("mi360d.1.log");
        // Held until its name is the other one's: see `fat`, which logs, and so cannot help here.
        let held = File::open(&old);
        let _ = fs::rename(&self.path, &old);
        let _ = self.path.parent().map(sync_dir);
        let _ = File::open(&old).and_then(|file| file.sync_all());
        drop(held);
    }
}

impl Write for LogFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for &byte in bytes {
            if byte == b'\n' {
                self.end_line();
            } else if self.line.len() < LINE_LIMIT * 2 {
                self.line.push(byte);
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
