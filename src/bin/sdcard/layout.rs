//! Layout of the card, as a folder and as a zip.
//!
//! The files come from `rootfs-overlay/mnt/sdcard`, which is the card as the
//! camera sees it; the binary and the licence are added.

use std::fs;
use std::io::Write;
use std::path::Path;

use zip::write::SimpleFileOptions;

use crate::Result;

/// Where the binary lies on the card.
pub const BINARY: &str = "mi360d/mi360d";

/// One file of the card.
#[derive(Clone, Debug)]
pub struct Entry {
    /// From the card's root, with `/`.
    pub path: String,
    /// All of it.
    pub bytes: Vec<u8>,
}

impl Entry {
    /// Whether it is a program or a script.
    pub fn is_executable(&self) -> bool {
        self.bytes.starts_with(b"\x7fELF") || self.bytes.starts_with(b"#!")
    }
}

/// Reads a file; the error names it.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|e| format!("{}: {e}", path.display()))
}

/// All files of the card, in the order of their paths.
pub fn manifest(repo: &Path, binary: Vec<u8>, more: Vec<Entry>) -> Result<Vec<Entry>> {
    let overlay = repo.join("rootfs-overlay/mnt/sdcard");
    let mut entries = Vec::new();
    walk(&overlay, "", &mut entries)?;
    entries.push(Entry { path: BINARY.into(), bytes: binary });
    entries.extend(more);
    entries.push(Entry { path: "LICENSE".into(), bytes: read(&repo.join("LICENSE"))? });
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(entries)
}

fn walk(folder: &Path, prefix: &str, entries: &mut Vec<Entry>) -> Result<()> {
    let failed = |e: std::io::Error| format!("{}: {e}", folder.display());
    for item in fs::read_dir(folder).map_err(failed)? {
        let item = item.map_err(failed)?;
        let name = item.file_name();
        let name = name.to_str().ok_or_else(|| format!("{} is not UTF-8", name.display()))?;
        let path = format!("{prefix}{name}");
        if item.file_type().map_err(failed)?.is_dir() {
            walk(&item.path(), &format!("{path}/"), entries)?;
        } else {
            entries.push(Entry { bytes: read(&item.path())?, path });
        }
    }
    Ok(())
}

/// Writes the card as a folder; what was there goes.
pub fn write_folder(folder: &Path, manifest: &[Entry]) -> Result<()> {
    let failed = |e: std::io::Error| format!("{}: {e}", folder.display());
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(failed)?;
    }
    for entry in manifest {
        let path = folder.join(&entry.path);
        fs::create_dir_all(path.parent().unwrap_or(folder)).map_err(failed)?;
        fs::write(&path, &entry.bytes).map_err(failed)?;
        #[cfg(unix)]
        if entry.is_executable() {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).map_err(failed)?;
        }
    }
    Ok(())
}

/// Writes the card as a zip, byte for byte the same from the same files.
pub fn write_zip(archive: &Path, manifest: &[Entry]) -> Result<()> {
    let failed = |e: &dyn std::fmt::Display| format!("{}: {e}", archive.display());
    let file = fs::File::create(archive).map_err(|e| failed(&e))?;
    let mut zip = zip::ZipWriter::new(file);
    for entry in manifest {
        let options = SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Deflated)
            .last_modified_time(zip::DateTime::default())
            .unix_permissions(if entry.is_executable() { 0o755 } else { 0o644 });
        zip.start_file(&entry.path, options).map_err(|e| failed(&e))?;
        zip.write_all(&entry.bytes).map_err(|e| failed(&e))?;
    }
    zip.finish().map_err(|e| failed(&e))?;
    Ok(())
}
