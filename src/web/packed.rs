//! The long texts in the program, as `build.rs` packed them: the page's assets as gzip, sent as
//! they are to every browser that takes them so, and the rest as LZMA2.

use miniz_oxide::inflate::decompress_to_vec_with_limit;

use crate::formats::{le32, xz};

/// The largest of them, unpacked, in bytes.
const MOST: usize = 0x4_0000;
/// Bytes before and after the data of a gzip file without names (RFC 1952).
const HEAD: usize = 10;
const TRAILER: usize = 8;

/// An asset of the page: one gzip member.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asset(&'static [u8]);

/// A packed text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packed(&'static [u8]);

/// One that `build.rs` made.
macro_rules! asset {
    ($name:literal) => {
        Asset(include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".gz")))
    };
}

pub(super) const STYLE: Asset = asset!("page.css");
/// The modules of the first view.
pub(super) const SCRIPT: Asset = asset!("mi360d.js");
/// The modules of the other views.
pub(super) const MORE: Asset = asset!("more.js");
pub(super) const ENGLISH: Asset = asset!("en.json");
pub(super) const PORTUGUESE: Asset = asset!("pt.json");
/// What the camera says by its codes, and most of the settings, in Portuguese.
pub(super) const PORTUGUESE_SAID: Asset = asset!("pt-said.json");
/// Time zones as POSIX writes them, and the cities that have them.
pub(super) const ZONES: Asset = asset!("zones.json");
pub(super) const SCHEMAS: Packed =
    Packed(include_bytes!(concat!(env!("OUT_DIR"), "/schemas.json.lzma2")));

impl Asset {
    /// As it is in the program, for clients that accept gzip.
    pub(super) fn gzip(self) -> &'static [u8] {
        self.0
    }

    /// The text itself. A test unpacks all of them, so none can fail here.
    pub(super) fn text(self) -> String {
        let end = self.0.len().saturating_sub(TRAILER);
        let data = self.0.get(HEAD..end).unwrap_or_default();
        let bytes = decompress_to_vec_with_limit(data, MOST).unwrap_or_default();
        String::from_utf8(bytes).unwrap_or_default()
    }

    /// The CRC32 of the text, in hex: another text has another one.
    pub(super) fn tag(self) -> String {
        let at = self.0.len().saturating_sub(TRAILER);
        format!("{:08x}", le32(self.0, at).unwrap_or_default())
    }
}

impl Packed {
    /// The text itself. A test unpacks it, so it cannot fail here.
    pub(super) fn text(self) -> String {
        let bytes = xz::unpack_lzma2(self.0, MOST).unwrap_or_default();
        String::from_utf8(bytes).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::crc32::hash;

    #[test]
    fn every_text_is_unpacked_as_it_is_in_the_sources() {
        let style = concat!(include_str!("page/page.css"), include_str!("page/controls.css"));
        for (asset, text) in [(STYLE, style), (ENGLISH, include_str!("page/texts/en.json"))] {
            assert!(asset.text() == text, "{}", &text[..40]);
        }
        let read = |text: &str| -> std::collections::BTreeMap<String, String> {
            serde_json::from_str(text).unwrap()
        };
        let (mut first, said) = (read(&PORTUGUESE.text()), read(&PORTUGUESE_SAID.text()));
        // What the camera says by its codes is most of it, and no view needs it at first.
        let is_said = |key: &String| key.starts_with("say.");
        assert!(said.keys().any(is_said) && !first.keys().any(is_said));
        assert!(!first.keys().any(|key| said.contains_key(key)), "a text is sent twice");
        first.extend(said);
        assert_eq!(first, read(include_str!("page/texts/pt.json")));
        assert!(SCHEMAS.text() == include_str!("schemas.json"));
    }

    #[test]
    fn each_module_is_sent_once_with_its_own_scope() {
        let sent = [SCRIPT.text(), MORE.text()];
        for part in std::fs::read_dir("src/web/page").unwrap() {
            let path = part.unwrap().path();
            if path.extension().is_none_or(|kind| kind != "js") {
                continue;
            }
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            let scope = format!("const m_{name} = (() => {{\n");
            let found: Vec<_> = sent.iter().flat_map(|all| all.match_indices(&scope)).collect();
            assert_eq!(found.len(), 1, "{name}");
            let whole = sent.iter().find(|all| all.contains(&scope)).unwrap();
            for line in std::fs::read_to_string(&path).unwrap().lines() {
                let line = line.strip_prefix("export ").unwrap_or(line);
                let line = line.trim_start();
                let is_import = line.contains("import ") || line.contains(" from \"./");
                let is_comment = ["//", "/**", "*"].iter().any(|mark| line.starts_with(mark));
                let is_right = whole.contains(line) != is_comment || line.len() < 4;
                assert!(is_import || line.contains("import(") || is_right, "{line}");
            }
        }
    }

    #[test]
    fn every_city_has_a_time_zone_that_is_one() {
        let zones: std::collections::BTreeMap<String, Vec<String>> =
            serde_json::from_str(&ZONES.text()).unwrap();
        for zone in zones.keys() {
            assert!(crate::network::zone::is_zone(zone), "{zone}");
        }
        let lisbon = "WET0WEST,M3.5.0/1,M10.5.0";
        assert!(zones[lisbon].contains(&"Europe/Lisbon".to_owned()));
        assert!(zones.values().flatten().count() > 300);
    }

    #[test]
    fn a_gzip_trailer_is_that_of_its_text() {
        for asset in [STYLE, SCRIPT, MORE, ENGLISH, PORTUGUESE, PORTUGUESE_SAID, ZONES] {
            let text = asset.text();
            assert!(!text.is_empty());
            assert_eq!(asset.tag(), format!("{:08x}", hash(text.as_bytes())));
            assert_eq!(le32(asset.gzip(), asset.gzip().len() - 4), Some(text.len() as u32));
        }
    }
}
