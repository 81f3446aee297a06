//! The completeness check: reads the folder and the zip again, as they will be
//! copied to a card, and compares them with what the card must hold.
//!
//! Cards went out with an empty folder, with a hack one folder too deep, with
//! hooks that an editor had given CRLF: each is looked for by name.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::Result;
use crate::layout::{self, Entry};

/// Without these a card does nothing, whatever the overlay holds.
const REQUIRED: [&str; 10] = [
    "LICENSE",
    "README.txt",
    "hacks/ssh-server/dropbearmulti",
    "hacks/ssh-server/hack.toml",
    "hacks/ssh-server/sftp-server",
    "manu_test/entrypoint.sh",
    "manu_test/manu.sh",
    "mi360d/config.toml",
    "mi360d/mi360d",
    "mi360d/release.txt",
];

/// What was found: paths from the card's root, folders with `None`.
pub type Found = BTreeMap<String, Option<Vec<u8>>>;

/// Reads a folder, empty folders included.
pub fn read_folder(folder: &Path) -> Result<Found> {
    let mut found = Found::new();
    read_into(folder, "", &mut found)?;
    Ok(found)
}

fn read_into(folder: &Path, prefix: &str, found: &mut Found) -> Result<()> {
    let failed = |e: std::io::Error| format!("{}: {e}", folder.display());
    for item in fs::read_dir(folder).map_err(failed)? {
        let item = item.map_err(failed)?;
        let path = format!("{prefix}{}", item.file_name().to_string_lossy());
        if item.file_type().map_err(failed)?.is_dir() {
            read_into(&item.path(), &format!("{path}/"), found)?;
            found.insert(path, None);
        } else {
            found.insert(path, Some(layout::read(&item.path())?));
        }
    }
    Ok(())
}

