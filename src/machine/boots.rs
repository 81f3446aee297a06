//! Start counter: how often the program started on this card, and how many starts in a row failed.
//! Two small files are written in turn, so that one is always whole.

use std::path::PathBuf;

use crate::card::Card;
use crate::card::file::{make_dir, read_bounded, write_proven};
use crate::error::Chain;
use crate::formats::crc32;

/// Starts in a row that did not last before the program starts in safe mode.
pub const SAFE_MODE_AFTER: u32 = 3;

/// The count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Boots {
    /// Starts on this card, this one included.
    pub count: u64,
    /// Starts in a row that did not last, this one aside.
    pub failed: u32,
    sequence: u64,
}

impl Boots {
    /// Counts this start. A card that cannot be written counts nothing.
    pub fn count_start(card: &Card) -> Boots {
        let mut boots = read(card);
        let before = boots;
        boots.count = boots.count.saturating_add(1);
        boots.failed = boots.failed.saturating_add(1);
        boots.store(card);
        Boots { failed: before.failed, ..boots }
    }

    /// What is on the card, without counting.
    pub fn current(card: &Card) -> Boots {
        read(card)
    }

    /// Whether this start is to be a safe one.
    pub fn is_safe_mode(&self) -> bool {
        self.failed >= SAFE_MODE_AFTER
    }

    /// This start lasted, or ended in good order.
    pub fn lasted(card: &Card) {
        let mut boots = read(card);
        if boots.failed > 0 {
            boots.failed = 0;
            boots.store(card);
        }
    }

    fn store(&mut self, card: &Card) {
        self.sequence = self.sequence.saturating_add(1);
        let body = format!("{} {} {}", self.sequence, self.count, self.failed);
        let text = format!("{body} {:08x}\n", crc32::hash(body.as_bytes()));
        let path = &paths(card)[(self.sequence % 2) as usize];
        let stored = card
            .require_writable()
            .and_then(|()| make_dir(&card.state_dir()))
            .and_then(|()| write_proven(path, text.as_bytes()));
        if let Err(e) = stored {
            log::warn!("this start cannot be counted: {e}", e = Chain(&e));
        }
    }
}

fn paths(card: &Card) -> [PathBuf; 2] {
    ["starts.a", "starts.b"].map(|name| card.state_dir().join(name))
}

fn read(card: &Card) -> Boots {
    paths(card)
        .iter()
        .filter_map(|path| parse(&read_bounded(path, 128).ok()?))
        .max_by_key(|boots| boots.sequence)
        .unwrap_or_default()
}

fn parse(text: &[u8]) -> Option<Boots> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('\n')?;
    let (body, crc) = text.rsplit_once(' ')?;
    if u32::from_str_radix(crc, 16).ok()? != crc32::hash(body.as_bytes()) {
        return None;
    }
    let mut numbers = body.split(' ');
    // One that was not counted up by us would win forever.
    let sequence = numbers.next()?.parse().ok().filter(|n| *n < u64::MAX / 2)?;
    let count = numbers.next()?.parse().ok()?;
    let failed = numbers.next()?.parse().ok()?;
    Some(Boots { count, failed, sequence })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_file_leaves_the_count_before() {
        let dir = tempfile::tempdir().unwrap();
        let card = Card::folder(dir.path());
        for n in 1..=4 {
            assert_eq!(Boots::count_start(&card).count, n);
        }
        let newest = paths(&card)
            .into_iter()
            .max_by_key(|p| parse(&std::fs::read(p).unwrap()).unwrap().sequence)
            .unwrap();
        for length in 0..std::fs::metadata(&newest).unwrap().len() {
            let whole = std::fs::read(&newest).unwrap();
            std::fs::write(&newest, &whole[..length as usize]).unwrap();
            assert_eq!(Boots::current(&card).count, 3, "torn at {length}");
            std::fs::write(&newest, whole).unwrap();
        }
    }

    #[test]
    fn three_starts_that_do_not_last_bring_safe_mode_and_one_that_does_ends_it() {
        let dir = tempfile::tempdir().unwrap();
        let card = Card::folder(dir.path());
        for _ in 0..3 {
            assert!(!Boots::count_start(&card).is_safe_mode());
        }
        let boots = Boots::count_start(&card);
        assert!(boots.is_safe_mode());
        Boots::lasted(&card);
        assert!(!Boots::count_start(&card).is_safe_mode());
    }
}
