//! The original's framegrabber, which is not ours to ship: picked out of its release's
//! zip for this model, checked, and put on the card; and what is missing here.

use super::libraries::{folders, model, place};
use std::fs;
use std::io;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::Path;

use serde_json::{Value, json};

use super::{Camera, codec, services};
use crate::backup::verify;
use crate::card::file::{NewFile, make_dir, open_past_cache, rename};
use crate::card::{CardError, fat};
use crate::error::chain;
use crate::formats::sha256::Sha256;
use crate::formats::zip;
use crate::services::framegrabber::{ID, absent, lacks, missing};
use crate::services::{ServiceError, elf};

/// The folder of the programs, wherever it is in the zip.
const PROGRAMS: &str = "hacks/framegrabber/bin/";
/// Bytes of a program at most.
const MOST: u32 = 4 << 20;
/// Bytes of an ELF header.
const HEAD: u64 = 52;

/// What is there, what is missing, and the codec.
pub fn shown(camera: &Camera) -> Value {
    let model = model(camera);
    let (there, reason, missing) = match missing(&place(camera, &model), &folders(camera)) {
        Ok(missing) => (true, lacks(&missing), missing),
        Err(_) => (false, Some(absent(&model)), Vec::new()),
    };
    let codec = codec::shown(camera);
    json!({
        "model": model, "there": there, "reason": reason, "missing": missing,
        "codec": codec.as_ref().ok().map(|(set, _)| set), "codec_now": codec.as_ref().ok().map(|(_, now)| now),
        "codec_problem": codec.err(),
    })
}

/// Takes this model's program out of a zip.
///
/// # Errors
/// [`ServiceError`]; the card is as it was then.
pub fn install(camera: &Camera, sent: &Path) -> Result<Value, ServiceError> {
    services::get(camera, ID)?;
    camera.card().require_writable()?;
    let model = model(camera);
    let file = open_past_cache(sent)?;
    let length = file.metadata().map_or(0, |meta| meta.len());
    let read = |at: u64, buf: &mut [u8]| file.read_exact_at(buf, at);
    let entries = zip::list(&read, length).map_err(|e| refused(chain(&e)))?;
    let mut others: Vec<&str> = Vec::new();
    let mut found = None;
    for entry in &entries {
        match model_of(&entry.name) {
            Some(name) if name == model => found = Some(entry),
            Some(name) => others.push(name),
            None => {}
        }
    }
    let entry = found.ok_or_else(|| {
        let has = if others.is_empty() { "no model".to_owned() } else { others.join(", ") };
        refused(format!("the zip has no framegrabber for the model {model}; it has {has}"))
    })?;
    if entry.size > MOST || u64::from(entry.size) < HEAD {
        return Err(refused(format!(
            "its framegrabber has {} bytes, which is not possible",
            entry.size
        )));
    }
    let place = place(camera, &model);
    make_dir(place.parent().unwrap_or(&place))?;
    let new = place.with_extension("new");
    let laid = lay(&new, &read, entry).and_then(|()| Ok(rename(&new, &place)?));
    if laid.is_err() {
        // It may not be there at all.
        let _ = fat::remove_file(&new);
    }
    laid?;
    log::info!("the framegrabber for {model} is on the card, {} bytes", entry.size);
    // One that is switched off stays off.
    let _ = services::restart(camera, ID);
    Ok(shown(camera))
}

/// Unpacks the program, proves it on the card, and looks what it is.
fn lay(new: &Path, read: zip::ReadAt<'_>, entry: &zip::Entry) -> Result<(), ServiceError> {
    let out = NewFile::create(new.to_owned())?;
    let (mut hasher, mut head) = (Sha256::new(), Vec::new());
    zip::unpack(read, entry, &mut |piece| {
        hasher.update(piece);
        if head.len() < 20 {
            head.extend_from_slice(&piece[..piece.len().min(20)]);
        }
        out.write(piece).map_err(io::Error::other)
    })
    .map_err(|e| refused(chain(&e)))?;
    if !elf::is_camera_s(&head) {
        return Err(refused("its framegrabber is not a program for ARM".to_owned()));
    }
    out.sync()?;
    drop(out);
    if verify::hash_file(new, &mut |_| {})?[..] != hasher.finalize()[..] {
        return Err(CardError::lying(new).into());
    }
    // FAT has no modes, and refuses nobody for it.
    let _ = fs::set_permissions(new, fs::Permissions::from_mode(0o755));
    Ok(())
}

/// The model that a file of the zip is the framegrabber of.
fn model_of(name: &str) -> Option<&str> {
    let folder = name.strip_suffix("/framegrabber")?;
    let (above, model) = folder.split_at(folder.rfind(PROGRAMS)? + PROGRAMS.len());
    let above = above.strip_suffix(PROGRAMS)?;
    let plain = !model.is_empty() && model.bytes().all(|b| b.is_ascii_alphanumeric());
    (plain && (above.is_empty() || above.ends_with('/'))).then_some(model)
}

fn refused(reason: String) -> ServiceError {
    ServiceError::Framegrabber {
        reason,
        hint: "Nothing was changed. Upload the original hack's release zip as you downloaded it.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_may_lie_anywhere_and_nothing_else_is_taken_for_it() {
        assert_eq!(model_of("hacks/framegrabber/bin/ipc009/framegrabber"), Some("ipc009"));
        assert_eq!(model_of("a/sdcard/hacks/framegrabber/bin/x9/framegrabber"), Some("x9"));
        for name in [
            "hacks/framegrabber/bin/framegrabber",
            "hacks/framegrabber/bin//framegrabber",
            "hacks/framegrabber/bin/../framegrabber",
            "hacks/framegrabber/bin/a/b/framegrabber",
            "myhacks/framegrabber/bin/ipc009/framegrabber",
            "hacks/framegrabber/bin/ipc009/framegrabber.txt",
            "bin/ipc009/framegrabber",
            "",
        ] {
            assert_eq!(model_of(name), None, "{name}");
        }
    }
}
