//! Making a simulated camera: a folder with `flash.bin`, `camera.toml` and
//! `sdcard/`, from a full dump or synthetic.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::synthetic;
use crate::chip::sim::{SimCamera, SimPartition};
use crate::chip::{FlashMap, Role};
use crate::error::{Code, Exit, Explain};
use crate::identity;

/// The hack that plays the synthetic scene; with the camera's own id, so that the page finds it.
const SCENE: &str = include_str!("scene.toml");
/// The model that is made where nobody asks for one.
pub const DEFAULT_MODEL: &str = "ipc009";
/// The largest chip taken from a dump, in bytes.
const LARGEST: u64 = 0x400_0000;

/// Why no camera was made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SimulateError {
    /// Something is there already.
    #[error("{} already contains a simulated camera", .0.display())]
    Exists(PathBuf),
    /// No such model.
    #[error("no flash map of '{0}' is known")]
    UnknownModel(String),
    /// The dump cannot be one.
    #[error("{}: {reason}", path.display())]
    BadDump {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A file could not be written or read.
    #[error("{} cannot be used", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
}

impl Explain for SimulateError {
    fn code(&self) -> Code {
        match self {
            SimulateError::Exists(_) => Code::SimulatedCameraExists,
            SimulateError::UnknownModel(_) => Code::UnknownModel,
            SimulateError::BadDump { .. } => Code::BadDump,
            SimulateError::File { .. } => Code::File,
        }
    }

    fn hint(&self) -> String {
        match self {
            SimulateError::Exists(_) => "Choose another folder, or remove this one.".into(),
            SimulateError::UnknownModel(_) => {
                "Known are ipc009, ipc016, ipc019, ipc019e, ipc021 and ipc029.".into()
            }
            SimulateError::BadDump { .. } => {
                "`mi360d inspect FILE` says what the file is. A full dump has 16 MiB.".into()
            }
            SimulateError::File { .. } => "Check the path, its permissions and the disk.".into(),
        }
    }

    fn exit(&self) -> Exit {
        match self {
            SimulateError::UnknownModel(_) => Exit::Usage,
            SimulateError::Exists(_) => Exit::Refused,
            _ => Exit::Failed,
        }
    }
}

/// Makes a simulated camera in `dir`.
///
/// # Errors
/// [`SimulateError`]; an existing camera is never touched.
pub fn create(dir: &Path, model: Option<&str>, from: Option<&Path>) -> Result<(), SimulateError> {
    let settings = dir.join("camera.toml");
    let flash = dir.join("flash.bin");
    if settings.exists() || flash.exists() {
        return Err(SimulateError::Exists(dir.to_owned()));
    }
    let (bytes, map, model) = match from {
        None => fresh(model.unwrap_or(DEFAULT_MODEL))?,
        Some(path) => from_dump(path, model)?,
    };
    let camera = SimCamera {
        wifi_mac: wifi_mac(&bytes, &map),
        model,
        page_size: 256,
        partitions: map
            .covering()
            .into_iter()
            .map(|p| SimPartition {
                name: p.name.clone(),
                offset: p.offset.unwrap_or(0),
                size: p.size,
                erase_size: p.erase_size,
            })
            .collect(),
    };
    let text = camera
        .to_text()
        .map_err(|source| SimulateError::File { path: settings.clone(), source })?;
    make_dir(&dir.join("sdcard").join("mi360d"))?;
    // There is no lens: the streams show a synthetic scene, once they are switched on.
    let streams = dir.join("sdcard/hacks/rtsp-server");
    make_dir(&streams)?;
    write(&streams.join("hack.toml"), SCENE.as_bytes())?;
    write(&flash, &bytes)?;
    // Last: what has no camera.toml is no camera yet.
    write(&settings, text.as_bytes())
}

type Made = (Vec<u8>, FlashMap, String);

fn fresh(model: &str) -> Result<Made, SimulateError> {
    let unknown = || SimulateError::UnknownModel(model.to_owned());
    let map = FlashMap::stock(model).ok_or_else(unknown)?;
    let bytes = synthetic::chip(model)
        .map_err(|source| SimulateError::File { path: "/dev/urandom".into(), source })?;
    Ok((bytes, map, model.to_owned()))
}

fn from_dump(path: &Path, wanted: Option<&str>) -> Result<Made, SimulateError> {
    let bad = |reason: String| SimulateError::BadDump { path: path.to_owned(), reason };
    let file_error = |source| SimulateError::File { path: path.to_owned(), source };
    let size = fs::metadata(path).map_err(file_error)?.len();
    if !size.is_power_of_two() || !(0x10_0000..=LARGEST).contains(&size) {
        return Err(bad(format!("it has {size} bytes, which is not the size of a chip")));
    }
    let bytes = fs::read(path).map_err(file_error)?;
    let named = match wanted {
        Some(model) => Some(
            FlashMap::stock(model).ok_or_else(|| SimulateError::UnknownModel(model.to_owned()))?,
        ),
        None => None,
    };
    let own = crate::chip::table::flash_map(&bytes).map(|raw| FlashMap::conclude(&raw));
    let map = [own, named, FlashMap::stock(DEFAULT_MODEL)]
        .into_iter()
        .flatten()
        .find(|map| map.chip_size.is_some_and(|s| u64::from(s) == size))
        .ok_or_else(|| bad("no flash map fits it".into()))?;
    let model = wanted
        .map(str::to_owned)
        .or_else(|| factory(&bytes, &map).and_then(|f| identity::judge(f).identity?.model()))
        .or_else(|| guess(&map))
        .unwrap_or_else(|| "unknown".to_owned());
    Ok((bytes, map, model))
}

/// The model whose stock map this is; several share one.
fn guess(map: &FlashMap) -> Option<String> {
    ["ipc009", "ipc019"]
        .into_iter()
        .find(|model| FlashMap::stock(model).as_ref() == Some(map))
        .map(str::to_owned)
}

fn factory<'a>(bytes: &'a [u8], map: &FlashMap) -> Option<&'a [u8]> {
    let part = map.by_role(Role::Factory)?;
    let start = part.offset? as usize;
    bytes.get(start..start + part.size as usize)
}

/// The simulated WiFi has the address that FACTORY names.
fn wifi_mac(bytes: &[u8], map: &FlashMap) -> Option<String> {
    let flsh = crate::formats::flsh::parse(factory(bytes, map)?).ok()?;
    let mac = std::str::from_utf8(flsh.get("mac")?).ok()?;
    let plausible = mac.len() == 17 && mac.bytes().all(|b| b.is_ascii_hexdigit() || b == b':');
    plausible.then(|| mac.to_ascii_lowercase())
}

fn make_dir(path: &Path) -> Result<(), SimulateError> {
    fs::create_dir_all(path).map_err(|source| SimulateError::File { path: path.to_owned(), source })
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), SimulateError> {
    fs::write(path, bytes).map_err(|source| SimulateError::File { path: path.to_owned(), source })
}
