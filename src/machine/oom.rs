//! This process before the out-of-memory killer while it flashes: the last that it may choose. The
//! chip is half written then, and nobody else feeds the watchdog.

use std::fs;
use std::path::{Path, PathBuf};

/// The kernel's score of this process, -1000 to 1000: the highest is killed first.
const OWN: &str = "/proc/self/oom_score_adj";
/// Scores to try, the safest first: below what it started with a process goes only with
/// CAP_SYS_RESOURCE.
const WANTED: [i32; 4] = [-1000, -900, -500, 0];

/// The lowest score that is permitted, until [`Spared::restore`] or the value's end.
#[derive(Debug)]
pub struct Spared {
    path: PathBuf,
    before: Option<i32>,
}

impl Spared {
    /// Lowers this process's score.
    pub fn now() -> Spared {
        Spared::at(Path::new(OWN))
    }

    fn at(path: &Path) -> Spared {
        let read = || fs::read_to_string(path).ok()?.trim().parse::<i32>().ok();
        let before = read();
        let lower = |score: &&i32| before.is_some_and(|before| **score < before);
        let taken = WANTED
            .iter()
            .filter(lower)
            .find(|score| fs::write(path, score.to_string()).is_ok() && read() == Some(**score));
        match taken {
            Some(score) => log::debug!("oom_score_adj is {score} while it flashes"),
            None => log::debug!("oom_score_adj stays {before:?}"),
        }
        Spared { path: path.to_owned(), before: taken.and(before) }
    }

    /// Puts the score back, now: programs that are started from here on inherit it.
    pub fn restore(&mut self) {
        if let Some(before) = self.before.take()
            && let Err(e) = fs::write(&self.path, before.to_string())
        {
            log::warn!("oom_score_adj is not put back to {before}: {e}");
        }
    }
}

impl Drop for Spared {
    fn drop(&mut self) {
        self.restore();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_score_is_the_lowest_while_it_flashes_and_what_it_was_after_that() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("oom_score_adj");
        for before in ["200\n", "0\n", "-500\n"] {
            fs::write(&file, before).unwrap();
            let spared = Spared::at(&file);
            assert_eq!(fs::read_to_string(&file).unwrap(), "-1000");
            drop(spared);
            assert_eq!(fs::read_to_string(&file).unwrap(), before.trim());
        }
        // Neither there nor a number: nothing is done, nothing fails.
        fs::write(&file, "?").unwrap();
        drop(Spared::at(&file));
        assert_eq!(fs::read_to_string(&file).unwrap(), "?");
        drop(Spared::at(&dir.path().join("none")));
        assert!(!dir.path().join("none").exists());
    }

    #[test]
    fn the_kernel_takes_it_where_it_may() {
        let now = || fs::read_to_string(OWN).unwrap().trim().parse::<i32>().unwrap();
        let before = now();
        let mut spared = Spared::now();
        assert!(now() <= before.min(0));
        spared.restore();
        assert_eq!(now(), before);
    }
}
