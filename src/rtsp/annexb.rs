//! Start codes of an Annex-B stream, found in bytes as they come. Pure.

/// Bytes of a word, and a word in which each byte is 1.
const WORD: usize = size_of::<usize>();
const ONES: usize = usize::MAX / 255;

/// Where the next `00 00 01` begins, looking from `from` on.
pub fn find_start_code(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    // Most of a slice has no zero byte in a word: no start code begins there.
    while let Some(word) = bytes.get(at..).and_then(<[u8]>::first_chunk::<WORD>) {
        let word = usize::from_ne_bytes(*word);
        if word.wrapping_sub(ONES) & !word & (ONES << 7) == 0 {
            at += WORD;
            continue;
        }
        let near =
            bytes.get(at..at + WORD + 2).unwrap_or_else(|| bytes.get(at..).unwrap_or_default());
        if let Some(place) = find_in(near) {
            return Some(at + place);
        }
        at += WORD;
    }
    find_in(bytes.get(at..)?).map(|place| at + place)
}

/// The same, byte by byte.
fn find_in(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    // The third byte decides how far to jump: most bytes are checked once in three.
    while let Some(&third) = bytes.get(at + 2) {
        if third > 1 {
            at += 3;
        } else if third == 0 {
            at += 1;
        } else if bytes.get(at..at + 2) == Some(&[0, 0]) {
            return Some(at);
        } else {
            at += 3;
        }
    }
    None
}

/// Whether these bytes begin with a start code, of three bytes or of four; `None` while too few
/// are there to tell.
pub fn begins_with_start_code(bytes: &[u8]) -> Option<bool> {
    const FOUR: [u8; 4] = [0, 0, 0, 1];
    match bytes {
        [0, 0, 1, ..] | [0, 0, 0, 1, ..] => Some(true),
        short if short.len() < 4 && FOUR.starts_with(short) => None,
        _ => Some(false),
    }
}

/// The end of a unit that is before `end`, without the zero bytes behind it (B.1.1,
/// `trailing_zero_8bits`, and the first zero of a start code of four bytes).
pub fn unit_end(bytes: &[u8], start: usize, end: usize) -> usize {
    let unit = bytes.get(start..end).unwrap_or_default();
    start + unit.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slow(bytes: &[u8], from: usize) -> Option<usize> {
        (from..bytes.len()).find(|&at| bytes.get(at..at + 3) == Some(&[0, 0, 1]))
    }

    #[test]
    fn the_fast_search_finds_what_the_slow_one_finds() {
        // Every string of these three values, nine long, also in the middle of others: words begin
        // and end anywhere in it.
        for number in 0..3u32.pow(9) {
            let bytes: Vec<u8> = (0..9).map(|i| (number / 3u32.pow(i) % 3) as u8).collect();
            for from in 0..4 {
                assert_eq!(find_start_code(&bytes, from), slow(&bytes, from), "{bytes:?} {from}");
            }
            let before = number as usize % 17;
            let long = [&[0x80; 17][..before], &bytes, &[0x81; 9][..number as usize % 10]].concat();
            for from in [0, before / 2] {
                assert_eq!(find_start_code(&long, from), slow(&long, from), "{long:?} {from}");
            }
        }
    }

    #[test]
    fn the_zeros_behind_a_unit_are_not_its_own() {
        assert_eq!(unit_end(&[9, 8, 0, 0, 0], 0, 5), 2);
        assert_eq!(unit_end(&[9, 0, 7], 0, 3), 3);
        assert_eq!(unit_end(&[0, 0], 0, 2), 0);
    }

    #[test]
    fn a_start_code_that_is_not_whole_yet_may_become_one() {
        assert_eq!(begins_with_start_code(&[0, 0]), None);
        assert_eq!(begins_with_start_code(&[]), None);
        assert_eq!(begins_with_start_code(&[0, 0, 0, 1]), Some(true));
        assert_eq!(begins_with_start_code(&[0, 0, 1]), Some(true));
        assert_eq!(begins_with_start_code(&[0, 1]), Some(false));
    }
}
