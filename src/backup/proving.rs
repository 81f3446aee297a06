//! Proof on the way: while the chip is still being read, what was written is
//! brought to the card, dropped from the cache, and read again. One thread
//! writes back, one reads; so the card is busy in both directions, and the
//! proof of 32 MiB costs little more than writing them.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, Scope, ScopedJoinHandle, scope};

use crate::formats::bytes::alike;
use crate::formats::sha256::Sha256;

use super::BackupError;
use crate::base::Digest;
use crate::card::CardError;
use crate::card::file::NewFile;
use crate::chip::WINDOW;

/// Bytes that are written, and then verified, at a time: few enough to stay close
/// behind the writer, and enough that two files which grow in turn are not
/// scattered over the card in small pieces.
const PIECE: usize = 0x10_0000;
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
    chip_at: Cell<u64>,
    held: RefCell<Vec<u8>>,
    out: SyncSender<Piece>,
}

/// What the files have on the card.
pub(super) struct Proven {
    /// Each partition's file and its SHA-256.
    pub files: Vec<(String, Digest)>,
    /// Bytes of `chip.bin` that are those of the partitions' files, byte for byte.
    pub chip: u64,
}

/// One partition's file that is being written.
pub(super) struct LaneFile<'l> {
    lane: &'l Lane,
    file: Arc<NewFile>,
    chip: Option<Arc<NewFile>>,
    written: u64,
}

impl Lane {
    /// Starts a partition's file; `of_chip`: its bytes go to `chip.bin` too.
    pub fn file(&self, path: PathBuf, of_chip: bool) -> Result<LaneFile<'_>, CardError> {
        let file = Arc::new(NewFile::create(path)?);
        let chip = self.chip.clone().filter(|_| of_chip);
        Ok(LaneFile { lane: self, file, chip, written: 0 })
    }
}

impl LaneFile<'_> {
    /// Writes to the partition's file and to `chip.bin`.
    pub fn write(&mut self, window: &[u8]) -> Result<(), BackupError> {
        let held = {
            let mut held = self.lane.held.borrow_mut();
            held.extend_from_slice(window);
            held.len()
        };
        if held >= PIECE { self.hand_on(false) } else { Ok(()) }
    }

    /// Ends the file.
    pub fn finish(mut self) -> Result<(), BackupError> {
        self.hand_on(true)
    }

    fn hand_on(&mut self, last: bool) -> Result<(), BackupError> {
        let mut held = self.lane.held.borrow_mut();
        self.file.write(&held)?;
        if let Some(chip) = &self.chip {
            chip.write(&held)?;
        }
        let piece = Piece {
            file: Arc::clone(&self.file),
            at: self.written,
            chip: self.chip.clone(),
            chip_at: self.lane.chip_at.get(),
            length: held.len() as u64,
            last,
        };
        held.clear();
        self.written += piece.length;
        if self.chip.is_some() {
            self.lane.chip_at.set(piece.chip_at + piece.length);
        }
        // Nobody listens: a thread failed, and its reason is the better one.
        self.lane.out.send(piece).map_err(|_| BackupError::Interrupted)
    }
}

/// Runs a writer, and reads what it writes close behind it. Gives what the
/// writer gave, and what the files have on the card.
pub(super) fn behind<T, E: From<BackupError>>(
    chip: Option<Arc<NewFile>>,
    writer: impl FnOnce(&Lane) -> Result<T, E>,
) -> Result<(T, Proven), E> {
    let (out, to_flush) = sync_channel(1);
    let (flushed, to_prove) = sync_channel(2);
    let held = RefCell::new(Vec::with_capacity(PIECE));
    let lane = Lane { chip: chip.clone(), chip_at: Cell::new(0), held, out };
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
        piece.file.ask_back(piece.at, piece.length);
        if let Some(chip) = &piece.chip {
            chip.flush(piece.chip_at, piece.length)?;
            chip.ask_back(piece.chip_at, piece.length);
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

/// Reads pieces from the card. A partition's file is hashed; `chip.bin` is compared with it,
/// which proves as much and costs a tenth.
fn prove(pieces: &Receiver<Piece>) -> Result<Proven, BackupError> {
    let mut proven = Proven { files: Vec::new(), chip: 0 };
    let mut part = Sha256::new();
    let mut buf = vec![0; WINDOW as usize];
    let mut of_chip = vec![0; WINDOW as usize];
    for piece in pieces {
        let mut done = 0;
        while done < piece.length {
            let count = (piece.length - done).min(WINDOW.into()) as usize;
            piece.file.read_back(piece.at + done, &mut buf[..count])?;
            part.update(&buf[..count]);
            if let Some(chip) = &piece.chip {
                chip.read_back(piece.chip_at + done, &mut of_chip[..count])?;
                if !alike(&of_chip[..count], &buf[..count]) {
                    return Err(BackupError::NotProven { file: chip.name() });
                }
                proven.chip += count as u64;
            }
            done += count as u64;
        }
        if piece.last {
            proven.files.push((piece.file.name(), part.finalize_reset()));
        }
    }
    Ok(proven)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A partition's file and `chip.bin`, as a card gives them back.
    fn proof_of(file: &[u8], chip: &[u8]) -> Result<Proven, BackupError> {
        let dir = tempfile::tempdir().unwrap();
        let on_card = |name: &str, bytes: &[u8]| {
            let file = NewFile::create(dir.path().join(name)).unwrap();
            file.write(bytes).unwrap();
            file.sync().unwrap();
            Arc::new(file)
        };
        let (out, pieces) = sync_channel(1);
        let length = file.len() as u64;
        let (file, chip) = (on_card("DATA.bin", file), Some(on_card("chip.bin", chip)));
        out.send(Piece { file, at: 0, chip, chip_at: 0, length, last: true }).unwrap();
        drop(out);
        prove(&pieces)
    }

    #[test]
    fn a_chip_bin_that_differs_in_one_byte_from_its_partitions_is_not_proven() {
        let bytes: Vec<u8> = (0..200_000_u32).map(|n| n.to_le_bytes()[0] ^ 0x5A).collect();
        let proven = proof_of(&bytes, &bytes).unwrap();
        assert_eq!(proven.chip, 200_000);
        assert_eq!(proven.files, [("DATA.bin".to_owned(), Sha256::digest(&bytes))]);
        for at in [0, 65_535, 65_536, 199_999] {
            let mut lying = bytes.clone();
            lying[at] ^= 1;
            let wrong = proof_of(&bytes, &lying).err().unwrap();
            assert!(matches!(wrong, BackupError::NotProven { file } if file == "chip.bin"), "{at}");
        }
    }
}
