//! The laws of the chip: the map is believed only where it adds up, and the
//! simulated chip keeps the rules of NOR flash, also when power fails.

#![allow(clippy::unwrap_used)]

mod rig;

use mi360d::chip::mtd::parse_proc_mtd;
use mi360d::chip::{Chip, ChipError, FlashMap, Layout, RawPartition, Role};
use proptest::prelude::*;
use rig::{SMALL, SMALL_SIZE, Sim};

const IPC009: &str = "dev:    size   erasesize  name
mtd0: 00050000 00010000 \"BOOT\"
mtd1: 00210000 00010000 \"KERNEL\"
mtd2: 00750000 00010000 \"ROOTFS\"
mtd3: 00630000 00010000 \"DATA\"
mtd4: 00010000 00010000 \"CONFIG\"
mtd5: 00010000 00010000 \"FACTORY\"
";

fn map(text: &str) -> FlashMap {
    FlashMap::conclude(&parse_proc_mtd(text))
}

#[test]
fn the_camera_s_own_table_gives_its_stock_map() {
    let map = map(IPC009);
    assert_eq!(Some(map.clone()), FlashMap::stock("ipc009"));
    assert!(map.is_known());
    assert_eq!(map.by_role(Role::Factory).unwrap().offset, Some(0xFF_0000));
    assert_eq!(
        FlashMap::stock("ipc019").unwrap().by_role(Role::Rootfs).unwrap().offset,
        Some(0x25_0000)
    );
}

#[test]
fn an_overlapping_extra_partition_neither_moves_the_others_nor_spoils_the_map() {
    for extra in ["mtd6: 01000000 00010000 \"all\"\n", "mtd6: 00d80000 00010000 \"upgrade\"\n"] {
        let map = map(&(IPC009.to_owned() + extra));
        assert!(map.is_known(), "{extra}: {:?}", map.layout);
        assert_eq!(map.by_role(Role::Factory).unwrap().offset, Some(0xFF_0000));
        assert_eq!(map.partitions[6].offset, None);
        assert_eq!(map.covering().len(), 6);
    }
}

#[test]
fn a_map_that_does_not_add_up_has_no_offsets_and_is_not_known() {
    for broken in [
        IPC009.replace("mtd3: 00630000", "mtd3: 00620000"),
        IPC009.replace("\"CONFIG\"", "\"NVRAM\""),
        IPC009.replace("\"CONFIG\"", "\"FACTORY\""),
        IPC009.replace("mtd5: 00010000 00010000 \"FACTORY\"\n", ""),
        IPC009.replace("mtd5: 00010000 00010000", "mtd5: 00010000 00020000"),
        String::new(),
    ] {
        let map = map(&broken);
        assert!(matches!(map.layout, Layout::Unknown { .. }), "{broken}");
    }
    let short = map(&IPC009.replace("mtd3: 00630000", "mtd3: 00620000"));
    assert!(short.partitions.iter().all(|p| p.offset.is_none()));
    assert_eq!(short.by_role(Role::Factory).unwrap().name, "FACTORY");
    let twice = map(&IPC009.replace("\"CONFIG\"", "\"FACTORY\""));
    assert!(twice.by_role(Role::Factory).is_none(), "two FACTORYs: neither is believed");
}

#[test]
fn a_block_of_64_kib_is_0xff_after_an_erase_and_programming_only_clears_bits() {
    let sim = Sim::small();
    let chip = sim.chip("");
    let part = chip.map().by_role(Role::Kernel).unwrap().clone();
    let mut before = vec![0; 0x1_0000];
    chip.read(&part, 0x1_0000, &mut before).unwrap();
    chip.program(&part, 0x1_0000, &[0x0F; 300]).unwrap();
    let mut now = vec![0; 0x1_0000];
    chip.read(&part, 0x1_0000, &mut now).unwrap();
    assert!(now[..300].iter().zip(&before).all(|(n, b)| *n == b & 0x0F));
    assert_eq!(now[300..], before[300..]);
    chip.erase(&part.erase_block(1).unwrap()).unwrap();
    chip.read(&part, 0x1_0000, &mut now).unwrap();
    assert!(now.iter().all(|b| *b == 0xFF));
    let rest = std::fs::read(sim.flash()).unwrap();
    let whole = 0x3_0000 + 0x1_0000..0x3_0000 + 0x2_0000;
    assert!(rest[whole].iter().all(|b| *b == 0xFF), "the file is the chip");
}

