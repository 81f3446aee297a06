//! This camera's U-Boot, unpacked out of BOOT, and the names of the files that it takes from a
//! card at power-up. Where in it a key may be is in [`super::uboot_key`].
//!
//! Facts: docs/formats.md, "Boot". U-Boot carries the name as plain text: 4.0.9_0425 of an
//! `ipc019` knows `tf_update.img` alone, older ones `tf_recovery.img`.

use std::collections::BTreeSet;
use std::io;

use super::source::{Source, peek};
use crate::formats::{be32, le32, uimage, xz};

/// Where U-Boot begins in BOOT, in bytes.
const UBOOT: u64 = 0x3_0000;
/// Where it ends at the latest: behind it is the environment.
const UBOOT_END: u64 = 0x4_F000;
/// The largest U-Boot that is unpacked, in bytes.
const LARGEST: usize = 0x8_0000;

/// The names under which U-Boots of these cameras look for an image of the vendor's.
pub const RESCUE_NAMES: [&str; 2] = ["tf_recovery.img", "tf_update.img"];

/// Why nothing can be found in a U-Boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoUboot {
    /// BOOT contains none in the place where it belongs.
    Missing,
    /// It is packed in a way that this program does not know, or damaged.
    Packed,
}

/// The U-Boot in a BOOT, unpacked.
///
/// # Errors
/// Where BOOT cannot be read; that it contains no U-Boot is no error.
pub fn unpack(boot: &dyn Source) -> io::Result<Result<Vec<u8>, NoUboot>> {
    let head = peek(boot, UBOOT, uimage::HEADER)?;
    if uimage::parse(&head).is_err() {
        return Ok(Err(NoUboot::Missing));
    }
    let room = UBOOT_END - UBOOT - uimage::HEADER as u64;
    let size = u64::from(be32(&head, 12).unwrap_or(0)).min(room) as usize;
    let data = peek(boot, UBOOT + uimage::HEADER as u64, size)?;
    if data.starts_with(xz::MAGIC) {
        return Ok(xz::unpack(&data, LARGEST).ok_or(NoUboot::Packed));
    }
    // As it is, then: where that is packed, no text and no address in it makes sense.
    Ok(Ok(data))
}

/// The names of [`RESCUE_NAMES`] that the U-Boot in this BOOT knows: both, one or none. None
/// also where there is no U-Boot that can be read.
///
/// # Errors
/// Where BOOT cannot be read.
pub fn rescue_names(boot: &dyn Source) -> io::Result<Vec<&'static str>> {
    Ok(Loader::of(boot)?.rescue)
}

/// The commands of U-Boot that a way back by its console needs.
pub const COMMANDS: [&str; 4] = ["fatload", "crc32", "sf", "reset"];

/// What is known of a U-Boot for a way back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loader {
    /// The names of [`RESCUE_NAMES`] that it knows.
    pub rescue: Vec<&'static str>,
    /// Those of [`COMMANDS`] that its own table has; `None` where no table can be read.
    pub commands: Option<Vec<&'static str>>,
    /// Whether the environment that is built into it starts Linux; `None` where no table can be
    /// read either.
    pub starts_alone: Option<bool>,
}

impl Loader {
    /// Looks into a BOOT.
    ///
    /// # Errors
    /// Where BOOT cannot be read.
    pub fn of(boot: &dyn Source) -> io::Result<Loader> {
        let uboot = unpack(boot)?.unwrap_or_default();
        let commands = commands(&uboot);
        Ok(Loader {
            rescue: RESCUE_NAMES
                .into_iter()
                .filter(|name| names(&uboot, name.as_bytes()))
                .collect(),
            starts_alone: commands.is_some().then(|| sets(&uboot, b"bootcmd=")),
            commands,
        })
    }
}

/// The commands in U-Boot's own table: each entry has the address of its name, how many words it
/// takes, whether it is repeated, the address of its code and that of its help.
fn commands(uboot: &[u8]) -> Option<Vec<&'static str>> {
    let base = base(uboot)?;
    let inside = |at: usize| {
        let to = le32(uboot, at)?.checked_sub(base)? as usize;
        (to < uboot.len()).then_some(to)
    };
    let mut found = Vec::new();
    for at in (0..uboot.len()).step_by(4) {
        let Some(name) = inside(at).and_then(|to| uboot.get(to..)) else { continue };
        let is = |command: &&str| {
            name.starts_with(command.as_bytes()) && name.get(command.len()) == Some(&0)
        };
        let Some(command) = COMMANDS.into_iter().find(is) else { continue };
        let is_entry = le32(uboot, at + 4).is_some_and(|most| (1..=256).contains(&most))
            && le32(uboot, at + 8).is_some_and(|repeat| repeat <= 1)
            && inside(at + 12).is_some()
            && inside(at + 16).is_some();
        if is_entry && !found.contains(&command) {
            found.push(command);
        }
    }
    (!found.is_empty()).then_some(found)
}

