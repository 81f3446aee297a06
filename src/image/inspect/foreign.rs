//! Files that are not from a flash chip, told by how they begin: what owners
//! hand in by mistake, and what to do instead.

/// What it is, and what to do.
pub(super) struct Foreign {
    pub(super) what: &'static str,
    pub(super) hint: &'static str,
}

const UNPACK: &str = "Unpack it first, and inspect what was in it.";

const MAGICS: [(&[u8], &str, &str); 11] = [
    (b"PK\x03\x04", "a zip archive", UNPACK),
    (b"\x1F\x8B", "a gzip archive", UNPACK),
    (b"\xFD7zXZ\0", "an xz archive", UNPACK),
    (b"7z\xBC\xAF\x27\x1C", "a 7z archive", UNPACK),
    (b"Rar!\x1A\x07", "a rar archive", UNPACK),
    (b"BZh", "a bzip2 archive", UNPACK),
    (b"\x28\xB5\x2F\xFD", "a zstd archive", UNPACK),
    (b"\x7FELF", "a program for Linux", "It is not firmware: look for the image itself."),
    (b"MZ", "a program for Windows", "It is not firmware: look for the image itself."),
    (b"%PDF", "a PDF", "It is not firmware: look for the image itself."),
    (b":10", "an Intel hex file", "Let the programmer save the chip as a raw binary."),
];

/// What a file is that begins like this; `None` where it may be firmware.
pub(super) fn foreign(head: &[u8]) -> Option<Foreign> {
    if let Some((_, what, hint)) = MAGICS.iter().find(|(magic, ..)| head.starts_with(magic)) {
        return Some(Foreign { what, hint });
    }
    if head.get(257..262) == Some(b"ustar") {
        return Some(Foreign { what: "a tar archive", hint: UNPACK });
    }
    let is_text = |b: u8| matches!(b, b'\t' | b'\n' | b'\r' | 0x20..=0x7E | 0x80..=0xF4);
    if head.is_empty()
        || !head.iter().all(|&b| is_text(b))
        || std::str::from_utf8(cut(head)).is_err()
    {
        return None;
    }
    let start = head.trim_ascii_start().to_ascii_lowercase();
    if start.starts_with(b"<!doctype") || start.starts_with(b"<html") {
        return Some(Foreign {
            what: "a web page",
            hint: "The download went wrong: on GitHub, choose \"Download raw file\".",
        });
    }
    if start.starts_with(b"version https://git-lfs") {
        return Some(Foreign {
            what: "a pointer to a file in Git LFS",
            hint: "The download went wrong: on GitHub, choose \"Download raw file\".",
        });
    }
    Some(Foreign { what: "a text", hint: "It is not firmware: look for the image itself." })
}

/// Without a last character that the end of `head` may have cut.
fn cut(head: &[u8]) -> &[u8] {
    match std::str::from_utf8(head) {
        Err(e) if e.error_len().is_none() => &head[..e.valid_up_to()],
        _ => head,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_owners_hand_in_by_mistake_is_named() {
        let what = |head: &[u8]| foreign(head).map(|f| f.what);
        assert_eq!(what(b"PK\x03\x04rest"), Some("a zip archive"));
        assert_eq!(what(b"\n<!DOCTYPE html><html>"), Some("a web page"));
        assert_eq!(what("Gr\u{fc}\u{df}e".as_bytes()), Some("a text"));
        assert_eq!(what(&"Gr\u{fc}".as_bytes()[..3]), Some("a text"));
        assert_eq!(what(b"hsqs\x01\0\0\0"), None);
        assert_eq!(what(&[0xFF; 64]), None);
        assert_eq!(what(b""), None);
    }
}
