//! `RECOVERY.txt`, word for word: somebody without this program follows it.
//! After a change on purpose: `MI360D_GOLDEN=1 cargo test --test recovery`.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::Path;

use mi360d::backup::Manifest;
use mi360d::backup::manifest::{FORMAT, IdentityNote, PartNote};
use mi360d::backup::recovery;
use mi360d::chip::{FlashMap, Role};
use mi360d::image::uboot::{self, Loader};

fn manifest(model: &str, health: &str) -> Manifest {
    let map = FlashMap::stock(model).unwrap();
    Manifest {
        format: FORMAT,
        program: "0.1.0".into(),
        model: model.into(),
        kernel: "3.18.30".into(),
        complete: true,
        chip_size: 0x100_0000,
        chip_sha256: "3f9a12bc".repeat(8),
        boot_count: 1,
        clock: None,
        identity: IdentityNote { health: health.into(), fingerprint: None },
        partitions: map
            .partitions
            .iter()
            .map(|p| PartNote {
                name: p.name.clone(),
                role: p.role,
                file: format!("{}.bin", p.name),
                offset: p.offset,
                size: p.size,
                erase_size: p.erase_size,
                sha256: String::new(),
                crc32: "1234abcd".into(),
                equal_reads: 2,
                changed_blocks: Vec::new(),
                content: String::new(),
                health: String::new(),
                blocks_verified: None,
                gaps: Vec::new(),
            })
            .collect(),
    }
}

/// With a boot loader that knows these names and all commands.
fn text(manifest: &Manifest, rescue: &[&'static str]) -> String {
    let loader = Loader {
        rescue: rescue.to_vec(),
        commands: Some(uboot::COMMANDS.to_vec()),
        starts_alone: Some(true),
    };
    recovery::text(manifest, &loader, "0001-3f9a12bc")
}

fn golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("MI360D_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let wanted = std::fs::read_to_string(&path).unwrap_or_default();
    for (line, (got, wanted)) in text.lines().zip(wanted.lines()).enumerate() {
        assert_eq!(got, wanted, "{name}, line {}", line + 1);
    }
    assert_eq!(text.lines().count(), wanted.lines().count(), "{name}");
}

#[test]
fn the_way_back_is_written_for_each_map() {
    for model in ["ipc009", "ipc019"] {
        let text = text(&manifest(model, "healthy"), &["tf_recovery.img"]);
        golden(&format!("RECOVERY-{model}.txt"), &text);
    }
}

#[test]
fn the_commands_are_those_of_this_camera_and_never_for_boot() {
    for model in ["ipc009", "ipc019"] {
        let text = text(&manifest(model, "healthy"), &["tf_recovery.img"]);
        for p in FlashMap::stock(model).unwrap().partitions {
            let (at, size) = (p.offset.unwrap(), p.size);
            let lines = format!(
                "{size} bytes, crc32 1234abcd\n     \
                 fatload mmc 0 0x21000000 mi360d/backups/0001-3f9a12bc/{}.bin\n     \
                 crc32 0x21000000 {size:#x}\n     \
                 sf probe 0\n     sf erase {at:#x} {size:#x}\n     \
                 sf write 0x21000000 {at:#x} {size:#x}\n     \
                 sf read 0x21000000 {at:#x} {size:#x}\n     \
                 crc32 0x21000000 {size:#x}\n",
                p.name
            );
            assert_eq!(text.contains(&lines), p.role != Role::Boot, "{}\n{text}", p.name);
        }
        assert!(!text.contains("sf erase 0x0 ") && !text.contains("BOOT.bin\n     sf"));
        let steps = ["Unprotect", "Erase", "Write chip.bin", "Verify", "Protect the chip again"];
        let places: Vec<usize> = steps.iter().map(|step| text.find(step).unwrap()).collect();
        assert!(places.is_sorted(), "{text}");
    }
}

#[test]
fn a_blank_identity_is_never_told_to_be_written() {
    let text = text(&manifest("ipc009", "blank"), &["tf_recovery.img"]);
    assert!(!text.contains("sf erase 0xff0000") && text.contains("FACTORY is left out"), "{text}");
}

#[test]
fn a_boot_loader_that_names_no_image_is_never_promised_to_help() {
    let of = |rescue: &[&'static str]| text(&manifest("ipc019", "healthy"), rescue);
    assert!(of(&["tf_update.img"]).contains("as tf_update.img,\n"));
    assert!(!of(&["tf_update.img"]).contains("tf_recovery.img"));
    assert!(
        of(&["tf_recovery.img", "tf_update.img"]).contains("as tf_recovery.img or tf_update.img,")
    );
    let none = of(&[]);
    assert!(none.contains("do not rely on") && !none.contains("written at power-up"), "{none}");
}

#[test]
fn no_line_is_wider_than_an_editor() {
    let text = text(&manifest("ipc019", "healthy"), &["tf_recovery.img"]);
    for line in text.lines() {
        assert!(line.chars().count() <= 90, "{line}");
    }
}

#[test]
fn only_commands_that_the_boot_loader_has_are_named() {
    let of = |commands: Option<&[&'static str]>, starts_alone| {
        let commands = commands.map(<[_]>::to_vec);
        let loader = Loader { rescue: Vec::new(), commands, starts_alone };
        recovery::text(&manifest("ipc019", "healthy"), &loader, "0001-3f9a12bc")
    };
    let no_crc = of(Some(&["fatload", "sf", "reset"]), Some(false));
    assert!(no_crc.contains("sf write 0x21000000") && !no_crc.contains("crc32 0x"), "{no_crc}");
    assert!(no_crc.contains("have no `bootcmd`"), "{no_crc}");
    let no_sf = of(Some(&["fatload", "crc32", "reset"]), Some(true));
    assert!(no_sf.contains("no command `sf`") && !no_sf.contains("     sf "), "{no_sf}");
    assert!(!no_sf.contains("bootcmd"), "{no_sf}");
    let unknown = of(None, None);
    assert!(unknown.contains("could not be read") && unknown.contains("crc32 0x21000000"));
}
