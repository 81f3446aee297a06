//! `flash.toml`: what a flash is to do, as it stands on the card. Not here: how far it is.

use super::super::heal::Heals;
use crate::formats::toml::{Fault, Fields, Node, Read, Writer};

/// `flash.toml`: what is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Version of this file.
    pub format: u32,
    /// A number that no other job on this card has.
    pub id: String,
    /// The fingerprint of the camera that it is for.
    pub identity: String,
    /// Where the new content comes from.
    pub source: JobSource,
    /// The backup that holds what was there before.
    pub before: String,
    /// What a power cut needs.
    pub heals: Heals,
    /// The name under which a rescue image lies at the card's root.
    pub rescue: Option<String>,
    /// Whether a `.bak` of that name was on the card before: the owner's, which stays.
    pub owners_bak: bool,
    /// Whether `manu_test/update.txt` was on the card before: the owner's, which stays.
    pub owners_mark: bool,
    /// SHA-256 of the WiFi's address, where that could be told: which camera it is for.
    pub wifi: Option<String>,
    /// What of the chip was write-protected before, to be put back.
    pub protected: Vec<JobProtected>,
    /// The partitions, in the order in which they are written.
    pub partitions: Vec<JobPart>,
}

/// A range that was write-protected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobProtected {
    /// The partition's name.
    pub name: String,
    /// Bytes from its start.
    pub offset: u32,
    /// Bytes.
    pub length: u32,
}

/// Where new content comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobPart {
    /// Its name.
    pub name: String,
    /// SHA-256 of the whole content that it is to have, in hex.
    pub sha256: String,
    /// Whether its content is not from the source but was carried over:
    /// then it lies in `state/carried.bin`.
    pub carried: bool,
}

impl Job {
    /// As it stands in the file.
    pub fn to_text(&self) -> String {
        let mut to = Writer::default();
        to.plain("format", &self.format);
        to.text("id", &self.id);
        to.text("identity", &self.identity);
        to.text("before", &self.before);
        to.text("heals", self.heals.word());
        to.maybe("rescue", self.rescue.as_deref());
        for (name, is) in [("owners_bak", self.owners_bak), ("owners_mark", self.owners_mark)] {
            if is {
                to.plain(name, &is);
            }
        }
        to.maybe("wifi", self.wifi.as_deref());
        to.table("source");
        match &self.source {
            JobSource::Image { path, sha256 } => {
                to.text("kind", "image");
                to.text("path", path);
                to.text("sha256", sha256);
            }
            JobSource::Set { path } => {
                to.text("kind", "set");
                to.text("path", path);
            }
        }
        for range in &self.protected {
            to.one_more("protected");
            to.text("name", &range.name);
            to.plain("offset", &range.offset);
            to.plain("length", &range.length);
        }
        for part in &self.partitions {
            to.one_more("partition");
            to.text("name", &part.name);
            to.text("sha256", &part.sha256);
            to.plain("carried", &part.carried);
        }
        to.finish()
    }
}

impl Read for Job {
    fn read(node: Node) -> Result<Job, Fault> {
        let mut of = Fields::any(node)?;
        Ok(Job {
            format: of.required("format")?,
            id: of.required("id")?,
            identity: of.required("identity")?,
            source: of.required("source")?,
            before: of.required("before")?,
            heals: of.required("heals")?,
            rescue: of.optional("rescue")?,
            owners_bak: of.or("owners_bak", false)?,
            owners_mark: of.or("owners_mark", false)?,
            wifi: of.optional("wifi")?,
            protected: of.or("protected", Vec::new())?,
            partitions: of.required("partition")?,
        })
    }
}

impl Read for JobSource {
    fn read(node: Node) -> Result<JobSource, Fault> {
        let mut of = Fields::any(node)?;
        let kind: Node = of.required("kind")?;
        let path = of.required("path")?;
        Ok(if kind.word(&[("image", true), ("set", false)])? {
            JobSource::Image { path, sha256: of.required("sha256")? }
        } else {
            JobSource::Set { path }
        })
    }
}

impl Read for JobProtected {
    fn read(node: Node) -> Result<JobProtected, Fault> {
        let mut of = Fields::any(node)?;
        Ok(JobProtected {
            name: of.required("name")?,
            offset: of.required("offset")?,
            length: of.required("length")?,
        })
    }
}

impl Read for JobPart {
    fn read(node: Node) -> Result<JobPart, Fault> {
        let mut of = Fields::any(node)?;
        Ok(JobPart {
            name: of.required("name")?,
            sha256: of.required("sha256")?,
            carried: of.or("carried", false)?,
        })
    }
}

impl Read for Heals {
    fn read(node: Node) -> Result<Heals, Fault> {
        node.word(&Heals::WORDS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::toml;

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
            heals: Heals::Itself,
            ..set.clone()
        };
        for job in [set, image] {
            assert_eq!(toml::from_str::<Job>(&job.to_text()), Ok(job));
        }
    }
}