#[test]
fn nothing_beyond_a_partition_can_be_read_erased_or_programmed() {
    let sim = Sim::small();
    let chip = sim.chip("");
    let before = std::fs::read(sim.flash()).unwrap();
    for part in &chip.map().partitions {
        assert!(part.erase_block(part.blocks()).is_none());
        for (offset, length) in
            [(part.size, 1), (part.size - 1, 2), (u32::MAX, 1), (0, part.size as usize + 1)]
        {
            let mut buf = vec![0; length];
            assert!(matches!(chip.read(part, offset, &mut buf), Err(ChipError::OutOfRange { .. })));
            assert!(matches!(chip.program(part, offset, &buf), Err(ChipError::OutOfRange { .. })));
        }
    }
    assert!(std::fs::read(sim.flash()).unwrap() == before);
}

#[test]
fn every_fault_does_what_the_contract_says() {
    let sim = Sim::small();
    let at = 0x3_0000 + 77;
    let chip = sim.chip(&format!("flip@{at}:2,eio@0x60000,stuck@0x70000,wp@0xA0000"));
    let kernel = chip.map().by_role(Role::Kernel).unwrap();
    let truth = std::fs::read(sim.flash()).unwrap();
    let mut byte = [0];
    chip.read(kernel, 77, &mut byte).unwrap();
    assert_eq!(byte[0], truth[at] ^ 4);
    chip.read(kernel, 77, &mut byte).unwrap();
    assert_eq!(byte[0], truth[at], "a flip happens once");
    let twice = sim.chip(&format!("flip@{at}:2,flip@{at}:2"));
    for wanted in [truth[at] ^ 4, truth[at] ^ 4, truth[at]] {
        twice.read(kernel, 77, &mut byte).unwrap();
        assert_eq!(byte[0], wanted, "named twice, it happens in two readings");
    }

    let rootfs = chip.map().by_role(Role::Rootfs).unwrap();
    let mut buf = [0; 16];
    assert!(matches!(chip.read(rootfs, 0, &mut buf), Err(ChipError::Read { .. })));
    chip.read(rootfs, 1, &mut buf).unwrap();
    chip.erase(&rootfs.erase_block(1).unwrap()).unwrap();
    let data = chip.map().by_role(Role::Data).unwrap();
    chip.erase(&data.erase_block(0).unwrap()).unwrap();
    chip.program(data, 0, &[0; 512]).unwrap();
    assert!(
        std::fs::read(sim.flash()).unwrap() == truth,
        "stuck and protected blocks are as they were"
    );
}

#[test]
fn an_over_erase_takes_the_next_block_with_it_and_a_lying_write_leaves_one_bit_wrong() {
    let sim = Sim::small();
    let truth = std::fs::read(sim.flash()).unwrap();
    let chip = sim.chip("over-erase@0x70001");
    let rootfs = chip.map().by_role(Role::Rootfs).unwrap();
    chip.erase(&rootfs.erase_block(0).unwrap()).unwrap();
    chip.erase(&rootfs.erase_block(1).unwrap()).unwrap();
    let now = std::fs::read(sim.flash()).unwrap();
    assert!(now[0x6_0000..0x9_0000].iter().all(|b| *b == 0xFF), "its own block and the next one");
    assert!(now[..0x6_0000] == truth[..0x6_0000] && now[0x9_0000..] == truth[0x9_0000..]);
    drop(chip);
    // The chip's last block has none behind it.
    let chip = sim.chip("over-erase@0xF0000");
    let factory = chip.map().by_role(Role::Factory).unwrap();
    chip.erase(&factory.erase_block(0).unwrap()).unwrap();

    for (new, wrong) in [(0x5A_u8, 0x5B), (0xFF, 0xFE), (0, 1)] {
        let chip = sim.chip("lying-write@0x70103");
        let rootfs = chip.map().by_role(Role::Rootfs).unwrap();
        for _ in 0..2 {
            chip.erase(&rootfs.erase_block(1).unwrap()).unwrap();
            chip.program(rootfs, 0x1_0000, &[new; 1024]).unwrap();
            let now = &std::fs::read(sim.flash()).unwrap()[0x7_0000..0x7_0400];
            assert_eq!(now[0x103], wrong, "each time it is written");
            assert_eq!(now.iter().filter(|b| **b != new).count(), 1);
        }
    }
}

