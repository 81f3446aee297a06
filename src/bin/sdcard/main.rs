//! The packer of the card, `cargo sdcard`: cross-builds the program, lays out
//! the whole card in `target/sdcard/` and `target/sdcard.zip`, and reads both
//! again before it says that they are good.
//!
//! Runs on the PC only; nothing of it reaches the camera.

mod check;
mod cross;
mod elf;
mod layout;
mod sign;
mod ssh;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What went wrong, for the person at the terminal.
type Result<T> = std::result::Result<T, String>;

const HELP: &str = "\
Cross-builds mi360d for the camera and lays out its SD card.

use: cargo sdcard [--way WAY] [--binary FILE] [--sign KEY]
     cargo sdcard --new-key KEY

  --way WAY      build this way only: build-std, debian or target
                 (without it: the first of the three that works)
  --binary FILE  take this ARM binary instead of building one
  --sign KEY     sign the release with this secret key of minisign's
  --new-key KEY  make that key, and the public one that goes into the binary
  --help         this text

Makes target/sdcard/ (copy what is IN it to the root of a FAT32 card) and
target/sdcard.zip (the same), then reads both again and checks them.
Installs what is missing from Debian's packages when run as root, and says
what to install otherwise.
";

/// What was asked for.
#[derive(Default)]
struct Asked {
    way: Option<cross::Way>,
    binary: Option<PathBuf>,
    sign: Option<PathBuf>,
    new_key: Option<PathBuf>,
}

fn main() -> ExitCode {
    let asked = match arguments() {
        Ok(Some(asked)) => asked,
        Ok(None) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(wrong) => {
            eprintln!("sdcard: {wrong}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    match pack(&asked) {
        Ok(()) => ExitCode::SUCCESS,
        Err(wrong) => {
            eprintln!("sdcard: {wrong}");
            ExitCode::FAILURE
        }
    }
}

fn arguments() -> Result<Option<Asked>> {
    use lexopt::prelude::{Long, Short, ValueExt};

    let mut asked = Asked::default();
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next().map_err(|e| e.to_string())? {
        match argument {
            Long("help") | Short('h') => return Ok(None),
            Long("way") => {
                let name = parser.value().and_then(ValueExt::string).map_err(|e| e.to_string())?;
                let way = cross::Way::ALL.into_iter().find(|way| way.name() == name);
                asked.way = Some(way.ok_or_else(|| format!("there is no way '{name}'"))?);
            }
            Long("binary") => {
                asked.binary = Some(parser.value().map_err(|e| e.to_string())?.into());
            }
            Long("sign") => asked.sign = Some(parser.value().map_err(|e| e.to_string())?.into()),
            Long("new-key") => {
                asked.new_key = Some(parser.value().map_err(|e| e.to_string())?.into());
            }
            other => return Err(other.unexpected().to_string()),
        }
    }
    Ok(Some(asked))
}

/// The binary's bytes, where it is good for the camera.
fn judge(binary: &Path) -> Result<Vec<u8>> {
    let bytes = layout::read(binary)?;
    elf::judge(&bytes)
        .map_err(|faults| format!("{} is not for the camera: {faults}", binary.display()))?;
    Ok(bytes)
}

fn pack(asked: &Asked) -> Result<()> {
    let repo = Path::new(env!("CARGO_MANIFEST_DIR"));
    if let Some(key) = &asked.new_key {
        return sign::new_key(repo, key);
    }
    let binary = match &asked.binary {
        Some(binary) => binary.clone(),
        None => cross::build(repo, asked.way, &|binary| judge(binary).map(drop))?,
    };
    let bytes = judge(&binary)?;
    println!(
        "binary: {} bytes, static ARM hard float, stripped (limit {})",
        bytes.len(),
        elf::SIZE_LIMIT
    );

    let mut manifest = layout::manifest(repo, bytes, ssh::build(repo)?)?;
    let listing = sign::listing(&manifest);
    if let Some(key) = &asked.sign {
        manifest.push(sign::signature(&listing, key)?);
    }
    manifest.push(listing);
    let folder = repo.join("target/sdcard");
    let archive = repo.join("target/sdcard.zip");
    layout::write_folder(&folder, &manifest)?;
    layout::write_zip(&archive, &manifest)?;

    for (place, found) in
        [(&folder, check::read_folder(&folder)?), (&archive, check::read_zip(&archive)?)]
    {
        let faults = check::faults(&found, &manifest);
        if !faults.is_empty() {
            return Err(format!("{} is not whole:\n  {}", place.display(), faults.join("\n  ")));
        }
        println!("checked: {} ({} files)", place.display(), manifest.len());
    }
    for entry in &manifest {
        println!("  {:>8}  {}", entry.bytes.len(), entry.path);
    }
    Ok(())
}
