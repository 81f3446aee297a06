//! `backup`, `backups`, `verify`.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::json;

use super::args::Args;
use super::bar::Bar;
use super::print;
use crate::backup::{self, BackupError, set};
use crate::camera::set_view::{self, SetView};
use crate::camera::{Camera, config, notice};
use crate::error::Exit;

pub fn backup(args: &Args) -> super::Result {
    let camera = Camera::open(args.sim.as_deref())?;
    camera.secure_identity();
    let settings = config::load(&camera.card().config());
    // A default that stands in for a broken file deletes nothing.
    let keep = settings.problem.is_none().then_some(settings.config.backup.keep.0);
    let outcome = {
        let bar = Bar::new();
        camera.backup(keep, &bar)?
    };
    let id = outcome.set.name.to_string();
    let complete = outcome.set.closed().is_some();
    let made = outcome.made;
    {
        let mut state = camera.state();
        state.settings = settings;
        state.backup = crate::camera::state::BackupState::done(&outcome);
        state.proofs.extend(outcome.proofs);
    }
    let notices = notice::all(&camera);
    let document = json!({ "id": id, "made": made, "complete": complete, "notices": notices });
    print(args, &document, || format!("{id}\n"));
    for n in &notices {
        eprintln!("{}: {}.\n  {}", n.severity.word(), n.message, n.hint);
    }
    let words = match (made, complete) {
        (true, true) => "made, and proven by reading it again from the card",
        (true, false) => "made of what could be read",
        (false, _) => "holds the chip already; read again, it is whole",
    };
    eprintln!("Backup {id}: {words}.");
    // What cannot be read is damage, although what can be was saved.
    Ok(if complete { Exit::Done } else { Exit::Damaged })
}

pub fn list(args: &Args) -> super::Result {
    let camera = Camera::open(args.sim.as_deref())?;
    camera.state().settings = config::load(&camera.card().config());
    let sets = set_view::all(&camera);
    print(args, &json!({ "backups": sets }), || {
        if sets.is_empty() {
            return "There is no backup on this card yet; `mi360d backup` makes one.\n".to_owned();
        }
        sets.iter().fold(String::new(), |mut text, set| {
            describe(&mut text, set);
            text
        })
    });
    Ok(Exit::Done)
}

fn describe(text: &mut String, set: &SetView) {
    let or = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    let _ = writeln!(text, "{}  {}", set.id, set.standing);
    let _ = writeln!(
        text,
        "  identity {} ({}), model {}, made at start {}{}",
        or(&set.identity),
        or(&set.fingerprint),
        or(&set.model),
        set.boot_count.map_or_else(|| "-".to_owned(), |n| n.to_string()),
        set.clock.as_ref().map(|c| format!(", {c}")).unwrap_or_default(),
    );
    let _ = writeln!(text, "  good for {}", set.good_for);
}

pub fn verify(args: &Args, wanted: &str) -> super::Result {
    let folder = Path::new(wanted);
    let is_folder = folder.is_dir() && (wanted.contains('/') || args.sim.is_none());
    let path = if is_folder {
        folder.canonicalize().unwrap_or_else(|_| folder.to_owned())
    } else {
        // A set of a card, which may be in a PC: no chip is needed to read it.
        let card = match &args.sim {
            Some(dir) => crate::card::Card::folder(&dir.join("sdcard")),
            None => crate::card::Card::of_camera(),
        };
        match set::find(&card.backups(), wanted) {
            Ok(set) => set.path,
            Err(_) if folder.is_dir() => folder.to_owned(),
            Err(e) => return Err(e.into()),
        }
    };
    let verdict = {
        let bar = Bar::new();
        backup::verify::verify(&path, &bar)?
    };
    if verdict.files == 0
        && verdict.damage.iter().all(|d| d.offset.is_none())
        && !path.join(backup::manifest::MANIFEST).exists()
    {
        return Err(BackupError::NoSuchSet { name: wanted.to_owned() }.into());
    }
    print(args, &verdict, || {
        if verdict.is_whole() {
            let mib = verdict.bytes >> 20;
            return format!(
                "{}: whole. {} files, {mib} MiB read, every byte as it was saved.\n",
                verdict.set, verdict.files
            );
        }
        let mut text = format!("{}: DAMAGED\n", verdict.set);
        for damage in &verdict.damage {
            let _ = writeln!(text, "  {damage}");
        }
        text.push_str(
            "Files that are not named here are whole. Do not restore a damaged one: the same\n\
             bytes stand twice, in chip.bin and in the partition's own file.\n",
        );
        text
    });
    Ok(if verdict.is_whole() { Exit::Done } else { Exit::Damaged })
}