/// Reads a zip; the CRC of each file is checked on the way.
pub fn read_zip(archive: &Path) -> Result<Found> {
    let failed = |e: &dyn std::fmt::Display| format!("{}: {e}", archive.display());
    let file = fs::File::open(archive).map_err(|e| failed(&e))?;
    let mut zip = zip::ZipArchive::new(file).map_err(|e| failed(&e))?;
    let mut found = Found::new();
    for i in 0..zip.len() {
        let mut entry = zip.by_index(i).map_err(|e| failed(&e))?;
        let path = entry.name().map_err(|e| failed(&e))?.trim_end_matches('/').to_owned();
        for (at, _) in path.match_indices('/') {
            found.entry(path[..at].to_owned()).or_insert(None);
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(|e| failed(&e))?;
        found.insert(path, (!entry.is_dir()).then_some(bytes));
    }
    Ok(found)
}

/// All that is wrong with a card, in words.
pub fn faults(found: &Found, manifest: &[Entry]) -> Vec<String> {
    let mut faults = Vec::new();
    for required in REQUIRED {
        if !manifest.iter().any(|entry| entry.path == required) {
            faults.push(format!("{required} is not in the manifest"));
        }
    }
    for entry in manifest {
        match found.get(&entry.path) {
            None => faults.push(missing(found, &entry.path)),
            Some(None) => faults.push(format!("{} is a folder", entry.path)),
            Some(Some(bytes)) => compare(entry, bytes, &mut faults),
        }
    }
    for (path, content) in found {
        if content.is_some() && !manifest.iter().any(|entry| entry.path == *path) {
            faults.push(format!("{path} does not belong on the card"));
        }
        if content.is_none() && !found.keys().any(|other| other.starts_with(&format!("{path}/"))) {
            faults.push(format!("{path} is an empty folder"));
        }
    }
    faults
}

fn missing(found: &Found, path: &str) -> String {
    let deeper = found.keys().find(|other| other.ends_with(&format!("/{path}")));
    match deeper {
        Some(deeper) => format!("{path} is too deep: {deeper}"),
        None => format!("{path} is missing"),
    }
}

fn compare(entry: &Entry, bytes: &[u8], faults: &mut Vec<String>) {
    let path = &entry.path;
    if bytes.len() != entry.bytes.len() {
        faults.push(format!("{path} has {} bytes, not {}", bytes.len(), entry.bytes.len()));
    } else if Sha256::digest(bytes) != Sha256::digest(&entry.bytes) {
        faults.push(format!("{path} has another hash"));
    }
    if bytes.is_empty() {
        faults.push(format!("{path} is empty"));
    }
    if Path::new(path).extension().is_some_and(|extension| extension == "sh") {
        if !bytes.starts_with(b"#!/bin/sh\n") {
            faults.push(format!("{path} does not begin with #!/bin/sh"));
        }
        if bytes.contains(&b'\r') {
            faults.push(format!("{path} has CRLF line ends: busybox cannot run it"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card() -> Vec<Entry> {
        let entry = |path: &str, text: &str| Entry { path: path.into(), bytes: text.into() };
        vec![
            entry("LICENSE", "MIT\n"),
            entry("README.txt", "read\n"),
            entry("hacks/ssh-server/dropbearmulti", "\x7fELF"),
            entry("hacks/ssh-server/hack.toml", "id\n"),
            entry("hacks/ssh-server/sftp-server", "\x7fELF"),
            entry("manu_test/entrypoint.sh", "#!/bin/sh\nexec x\n"),
            entry("manu_test/manu.sh", "#!/bin/sh\nx &\n"),
            entry("mi360d/config.toml", "# none\n"),
            entry("mi360d/mi360d", "\x7fELF"),
            entry("mi360d/release.txt", "mi360d 1\n"),
        ]
    }

    /// Writes a card, spoils the folder, and tells what the check says.
    fn after(spoil: impl Fn(&Path)) -> Vec<String> {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("sdcard");
        layout::write_folder(&folder, &card()).unwrap();
        spoil(&folder);
        faults(&read_folder(&folder).unwrap(), &card())
    }

    #[test]
    fn a_whole_card_has_no_faults_as_folder_and_as_zip() {
        assert_eq!(after(|_| ()), [""; 0]);
        let place = tempfile::tempdir().unwrap();
        let zip = place.path().join("card.zip");
        layout::write_zip(&zip, &card()).unwrap();
        assert_eq!(faults(&read_zip(&zip).unwrap(), &card()), [""; 0]);
    }

    #[test]
    fn the_same_card_makes_the_same_zip() {
        let place = tempfile::tempdir().unwrap();
        let (one, two) = (place.path().join("1.zip"), place.path().join("2.zip"));
        layout::write_zip(&one, &card()).unwrap();
        layout::write_zip(&two, &card()).unwrap();
        assert_eq!(fs::read(one).unwrap(), fs::read(two).unwrap());
    }

    #[test]
    fn a_missing_file_is_named() {
        let said = after(|card| fs::remove_file(card.join("mi360d/mi360d")).unwrap());
        assert_eq!(said, ["mi360d/mi360d is missing"]);
    }

    #[test]
    fn an_empty_folder_is_named() {
        let said = after(|card| fs::create_dir(card.join("mi360d/www")).unwrap());
        assert_eq!(said, ["mi360d/www is an empty folder"]);
    }

    #[test]
    fn a_hook_with_crlf_is_named() {
        let mut spoiled = card();
        spoiled[6].bytes = b"#!/bin/sh\r\nx &\r\n".to_vec();
        let place = tempfile::tempdir().unwrap();
        layout::write_folder(place.path(), &spoiled).unwrap();
        let said = faults(&read_folder(place.path()).unwrap(), &spoiled);
        assert!(said.iter().any(|fault| fault.contains("manu_test/manu.sh has CRLF")), "{said:?}");
    }

    #[test]
    fn a_card_one_folder_too_deep_is_named() {
        let said = after(|card| {
            fs::create_dir(card.join("sdcard")).unwrap();
            fs::rename(card.join("manu_test"), card.join("sdcard/manu_test")).unwrap();
        });
        let deep = "manu_test/manu.sh is too deep: sdcard/manu_test/manu.sh";
        assert!(said.iter().any(|fault| fault == deep), "{said:?}");
    }

    #[test]
    fn another_content_and_a_stranger_are_named() {
        let said = after(|card| {
            fs::write(card.join("mi360d/mi360d"), b"\x7fELG").unwrap();
            fs::write(card.join("notes.txt"), b"mine").unwrap();
        });
        assert_eq!(
            said,
            ["mi360d/mi360d has another hash", "notes.txt does not belong on the card"]
        );
    }

    #[test]
    fn a_manifest_without_a_required_file_is_no_card() {
        let said = faults(&Found::new(), &[]);
        assert_eq!(said.len(), REQUIRED.len());
    }
}
