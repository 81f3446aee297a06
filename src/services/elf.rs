//! Check that a file is a program which this machine can run, before it is started: the kernel's
//! own answer is a number that helps nobody.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;

const LOADED: u32 = 1;
const DYNAMIC: u32 = 2;
const INTERPRETER: u32 = 3;
const TAG_NEEDED: u64 = 1;
const TAG_STRINGS: u64 = 5;
/// Bytes of a dynamic table that are checked.
const DYNAMIC_LIMIT: u64 = 16 << 10;
/// Program headers checked.
const HEADERS: u16 = 64;
const PATH_LIMIT: u64 = 256;

/// ELF class and machine of this build.
#[cfg(target_arch = "arm")]
const OWN: (u8, u16) = (1, 40);
#[cfg(target_arch = "aarch64")]
const OWN: (u8, u16) = (2, 183);
#[cfg(not(any(target_arch = "arm", target_arch = "aarch64")))]
const OWN: (u8, u16) = (2, 62);

/// Nothing, or why a file cannot be run here.
///
/// # Errors
/// The reason, in words.
pub fn judge(path: &Path) -> Result<(), String> {
    let shown = path.display();
    let meta = match fs::metadata(path) {
        Ok(meta) => meta,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            return Err(format!("{shown} is missing"));
        }
        Err(e) => return Err(format!("{shown} cannot be read: {e}")),
    };
    if !meta.is_file() {
        return Err(format!("{shown} is not a file"));
    }
    if meta.permissions().mode() & 0o111 == 0 {
        return Err(format!("{shown} is not executable (chmod +x)"));
    }
    let mut head = Vec::new();
    let file = File::open(path).map_err(|e| format!("{shown} cannot be read: {e}"))?;
    (&file)
        .take(PATH_LIMIT)
        .read_to_end(&mut head)
        .map_err(|e| format!("{shown} cannot be read: {e}"))?;
    if let Some(line) = head.strip_prefix(b"#!") {
        return script(path, line);
    }
    if !head.starts_with(b"\x7fELF") {
        return Err(format!("{shown} is neither a program nor a script"));
    }
    let machine = (head.get(4).copied(), half(&head, 18));
    if machine != (Some(OWN.0), Some(OWN.1)) {
        let of = name(machine.1.unwrap_or(0), machine.0.unwrap_or(0));
        return Err(format!("{shown} is a program for {of}, not for {}", name(OWN.1, OWN.0)));
    }
    match interpreter(&file, &head) {
        Some(wanted) if !Path::new(&wanted).exists() => {
            Err(format!("{shown} needs {wanted}, which this camera does not have"))
        }
        _ => Ok(()),
    }
}

fn script(path: &Path, line: &[u8]) -> Result<(), String> {
    let shown = path.display();
    let line = line.split(|b| *b == b'\n').next().unwrap_or_default();
    if line.ends_with(b"\r") {
        return Err(format!("{shown} has Windows line endings: no shell can run it"));
    }
    let line = String::from_utf8_lossy(line);
    match line.split_whitespace().next() {
        Some(shell) if Path::new(shell).exists() => Ok(()),
        Some(shell) => Err(format!("{shown} needs {shell}, which is missing")),
        None => Err(format!("{shown} names no program after #!")),
    }
}

/// A program header: kind, place in the file, place in memory, bytes.
struct Segment {
    kind: u32,
    offset: u64,
    address: u64,
    length: u64,
}

/// Whether its words have 64 bits. On the camera none has.
fn is_wide(head: &[u8]) -> bool {
    OWN.0 == 2 && head.get(4) == Some(&2)
}

/// Whether a file's beginning is that of a program or a library for the camera.
pub fn is_camera_s(head: &[u8]) -> bool {
    head.starts_with(b"\x7fELF\x01\x01") && half(head, 18) == Some(40)
}

fn segments(file: &File, head: &[u8]) -> Option<Vec<Segment>> {
    let wide = is_wide(head);
    let table = if wide { long(head, 32)? } else { u64::from(word(head, 28)?) };
    let (size, count) =
        if wide { (half(head, 54)?, half(head, 56)?) } else { (half(head, 42)?, half(head, 44)?) };
    let mut segments = Vec::new();
    for i in 0..count.min(HEADERS) {
        let mut header = [0; 56];
        let wanted = header.get_mut(..usize::from(size))?;
        file.read_exact_at(wanted, table.checked_add(u64::from(i) * u64::from(size))?).ok()?;
        let kind = word(&header, 0)?;
        let (offset, address, length) = if wide {
            (long(&header, 8)?, long(&header, 16)?, long(&header, 32)?)
        } else {
            let number = |at| word(&header, at).map(u64::from);
            (number(4)?, number(8)?, number(16)?)
        };
        segments.push(Segment { kind, offset, address, length });
    }
    Some(segments)
}

