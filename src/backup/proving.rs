//! Proof on the way: while the chip is still being read, what was written is
//! brought to the card, dropped from the cache, and read again. One thread
//! writes back, one reads; so the card is busy in both directions, and the
//! proof of 32 MiB costs little more than writing them.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, Scope, ScopedJoinHandle, scope};

use sha2::{Digest as _, Sha256};

use super::{BackupError, Digest};
use crate::card::CardError;
use crate::card::file::NewFile;
use crate::chip::WINDOW;

/// Bytes that are proven at a time: few enough to stay close behind the writer.
const PIECE: u64 = 0x10_0000;
/// Stack of the two threads, in bytes: their buffers are on the heap.
const STACK: usize = 64 << 10;

/// Bytes that were written to a file and, for all but incomplete sets, to `chip.bin`.
struct Piece {
    file: Arc<NewFile>,
    at: u64,
    chip: Option<Arc<NewFile>>,
    chip_at: u64,
    length: u64,
    last: bool,
}

/// Where the writer hands on what it wrote.
pub(super) struct Lane {
    chip: Option<Arc<NewFile>>,
    chip_at: std::cell::Cell<u64>,
    out: SyncSender<Piece>,
}

/// One partition's file that is being written.
pub(super) struct LaneFile<'l> {
    lane: &'l Lane,
    file: Arc<NewFile>,
    written: u64,
    handed: u64,
}

impl Lane {
    /// Starts a partition's file.
    pub fn file(&self, path: PathBuf) -> Result<LaneFile<'_>, CardError> {
        let file = Arc::new(NewFile::create(path)?);
        Ok(LaneFile { lane: self, file, written: 0, handed: 0 })
    }
}

impl LaneFile<'_> {
    /// Writes to the partition's file and to `chip.bin`.
    pub fn write(&mut self, window: &[u8]) -> Result<(), BackupError> {
        self.file.write(window)?;
        if let Some(chip) = &self.lane.chip {
            chip.write(window)?;
        }
        self.written += window.len() as u64;
        if self.written - self.handed >= PIECE { self.hand_on(false) } else { Ok(()) }
    }

    /// Ends the file.
    pub fn finish(mut self) -> Result<(), BackupError> {
        self.hand_on(true)
    }

    fn hand_on(&mut self, last: bool) -> Result<(), BackupError> {
        let length = self.written - self.handed;
        let piece = Piece {
            file: Arc::clone(&self.file),
            at: self.handed,
            chip: self.lane.chip.clone(),
            chip_at: self.lane.chip_at.get(),
            length,
            last,
        };
        self.handed = self.written;
        self.lane.chip_at.set(self.lane.chip_at.get() + length);
        // Nobody listens: a thread failed, and its reason is the better one.
        self.lane.out.send(piece).map_err(|_| BackupError::Interrupted)
    }
}

/// Runs a writer, and proves what it writes close behind it. Gives what the
/// writer gave, and each file with the SHA-256 that it has on the card;
/// `chip.bin` was compared with them byte for byte.
pub(super) fn behind<T, E: From<BackupError>>(
    chip: Option<Arc<NewFile>>,
    writer: impl FnOnce(&Lane) -> Result<T, E>,
) -> Result<(T, Vec<(String, Digest)>), E> {
    let (out, to_flush) = sync_channel(1);
    let (flushed, to_prove) = sync_channel(2);
    let lane = Lane { chip: chip.clone(), chip_at: std::cell::Cell::new(0), out };
    scope(|threads| {
        let flusher = start(threads, "flush", move || flush(&to_flush, &flushed))?;
        let prover = start(threads, "prove", move || prove(&to_prove))?;
        let written = writer(&lane);
        drop(lane);
        let flushed = join(flusher);
        let proven = join(prover);
        // The card's own failure says more than the writer's broken channel.
        flushed?;
        let proven = proven?;
        let written = written?;
        if let Some(chip) = chip {
            chip.sync().map_err(BackupError::from)?;
        }
        Ok((written, proven))
    })
}

fn start<'scope, T: Send + 'scope>(
    threads: &'scope Scope<'scope, '_>,
    name: &'static str,
    work: impl FnOnce() -> T + Send + 'scope,
) -> Result<ScopedJoinHandle<'scope, T>, BackupError> {
    Builder::new()
        .name(name.to_owned())
        .stack_size(STACK)
        .spawn_scoped(threads, work)
        .map_err(BackupError::Thread)
}

fn join<T>(thread: ScopedJoinHandle<'_, Result<T, BackupError>>) -> Result<T, BackupError> {
    thread.join().unwrap_or(Err(BackupError::Interrupted))
}

/// Brings pieces to the card, and drops them from the cache.
fn flush(pieces: &Receiver<Piece>, flushed: &SyncSender<Piece>) -> Result<(), BackupError> {
    for piece in pieces {
        piece.file.flush(piece.at, piece.length)?;
        if let Some(chip) = &piece.chip {
            chip.flush(piece.chip_at, piece.length)?;
        }
        if piece.last {
            piece.file.sync()?;
        }
        if flushed.send(piece).is_err() {
            break;
        }
    }
    Ok(())
}

/// Reads pieces from the card.
fn prove(pieces: &Receiver<Piece>) -> Result<Vec<(String, Digest)>, BackupError> {
    let mut proven = Vec::new();
    let mut hasher = Sha256::new();
    let mut here = vec![0; WINDOW as usize];
    let mut twin = vec![0; WINDOW as usize];
    for piece in pieces {
        for at in (0..piece.length).step_by(WINDOW as usize) {
            let length = (piece.length - at).min(WINDOW.into()) as usize;
            piece.file.read_back(piece.at + at, &mut here[..length])?;
            hasher.update(&here[..length]);
            if let Some(chip) = &piece.chip {
                chip.read_back(piece.chip_at + at, &mut twin[..length])?;
                if here[..length] != twin[..length] {
                    return Err(BackupError::NotProven { file: chip.name() });
                }
            }
        }
        if piece.last {
            proven.push((piece.file.name(), hasher.finalize_reset().into()));
        }
    }
    Ok(proven)
}
