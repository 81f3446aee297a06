//! Preparation of the original's framegrabber: the program of this
//! model, which is not ours to ship, and the camera's own libraries.

use std::path::{Path, PathBuf};

use super::World;
use super::elf;
use super::hack::Hack;

/// The hack.
pub const ID: &str = "framegrabber";
/// Where a camera has its libraries.
pub const LIBRARIES: [&str; 3] = ["/mnt/data/lib", "/lib", "/usr/lib"];

/// Whether it can run here.
///
/// # Errors
/// What is missing, in words.
pub fn prepare(world: &World, hack: &Hack) -> Result<(), String> {
    let program = program(&hack.dir, &world.model);
    if !program.is_file() {
        return Err(absent(&world.model));
    }
    elf::judge(&program)?;
    lacks(&missing(&program, &LIBRARIES.map(PathBuf::from))?).map_or(Ok(()), Err)
}

/// Where the program of a model is in the hack's folder.
pub fn program(hack: &Path, model: &str) -> PathBuf {
    hack.join("bin").join(model).join("framegrabber")
}

/// That it is not there.
pub fn absent(model: &str) -> String {
    format!(
        "there is no framegrabber for the model {model} on the card: upload the zip of the \
         original hack's release under Services, or put its bin/{model}/framegrabber into \
         hacks/framegrabber/bin/{model}/"
    )
}

/// That libraries are not there.
pub fn lacks(missing: &[String]) -> Option<String> {
    (!missing.is_empty()).then(|| {
        format!(
            "this firmware lacks what the framegrabber needs: {} (with firmware 4.0.9 and later \
             it cannot run)",
            missing.join(", ")
        )
    })
}

/// The libraries that a program wants and that are in none of these folders.
///
/// # Errors
/// Where it cannot be read.
pub fn missing(program: &Path, folders: &[PathBuf]) -> Result<Vec<String>, String> {
    let wanted = elf::libraries(program)?;
    let more = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let more: Vec<PathBuf> = std::env::split_paths(&more).collect();
    let there = |name: &String| folders.iter().chain(&more).any(|dir| dir.join(name).exists());
    Ok(wanted.into_iter().filter(|name| !there(name)).collect())
}
