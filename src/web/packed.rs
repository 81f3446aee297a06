//! The long texts in the program, as `build.rs` packed them.

use crate::formats::crc32::hash;

use crate::formats::xz;

/// The most that one of them holds, in bytes.
const MOST: usize = 0x4_0000;

/// A text that is packed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packed(pub(super) &'static [u8]);

/// One of those that `build.rs` made.
macro_rules! packed {
    ($name:literal) => {
        Packed(include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".lzma2")))
    };
}

pub(super) const STYLE: Packed = packed!("page.css");
pub(super) const SCRIPT: Packed = packed!("page.js");
pub(super) const ENGLISH: Packed = packed!("en.json");
pub(super) const PORTUGUESE: Packed = packed!("pt.json");
pub(super) const SCHEMAS: Packed = packed!("schemas.json");

impl Packed {
    /// The text itself. A test unpacks all of them, so none can fail here.
    pub(super) fn text(self) -> String {
        let bytes = xz::unpack_lzma2(self.0, MOST).unwrap_or_default();
        String::from_utf8(bytes).unwrap_or_default()
    }

    /// Another one for every other text.
    pub(super) fn tag(self) -> String {
        format!("{:08x}", hash(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_comes_out_as_it_stands_in_the_sources() {
        for (packed, text) in [
            (STYLE, include_str!("page/page.css")),
            (ENGLISH, include_str!("page/texts/en.json")),
            (PORTUGUESE, include_str!("page/texts/pt.json")),
            (SCHEMAS, include_str!("schemas.json")),
        ] {
            assert!(packed.text() == text, "{}", &text[..40]);
        }
        let script = SCRIPT.text();
        assert!(script.starts_with("\"use strict\";\n"));
        for part in std::fs::read_dir("src/web/page").unwrap() {
            let path = part.unwrap().path();
            if path.extension().is_some_and(|kind| kind == "js") {
                let text = std::fs::read_to_string(&path).unwrap();
                assert!(script.contains(&text), "{}", path.display());
            }
        }
        assert_ne!(STYLE.tag(), SCRIPT.tag());
    }
}
