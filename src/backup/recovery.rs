//! `RECOVERY.txt`: how to restore this camera from this set, with commands for an owner
//! who does not have this program.
//!
//! Facts: docs/formats.md, "Boot" and "Write protection".

use std::fmt::Write as _;

use super::manifest::Manifest;
use super::set::CHIP;
use crate::chip::Role;
use crate::formats::uimage::Family;
use crate::image::uboot::Loader;

/// Where U-Boot of these cameras loads files to.
const LOAD_ADDRESS: u32 = 0x2100_0000;

/// The text for the set in the folder of this name. `loader`: what this camera's U-Boot can do.
pub fn text(manifest: &Manifest, loader: &Loader, folder: &str) -> String {
    let mut text = String::new();
    head(&mut text, manifest, folder);
    if !manifest.complete {
        gaps(&mut text, manifest);
        return text;
    }
    programmer(&mut text, manifest);
    console(&mut text, manifest, loader, folder);
    card(&mut text, &loader.rescue, folder);
    text
}

fn put(text: &mut String, lines: &str) {
    text.push_str(lines);
}

fn head(text: &mut String, manifest: &Manifest, folder: &str) {
    let title = format!("RECOVERY: backup {folder}, camera {}", manifest.model);
    let _ = writeln!(text, "{title}\n{}\n", "=".repeat(title.len()));
    let identity = match manifest.identity.health.as_str() {
        "healthy" => "This backup contains the camera's cloud identity, and it is healthy.",
        "blank" => {
            "FACTORY was blank when this backup was made: it contains NO cloud identity. If an\n\
             older backup or a folder in mi360d/identity has one, keep that one."
        }
        "damaged" => {
            "The cloud identity in FACTORY was damaged when this backup was made. Keep it\n\
             anyway: it may be repaired, and nothing else can restore it."
        }
        _ => "No cloud identity was found on this chip.",
    };
    let _ = writeln!(text, "{identity}\n");
    put(
        text,
        "Keep a copy of this folder on a PC. Show it to nobody: it contains your camera's\n\
         cloud key and your WiFi password. `mi360d redact` makes a copy that is safe to post.\n\n\
         Before you use the files, check them in this folder:  sha256sum -c SHA256SUMS\n\n\
         The chip:\n\n",
    );
    let _ = writeln!(text, "  {:<10} {:>10} {:>10}  file", "partition", "offset", "size");
    for p in &manifest.partitions {
        let offset = p.offset.map_or_else(|| "?".to_owned(), |o| format!("{o:#08x}"));
        let _ = writeln!(text, "  {:<10} {offset:>10} {:>#10x}  {}", p.name, p.size, p.file);
    }
    text.push('\n');
}

fn gaps(text: &mut String, manifest: &Manifest) {
    put(
        text,
        "INCOMPLETE: some of the chip could not be read. The files named .partial.bin have\n\
         0xFF in these places; all other files are complete:\n\n",
    );
    for p in &manifest.partitions {
        for gap in &p.gaps {
            let end = gap.offset + gap.length;
            let _ = writeln!(text, "  {:<10} {:#x} to {end:#x}", p.name, gap.offset);
        }
    }
    put(
        text,
        "\nDo not write a .partial.bin to any camera. `mi360d assemble` makes a full image from\n\
         BOOT, CONFIG and FACTORY of this backup, where they are complete, and from KERNEL,\n\
         ROOTFS and DATA of a camera of the same model.\n",
    );
}

fn programmer(text: &mut String, manifest: &Manifest) {
    put(text, "1. WITH A FLASH PROGRAMMER (works always)\n\n");
    let _ = writeln!(
        text,
        "   For a CH341A or similar, with a 3.3 V clip. {CHIP} is the whole chip: {} bytes.\n",
        manifest.chip_size
    );
    put(
        text,
        "   a. Unplug the camera. Put the clip on the 8-pin flash chip.\n\
         \x20  b. Read the chip twice into two files and compare them. If they differ, reseat the\n\
         \x20     clip. Keep this dump too.\n\
         \x20  c. Unprotect the chip (clear its block protection).\n\
         \x20  d. Erase it.\n",
    );
    let _ = writeln!(text, "   e. Write {CHIP}.");
    put(
        text,
        "   f. Verify.\n\
         \x20  g. Protect the chip again. Without this the camera fails at its second start.\n\n\
         \x20  With flashrom, steps c to g; the first line shows the protected range, which the\n\
         \x20  fourth restores:\n\n\
         \x20    flashrom -p ch341a_spi --wp-status\n\
         \x20    flashrom -p ch341a_spi --wp-disable\n",
    );
    let _ = writeln!(text, "     flashrom -p ch341a_spi -w {CHIP}");
    put(
        text,
        "     flashrom -p ch341a_spi --wp-range=START,LENGTH\n\
         \x20    flashrom -p ch341a_spi --wp-enable\n\n\
         \x20  (flashrom erases and verifies by itself. If the status shows no range, leave the\n\
         \x20  fourth line out.)\n\n",
    );
}

