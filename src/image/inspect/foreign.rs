//! Files that are not from a flash chip, recognized by how they begin: what owners
//! hand in by mistake, and what to do instead.

/// A text that is nothing else.
pub(super) const TEXT: &str = "a text";
/// What begins like JSON, which may be an array of a dump's bytes.
pub(super) const JSON: &str = "a JSON text, as servers send it for an error";

/// What it is, and what to do.
pub(super) struct Foreign {
    pub(super) what: &'static str,
    pub(super) hint: &'static str,
}

const UNPACK: &str = "Unpack it first, then inspect what it contains.";

const LOOK: &str = "It is not firmware. Choose a firmware file, for example tf_recovery.img.";
const RAW: &str = "The download went wrong: on GitHub, choose \"Download raw file\".";

const UBI: &str = "These cameras' flash has no UBI: it is for another camera. Do not flash it.";

const MAGICS: [(&[u8], &str, &str); 20] = [
    (b"UBI#", "a UBI image", UBI),
    (b"\x31\x18\x10\x06", "a UBIFS", UBI),
    (b"begin 6", "a uuencoded file", "Decode it with uudecode, then inspect what it contains."),
    (b"PK\x03\x04", "a zip archive", UNPACK),
    (b"PK\x05\x06", "an empty zip archive", "It contains nothing: make or download it again."),
    (b"PK\x07\x08", "a part of a zip archive", "Get all parts of the archive and unpack it."),
    (
        b"\x00\x05\x16\x07",
        "a file that macOS made next to the real one (its name begins with ._)",
        "Use the file of the same name without ._ before it.",
    ),
    (b"\x04\x22\x4D\x18", "an lz4 archive", UNPACK),
    (b"\x5D\x00\x00", "an lzma archive", UNPACK),
    (b"\x1F\x8B", "a gzip archive", UNPACK),
    (b"\xFD7zXZ\0", "an xz archive", UNPACK),
    (b"7z\xBC\xAF\x27\x1C", "a 7z archive", UNPACK),
    (b"Rar!\x1A\x07", "a rar archive", UNPACK),
    (b"BZh", "a bzip2 archive", UNPACK),
    (b"\x28\xB5\x2F\xFD", "a zstd archive", UNPACK),
    (b"\x7FELF", "a program for Linux", LOOK),
    (b"MZ", "a program for Windows", LOOK),
    (b"%PDF", "a PDF", LOOK),
    (b"\xFF\xD8\xFF", "a picture", LOOK),
    (b"\x89PNG\r\n", "a picture", LOOK),
];

/// What is rarer: a camera has no room for it.
#[cfg(feature = "pc")]
const RARE: [(&[u8], &str, &str); 16] = [
    (b"GIF8", "a picture", LOOK),
    (b"RIFF", "a picture, a sound or a film", LOOK),
    (b"BM", "a picture", LOOK),
    (b"II*\0", "a picture", LOOK),
    (b"\xD0\xCF\x11\xE0", "a document of an office program", LOOK),
    (b"SQLite format 3", "a database", LOOK),
    (b"MSCF", "a cab archive", UNPACK),
    (b"LZIP", "an lzip archive", UNPACK),
    (b"\x1F\x9D", "a compress archive", UNPACK),
    (b"070701", "a cpio archive", UNPACK),
    (b"\xD0\x0D\xFE\xED", "a device tree, or an image in one", LOOK),
    (b"\x45\x3D\xCD\x28", "a cramfs, which these cameras do not have", LOOK),
    (b"\xD4\xC3\xB2\xA1", "a capture of a network", LOOK),
    (b"\x0A\x0D\x0D\x0A", "a capture of a network", LOOK),
    (b"$date", CAPTURE, DECODE),
    (b"Time [s]", CAPTURE, DECODE),
];

#[cfg(feature = "pc")]
const CAPTURE: &str = "a capture of a logic analyzer";
#[cfg(feature = "pc")]
const DECODE: &str = "The bytes that were read are in it only as signals: decode it as SPI flash, for \
    example with PulseView, and export them; or read the chip with a programmer.";

