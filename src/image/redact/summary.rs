//! Summary of a redaction: the changes that made the copy safe.

use serde::Serialize;

use super::env::EnvNote;
use crate::image::finding::Finding;

/// Something that was blanked where it does not belong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Blanked {
    /// The partition.
    pub partition: String,
    /// The first place, in bytes from the start of the file.
    pub at: u64,
    /// Bytes in all.
    pub bytes: u64,
}

/// What was done.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    /// Partitions that are erased in the copy.
    pub blanked: Vec<String>,
    /// U-Boot's environment, where there is one.
    pub environment: Option<EnvNote>,
    /// What stood behind or between the parts, where only padding belongs.
    pub slack: Vec<Blanked>,
    /// Secrets inside of parts, which are damaged by that.
    pub in_content: Vec<Blanked>,
    /// How many values, in how many forms, were looked for everywhere.
    pub forms: usize,
}

impl Summary {
    /// What is reported to the owner.
    pub fn findings(&self) -> Vec<Finding> {
        let slack = self.slack.iter().map(|b| {
            Finding::note(
                "slack-blanked",
                format!("{} bytes were where only padding belongs; they are blanked.", b.bytes),
            )
            .of(&b.partition)
            .at(b.at)
        });
        let inside = self.in_content.iter().map(|b| {
            Finding::warning(
                "secret-in-content",
                format!(
                    "{} bytes of secrets inside it were replaced, so its checksum may be wrong \
                     now.",
                    b.bytes
                ),
            )
            .of(&b.partition)
            .at(b.at)
            .hint("Do not flash this part of the copy.")
        });
        slack.chain(inside).collect()
    }
}
