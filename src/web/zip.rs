//! A folder's files as one zip, stored and not packed, made while it is sent: nothing is held but
//! a window. Format: APPNOTE.TXT 4.3, without its 64-bit parts, which no set needs.

use crate::card::file::open_file;
use crate::card::pieces::Pieces;
use crate::formats::crc32;
use std::collections::VecDeque;
use std::fs;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};

/// Files of a folder at most.
const MOST_FILES: usize = 64;
/// Bytes in all at most.
const MOST_BYTES: u64 = 1 << 31;
/// 1980-01-01, the first day of that calendar: a camera's clock tells nothing.
const DATE: u16 = 0x21;

/// A zip as a stream of bytes.
pub(super) struct Zip {
    entries: Vec<Entry>,
    waiting: VecDeque<usize>,
    head: Cursor<Vec<u8>>,
    file: Option<Pieces>,
    at: u64,
    ended: bool,
    length: u64,
}

struct Entry {
    path: PathBuf,
    name: String,
    size: u32,
    crc: u32,
    at: u32,
}

impl Zip {
    /// All files of `folder`, inside a folder `name`.
    pub fn of_folder(folder: &Path, name: &str) -> io::Result<Zip> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let (meta, file) = (entry.metadata()?, entry.file_name());
            if let Some(file) = file.to_str().filter(|_| meta.is_file()) {
                let size = u32::try_from(meta.len()).map_err(io::Error::other)?;
                let name = format!("{name}/{file}");
                entries.push(Entry { path: entry.path(), name, size, crc: 0, at: 0 });
            }
        }
        let bytes: u64 = entries.iter().map(|entry| u64::from(entry.size)).sum();
        if entries.len() > MOST_FILES || bytes > MOST_BYTES {
            return Err(io::Error::other("the folder is too large for a zip"));
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        let heads: u64 = entries.iter().map(|e| 30 + 46 + 2 * e.name.len() as u64).sum();
        let waiting = (0..entries.len()).collect();
        Ok(Zip {
            entries,
            waiting,
            head: Cursor::default(),
            file: None,
            at: 0,
            ended: false,
            length: bytes + heads + 22,
        })
    }

    /// Bytes in all.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The next file's head, or the directory at the end.
    fn next(&mut self) -> io::Result<bool> {
        let Some(index) = self.waiting.pop_front() else {
            if self.ended {
                return Ok(false);
            }
            self.ended = true;
            self.head = Cursor::new(self.directory());
            return Ok(true);
        };
        let at = u32::try_from(self.at).map_err(io::Error::other)?;
        let entry = self.entries.get_mut(index).ok_or(io::ErrorKind::InvalidInput)?;
        // Read twice: the checksum is before the bytes.
        entry.crc = crc(&entry.path)?;
        entry.at = at;
        let mut head = b"PK\x03\x04".to_vec();
        entry.common(&mut head);
        head.extend_from_slice(entry.name.as_bytes());
        self.file = Some(Pieces::new(entry.path.clone(), 0, u64::from(entry.size)));
        self.head = Cursor::new(head);
        Ok(true)
    }

    fn directory(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for entry in &self.entries {
            bytes.extend_from_slice(b"PK\x01\x02\x14\0");
            entry.common(&mut bytes);
            // No comment, disk 0, no attributes but those of an ordinary file.
            bytes.extend_from_slice(&[0; 10]);
            bytes.extend_from_slice(&entry.at.to_le_bytes());
            bytes.extend_from_slice(entry.name.as_bytes());
        }
        let (count, size) = (self.entries.len() as u16, bytes.len() as u32);
        bytes.extend_from_slice(b"PK\x05\x06\0\0\0\0");
        bytes.extend_from_slice(&count.to_le_bytes());
        bytes.extend_from_slice(&count.to_le_bytes());
        bytes.extend_from_slice(&size.to_le_bytes());
        bytes.extend_from_slice(&(self.at as u32).to_le_bytes());
        bytes.extend_from_slice(&[0; 2]);
        bytes
    }
}

impl Entry {
    /// What both heads of a file have: version 2.0, UTF-8 names, stored.
    fn common(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[20, 0, 0, 8, 0, 0, 0, 0]);
        out.extend_from_slice(&DATE.to_le_bytes());
        out.extend_from_slice(&self.crc.to_le_bytes());
        out.extend_from_slice(&self.size.to_le_bytes());
        out.extend_from_slice(&self.size.to_le_bytes());
        out.extend_from_slice(&(self.name.len() as u16).to_le_bytes());
        out.extend_from_slice(&[0; 2]);
    }
}

fn crc(path: &Path) -> io::Result<u32> {
    let mut file = open_file(path).map_err(io::Error::other)?;
    let mut hasher = crc32::Hasher::new();
    let mut buffer = vec![0; 0x1_0000];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finalize()),
            count => hasher.update(buffer.get(..count).unwrap_or_default()),
        }
    }
}

impl Read for Zip {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            let mut count = self.head.read(buf)?;
            if count == 0
                && let Some(file) = &mut self.file
            {
                count = file.read(buf)?;
            }
            if count > 0 || buf.is_empty() {
                self.at += count as u64;
                return Ok(count);
            }
            self.file = None;
            if !self.next()? {
                return Ok(0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_length_is_known_before_and_a_real_unzip_reads_it() {
        let dir = tempfile::tempdir().unwrap();
        for (name, size) in [("a.bin", 0), ("b.bin", 70_000), ("c.txt", 5)] {
            fs::write(dir.path().join(name), vec![b'x'; size]).unwrap();
        }
        let mut zip = Zip::of_folder(dir.path(), "set").unwrap();
        let length = zip.length();
        let mut bytes = Vec::new();
        zip.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes.len() as u64, length);
        let out = tempfile::tempdir().unwrap();
        let path = out.path().join("set.zip");
        fs::write(&path, bytes).unwrap();
        let script = "import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); \
                      assert z.testzip() is None; \
                      print([(i.filename, i.file_size) for i in z.infolist()])";
        let ran = std::process::Command::new("python3").args(["-c", script]).arg(&path).output();
        let said = String::from_utf8(ran.unwrap().stdout).unwrap();
        assert_eq!(said, "[('set/a.bin', 0), ('set/b.bin', 70000), ('set/c.txt', 5)]\n");
    }
}
