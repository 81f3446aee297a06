//! `backup`, `backups`.

use crate::camera::{card_view, notices};
use std::fmt::Write as _;

use serde_json::json;

use super::args::Args;
use super::bar::Bar;
use super::out::{print, tell};
use crate::camera::Camera;
use crate::camera::set_view::SetView;
use crate::error::Exit;
use crate::settings::config;

pub fn backup(args: &Args) -> super::failure::Result {
    let camera = Camera::open(args.sim.as_deref())?;
    camera.secure_identity();
    let settings = config::load(&camera.card().config());
    // The default that replaces a broken file deletes nothing.
    let keep = settings.problem.is_none().then_some(settings.config.backup.keep.0);
    let outcome = {
        let bar = Bar::new();
        camera.backup_as(keep, true, &bar)?
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
    let notices = notices::all(&camera);
    let document = json!({ "id": id, "made": made, "complete": complete, "notices": notices });
    let printed = print(args, &document, || format!("{id}\n"));
    for n in &notices {
        tell(format_args!("{}: {}.\n  {}", n.severity.word(), n.message, n.hint));
    }
    let words = match (made, complete) {
        (true, true) => "made, and verified by reading it back from the card",
        (true, false) => "made of what could be read",
        (false, false) => "incomplete: it already contains what can be read of the chip",
        (false, true) => "already contains the chip; read again, it is intact",
    };
    tell(format_args!("Backup {id}: {words}."));
    printed?;
    // What cannot be read is damage, although what can be was saved.
    Ok(if complete { Exit::Done } else { Exit::Damaged })
}

pub fn list(args: &Args) -> super::failure::Result {
    let camera = Camera::open(args.sim.as_deref())?;
    camera.state().settings = config::load(&camera.card().config());
    let sets = card_view::sets(&camera);
    print(args, &json!({ "backups": sets }), || {
        if sets.is_empty() {
            return "There is no backup on this card yet; `mi360d backup` makes one.\n".to_owned();
        }
        sets.iter().fold(String::new(), |mut text, set| {
            describe(&mut text, set);
            text
        })
    })?;
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
