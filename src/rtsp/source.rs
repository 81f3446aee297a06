//! Source of a stream, and the thread that reads it: always, and as fast as it comes. A FIFO is
//! made as large as possible, and checked before each read, so that a writer that had to give up in
//! the middle of a picture is noticed.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::assemble::Assembler;
use super::feed::Feed;
use super::stats::Writer;
use crate::sys;

/// Bytes a FIFO is asked to contain: several key frames. Linux allows anybody 1 MiB.
const PIPE: usize = 1024 * 1024;
/// Bytes of one read.
const CHUNK: usize = 64 * 1024;
/// How often a missing file is looked for, and a stopped server noticed.
const LOOK: Duration = Duration::from_millis(500);
/// Bytes without a picture after which something is no video: key frames are smaller by far.
const MOST_WITHOUT: usize = 8 << 20;
/// Pictures in a second where a file does not tell.
const USUAL_RATE: f64 = 20.0;

/// Where a stream's bytes come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamSource {
    /// A FIFO, a device, or a file, which is played again and again at its own pace.
    Path(PathBuf),
    /// Standard input.
    Stdin,
    /// The firmware's own frames.
    Frames {
        /// The folder with the socket `control`, which may come later.
        folder: PathBuf,
        /// What is read where these frames are not understood.
        fallback: Option<PathBuf>,
    },
}

impl StreamSource {
    /// From the command line: `-` is standard input, a folder the firmware's frames.
    pub fn from_word(word: &OsStr) -> StreamSource {
        if word == "-" {
            StreamSource::Stdin
        } else if word.as_bytes().ends_with(b"/") || Path::new(word).is_dir() {
            StreamSource::Frames { folder: word.into(), fallback: None }
        } else {
            StreamSource::Path(word.into())
        }
    }
}

/// Reads until the server stops; the thread's body.
pub(super) fn run(source: &StreamSource, feed: &Feed) {
    let result = match source {
        StreamSource::Path(path) | StreamSource::Frames { fallback: Some(path), .. } => {
            follow(path, feed)
        }
        // The thread of all endpoints reads it.
        StreamSource::Frames { fallback: None, .. } => Ok(()),
        StreamSource::Stdin => stdin(feed),
    };
    if let Err(error) = result {
        log::error!("stream {}: {error}", feed.name);
        feed.set_writer(Writer::Gone);
    }
}

/// A path that may not be there yet, and may come back as something else.
fn follow(path: &Path, feed: &Feed) -> io::Result<()> {
    let mut assembler = Assembler::new();
    let mut told = false;
    while !feed.stopped() {
        if feed.has_firmware() {
            std::thread::sleep(LOOK);
            continue;
        }
        let file = match open(path) {
            Ok(file) => file,
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    log::debug!("stream {}: {:?}: {error}", feed.name, path.to_string_lossy());
                }
                feed.set_writer(Writer::Missing);
                std::thread::sleep(LOOK);
                continue;
            }
        };
        let kind = file.metadata()?.file_type();
        if kind.is_file() {
            play(file, feed, &mut assembler)?;
        } else if kind.is_dir() {
            return Err(io::Error::from_raw_os_error(libc::EISDIR));
        } else if let Err(error) = drain(file, Some(path), feed, &mut assembler) {
            if !std::mem::replace(&mut told, true) {
                log::warn!("stream {}: {:?}: {error}", feed.name, path.to_string_lossy());
            }
            std::thread::sleep(LOOK);
        }
    }
    Ok(())
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)
}

fn stdin(feed: &Feed) -> io::Result<()> {
    let file = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut assembler = Assembler::new();
    if file.metadata()?.file_type().is_file() {
        return play(file, feed, &mut assembler);
    }
    drain(file, None, feed, &mut assembler)
}

/// A pipe between a writer and us.
struct Pipe {
    file: File,
    /// What it contains at most; 0 where it is no pipe.
    capacity: usize,
    /// Bytes read so far, and where on that scale it had been full.
    read: u64,
    full_at: Vec<u64>,
}

impl Pipe {
    fn new(file: File, feed: &Feed) -> Pipe {
        // The kernel rounds up; where it refuses, the pipe stays what it is.
        let mut wanted = PIPE;
        while wanted > CHUNK && set_size(&file, wanted).is_err() {
            wanted /= 2;
        }
        let capacity =
            fcntl(&file, FcntlArg::F_GETPIPE_SZ).ok().and_then(|n| usize::try_from(n).ok());
        if let Some(capacity) = capacity {
            feed.set_pipe(capacity);
        }
        Pipe { file, capacity: capacity.unwrap_or(0), read: 0, full_at: Vec::new() }
    }

    /// Notes whether the pipe is full now: then the writer may have given up at its end.
    fn look(&mut self) -> io::Result<()> {
        if self.capacity == 0 {
            return Ok(());
        }
        let unread = sys::pipe::unread(&self.file)?;
        // Writes of less than a page can leave most of a page unused, but not three quarters of
        // all pages.
        if unread >= self.capacity / 4 && self.is_full() {
            let end = self.read + unread as u64;
            if self.full_at.last() != Some(&end) && self.full_at.len() < 64 {
                self.full_at.push(end);
            }
        }
        Ok(())
    }

    /// Whether a writer would have to wait: only the kernel knows, and tells it to writers. So we
    /// are one for a moment.
    fn is_full(&self) -> bool {
        let path = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        let writer = OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(path);
        let Ok(writer) = writer else { return false };
        let mut fds = [PollFd::new(writer.as_fd(), PollFlags::POLLOUT)];
        let asked = poll(&mut fds, PollTimeout::ZERO);
        asked.is_ok() && !fds[0].revents().is_some_and(|said| said.contains(PollFlags::POLLOUT))
    }