#[cfg(feature = "pc")]
fn rare(head: &[u8]) -> Option<Foreign> {
    // A sigrok file is a zip whose first member is this.
    if head.starts_with(b"PK\x03\x04")
        && head.get(30..).is_some_and(|name| name.starts_with(b"version"))
    {
        return Some(Foreign { what: CAPTURE, hint: DECODE });
    }
    if head.get(4..8) == Some(b"ftyp") {
        return Some(Foreign { what: "a picture or a film", hint: LOOK });
    }
    if head.starts_with(b"flashrom ") {
        return Some(Foreign {
            what: "the messages of flashrom, and not what it read",
            hint: "What it read is in the file that was named behind -r: inspect that.",
        });
    }
    let found = RARE.iter().find(|(magic, ..)| head.starts_with(magic));
    found.map(|(_, what, hint)| Foreign { what, hint })
}

#[cfg(not(feature = "pc"))]
fn rare(_head: &[u8]) -> Option<Foreign> {
    None
}

/// What a file is that begins like this; `None` where it may be firmware.
pub(super) fn foreign(head: &[u8]) -> Option<Foreign> {
    if let Some(found) = rare(head) {
        return Some(found);
    }
    if let Some((_, what, hint)) = MAGICS.iter().find(|(magic, ..)| head.starts_with(magic)) {
        return Some(Foreign { what, hint });
    }
    if head.get(257..262) == Some(b"ustar") {
        return Some(Foreign { what: "a tar archive", hint: UNPACK });
    }
    let head = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head);
    let is_text = |b: u8| matches!(b, b'\t' | b'\n' | b'\r' | 0x1B | 0x20..=0x7E | 0x80..=0xF4);
    if head.is_empty()
        || !head.iter().all(|&b| is_text(b))
        || std::str::from_utf8(cut(head)).is_err()
    {
        return None;
    }
    let start = head.trim_ascii_start().to_ascii_lowercase();
    let starts = |words: &[&[u8]]| words.iter().any(|word| start.starts_with(word));
    Some(if starts(&[b"<!doctype html", b"<html", b"<head", b"<body"]) {
        Foreign { what: "a web page", hint: RAW }
    } else if starts(&[b"version https://git-lfs"]) {
        Foreign { what: "a pointer to a file in Git LFS", hint: RAW }
    } else if starts(&[b"<?xml", b"<error", b"<!doctype"]) {
        Foreign { what: "an XML text, as servers send it for an error", hint: RAW }
    } else if starts(&[b"{"]) || is_array(&start) {
        Foreign { what: JSON, hint: RAW }
    } else {
        Foreign { what: TEXT, hint: LOOK }
    })
}

/// `[` is also what the lines of a kernel's log begin with.
fn is_array(text: &[u8]) -> bool {
    let Some(rest) = text.strip_prefix(b"[") else { return false };
    matches!(rest.trim_ascii_start().first(), Some(b'{' | b'[' | b'"'))
        || rest.iter().find(|b| !b.is_ascii_digit() && **b != b' ') == Some(&b',')
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
        assert_eq!(what(b"\xEF\xBB\xBF<html>"), Some("a web page"));
        assert_eq!(what(b"PK\x05\x06\0\0"), Some("an empty zip archive"));
        assert!(what(b"\x00\x05\x16\x07\0\x02").is_some_and(|w| w.contains("macOS")));
        assert!(what(b"<?xml version=\"1.0\"?><Error>").is_some_and(|w| w.contains("XML")));
        assert!(what(b"{\"message\": \"Not Found\"}").is_some_and(|w| w.contains("JSON")));
        assert_eq!(what(b"\xFF\xD8\xFF\xE0\0\x10JFIF\0"), Some("a picture"));
        assert_eq!(what(b"\x89PNG\r\n\x1A\n\0\0"), Some("a picture"));
        assert_eq!(what(b"UBI#\x01\0\0\0"), Some("a UBI image"));
        assert_eq!(what(b"\x31\x18\x10\x06"), Some("a UBIFS"));
        assert_eq!(what(b"\xFF\xD8"), None);
        assert_eq!(what(b"\x5D\0\0\x80\0\xFF"), Some("an lzma archive"));
        assert_eq!(what(b"\x04\x22\x4D\x18\x60"), Some("an lz4 archive"));
        assert_eq!(what("Gr\u{fc}\u{df}e".as_bytes()), Some("a text"));
        assert_eq!(what(&"Gr\u{fc}".as_bytes()[..3]), Some("a text"));
        assert_eq!(what(b"hsqs\x01\0\0\0"), None);
        assert_eq!(what(&[0xFF; 64]), None);
        assert_eq!(what(b""), None);
    }
}
