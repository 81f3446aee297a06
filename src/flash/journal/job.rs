//! `flash.toml`: what a flash is to do, as it is on the card. Not here: how far it is.

use std::io;

use serde::{Deserialize, Serialize};

use super::super::heal::Heals;
use crate::formats::document;

/// `flash.toml`: what is to be done. Later versions may add fields; a reader takes what it knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Version of this file.
    pub format: u32,
    /// A number that no other job on this card has.
    pub id: String,
    /// The fingerprint of the camera that it is for.
    pub identity: String,
    /// The backup that contains what was there before.
    pub before: String,
    /// What a power cut needs.
    pub heals: Heals,
    /// The name under which a rescue image is at the card's root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rescue: Option<String>,
    /// Whether a `.bak` of that name was on the card before: the owner's, which stays.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub owners_bak: bool,
    /// Whether `manu_test/update.txt` was on the card before: the owner's, which stays.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub owners_mark: bool,
    /// SHA-256 of the WiFi's address, where that is known: which camera it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wifi: Option<String>,
    /// Where the new content comes from.
    pub source: JobSource,
    /// What of the chip was write-protected before, to be put back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub protected: Vec<JobProtected>,
    /// What the partitions behind those held before the first erase; none in a journal of a
    /// program that did not record it.
    #[serde(default, rename = "neighbour", skip_serializing_if = "Vec::is_empty")]
    pub neighbours: Vec<JobNeighbour>,
    /// The partitions, in the order in which they are written.
    #[serde(rename = "partition")]
    pub partitions: Vec<JobPart>,
}

/// What a partition that is not written held, as long as an erase may take it along.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobNeighbour {
    /// The partition's name.
    pub name: String,
    /// SHA-256 of its first bytes, as many as `neighbour::span` says, in hex.
    pub sha256: String,
    /// The backup that contains it.
    pub set: String,
}

/// A range that was write-protected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobProtected {
    /// The partition's name.
    pub name: String,
    /// Bytes from its start.
    pub offset: u32,
    /// Bytes.
    pub length: u32,
}

/// Where new content comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum JobSource {
    /// A file, by its place on the card, below its root.
    Image {
        /// The path.
        path: String,
        /// SHA-256 of the file, in hex.
        sha256: String,
    },
    /// A backup set.
    Set {
        /// Its folder's path, below the card's root.
        path: String,
    },
}

/// One partition of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobPart {
    /// Its name.
    pub name: String,
    /// SHA-256 of the whole content that it is to have, in hex.
    pub sha256: String,
    /// Whether its content is not from the source but was carried over:
    /// then it is in `state/carried.bin`.
    #[serde(default)]
    pub carried: bool,
}

impl Job {
    /// The text of the file.
    ///
    /// # Errors
    /// As [`document::to_toml`].
    pub fn to_text(&self) -> io::Result<String> {
        document::to_toml(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_comes_back_from_the_card_as_it_was() {
        let part =
            |name: &str, carried| JobPart { name: name.into(), sha256: "11".into(), carried };
        let set = Job {
            format: 1,
            id: "a \"7\"\n".into(),
            identity: "0a1b2c3d".into(),
            source: JobSource::Set { path: "mi360d\\x".into() },
            before: "0001-01234567".into(),
            heals: Heals::BootLoader,
            rescue: Some("tf.img".into()),
            owners_bak: true,
            owners_mark: true,
            wifi: Some("00".into()),
            protected: vec![JobProtected { name: "BOOT".into(), offset: 0, length: 0x1_0000 }],
            neighbours: vec![JobNeighbour {
                name: "FACTORY".into(),
                sha256: "33".into(),
                set: "0001-01234567".into(),
            }],
            partitions: vec![part("DATA", true), part("KERNEL", false)],
        };
        let source = JobSource::Image { path: "x".into(), sha256: "22".into() };
        let (rescue, wifi, protected) = (None, None, Vec::new());
        let image = Job {
            source,
            rescue,
            owners_bak: false,
            owners_mark: false,
            wifi,
            protected,
            neighbours: Vec::new(),
            heals: Heals::Itself,
            ..set.clone()
        };
        for job in [set, image] {
            assert_eq!(document::from_toml::<Job>(&job.to_text().unwrap()), Ok(job));
        }
    }
}
