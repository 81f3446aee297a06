//! The vendor's two renamers, kept off the rescue image while a flash is open. Linux renames the
//! image to `.bak` whether or not it was flashed, and then the boot loader finds none.
//!
//! | renamer | when | kept off by |
//! | --- | --- | --- |
//! | `S96rename_firmware` | at a start, after the hook | `/tmp/manu_test/update.txt` |
//! | `miio_sdcard` | whenever it starts | `/mnt/sdcard/manu_test/update.txt` |
//!
//! Facts: the scripts of `ipc021a04`, the text of miio_sdcard of 3.5.1_0052 (docs/flashing.md).

use std::path::{Path, PathBuf};

use crate::camera::Camera;
use crate::card::file::{make_dir, read_bounded, replace};
use crate::card::{CardError, fat};
use crate::error::Chain;

/// The file that a renamer looks for, from the card's root and from the folder in memory.
const MARK: &str = "manu_test/update.txt";
/// What ours contains: the renamers look only whether it is there.
const TEXT: &str = "mi360d keeps the rescue image from being renamed while a flash is open.\n\
                    It removes this file when the flash is over.\n";

/// On the card.
fn on_card(camera: &Camera) -> PathBuf {
    camera.card().root().join(MARK)
}

/// In memory.
fn in_memory(camera: &Camera) -> PathBuf {
    camera.hardware().beside_card().join(MARK)
}

fn is_ours(path: &Path) -> bool {
    read_bounded(path, TEXT.len() as u64 + 1).is_ok_and(|text| text == TEXT.as_bytes())
}

/// Whether the owner has such a file on the card. To be asked before a flash opens.
pub fn is_owners(camera: &Camera) -> bool {
    let path = on_card(camera);
    path.exists() && !is_ours(&path)
}

/// Keeps both off; `owners`: the file on the card is the owner's, and stays as it is.
pub fn keep_off(camera: &Camera, owners: bool) {
    let put = |path: &Path| -> Result<(), CardError> {
        if is_ours(path) {
            return Ok(());
        }
        path.parent().map_or(Ok(()), make_dir)?;
        replace(path, TEXT.as_bytes())
    };
    let memory = in_memory(camera);
    if !memory.exists()
        && let Err(e) = put(&memory)
    {
        log::warn!("the start of the firmware may rename the rescue image: {e}", e = Chain(&e));
    }
    let card = on_card(camera);
    if !(owners && card.exists())
        && let Err(e) = put(&card)
    {
        log::warn!("the firmware may rename the rescue image: {e}", e = Chain(&e));
    }
}

/// Lets them rename again. What is not ours stays.
pub fn let_go(camera: &Camera) {
    for path in [on_card(camera), in_memory(camera)] {
        if is_ours(&path)
            && let Err(e) = fat::remove_if_there(&path)
        {
            log::warn!("{e}", e = Chain(&e));
        }
    }
}
