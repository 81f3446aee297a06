//! The requested part of a file (RFC 9110, section 14). Pure.

/// What of a file is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ByteRange {
    /// All of it.
    Whole,
    /// From this byte, so many.
    Some(u64, u64),
    /// What is asked for is not in it.
    None,
}

/// What a `Range` header asks for of a file of `size` bytes. Several parts at once, and what is not
/// understood, are answered with the whole file.
pub(super) fn of(header: Option<&str>, size: u64) -> ByteRange {
    let range = header.and_then(|header| header.trim().strip_prefix("bytes=")?.split_once('-'));
    let Some((first, last)) = range else { return ByteRange::Whole };
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let (from, until) = match (number(first), number(last)) {
        (Some(from), Some(last)) if last >= from => (from, last.saturating_add(1)),
        (Some(from), None) if last.trim().is_empty() => (from, size),
        (None, Some(count)) if first.trim().is_empty() => (size.saturating_sub(count), size),
        _ => return ByteRange::Whole,
    };
    let until = until.min(size);
    if from < until { ByteRange::Some(from, until - from) } else { ByteRange::None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_what_the_header_asks_for_as_far_as_it_is_there() {
        for (header, part) in [
            ("bytes=0-", ByteRange::Some(0, 100)),
            ("bytes=0-0", ByteRange::Some(0, 1)),
            (" bytes=10-19", ByteRange::Some(10, 10)),
            ("bytes=90-1000", ByteRange::Some(90, 10)),
            ("bytes=90-18446744073709551615", ByteRange::Some(90, 10)),
            ("bytes=-7", ByteRange::Some(93, 7)),
            ("bytes=-700", ByteRange::Some(0, 100)),
            ("bytes=100-", ByteRange::None),
            ("bytes=-0", ByteRange::None),
            ("bytes=18446744073709551615-", ByteRange::None),
            ("bytes=5-2", ByteRange::Whole),
            ("bytes=0-1,4-5", ByteRange::Whole),
            ("bytes=", ByteRange::Whole),
            ("bytes=-", ByteRange::Whole),
            ("bytes=+1-2", ByteRange::Some(1, 2)),
            ("bytes=a-b", ByteRange::Whole),
            ("lines=1-2", ByteRange::Whole),
            ("", ByteRange::Whole),
        ] {
            assert_eq!(of(Some(header), 100), part, "{header}");
        }
        assert_eq!(of(None, 100), ByteRange::Whole);
        assert_eq!(of(Some("bytes=0-"), 0), ByteRange::None);
    }
}
