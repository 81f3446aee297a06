//! A head as it arrives, in pieces, up to its end or its limit. It is parsed in [`super::head`].

use crate::web::gate::answer::Refusal;
use crate::web::gate::head::is_token_byte;

/// Collects a head as it arrives, in pieces of any size.
#[derive(Debug)]
pub struct HeadBuffer {
    bytes: Vec<u8>,
    limit: usize,
}

impl HeadBuffer {
    /// An empty buffer for a head of at most `limit` bytes, its blank line included. It takes no
    /// memory until the first byte.
    pub fn new(limit: usize) -> Self {
        Self { bytes: Vec::new(), limit }
    }

    /// Takes the next piece. `Some(end)`: the head is `bytes()[..end]`, and what follows it was
    /// sent after it. A first byte that cannot begin a method (a TLS hello, say) is refused at
    /// once, not after the deadline.
    pub fn feed(&mut self, piece: &[u8]) -> Result<Option<usize>, Refusal> {
        if self.bytes.is_empty() && piece.first().is_some_and(|&b| !is_token_byte(b)) {
            return Err(Refusal::Malformed("the request does not begin with a method"));
        }
        let from = self.bytes.len().saturating_sub(3);
        self.bytes.extend_from_slice(piece);
        let within = self.bytes.len().min(self.limit);
        match find_end(self.bytes.get(from..within).unwrap_or_default()) {
            Some(end) => Ok(Some(from + end)),
            None if self.bytes.len() >= self.limit => Err(Refusal::HeadTooLarge),
            None => Ok(None),
        }
    }

    /// Bytes of memory it takes now.
    pub fn held(&self) -> usize {
        self.bytes.capacity()
    }

    /// All that has arrived.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Where the first blank line ends. A blank line with a bare line feed ends a head too, so that
/// [`head::parse`](super::head::parse) can refuse it now instead of the deadline later.
fn find_end(bytes: &[u8]) -> Option<usize> {
    let mut rest = bytes;
    let mut passed = 0;
    while let Some(at) = rest.iter().position(|&b| b == b'\n') {
        rest = &rest[at + 1..];
        passed += at + 1;
        match rest {
            [b'\n', ..] => return Some(passed + 1),
            [b'\r', b'\n', ..] => return Some(passed + 2),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::head::tests::head_like;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_limit_counts_the_blank_line() {
        let head = b"GET / HTTP/1.0\r\n\r\n";
        assert_eq!(HeadBuffer::new(head.len()).feed(head), Ok(Some(head.len())));
        assert_eq!(HeadBuffer::new(head.len() - 1).feed(head), Err(Refusal::HeadTooLarge));
    }

    #[test]
    fn a_tls_hello_is_refused_by_its_first_byte() {
        let refused = HeadBuffer::new(100).feed(&[0x16]);
        assert!(matches!(refused, Err(Refusal::Malformed(_))));
    }

    /// What a buffer of `limit` bytes makes of pieces: the head's bytes, or why not.
    fn collect<'a>(
        limit: usize,
        pieces: impl Iterator<Item = &'a [u8]>,
    ) -> Result<Option<Vec<u8>>, Refusal> {
        let mut buffer = HeadBuffer::new(limit);
        for piece in pieces {
            if let Some(end) = buffer.feed(piece)? {
                return Ok(Some(buffer.bytes()[..end].to_vec()));
            }
        }
        Ok(None)
    }

    proptest! {
        #[test]
        fn any_split_of_a_head_gives_the_same(bytes in head_like(), cuts in prop::collection::vec(1usize..20, 1..40)) {
            let _ = collect(100, std::iter::once(&bytes[..]));
            let whole = collect(60, std::iter::once(&bytes[..]));
            let singly = collect(60, bytes.chunks(1));
            prop_assert_eq!(&whole, &singly);
            let mut rest = &bytes[..];
            let mut pieces = Vec::new();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break; }
                let (piece, left) = rest.split_at((*cut).min(rest.len()));
                pieces.push(piece);
                rest = left;
            }
            prop_assert_eq!(whole, collect(60, pieces.into_iter()));
        }
    }
}
