//! Start parameters of a hack, made from its manifest and its values: argument vector, environment,
//! folder, FIFOs, files with secrets. No shell anywhere.

use super::private::write_private;
use std::collections::BTreeMap;
use std::fs::{self};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use nix::sys::stat::Mode;

use super::hack::{Hack, Prepare, Program};
use super::setting::{Value, Values};
use super::template::{Places, Template};
use super::{World, elf, rtsp, ssh};
use crate::card::file::make_private_dir;
use crate::error::{Chain, chain};
use crate::sys::spawn::Limits;

/// Where programs that are named without a path are searched for.
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";
/// What a hack inherits of this process's environment.
const INHERITED: [&str; 2] = ["LD_LIBRARY_PATH", "LANG"];
/// The mark in a hack's environment, its run folder: by it its strays are found.
pub const MARK: &str = "MI360D_HACK";

/// What is started.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The program's file.
    pub program: PathBuf,
    /// Its arguments, the name aside.
    pub args: Vec<String>,
    /// Its whole environment.
    pub env: BTreeMap<String, String>,
    /// Where it starts.
    pub dir: PathBuf,
    /// What it is held to.
    pub limits: Limits,
}

/// The folder in memory that is a hack's own.
pub fn run_dir(world: &World, id: &str) -> PathBuf {
    world.run.join(id)
}

/// Makes all that a program needs to start.
///
/// # Errors
/// Why it cannot start, in words.
pub fn launch(
    hack: &Hack,
    program: &Program,
    values: &Values,
    world: &World,
) -> Result<Launch, String> {
    if hack.prepare == Some(Prepare::Framegrabber) {
        super::framegrabber::prepare(world, hack)?;
    }
    let own = run_dir(world, &hack.id);
    make_folders(world, &own)?;
    if hack.prepare == Some(Prepare::Rtsp) {
        rtsp::prepare(world, &own, values)?;
    }
    for fifo in &hack.fifos {
        make_fifo(&own.join(fifo))?;
    }
    for (setting, file) in &program.files {
        let content = values.get(setting).and_then(Value::as_argument).unwrap_or_default();
        write_private(&own.join(file), content.as_bytes(), 0o600)?;
    }
    if let Some((name, content)) = &program.script {
        write_private(&own.join(name), content.as_bytes(), 0o700)?;
    }
    let places = places(hack, world);
    let with = Places { places: &places, values };
    let mut words: Vec<String> = Vec::new();
    let given = program
        .optional
        .iter()
        .filter(|optional| values.get(&optional.setting).is_some_and(Value::is_given))
        .flat_map(|optional| &optional.args);
    for word in program.exec.iter().chain(given) {
        arguments(word, &with, &mut words);
    }
    if words.is_empty() {
        return Err("it has no program".into());
    }
    let file = resolve(&words.remove(0), &hack.dir)?;
    elf::judge(&file)?;

    let mut env: BTreeMap<String, String> = INHERITED
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)))
        .collect();
    env.insert("PATH".into(), PATH.into());
    env.insert("TZ".into(), world.time_zone.clone());
    env.insert("HOME".into(), own.display().to_string());
    for (name, text) in &program.env {
        env.insert(name.clone(), text.fill(&with));
    }
    if hack.prepare == Some(Prepare::Ssh) {
        ssh::prepare(world, &file, values, &mut words, &mut env)?;
    }
    env.insert(MARK.into(), own.display().to_string());
    let dir = program.dir.clone().unwrap_or_else(|| hack.dir.clone());
    Ok(Launch { program: file, args: words, env, dir, limits: program.limits })
}

/// What the places stand for.
pub fn places(hack: &Hack, world: &World) -> BTreeMap<&'static str, String> {
    let text = |path: &Path| path.display().to_string();
    BTreeMap::from([
        ("hack.dir", text(&hack.dir)),
        ("run.dir", text(&run_dir(world, &hack.id))),
        ("run", text(&world.run)),
        ("card", text(&world.card)),
        ("mi360d", text(&world.program)),
        ("model", world.model.clone()),
    ])
}

/// Adds a word: one argument, or, where it is a whole list, one for each item.
fn arguments(word: &Template, with: &Places<'_>, words: &mut Vec<String>) {
    let list = word.whole_setting().and_then(|name| with.values.get(name));
    match list {
        Some(Value::List(items)) => words.extend(items.iter().cloned()),
        _ => words.push(word.fill(with)),
    }
}

/// The file of a program: with a path from the hack's folder, without one from PATH.
fn resolve(name: &str, dir: &Path) -> Result<PathBuf, String> {
    if name.contains('/') {
        return Ok(dir.join(name));
    }
    let mut places = PATH.split(':').map(|folder| Path::new(folder).join(name));
    places.find(|path| path.is_file()).ok_or_else(|| {
        format!(
            "this camera has no program '{name}'; for a program of the hack, write its folder \
            too: bin/{name}"
        )
    })
}

fn make_folders(world: &World, own: &Path) -> Result<(), String> {
    if let Some(above) = world.run.parent() {
        // It may be the program's own folder in /tmp, made by nobody yet.
        let _ = make_private_dir(above);
    }
    make_private_dir(&world.run).and_then(|()| make_private_dir(own)).map_err(|e| chain(&e))
}

/// A FIFO that only this user can open; what else has its name goes.
fn make_fifo(path: &Path) -> Result<(), String> {
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.file_type().is_fifo() => return Ok(()),
        Ok(_) => {
            fs::remove_file(path)
                .map_err(|e| format!("{} is in the way: {e}", path.display(), e = Chain(&e)))?;
        }
        Err(_) => {}
    }
    nix::unistd::mkfifo(path, Mode::S_IRUSR | Mode::S_IWUSR)
        .map_err(|e| format!("cannot make the FIFO {}: {e}", path.display(), e = Chain(&e)))
}
