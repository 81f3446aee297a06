//! Original values: each key as it was before our first change, kept on the card, so that it can be
//! put back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::card::file::{make_dir, read_bounded, replace};
use crate::card::{Card, CardError};
use crate::error::Chain;
use crate::vendor::mortox::Key;

/// The version of the file's form.
const FORMAT: u32 = 1;
/// The longest file, in bytes.
const LIMIT: u64 = 0x4000;

/// The values of keys before our first change; `None` where the key was not set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Originals(BTreeMap<Key, Option<String>>);

/// The file: names instead of types, since a later version may know more.
#[derive(Debug, Serialize, Deserialize)]
struct OriginalsFile {
    format: u32,
    keys: BTreeMap<String, Option<String>>,
}

/// Where they are kept: one file for each camera, since a card may serve several.
#[derive(Clone, Debug)]
pub struct Store {
    card: Card,
    path: PathBuf,
}

impl Originals {
    /// What was before; the outer `None` where we changed nothing.
    pub fn get(&self, key: Key) -> Option<&Option<String>> {
        self.0.get(&key)
    }

    /// The keys that we changed.
    pub fn keys(&self) -> impl Iterator<Item = Key> + '_ {
        self.0.keys().copied()
    }

    /// Notes what was, once; whether it is new.
    pub fn note(&mut self, key: Key, value: Option<String>) -> bool {
        let is_new = !self.0.contains_key(&key);
        self.0.entry(key).or_insert(value);
        is_new
    }

    /// It is again as it was.
    pub fn forget(&mut self, key: Key) {
        self.0.remove(&key);
    }
}

/// The files in this folder that still have to be put back: those of other cameras, too, and those
/// that cannot be read.
pub fn kept(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let is_ours = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"controls-"))
    };
    let is_done = |path: &PathBuf| {
        let document = read_bounded(path, LIMIT).ok();
        let document =
            document.and_then(|bytes| serde_json::from_slice::<OriginalsFile>(&bytes).ok());
        document.is_some_and(|document| document.keys.is_empty())
    };
    entries.map(|entry| entry.path()).filter(is_ours).filter(|path| !is_done(path)).collect()
}

impl Store {
    /// The file of the camera with this fingerprint.
    pub fn new(card: &Card, fingerprint: &str) -> Store {
        let plain: String =
            fingerprint.chars().filter(char::is_ascii_alphanumeric).take(16).collect();
        let path = card.state_dir().join(format!("controls-{plain}.json"));
        Store { card: card.clone(), path }
    }

    /// What is kept. A file that cannot be read, or is damaged, counts as none.
    pub fn load(&self) -> Originals {
        let Ok(bytes) = read_bounded(&self.path, LIMIT) else { return Originals::default() };
        let document: OriginalsFile = match serde_json::from_slice(&bytes) {
            Ok(document) => document,
            Err(e) => {
                log::warn!("{} is damaged: {e}", self.path.display(), e = Chain(&e));
                return Originals::default();
            }
        };
        let keys = document.keys.into_iter().filter_map(|(name, value)| {
            let (layer, key) = name.split_once('/')?;
            Some((Key::of(layer, key)?, value))
        });
        Originals(keys.collect())
    }

    /// Keeps them: the file on the card is the old or the new one, whatever happens.
    ///
    /// # Errors
    /// [`CardError`]; then nothing may be changed.
    pub fn save(&self, originals: &Originals) -> Result<(), CardError> {
        self.card.require_writable()?;
        let name = |key: &Key| format!("{}/{}", key.place().0.name(), key.name());
        let keys = originals.0.iter().map(|(key, value)| (name(key), value.clone())).collect();
        let document = OriginalsFile { format: FORMAT, keys };
        let text = serde_json::to_vec(&document).unwrap_or_default();
        if let Some(folder) = self.path.parent() {
            make_dir(folder)?;
        }
        replace(&self.path, &text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_value_counts_and_it_comes_back_from_the_card() {
        let dir = tempfile::tempdir().unwrap();
        let card = Card::folder(dir.path());
        let store = Store::new(&card, "9c01d2e4");
        let mut originals = store.load();
        assert!(originals.note(Key::Flip, Some("off".to_owned())));
        assert!(!originals.note(Key::Flip, Some("on".to_owned())));
        assert!(originals.note(Key::Light, None));
        store.save(&originals).unwrap();
        assert_eq!(store.load(), originals);
        assert_eq!(store.load().get(Key::Flip), Some(&Some("off".to_owned())));
        assert_eq!(store.load().get(Key::Light), Some(&None));
        assert_eq!(store.load().get(Key::Power), None);
        // Another camera with the same card has its own.
        let other = Store::new(&card, "00000000");
        assert_eq!(other.load().keys().count(), 0);
        // What has nothing left to put back need not be kept.
        other.save(&Originals::default()).unwrap();
        assert_eq!(kept(&card.state_dir()), std::slice::from_ref(&store.path));
        std::fs::write(card.state_dir().join("controls-9c01d2e4.json"), b"{").unwrap();
        assert_eq!(store.load(), Originals::default());
        let other = br#"{"format":1,"keys":{"nvram/miio_token":"x","nvram/flip":"on"}}"#;
        std::fs::write(card.state_dir().join("controls-9c01d2e4.json"), other).unwrap();
        assert_eq!(store.load().keys().collect::<Vec<_>>(), [Key::Flip]);
    }
}
