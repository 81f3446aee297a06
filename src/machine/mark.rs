//! The mark of a flash for the boot hook. The hook's late look starts the vendor's supervisor where
//! none runs; a flash of DATA ends the supervisor and makes a backup before its journal opens, and
//! must not get it back meanwhile. Each side first writes its own file and then looks for the
//! other's, so they cannot miss each other.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// There with this program's process number in it, as long as a flash needs the supervisor ended.
/// The hook knows this name.
const MARK: &str = "/tmp/mi360d-flashing";
/// There with the hook's process number in it, while the hook starts the supervisor.
const STARTING: &str = "/tmp/mi360d-hook/starting";
/// How long the hook may take to start it.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked whether it has.
const LOOK: Duration = Duration::from_millis(100);

/// A mark; removed with the value.
#[derive(Debug)]
pub struct UnderWay(PathBuf);

impl UnderWay {
    /// Makes the mark, and waits for a hook that starts the supervisor just now. Before anything is
    /// ended.
    pub fn begin() -> UnderWay {
        UnderWay::at(Path::new(MARK), Path::new(STARTING), PATIENCE)
    }

    fn at(mark: &Path, starting: &Path, patience: Duration) -> UnderWay {
        if let Err(e) = fs::write(mark, format!("{}\n", std::process::id())) {
            log::warn!("{}: {e}: the hook may start the supervisor", mark.display());
        }
        let begun = Instant::now();
        while is_alive(starting) {
            if begun.elapsed() > patience {
                log::warn!("the boot hook does not end starting the supervisor");
                break;
            }
            std::thread::sleep(LOOK);
        }
        UnderWay(mark.to_owned())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        match fs::remove_file(&self.0) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                log::warn!("{}: {e}", self.0.display());
            }
            _ => {}
        }
    }
}

/// Whether a file names a process that runs.
fn is_alive(path: &Path) -> bool {
    fs::read_to_string(path).is_ok_and(|text| {
        let id = text.trim().parse::<u32>();
        id.is_ok_and(|id| Path::new("/proc").join(id.to_string()).exists())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flash_is_marked_and_waits_until_the_hook_has_started_the_supervisor() {
        let dir = tempfile::tempdir().unwrap();
        let (mark, starting) = (dir.path().join("mark"), dir.path().join("starting"));
        // The hook is at it: this process plays it.
        fs::write(&starting, format!("{}\n", std::process::id())).unwrap();
        let (to, from) = (mark.clone(), starting.clone());
        let waits = std::thread::spawn(move || UnderWay::at(&to, &from, Duration::from_secs(600)));
        let deadline = Instant::now() + Duration::from_secs(60);
        while !is_alive(&mark) {
            assert!(Instant::now() < deadline, "no mark");
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(LOOK * 2);
        assert!(!waits.is_finished(), "it did not wait for the hook");
        fs::remove_file(&starting).unwrap();
        let under_way = waits.join().unwrap();
        assert!(mark.exists());
        drop(under_way);
        assert!(!mark.exists());
    }

    #[test]
    fn a_hook_that_has_died_or_never_ends_does_not_hold_a_flash_up_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        let (mark, starting) = (dir.path().join("mark"), dir.path().join("starting"));
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let dead = child.id();
        child.wait().unwrap();
        for text in [dead.to_string(), "no number".to_owned()] {
            fs::write(&starting, text).unwrap();
            assert!(!is_alive(&starting));
            drop(UnderWay::at(&mark, &starting, Duration::from_secs(3600)));
        }
        fs::write(&starting, std::process::id().to_string()).unwrap();
        drop(UnderWay::at(&mark, &starting, Duration::from_millis(200)));
    }
}