/// The address that U-Boot runs at: the one by which most words point into it.
/// It begins with the addresses of its exception handlers, which are in its
/// first 4 KiB.
pub(super) fn base(uboot: &[u8]) -> Option<u32> {
    let bases: BTreeSet<u32> = (0..0x60)
        .step_by(4)
        .filter_map(|at| le32(uboot, at))
        .map(|word| word & !0xFFF)
        .filter(|base| *base != 0 && base.checked_add(uboot.len() as u32).is_some())
        .collect();
    let inside = |base: u32| {
        let end = base + uboot.len() as u32;
        let words = (0..uboot.len()).step_by(4).filter_map(|at| le32(uboot, at));
        words.filter(|word| (base..end).contains(word)).count()
    };
    let (count, base) = bases.into_iter().map(|base| (inside(base), base)).max()?;
    // By chance one word in some thousands does.
    (count >= 16).then_some(base)
}

/// Whether a text contains this file name, and not a longer one around it.
fn names(uboot: &[u8], name: &[u8]) -> bool {
    let of_a_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.".contains(byte);
    uboot.windows(name.len()).enumerate().any(|(at, window)| {
        let before = at.checked_sub(1).and_then(|at| uboot.get(at));
        let after = uboot.get(at + name.len());
        window == name && !before.is_some_and(of_a_name) && !after.is_some_and(of_a_name)
    })
}

/// Whether an environment in it gives this variable a value: `name=value`, each ended by a zero.
fn sets(uboot: &[u8], name: &[u8]) -> bool {
    uboot.windows(name.len()).enumerate().any(|(at, window)| {
        let begins = at.checked_sub(1).is_none_or(|before| uboot.get(before) == Some(&0));
        window == name && begins && uboot.get(at + name.len()).is_some_and(|byte| *byte != 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_built_in_bootcmd_is_one_with_a_value() {
        assert!(sets(b"\0baudrate=115200\0bootcmd=sf probe 0;bootm\0", b"bootcmd="));
        assert!(!sets(b"\0bootcmd=\0", b"bootcmd="));
        assert!(!sets(b"set the bootcmd=... variable\0", b"bootcmd="));
    }

    fn boot(payload: &[u8]) -> Vec<u8> {
        let mut boot = vec![0xFF; 0x5_0000];
        let image = uimage::build("MVX1##I3gtest_UBT1501###XVM", 1, payload).unwrap();
        boot[UBOOT as usize..UBOOT as usize + image.len()].copy_from_slice(&image);
        boot
    }

    #[test]
    fn the_names_are_those_that_u_boot_holds_as_whole_texts() {
        let cases: [(&[u8], &[&str]); 7] = [
            (b"\0tf_update.img\0", &["tf_update.img"]),
            (b"\0tf_recovery.img\0", &["tf_recovery.img"]),
            (b"\0tf_update.img\0and\0tf_recovery.img\0", &["tf_recovery.img", "tf_update.img"]),
            (b"fatload mmc 0 %X tf_recovery.img\n", &["tf_recovery.img"]),
            (b"\0tf_all_recovery.img\0 tf_update.img.bak\0", &[]),
            (b"\0not_tf_update.img\0", &[]),
            (b"", &[]),
        ];
        for (text, wanted) in cases {
            let mut payload = vec![7; 3000];
            payload.extend(text);
            assert_eq!(rescue_names(&boot(&payload)).unwrap(), wanted, "{text:?}");
            let packed = boot(&xz::build(&payload));
            assert_eq!(rescue_names(&packed).unwrap(), wanted, "packed: {text:?}");
        }
    }

    #[test]
    fn a_boot_without_a_u_boot_names_nothing() {
        assert_eq!(rescue_names(&vec![0xFF; 0x5_0000]).unwrap(), [""; 0]);
        assert_eq!(unpack(&vec![0xFF; 0x5_0000]).unwrap(), Err(NoUboot::Missing));
        let mut packed = xz::build(b"tf_update.img");
        packed[14] = 7; // another filter than the one that is known
        assert_eq!(unpack(&boot(&packed)).unwrap(), Err(NoUboot::Packed));
        assert_eq!(rescue_names(&b"short".as_slice()).unwrap(), [""; 0]);
    }
}