#[test]
fn a_cut_leaves_half_an_operation_and_a_dead_chip() {
    let sim = Sim::small();
    std::fs::write(sim.flash(), vec![0xFF; SMALL_SIZE]).unwrap();
    let chip = sim.chip("cut@2");
    let part = chip.map().by_role(Role::Data).unwrap();
    let result = chip.program(part, 0, &[0; 1024]);
    assert!(matches!(result, Err(ChipError::PowerCut)));
    let now = std::fs::read(sim.flash()).unwrap();
    let zeros = now[0xA_0000..].iter().take_while(|b| **b == 0).count();
    assert_eq!(zeros, 256 + 128, "one page whole, the second a prefix");
    assert!(matches!(chip.read(part, 0, &mut [0]), Err(ChipError::PowerCut)));

    let chip = sim.chip("cut@1");
    let part = chip.map().by_role(Role::Data).unwrap();
    assert!(chip.erase(&part.erase_block(0).unwrap()).is_err());
    let now = std::fs::read(sim.flash()).unwrap();
    let block = &now[0xA_0000..0xB_0000];
    assert!(block[..384].iter().any(|b| *b != 0xFF) && block[..384].iter().any(|b| *b != 0));
    assert!(now[0xB_0000..].iter().all(|b| *b == 0xFF), "only its own block");
}

#[test]
fn a_fault_that_means_nothing_is_wrong_use() {
    let sim = Sim::small();
    let ran = sim.run(&["--json", "map"], "eoi@5");
    assert_eq!(ran.status, Some(2), "{ran:?}");
    assert_eq!(ran.json()["error"]["code"], "bad-fault");
    assert!(ran.err.contains("eoi@5"), "{ran:?}");
}

#[test]
fn a_folder_that_is_no_simulated_camera_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let sim = Sim { dir };
    assert_eq!(sim.run(&["map"], "").status, Some(1));
    std::fs::write(sim.path().join("camera.toml"), "model = 5").unwrap();
    std::fs::write(sim.flash(), "").unwrap();
    let ran = sim.run(&["--json", "map"], "");
    assert_eq!(ran.json()["error"]["code"], "bad-simulated-camera");
    assert!(ran.err.contains("camera.toml"), "{ran:?}");
}

proptest! {
    #[test]
    fn concluding_never_panics_and_known_maps_tile_the_chip(
        sizes in proptest::collection::vec((0u32..0x200, 0u32..8), 0..9),
        six in any::<bool>(),
    ) {
        let names = ["BOOT", "KERNEL", "ROOTFS", "DATA", "CONFIG", "FACTORY", "all", "x", "y"];
        let raw: Vec<RawPartition> = sizes.iter().enumerate().map(|(i, &(size, shift))| RawPartition {
            index: i as u32,
            name: if six { names[i].into() } else { format!("p{}", i / 2) },
            size: size << 16 >> shift,
            erase_size: 0x1_0000 >> shift,
            offset: None,
        }).collect();
        let map = FlashMap::conclude(&raw);
        if map.is_known() {
            let mut end = 0;
            for part in map.covering() {
                prop_assert_eq!(part.offset, Some(end));
                end += part.size;
            }
            prop_assert_eq!(map.chip_size, Some(end));
        }
    }

    #[test]
    fn proc_mtd_of_any_text_never_panics(text in "\\PC*") {
        let _ = parse_proc_mtd(&text);
    }

    #[test]
    fn whatever_is_programmed_is_old_and_new(
        offset in 0u32..0x3_0000, data in proptest::collection::vec(any::<u8>(), 0..2000)
    ) {
        let sim = Sim::small();
        let chip = sim.chip("");
        let part = chip.map().by_role(Role::Boot).unwrap();
        let before = std::fs::read(sim.flash()).unwrap();
        let done = chip.program(part, offset, &data);
        let after = std::fs::read(sim.flash()).unwrap();
        if offset as usize + data.len() > SMALL[0].2 as usize {
            prop_assert!(done.is_err());
            prop_assert!(before == after);
        } else {
            for (i, (old, new)) in before.iter().zip(&after).enumerate() {
                let written = i.checked_sub(offset as usize).and_then(|n| data.get(n));
                prop_assert_eq!(*new, written.map_or(*old, |d| old & d));
            }
        }
    }
}
