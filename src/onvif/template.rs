//! The answers' templates, packed by `build.rs` from `answers.xml`: `#NAME` begins one, `{name}` is
//! filled in.

use super::xml::escape;
use crate::formats::xz;

const PACKED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/answers.xml.lzma2"));
/// Bytes of all of them.
const MOST: usize = 0x1_0000;

/// All templates, unpacked while something is answered.
pub(super) struct Templates(String);

/// Names and what stands for them: `true` for what is XML already.
pub(super) type Values<'a> = [(&'a str, String, bool)];

impl Templates {
    pub fn unpack() -> Templates {
        let bytes = xz::unpack_lzma2(PACKED, MOST).unwrap_or_default();
        Templates(String::from_utf8(bytes).unwrap_or_default())
    }

    fn get(&self, name: &str) -> Option<&str> {
        let mut all = self.0.split("\n#").filter_map(|one| one.split_once('\n'));
        all.find(|(found, _)| found.trim_start_matches('#') == name).map(|(_, text)| text)
    }

    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// One of them, filled in; later values come first.
    pub fn fill(&self, name: &str, values: &[&Values<'_>]) -> String {
        let mut parts = self.get(name).unwrap_or_default().split('{');
        let mut out = parts.next().unwrap_or_default().replace('\n', "");
        for part in parts {
            let Some((name, plain)) = part.split_once('}') else { continue };
            let mut all = values.iter().rev().flat_map(|values| values.iter());
            match all.find(|(known, ..)| *known == name) {
                Some((_, text, true)) => out.push_str(text),
                Some((_, text, false)) => out.push_str(&escape(text)),
                None => {}
            }
            out.push_str(&plain.replace('\n', ""));
        }
        out
    }

    /// A body in its envelope: a whole document.
    pub fn envelope(&self, body: String) -> String {
        self.fill("envelope", &[&[("body", body, true)]])
    }

    /// The same with the namespaces of events, which nothing else needs.
    pub fn events_envelope(&self, body: String) -> String {
        let names = self.fill("+events-names", &[]);
        self.fill("envelope", &[&[("body", body, true), ("more", names, true)]])
    }

    /// Names of all of them.
    #[cfg(test)]
    pub fn names(&self) -> Vec<&str> {
        let heads = self.0.split("\n#").filter_map(|one| one.split_once('\n'));
        heads.map(|(name, _)| name.trim_start_matches('#')).collect()
    }
}