    /// Bytes to read before the next place where it had been full.
    fn room(&self) -> usize {
        let until = self.full_at.first().map_or(u64::MAX, |at| at - self.read);
        usize::try_from(until).unwrap_or(usize::MAX).min(CHUNK)
    }
}

fn set_size(file: &File, bytes: usize) -> nix::Result<()> {
    let bytes = i32::try_from(bytes).unwrap_or(i32::MAX);
    fcntl(file, FcntlArg::F_SETPIPE_SZ(bytes)).map(|_| ())
}

/// Reads a FIFO, from writer to writer. Ends when the path has become another file's.
fn drain(
    file: File,
    path: Option<&Path>,
    feed: &Feed,
    assembler: &mut Assembler,
) -> io::Result<()> {
    let mut pipe = Pipe::new(file, feed);
    let mut chunk = vec![0; CHUNK];
    let mut without = 0;
    feed.set_writer(Writer::Waiting);
    while !feed.stopped() && !feed.has_firmware() {
        let mut fds = [PollFd::new(pipe.file.as_fd(), PollFlags::POLLIN)];
        let timeout = PollTimeout::try_from(LOOK).unwrap_or(PollTimeout::MAX);
        match poll(&mut fds, timeout) {
            Ok(0) => {
                if path.is_some_and(|path| is_another(path, &pipe.file)) {
                    log::info!("stream {}: the FIFO was replaced", feed.name);
                    assembler.writer_gone();
                    return Ok(());
                }
                continue;
            }
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        pipe.look()?;
        let room = pipe.room();
        match pipe.file.read(chunk.get_mut(..room).unwrap_or_default()) {
            Ok(0) => {
                let Some(path) = path else {
                    assembler.end(&mut |picture| feed.push(picture, picture.arrived));
                    feed.set_writer(Writer::Gone);
                    return Ok(());
                };
                assembler.writer_gone();
                feed.set_losses(assembler.losses());
                feed.set_writer(Writer::Gone);
                // Opened before the old one is closed: what a new writer has written meanwhile
                // stays in the pipe. A new descriptor has not seen a writer go, and waits.
                let Ok(again) = open(path) else { return Ok(()) };
                if is_another(path, &pipe.file) {
                    return Ok(());
                }
                pipe = Pipe::new(again, feed);
                if pipe.capacity == 0 {
                    std::thread::sleep(LOOK); // a device that has ended has no writer to wait for
                }
            }
            Ok(count) => {
                pipe.read += count as u64;
                let now = feed.now();
                let bytes = chunk.get(..count).unwrap_or_default();
                without += count;
                assembler.feed(bytes, now, &mut |picture| {
                    without = 0;
                    feed.push(picture, picture.arrived);
                });
                if without > MOST_WITHOUT {
                    return Err(io::Error::other("no picture is in what comes from it"));
                }
                if pipe.full_at.first() == Some(&pipe.read) {
                    pipe.full_at.remove(0);
                    assembler.cut();
                }
                feed.set_losses(assembler.losses());
            }
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Whether the path leads to another file by now, or to none.
fn is_another(path: &Path, file: &File) -> bool {
    let id = |meta: std::fs::Metadata| (meta.dev(), meta.ino(), meta.file_type().is_fifo());
    std::fs::metadata(path).map(id).ok() != file.metadata().map(id).ok()
}

/// Plays a file again and again, at the pace it tells of itself.
fn play(mut file: File, feed: &Feed, assembler: &mut Assembler) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    let mut pace = Pace { due: feed.now() };
    let mut told = false;
    while !feed.stopped() {
        let before = feed.state().params.clone();
        let (mut shown, mut without) = (0u64, 0);
        loop {
            let count = file.read(&mut chunk)?;
            let bytes = chunk.get(..count).unwrap_or_default();
            let mut sink = |picture: &super::assemble::Picture<'_>| {
                (shown, without) = (shown + 1, 0);
                let rate = picture.params.rate.map_or(USUAL_RATE, super::picture::Rate::per_second);
                let due = pace.wait(rate, feed);
                if !feed.stopped() {
                    feed.push(picture, due);
                }
            };
            if count == 0 {
                assembler.end(&mut sink);
                break;
            }
            assembler.feed(bytes, 0, &mut sink);
            without += count;
            if without > MOST_WITHOUT {
                break;
            }
            if feed.stopped() {
                return Ok(());
            }
        }
        feed.set_losses(assembler.losses());
        if shown == 0 {
            if before.is_none() && !std::mem::replace(&mut told, true) {
                log::warn!("stream {}: the file contains no complete picture", feed.name);
            }
            std::thread::sleep(LOOK);
        }
        file.rewind()?;
    }
    Ok(())
}

/// Even steps through time.
struct Pace {
    /// When the next one is due, microseconds.
    due: u64,
}

impl Pace {
    /// Waits until the next one is due, and says when that was.
    fn wait(&mut self, per_second: f64, feed: &Feed) -> u64 {
        let now = feed.now();
        // A stop of the whole machine is not caught up with.
        self.due = if now > self.due + 1_000_000 { now } else { self.due };
        let due = self.due;
        std::thread::sleep(Duration::from_micros(due.saturating_sub(now)));
        // The rate is at least one in two seconds, at most 240.
        #[allow(clippy::cast_sign_loss)]
        let period = (1e6 / per_second) as u64;
        self.due += period.clamp(4_000, 2_000_000);
        due
    }
}
