//! The list of a release's files: `mi360d/release.txt`.
//!
//! ```text
//! mi360d 0.2.0
//! <SHA-256>  mi360d/mi360d
//! ...
//! ```
//!
//! The lines behind the first are those of `sha256sum`, paths from the card's root.

use super::UpdateError;
use crate::base::{Digest, unhex};

/// Where the list is on the card, and in the zip.
pub const LISTING: &str = "mi360d/release.txt";
/// Its signature.
pub const SIGNATURE: &str = "mi360d/release.txt.minisig";
/// The program.
pub const PROGRAM: &str = "mi360d/mi360d";
/// What belongs to the owner, and is never replaced.
const OWNERS: &[&str] = &["mi360d/config.toml"];
/// Without these it is no release.
const NEEDED: &[&str] = &[PROGRAM, "manu_test/manu.sh", "manu_test/entrypoint.sh"];
/// Files at most.
const MOST_FILES: usize = 256;
const LONGEST_PATH: usize = 120;

/// A release, as its list has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// Its version.
    pub version: String,
    /// Its files, in the list's order.
    pub files: Vec<ReleaseFile>,
}

/// A file of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseFile {
    /// Below the card's root.
    pub path: String,
    /// Its SHA-256.
    pub sha256: Digest,
}

impl ReleaseFile {
    /// Whether it is the owner's once it is there.
    pub fn is_owners(&self) -> bool {
        OWNERS.contains(&self.path.as_str())
    }
}

impl Release {
    /// The program's own entry.
    pub fn program(&self) -> Option<&ReleaseFile> {
        self.files.iter().find(|file| file.path == PROGRAM)
    }
}

/// Understands a list.
///
/// # Errors
/// [`UpdateError::NoRelease`].
pub fn parse(listing: &[u8]) -> Result<Release, UpdateError> {
    let wrong = |why: String| UpdateError::NoRelease(format!("{LISTING}: {why}"));
    let text = std::str::from_utf8(listing).map_err(|e| wrong(e.to_string()))?;
    let mut lines = text.lines();
    let version = lines.next().and_then(|line| line.strip_prefix("mi360d "));
    let version = version.filter(|v| is_version(v)).ok_or_else(|| wrong("no version".into()))?;
    let mut files: Vec<ReleaseFile> = Vec::new();
    for line in lines {
        let parts = line.split_once("  ").and_then(|(hash, path)| Some((unhex(hash)?, path)));
        let (sha256, path) = parts.ok_or_else(|| wrong(format!("'{}'", short(line))))?;
        if !is_path(path) {
            return Err(wrong(format!("'{}' is not a valid path in a release", short(path))));
        }
        if files.iter().any(|file| file.path == path) || files.len() >= MOST_FILES {
            return Err(wrong(format!("{path} is listed twice, or there are too many files")));
        }
        files.push(ReleaseFile { path: path.to_owned(), sha256 });
    }
    if let Some(missing) = NEEDED.iter().find(|need| !files.iter().any(|f| f.path == **need)) {
        return Err(wrong(format!("{missing} is missing")));
    }
    Ok(Release { version: version.to_owned(), files })
}

fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(60).collect()
}

fn is_version(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b".-+".contains(&b);
    !text.is_empty() && text.len() <= 32 && text.bytes().all(plain)
}

/// Whether a release may put a file there: among its own things, never among what is
/// saved, and by a name that is one on FAT.
fn is_path(path: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    let names: Vec<&str> = path.split('/').collect();
    let good = names.iter().all(|n| {
        n.bytes().all(plain)
            && !n.is_empty()
            && !n.starts_with('.')
            && ![".new", ".old"].iter().any(|end| n.ends_with(end))
    });
    let place = match names[..] {
        ["LICENSE" | "README.txt"] | ["manu_test", _] => true,
        ["mi360d", name] => !["trial", "release.txt", "setup-code.txt"].contains(&name),
        ["hacks", _, _, ..] => names.len() <= 6,
        _ => false,
    };
    good && place && path.len() <= LONGEST_PATH
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(paths: &[&str]) -> Vec<u8> {
        let hash = "ab".repeat(32);
        let lines: String = paths.iter().map(|p| format!("{hash}  {p}\n")).collect();
        format!("mi360d 0.2.0\n{lines}").into_bytes()
    }

    #[test]
    fn a_release_names_its_own_places_only() {
        let with = |path| {
            let mut all = NEEDED.to_vec();
            all.push(path);
            parse(&listing(&all))
        };
        for good in ["LICENSE", "hacks/rtsp-server/hack.toml", "mi360d/config.toml"] {
            assert_eq!(with(good).unwrap().files.len(), 4, "{good}");
        }
        for bad in [
            "../etc/passwd",
            "/etc/passwd",
            "mi360d/../x",
            "mi360d/backups/0001/chip.bin",
            "mi360d/state/password",
            "hacks/x",
            "tf_recovery.img",
            "mi360d/trial",
            "manu_test/a b",
            "manu_test/",
            "hacks//x/y",
            "mi360d/mi360d.old",
            PROGRAM,
            ".hidden",
        ] {
            assert!(with(bad).is_err(), "{bad}");
        }
        assert!(parse(&listing(&NEEDED[1..])).is_err(), "without its program");
        for text in ["", "mi360d \n", "mi360d 1\nxx  LICENSE\n", "\u{7f}ELF"] {
            assert!(parse(text.as_bytes()).is_err());
        }
    }
}
