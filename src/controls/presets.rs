//! Positions with names, kept on the card: the firmware itself has none.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::motors::Aim;
use crate::card::file::{make_dir, read_bounded, replace};
use crate::card::{Card, CardError};

/// The version of the file's form.
const FORMAT: u32 = 1;
/// The longest file, in bytes, and the most presets in it.
const LIMIT: u64 = 0x4000;
const MOST: usize = 32;
/// Characters of a name.
const LONGEST: usize = 40;

/// A position with a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preset {
    /// A number that stays its own.
    pub id: u32,
    /// What its owner calls it.
    pub name: String,
    /// Where it is.
    #[serde(flatten)]
    pub at: Aim,
    /// Whether it is the one that "home" means; at most one is.
    #[serde(default)]
    pub home: bool,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct PresetsFile {
    format: u32,
    presets: Vec<Preset>,
}

/// Why a preset was not kept.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PresetError {
    /// The name.
    #[error("expected a name of 1 to {LONGEST} characters")]
    Name,
    /// There are too many.
    #[error("there are already {MOST} presets")]
    TooMany,
    /// The card.
    #[error(transparent)]
    Card(#[from] CardError),
}

/// The presets of one camera.
#[derive(Debug)]
pub struct Presets {
    card: Card,
    path: PathBuf,
    all: Vec<Preset>,
}

impl Presets {
    /// Those of the camera with this fingerprint; a damaged file counts as none.
    pub fn load(card: &Card, fingerprint: &str) -> Presets {
        let plain: String =
            fingerprint.chars().filter(char::is_ascii_alphanumeric).take(16).collect();
        let path = card.state_dir().join(format!("presets-{plain}.json"));
        let bytes = read_bounded(&path, LIMIT).unwrap_or_default();
        let document: PresetsFile = serde_json::from_slice(&bytes).unwrap_or_default();
        let mut all = document.presets;
        all.retain(|preset| preset.at.position().is_some() && named(&preset.name).is_some());
        all.truncate(MOST);
        Presets { card: card.clone(), path, all }
    }

    /// All of them.
    pub fn all(&self) -> &[Preset] {
        &self.all
    }

    /// The one with this number.
    pub fn get(&self, id: u32) -> Option<&Preset> {
        self.all.iter().find(|preset| preset.id == id)
    }

    /// The one that "home" means.
    pub fn home(&self) -> Option<&Preset> {
        self.all.iter().find(|preset| preset.home)
    }

    /// Keeps a position under a name; one with the same name, or the number, is replaced.
    ///
    /// # Errors
    /// [`PresetError`]; nothing was kept then.
    pub fn keep(
        &mut self,
        id: Option<u32>,
        name: &str,
        at: Aim,
        home: bool,
    ) -> Result<Preset, PresetError> {
        let name = named(name).ok_or(PresetError::Name)?;
        let mut all = self.all.clone();
        let same = |preset: &Preset| id.map_or(preset.name == name, |id| preset.id == id);
        let known = all.iter().find(|preset| same(preset)).map(|preset| preset.id);
        let next = all.iter().map(|preset| preset.id).max().unwrap_or_default() + 1;
        let preset = Preset { id: known.or(id).unwrap_or(next), name, at, home };
        all.retain(|other| other.id != preset.id);
        if all.len() >= MOST {
            return Err(PresetError::TooMany);
        }
        if home {
            all.iter_mut().for_each(|other| other.home = false);
        }
        all.push(preset.clone());
        all.sort_by_key(|preset| preset.id);
        self.save(all)?;
        Ok(preset)
    }

    /// Deletes one; whether it was there.
    ///
    /// # Errors
    /// [`PresetError`] of the card.
    pub fn delete(&mut self, id: u32) -> Result<bool, PresetError> {
        let mut all = self.all.clone();
        all.retain(|preset| preset.id != id);
        if all.len() == self.all.len() {
            return Ok(false);
        }
        self.save(all)?;
        Ok(true)
    }

    fn save(&mut self, presets: Vec<Preset>) -> Result<(), PresetError> {
        self.card.require_writable()?;
        let document = PresetsFile { format: FORMAT, presets };
        let text = serde_json::to_vec(&document).unwrap_or_default();
        make_dir(&self.card.state_dir())?;
        replace(&self.path, &text)?;
        self.all = document.presets;
        Ok(())
    }
}

fn named(name: &str) -> Option<String> {
    let name = name.trim();
    let fits = (1..=LONGEST).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    fits.then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_kept_by_name_and_number_and_only_one_is_home() {
        let dir = tempfile::tempdir().unwrap();
        let card = Card::folder(dir.path());
        let mut presets = Presets::load(&card, "00000001");
        let at = |pan, tilt| Aim { pan, tilt };
        let door = presets.keep(None, " Door ", at(10, 20), false).unwrap();
        let yard = presets.keep(None, "Quintal", at(90, 50), true).unwrap();
        assert_eq!((door.id, door.name.as_str(), yard.id), (1, "Door", 2));
        assert_eq!(presets.keep(None, "Door", at(0, 0), true).unwrap().id, 1);
        let again = Presets::load(&card, "00000001");
        assert_eq!(again.all(), presets.all());
        assert_eq!(again.home().unwrap().name, "Door");
        assert_eq!(again.get(1).unwrap().at, at(0, 0));
        for name in ["", "   ", "a\nb", &"x".repeat(41)] {
            assert!(matches!(presets.keep(None, name, at(1, 1), false), Err(PresetError::Name)));
        }
        assert!(presets.delete(1).unwrap() && !presets.delete(1).unwrap());
        for number in presets.all().len()..MOST {
            presets.keep(None, &format!("p{number}"), at(1, 1), false).unwrap();
        }
        let full = presets.keep(None, "one more", at(1, 1), false);
        assert!(matches!(full, Err(PresetError::TooMany)));
        std::fs::write(card.state_dir().join("presets-00000001.json"), b"[]").unwrap();
        assert!(Presets::load(&card, "00000001").all().is_empty());
    }
}