fn console(text: &mut String, manifest: &Manifest, loader: &Loader, folder: &str) {
    let prompt = match family(manifest) {
        Some(Family::I3) => "`MStar #`",
        Some(Family::I6) => "`SigmaStar #`",
        _ => "`MStar #` or `SigmaStar #`",
    };
    put(text, "2. OVER THE SERIAL CONSOLE (if the boot loader still starts)\n\n");
    let has = |command| loader.commands.as_ref().is_none_or(|known| known.contains(&command));
    if let Some(command) = ["fatload", "sf"].into_iter().find(|command| !has(command)) {
        let _ = writeln!(
            text,
            "   This camera's boot loader has no command `{command}`: use 1 above.\n"
        );
        return;
    }
    let _ = writeln!(
        text,
        "   115200 baud, 8N1, 3.3 V. Hold Enter while you turn the power on, until the\n\
         \x20  prompt {prompt} appears. This card must be in the slot. Write only what is\n\
         \x20  broken; type one line at a time, in this order, and never paste several. If a fatload\n\
         \x20  or the first crc32 differs from what is said below, stop before `sf erase`: wrong data\n\
         \x20  would be written. Never write BOOT from here: if that fails, only a programmer\n\
         \x20  helps.\n"
    );
    put(
        text,
        if loader.commands.is_some() {
            "   This camera's own boot loader has these commands.\n\n"
        } else {
            "   This camera's boot loader could not be read. These are the commands of another\n\
             \x20  model: if it does not know one, stop and use 1 above.\n\n"
        },
    );
    let is_dead = manifest.identity.health != "healthy";
    for p in &manifest.partitions {
        let (Some(offset), false) = (p.offset, matches!(p.role, Role::Boot | Role::Other)) else {
            continue;
        };
        if p.role == Role::Factory && is_dead {
            put(text, "   FACTORY is left out: this backup contains no healthy identity.\n\n");
            continue;
        }
        let size = p.size;
        let check = format!("     crc32 {LOAD_ADDRESS:#x} {size:#x}\n");
        let check = if has("crc32") { check.as_str() } else { "" };
        let _ = writeln!(
            text,
            "     # {}, {size} bytes, crc32 {}\n     fatload mmc 0 {LOAD_ADDRESS:#x} \
             mi360d/backups/{folder}/{}\n{check}     sf probe 0\n     sf erase {offset:#x} {size:#x}\n     \
             sf write {LOAD_ADDRESS:#x} {offset:#x} {size:#x}\n     \
             sf read {LOAD_ADDRESS:#x} {offset:#x} {size:#x}\n{check}",
            p.name, p.crc32, p.file
        );
    }
    put(
        text,
        "   After each fatload the boot loader prints how many bytes it read: continue only if this\n\
         \x20  is the size of the part. If it does not find the file, copy it to the root of the card\n\
         \x20  on a PC and leave the folders out of the line.\n",
    );
    if has("crc32") {
        put(
            text,
            "   Each crc32 must end in `==>` and the value next to the part's name. If the first one\n\
             \x20  does not, nothing was written yet: copy the file again. If the second one does not,\n\
             \x20  do not reset: type the part's lines again from the first. If it is wrong again,\n\
             \x20  the chip is write-protected or worn: use 1 above.\n",
        );
    }
    put(text, "   At the end type `reset`.\n\n");
    if loader.starts_alone == Some(false) {
        put(
            text,
            "   The default settings of this boot loader have no `bootcmd`. If the settings at the end\n\
             \x20  of BOOT (its environment) are lost, the camera stops at the prompt and does not start\n\
             \x20  Linux. Then write BOOT with a programmer.\n\n",
        );
    }
}

fn card(text: &mut String, rescue: &[&str], folder: &str) {
    let _ = writeln!(
        text,
        "3. FROM THE CARD (if Linux still starts)\n\n\
         \x20  Insert the card and start the camera. mi360d starts with it, and its page can restore\n\
         \x20  this backup. In a shell on the camera, run:\n\n\
         \x20    /mnt/sdcard/mi360d/mi360d restore {folder}\n\n\
         \x20  It first shows what it would change, and asks for a phrase.\n"
    );
    if rescue.is_empty() {
        put(
            text,
            "   If KERNEL or ROOTFS is broken, Linux does not start. This camera's boot loader names no\n\
             \x20  image that it accepts from a card, so do not rely on a tf_recovery.img or\n\
             \x20  tf_update.img: use 1 or 2 above.\n\n",
        );
    } else {
        let names = rescue.join(" or ");
        let _ = writeln!(
            text,
            "   If KERNEL or ROOTFS is broken, Linux does not start. Then the boot loader can help, if\n\
             \x20  you have an image signed by the vendor, for this model and older than 4.0.9. Put it\n\
             \x20  into the root of the card as {names},\n\
             \x20  the name that this camera's boot loader looks for: it is written at power-up.\n\
             \x20  Remove it afterwards, or it is written again. If Linux renames it to .bak, that does\n\
             \x20  not mean success.\n"
        );
    }
    put(
        text,
        "   If this backup is damaged: `mi360d assemble` makes a whole image from its intact parts\n\
         \x20  (BOOT, CONFIG, FACTORY) and from other firmware of the same model.\n",
    );
}

/// The family of the model's processor.
fn family(manifest: &Manifest) -> Option<Family> {
    match manifest.model.as_str() {
        "ipc009" | "ipc016" => Some(Family::I3),
        "ipc019" | "ipc019e" => Some(Family::I6),
        _ => None,
    }
}
