//! A frame out of its file: the descriptor that came with a datagram is checked, its content
//! copied, and it is closed at once.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::error::FrameError;
use super::payload::{self, HEADER};
use super::wire::{self, PAGE_HEADER};
use crate::sys::received::Received;

/// What the file of a frame contains behind its page header, copied into `buffer`.
///
/// # Errors
/// [`FrameError`]: what is not exactly as known.
pub fn whole(
    received: Received,
    map_length: u32,
    buffer: &mut Vec<u8>,
) -> Result<&[u8], FrameError> {
    let count = received.descriptors.len();
    if received.lacks_descriptors && count == 0 {
        return Err(FrameError::NoRoom);
    }
    let only = received.descriptors.into_iter().next();
    let Some(descriptor) = only.filter(|_| count == 1 && !received.lacks_descriptors) else {
        return Err(FrameError::Descriptors(count));
    };
    let file = File::from(descriptor);
    let unreadable = |error: io::Error| FrameError::Unreadable(error.kind().to_string());
    let facts = file.metadata().map_err(unreadable)?;
    if !facts.is_file() {
        return Err(FrameError::NotAFile);
    }
    if facts.len() < u64::from(map_length) {
        return Err(FrameError::FileLength { file: facts.len(), map: map_length });
    }
    let whole = map_length as usize;
    if buffer.len() < whole {
        buffer.resize(whole, 0);
    }
    let bytes = buffer.get_mut(..whole).unwrap_or_default();
    file.read_exact_at(bytes, 0).map_err(unreadable)?;
    drop(file);
    let header = bytes.first_chunk::<PAGE_HEADER>().ok_or(FrameError::MapLength(map_length))?;
    let size = match wire::payload_size(header, facts.len(), map_length) {
        Ok(size) => size as usize,
        Err(fault) => {
            // Another page header is reported, and nothing is guessed.
            let found = payload::found_elsewhere(bytes);
            return Err(found.filter(|at| *at != PAGE_HEADER).map_or(fault, FrameError::Elsewhere));
        }
    };
    Ok(bytes.get(PAGE_HEADER..PAGE_HEADER + size).unwrap_or_default())
}

// A payload's header is within the first page.
const _: () = assert!(HEADER + PAGE_HEADER < wire::PAGE as usize);
