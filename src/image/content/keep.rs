//! Keeps the few bytes of a stream that a judgement needs at its end.

/// Appends to `kept` until it has `most` bytes.
pub(super) fn head(kept: &mut Vec<u8>, bytes: &[u8], most: usize) {
    let room = most.saturating_sub(kept.len());
    kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
}

/// The part of `bytes`, which are at `at` in the stream, that is in `range`.
pub(super) fn overlap(at: u64, bytes: &[u8], range: std::ops::Range<u64>) -> &[u8] {
    let end = at + bytes.len() as u64;
    let (from, to) = (range.start.clamp(at, end), range.end.clamp(at, end));
    bytes.get((from - at) as usize..(to - at) as usize).unwrap_or_default()
}
