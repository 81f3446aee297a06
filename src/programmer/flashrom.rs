//! flashrom, found on the PATH and run with argument vectors. While it writes it is in a process
//! group of its own, so that Ctrl-C on the terminal does not stop it in the middle.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use super::output::{self, ChipFound, Protection};
use super::{Device, ProgrammerError};

/// Where administrators' programs are, in addition to the PATH.
const ADMIN_FOLDERS: &[&str] = &["/usr/local/sbin", "/usr/sbin", "/sbin"];
/// Bytes of its output that are kept; it prints a few kilobytes.
const OUTPUT_LIMIT: u64 = 1 << 20;

/// The program, and the device that it is to use.
#[derive(Clone, Debug)]
pub struct Flashrom {
    program: PathBuf,
    device: Device,
}

/// What one run printed, and how it ended.
pub struct Ran {
    /// Both of its outputs.
    pub text: String,
    /// Whether it ended with status 0.
    pub ok: bool,
    /// The signal that killed it.
    pub signal: Option<i32>,
}

impl Flashrom {
    /// Looks for the program.
    ///
    /// # Errors
    /// [`ProgrammerError::NoFlashrom`].
    pub fn find(device: &Device) -> Result<Flashrom, ProgrammerError> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::env::split_paths(&path).chain(ADMIN_FOLDERS.iter().map(PathBuf::from));
        let is_program = |path: &PathBuf| {
            fs::metadata(path).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
        };
        let program = folders.map(|folder| folder.join("flashrom")).find(is_program);
        let program = program.ok_or(ProgrammerError::NoFlashrom)?;
        Ok(Flashrom { program, device: device.clone() })
    }

    /// Its own first line, such as `flashrom v1.3.0 on Linux ...`.
    pub fn version(&self) -> String {
        let ran = self.run_plain(&[OsStr::new("--version")], false);
        let text = ran.map(|ran| ran.text).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with("flashrom")).unwrap_or("flashrom");
        line.split(" on ").next().unwrap_or(line).to_owned()
    }

    /// The chip, and its protection where flashrom can tell.
    ///
    /// # Errors
    /// [`ProgrammerError`]: programmer or chip do not answer, or several chips fit.
    pub fn status(&self) -> Result<(ChipFound, Option<Protection>), ProgrammerError> {
        let ran = self.run(&[OsStr::new("--wp-status")])?;
        let found = self.one_chip(&ran)?;
        Ok((found, output::protection(&ran.text)))
    }

    /// Reads the whole chip into a new file.
    ///
    /// # Errors
    /// [`ProgrammerError`]; nothing was changed on the chip.
    pub fn read(&self, file: &Path) -> Result<(), ProgrammerError> {
        let ran = self.run(&[OsStr::new("-r"), file.as_os_str()])?;
        self.one_chip(&ran)?;
        if ran.ok {
            return Ok(());
        }
        Err(ProgrammerError::Read { reason: ran.reason() })
    }

    /// Lifts the protection, and writes what differs from the image, in one run.
    ///
    /// # Errors
    /// [`ProgrammerError`] where it cannot be started or finds no chip; how the write went is in
    /// what it printed.
    pub fn write(&self, image: &Path, lift: bool) -> Result<Ran, ProgrammerError> {
        let mut args: Vec<&OsStr> = Vec::new();
        if lift {
            args.extend(["--wp-disable", "--wp-range=0,0", "--wp-status"].map(OsStr::new));
        }
        args.extend([OsStr::new("-w"), image.as_os_str()]);
        let ran = self.run_plain(&self.with_device(&args), true)?;
        match self.one_chip(&ran) {
            // Killed, or not understood: it may have written.
            Err(ProgrammerError::Read { .. }) | Ok(_) => Ok(ran),
            Err(e) => Err(e),
        }
    }

    /// Puts the protection back, and says what it is then.
    ///
    /// # Errors
    /// [`ProgrammerError`]: no programmer or chip.
    pub fn protect(&self, wanted: &Protection) -> Result<Option<Protection>, ProgrammerError> {
        let range = OsString::from(format!("--wp-range={:#x},{:#x}", wanted.start, wanted.length));
        let mode = if wanted.mode == "hardware" { "--wp-enable" } else { "--wp-disable" };
        let ran = self.run(&[&range, OsStr::new(mode), OsStr::new("--wp-status")])?;
        self.one_chip(&ran)?;
        Ok(output::protection(&ran.text))
    }

    fn one_chip(&self, ran: &Ran) -> Result<ChipFound, ProgrammerError> {
        let mut found = output::chips(&ran.text);
        match found.len() {
            1 => Ok(found.remove(0)),
            0 if output::no_programmer(&ran.text) => Err(ProgrammerError::NoProgrammer {
                programmer: self.device.programmer.clone(),
                reason: ran.reason(),
            }),
            0 if output::no_chip(&ran.text) => Err(ProgrammerError::NoChip),
            0 => Err(ProgrammerError::Read { reason: ran.reason() }),
            _ => Err(ProgrammerError::Ambiguous {
                names: found.into_iter().map(|chip| chip.name).collect(),
            }),
        }
    }

    fn with_device<'a>(&'a self, args: &[&'a OsStr]) -> Vec<&'a OsStr> {
        let mut all = vec![OsStr::new("-p"), OsStr::new(&self.device.programmer)];
        if let Some(chip) = &self.device.chip {
            all.extend([OsStr::new("-c"), OsStr::new(chip)]);
        }
        all.extend(args);
        all
    }

    fn run(&self, args: &[&OsStr]) -> Result<Ran, ProgrammerError> {
        self.run_plain(&self.with_device(args), false)
    }

    fn run_plain(&self, args: &[&OsStr], apart: bool) -> Result<Ran, ProgrammerError> {
        let mut command = Command::new(&self.program);
        command.args(args).env("LC_ALL", "C").stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        if apart {
            command.process_group(0);
        }
        let mut child = command.spawn().map_err(ProgrammerError::Start)?;
        let errors = child.stderr.take();
        let errors = thread::spawn(move || errors.map(drained).unwrap_or_default());
        let mut text = child.stdout.take().map(drained).unwrap_or_default();
        text.push('\n');
        text.push_str(&errors.join().unwrap_or_default());
        let status = child.wait().map_err(ProgrammerError::Start)?;
        log::debug!("flashrom {args:?}: {status}\n{text}");
        Ok(Ran { text, ok: status.success(), signal: status.signal() })
    }
}

impl Ran {
    /// Why it failed, in flashrom's own words.
    pub fn reason(&self) -> String {
        match self.signal {
            Some(signal) => format!("flashrom was ended by signal {signal}"),
            None => output::reason(&self.text),
        }
    }
}

/// All that comes, of which the first [`OUTPUT_LIMIT`] bytes are kept: a pipe that nobody reads
/// would stop the program in the middle of a write.
fn drained(mut from: impl Read) -> String {
    let mut kept = Vec::new();
    let _ = (&mut from).take(OUTPUT_LIMIT).read_to_end(&mut kept);
    let _ = io::copy(&mut from, &mut io::sink());
    String::from_utf8_lossy(&kept).into_owned()
}
