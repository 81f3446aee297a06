//! Evidence that this camera's firmware acts on a key: the key's name is searched, as a whole word,
//! in the bytes of the program that acts on it. Reads only, in pieces.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use crate::vendor::mortox::Key;

/// Where the stock programs are.
const PROGRAMS: &str = "mnt/data/bin";
/// Bytes that are read at a time.
const PIECE: usize = 0x4000;
/// Bytes of one program that are read at most.
const LONGEST: u64 = 8 << 20;

/// What was found for each key: nothing, or the reason why it is not acted on.
pub type Evidence = BTreeMap<Key, Result<(), String>>;

/// Looks for all keys below the firmware's root.
pub fn gather(root: &Path) -> Evidence {
    let mut evidence = Evidence::new();
    for key in Key::ALL {
        let program = key.program();
        let path = root.join(PROGRAMS).join(program);
        let found = match File::open(&path).and_then(|file| has_word(file, key.name())) {
            Ok(true) => Ok(()),
            Ok(false) => Err(format!("{program} of this firmware does not know it")),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                Err(format!("this firmware has no {program}"))
            }
            Err(_) => Err(format!("{program} cannot be read")),
        };
        evidence.insert(key, found);
    }
    evidence
}

/// Whether a word is in a file, with no letter, digit or `_` next to it.
fn has_word(file: File, word: &str) -> io::Result<bool> {
    let (mut file, word) = (file.take(LONGEST), word.as_bytes());
    // The end of the last piece: a word may be cut by it.
    let mut window: Vec<u8> = vec![0];
    let mut piece = vec![0; PIECE];
    loop {
        let count = match file.read(&mut piece) {
            Ok(count) => count,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        let is_end = count == 0;
        window.extend_from_slice(piece.get(..count).unwrap_or_default());
        if is_end {
            window.push(0);
        }
        if contains(&window, word) {
            return Ok(true);
        }
        if is_end {
            return Ok(false);
        }
        let keep = window.len().min(word.len() + 1);
        window.drain(..window.len() - keep);
    }
}

fn contains(bytes: &[u8], word: &[u8]) -> bool {
    let part = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
    let around = word.len() + 2;
    bytes.windows(around).any(|window| match window {
        [before, middle @ .., after] => middle == word && !part(before) && !part(after),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_key_counts_only_as_a_whole_word_of_its_own_program() {
        let dir = tempfile::tempdir().unwrap();
        let programs = dir.path().join(PROGRAMS);
        fs::create_dir_all(&programs).unwrap();
        fs::write(programs.join("miio_devicekit"), b"\0highlight\0lights\0led_cmd").unwrap();
        // Cut by the end of a piece, at each place of the word.
        for shift in 0..12 {
            let mut bytes = vec![b'-'; PIECE - shift];
            bytes.extend(b"\0night_mode\0");
            fs::write(programs.join("miio_algo"), &bytes).unwrap();
            assert_eq!(gather(dir.path())[&Key::NightMode], Ok(()), "{shift}");
        }
        let evidence = gather(dir.path());
        assert_eq!(evidence[&Key::LedCommand], Ok(()));
        assert!(evidence[&Key::Light].as_ref().unwrap_err().contains("does not know it"));
        assert!(evidence[&Key::FullColor].is_err());
        assert_eq!(evidence[&Key::Flip], Err("this firmware has no fetch_av".to_owned()));
    }
}
