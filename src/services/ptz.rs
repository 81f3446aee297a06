//! The camera's motors, through the original's motord: it reads one command from
//! its file `event`, and says in `status` whether an end was reached. Both are in
//! its folder in memory.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// The hack that has the motors.
pub const HACK: &str = "motor-control";
/// Steps from one end to the other, the longer way.
pub const STEPS: u16 = 146;

/// The body of `POST /api/v1/ptz`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "do", rename_all = "lowercase", deny_unknown_fields)]
pub enum Wish {
    /// A move.
    Move {
        /// Whither.
        direction: Direction,
        /// How far, 1 to 146 steps.
        steps: Steps,
    },
    /// To both ends and back to the middle.
    Calibrate,
}

/// Whither.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Direction {
    Left,
    Right,
    Up,
    Down,
}

/// A number of steps, 1 to 146.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "i64")]
pub struct Steps(u16);

impl Steps {
    /// The number.
    pub fn count(self) -> u16 {
        self.0
    }
}

impl TryFrom<i64> for Steps {
    type Error = String;
    fn try_from(n: i64) -> Result<Steps, String> {
        let steps = u16::try_from(n).ok().filter(|n| (1..=STEPS).contains(n));
        steps.map(Steps).ok_or_else(|| format!("expected a number from 1 to {STEPS}"))
    }
}

/// What became of a wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Moved {
    /// Whether the last move ran into an end.
    pub at_end: bool,
}

/// Tells motord.
///
/// # Errors
/// The reason, in words, if it is unknown.
pub fn tell(folder: &Path, wish: Wish) -> Result<Moved, String> {
    let event = folder.join("event");
    // It makes the file when it listens.
    let mut file = OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(&event)
        .map_err(|e| format!("motord is not listening: {}: {e}", event.display()))?;
    file.write_all(&line(wish)).map_err(|e| format!("{}: {e}", event.display()))?;
    drop(file);
    let status = fs::read(folder.join("status")).unwrap_or_default();
    Ok(Moved { at_end: status.first() == Some(&b'1') })
}

/// One command. motord reads the file into memory without ending it: the NUL
/// does that, or it would read on.
fn line(wish: Wish) -> Vec<u8> {
    let text = match wish {
        Wish::Calibrate => "calibrate\0".to_owned(),
        Wish::Move { direction, steps } => {
            // Its calibration goes forward to the right and to the bottom end first.
            let (axis, way) = match direction {
                Direction::Left => ("pan", "reverse"),
                Direction::Right => ("pan", "forward"),
                Direction::Up => ("tilt", "reverse"),
                Direction::Down => ("tilt", "forward"),
            };
            format!("{axis} {way} {}\0", steps.0)
        }
    };
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(json: &str) -> Result<Wish, String> {
        crate::formats::document::from_json(json.as_bytes()).map_err(|e| e.to_string())
    }

    #[test]
    fn a_wish_becomes_motord_s_words() {
        let folder = tempfile::tempdir().unwrap();
        let left = wish(r#"{"do": "move", "direction": "left", "steps": 10}"#).unwrap();
        assert!(tell(folder.path(), left).unwrap_err().contains("not listening"));
        fs::write(folder.path().join("event"), "").unwrap();
        fs::write(folder.path().join("status"), "1\n").unwrap();
        assert_eq!(tell(folder.path(), left), Ok(Moved { at_end: true }));
        assert_eq!(fs::read(folder.path().join("event")).unwrap(), b"pan reverse 10\0");
        tell(folder.path(), wish(r#"{"do": "calibrate"}"#).unwrap()).unwrap();
        assert_eq!(fs::read(folder.path().join("event")).unwrap(), b"calibrate\0");
    }

    #[test]
    fn no_other_wish_is_taken() {
        for json in [
            r#"{"do": "move", "direction": "left", "steps": 0}"#,
            r#"{"do": "move", "direction": "left", "steps": 147}"#,
            r#"{"do": "move", "direction": "back", "steps": 1}"#,
            r#"{"do": "move", "direction": "left", "steps": "1 2"}"#,
            r#"{"do": "reboot"}"#,
        ] {
            wish(json).unwrap_err();
        }
    }
}
