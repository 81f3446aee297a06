//! What the original's framegrabber needs before it starts: the program of this
//! model, which is not ours to ship, and the camera's own libraries.

use std::path::{Path, PathBuf};

use super::World;
use super::elf;
use super::hack::Hack;

/// Where a camera has its libraries.
const LIBRARIES: [&str; 3] = ["/mnt/data/lib", "/lib", "/usr/lib"];

/// Whether it can run here.
///
/// # Errors
/// What is missing, in words.
pub fn prepare(world: &World, hack: &Hack) -> Result<(), String> {
    let program = hack.dir.join("bin").join(&world.model).join("framegrabber");
    if !program.is_file() {
        return Err(format!(
            "there is no framegrabber for the model {} on the card: take bin/{}/framegrabber out \
             of the original hack's release and put it into hacks/framegrabber/bin/{}/",
            world.model, world.model, world.model
        ));
    }
    elf::judge(&program)?;
    let missing = missing(&program)?;
    if missing.is_empty() {
        return Ok(());
    }
    Err(format!(
        "this firmware lacks what the framegrabber needs: {} (with firmware 4.0.9 and later it \
         cannot run)",
        missing.join(", ")
    ))
}

/// The libraries that a program wants and this camera does not have.
fn missing(program: &Path) -> Result<Vec<String>, String> {
    let wanted = elf::libraries(program)?;
    let more = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let folders: Vec<PathBuf> =
        LIBRARIES.iter().map(PathBuf::from).chain(std::env::split_paths(&more)).collect();
    let there = |name: &String| folders.iter().any(|folder| folder.join(name).exists());
    Ok(wanted.into_iter().filter(|name| !there(name)).collect())
}