/// The loader that a dynamic program asks for.
fn interpreter(file: &File, head: &[u8]) -> Option<String> {
    let segment = segments(file, head)?.into_iter().find(|s| s.kind == INTERPRETER)?;
    text_at(file, segment.offset, segment.length)
}

fn text_at(file: &File, at: u64, length: u64) -> Option<String> {
    let mut text = vec![0; usize::try_from(length.min(PATH_LIMIT)).ok()?];
    let got = file.read_at(&mut text, at).ok()?;
    let text = text[..got].split(|b| *b == 0).next()?;
    Some(String::from_utf8_lossy(text).into_owned())
}

/// The libraries that a program asks for, its loader among them.
///
/// # Errors
/// Where it cannot be read.
pub fn libraries(path: &Path) -> Result<Vec<String>, String> {
    let failed = |e| format!("{} cannot be read: {e}", path.display());
    let file = File::open(path).map_err(failed)?;
    let mut head = [0; 64];
    file.read_exact_at(&mut head, 0).map_err(failed)?;
    let mut names = needed(&file, &head).unwrap_or_default();
    // It is there with its folder.
    names.extend(interpreter(&file, &head).and_then(|l| Some(l.rsplit('/').next()?.to_owned())));
    Ok(names)
}

fn needed(file: &File, head: &[u8]) -> Option<Vec<String>> {
    let segments = segments(file, head)?;
    let dynamic = segments.iter().find(|s| s.kind == DYNAMIC)?;
    let entry: usize = if is_wide(head) { 16 } else { 8 };
    let mut table = vec![0; usize::try_from(dynamic.length.min(DYNAMIC_LIMIT)).ok()?];
    file.read_exact_at(&mut table, dynamic.offset).ok()?;
    let pairs: Vec<(u64, u64)> = table
        .chunks_exact(entry)
        .filter_map(|pair| match entry {
            16 => Some((long(pair, 0)?, long(pair, 8)?)),
            _ => Some((u64::from(word(pair, 0)?), u64::from(word(pair, 4)?))),
        })
        .take_while(|(tag, _)| *tag != 0)
        .collect();
    let (_, strings) = pairs.iter().find(|(tag, _)| *tag == TAG_STRINGS)?;
    let held = segments
        .iter()
        .find(|s| s.kind == LOADED && s.address <= *strings && *strings - s.address < s.length)?;
    let strings = held.offset.checked_add(strings - held.address)?;
    let names = pairs.iter().filter(|(tag, _)| *tag == TAG_NEEDED);
    names.map(|(_, at)| text_at(file, strings.checked_add(*at)?, PATH_LIMIT)).collect()
}

fn name(machine: u16, class: u8) -> String {
    match (machine, class) {
        (3, _) => "a PC (x86)".into(),
        (62, _) => "a PC (x86-64)".into(),
        (40, _) => "ARM".into(),
        (183, _) => "64-bit ARM".into(),
        (8, _) => "MIPS".into(),
        (243, _) => "RISC-V".into(),
        (other, _) => format!("another machine ({other})"),
    }
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn long(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(content: &[u8], mode: u32) -> String {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p");
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        judge(&path).map_or_else(|reason| reason, |()| "good".into())
    }

    #[test]
    fn the_libraries_of_a_program_are_those_that_it_is_linked_with() {
        let own = libraries(&std::env::current_exe().unwrap()).unwrap();
        assert!(own.iter().any(|name| name.starts_with("libc.")), "{own:?}");
    }

    #[test]
    fn what_can_run_is_good_and_what_cannot_is_named() {
        assert_eq!(judge(&std::env::current_exe().unwrap()), Ok(()));
        assert_eq!(verdict(b"#!/bin/sh\nexit\n", 0o755), "good");
        assert!(verdict(b"#!/bin/sh\n", 0o644).contains("not executable"));
        assert!(verdict(b"#!/bin/sh\r\n", 0o755).contains("Windows"));
        assert!(verdict(b"#!/no/such\n", 0o755).contains("/no/such, which is missing"));
        assert!(verdict(b"hello", 0o755).contains("neither"));
        let mut foreign = *b"\x7fELF\x01\x01\0\0\0\0\0\0\0\0\0\0\x02\0\x08\0";
        assert!(verdict(&foreign, 0o755).contains("for MIPS"));
        foreign[18] = 40;
        foreign[4] = 2;
        assert!(verdict(&foreign, 0o755).contains("not for"));
        assert!(judge(Path::new("/no/such/thing")).unwrap_err().contains("is missing"));
        assert!(judge(Path::new("/")).unwrap_err().contains("not a file"));
    }
}
