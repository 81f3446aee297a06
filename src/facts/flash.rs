//! Facts from the chip: partitions and their protection, the kernel's name, U-Boot's texts. Reads,
//! and changes nothing.

use std::collections::BTreeSet;

use super::{Flash, PartitionFacts};
use crate::base::hex;
use crate::chip::{Chip, Partition, Role};
use crate::formats::{sha256::Sha256, uboot_env, uimage};
use crate::image::redact::secrets::Secrets;
use crate::image::uboot::{self, NoUboot};

/// The heads that tell one firmware from another: partition, offset and bytes. KERNEL's and
/// U-Boot's are uImages, with a CRC of all their data; a squashfs has its time and its length.
const HEADS: [(Role, u32, usize); 3] =
    [(Role::Boot, 0x3_0000, 64), (Role::Kernel, 0, 64), (Role::Rootfs, 0, 96)];
/// The largest BOOT that is read, in bytes.
const LARGEST_BOOT: u32 = 0x10_0000;
/// File names listed of U-Boot.
const MANY: usize = 64;
/// Endings of files that a U-Boot loads or writes.
const ENDINGS: [&str; 6] = [".img", ".bin", ".es", ".txt", ".uimage", ".jffs2"];
/// The longest text of U-Boot that is shown, in characters.
const LONGEST: usize = 80;

/// The firmware's id: another one for each firmware, the same at each start.
pub fn firmware(chip: &dyn Chip) -> String {
    let mut hash = Sha256::new();
    for (role, at, length) in HEADS {
        let mut head = vec![0; length];
        let read = chip.map().by_role(role).map(|part| chip.read(part, at, &mut head));
        if matches!(read, Some(Ok(()))) {
            hash.update(&head);
        }
    }
    hex(&hash.finalize()).chars().take(8).collect()
}

/// What the chip tells.
pub fn of(chip: &dyn Chip) -> Flash {
    let map = chip.map();
    let mut flash = Flash {
        size: map.chip_size,
        partitions: map.partitions.iter().map(|part| of_part(chip, part)).collect(),
        kernel_image: kernel_image(chip),
        ..Flash::default()
    };
    let Some(boot) = map.by_role(Role::Boot).and_then(|part| whole(chip, part)) else {
        flash.uboot_problem = Some("BOOT cannot be read".to_owned());
        return flash;
    };
    match uboot::unpack(&boot) {
        Ok(Ok(code)) => (flash.uboot, flash.uboot_files) = (version(&code), files(&code)),
        Ok(Err(NoUboot::Packed)) => {
            flash.uboot_problem = Some("it is packed in an unknown way, or damaged".to_owned());
        }
        Ok(Err(NoUboot::Missing)) | Err(_) => {
            flash.uboot_problem = Some("there is none where it belongs".to_owned());
        }
    }
    flash.environment = environment(&boot);
    flash
}

/// The secrets in FACTORY and CONFIG, which must not be in the document.
pub fn secrets(chip: &dyn Chip) -> Secrets {
    let mut secrets = Secrets::default();
    for role in [Role::Factory, Role::Config] {
        if let Some(bytes) = chip.map().by_role(role).and_then(|part| whole(chip, part)) {
            secrets.read_flsh(&bytes);
            secrets.salvage(&bytes);
        }
    }
    secrets
}

fn of_part(chip: &dyn Chip, part: &Partition) -> PartitionFacts {
    let locked = part.erase_block(0).and_then(|block| chip.is_locked(&block));
    PartitionFacts {
        name: part.name.clone(),
        offset: part.offset,
        size: part.size,
        erase_size: part.erase_size,
        protection: match locked {
            Some(true) => "locked",
            Some(false) => "open",
            None => "unknown",
        }
        .to_owned(),
    }
}

/// All of a partition that is small enough.
fn whole(chip: &dyn Chip, part: &Partition) -> Option<Vec<u8>> {
    let size = Some(part.size).filter(|size| *size <= LARGEST_BOOT)?;
    let mut bytes = vec![0; size as usize];
    chip.read(part, 0, &mut bytes).ok().map(|()| bytes)
}

fn kernel_image(chip: &dyn Chip) -> Option<String> {
    let mut head = [0; uimage::HEADER];
    chip.read(chip.map().by_role(Role::Kernel)?, 0, &mut head).ok()?;
    uimage::parse(&head).ok().map(|image| image.name)
}

/// Texts of an unpacked U-Boot: runs of printable characters.
fn texts(code: &[u8]) -> impl Iterator<Item = &str> {
    let printable = |byte: &u8| (0x20..0x7F).contains(byte);
    code.split(move |byte| !printable(byte))
        .filter(|text| text.len() >= 4)
        .filter_map(|text| std::str::from_utf8(text).ok())
}

fn version(code: &[u8]) -> Option<String> {
    let found = texts(code).find(|text| text.starts_with("U-Boot 20"))?;
    Some(found.chars().take(LONGEST).collect())
}

fn files(code: &[u8]) -> Vec<String> {
    let words = texts(code).flat_map(|text| text.split([' ', '/', '\'', '"', ',', ';', '=', '(']));
    let named = words.filter(|word| {
        word.len() <= LONGEST
            && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
            && ENDINGS.iter().any(|ending| word.len() > ending.len() && word.ends_with(ending))
    });
    let found: BTreeSet<String> = named.map(str::to_owned).collect();
    found.into_iter().take(MANY).collect()
}

/// The names in U-Boot's environment.
fn environment(boot: &[u8]) -> Vec<String> {
    let region = boot.get(uboot_env::OFFSET..uboot_env::OFFSET + uboot_env::SIZE);
    let Some(env) = region.and_then(uboot_env::parse) else { return Vec::new() };
    if env.is_blank() {
        return Vec::new();
    }
    let names = env.entries().filter_map(|(key, _)| std::str::from_utf8(key).ok());
    names.filter(|name| super::words::is_name(name)).map(str::to_owned).take(MANY).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_are_found_in_u_boot_s_texts() {
        let code = b"\x01\x02fatload mmc 0 0x21000000 tf_update.img\0U-Boot 2015.01 (Sep 2020)\0\
                     if 'IPL.bin' /auto_update.txt x.y .img\xff\xfeabc";
        assert_eq!(files(code), ["IPL.bin", "auto_update.txt", "tf_update.img"]);
        assert_eq!(version(code).as_deref(), Some("U-Boot 2015.01 (Sep 2020)"));
        assert!(files(b"").is_empty() && version(b"").is_none());
    }
}
