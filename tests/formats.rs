//! Laws of the formats: what is built is read back, what is covered by a
//! checksum cannot change unseen, and no bytes at all bring a panic. Real
//! firmware is read too, where it is at hand (see `samples`).

mod samples;

use mi360d::chip::{FlashMap, RawPartition, Role};
use mi360d::formats::{flsh, jffs2, mxp, squashfs, tf, uboot_env, uimage};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

type Entries = Vec<(Vec<u8>, Vec<u8>)>;

fn entries() -> impl Strategy<Value = Entries> {
    vec(("[a-z_]{1,12}", "[ -~]{0,40}"), 0..12)
        .prop_map(|e| e.into_iter().map(|(k, v)| (k.into_bytes(), v.into_bytes())).collect())
}

fn borrowed(entries: &Entries) -> Vec<(&[u8], &[u8])> {
    entries.iter().map(|(k, v)| (k.as_slice(), v.as_slice())).collect()
}

fn flip(bytes: &mut [u8], at: usize, bit: u32) {
    bytes[at] ^= 1 << bit;
}

/// Cuts `bytes` into pieces at these places.
fn pieces<'a>(bytes: &'a [u8], cuts: &[Index]) -> Vec<&'a [u8]> {
    let mut at: Vec<usize> = cuts.iter().map(|i| i.index(bytes.len() + 1)).collect();
    at.extend([0, bytes.len()]);
    at.sort_unstable();
    at.windows(2).map(|w| &bytes[w[0]..w[1]]).collect()
}

proptest! {
    #[test]
    fn flsh_reads_back_what_was_built(entries in entries(), legacy: bool, shift in 0usize..40) {
        let borrowed = borrowed(&entries);
        let built = if legacy {
            flsh::build_legacy(&borrowed).unwrap()
        } else {
            flsh::build(&borrowed, 0x1000).unwrap()
        };
        let mut partition = vec![0u8; shift];
        partition.extend_from_slice(&built);
        let read = flsh::parse(&partition).unwrap();
        let variant = if legacy { flsh::Variant::Legacy } else { flsh::Variant::Modern };
        prop_assert_eq!((read.variant, read.at), (variant, shift));
        prop_assert!(read.crc_ok() && read.well_formed);
        prop_assert_eq!(read.entries().collect::<Vec<_>>(), borrowed.clone());
        for (key, _) in &borrowed {
            let first = borrowed.iter().find(|(k, _)| k == key).map(|(_, v)| *v);
            prop_assert_eq!(read.get(std::str::from_utf8(key).unwrap()), first);
        }
    }

    #[test]
    fn flsh_sees_any_flipped_bit_that_its_crc_covers(
        entries in entries(), at: Index, bit in 0u32..8,
    ) {
        let mut partition = flsh::build(&borrowed(&entries), 0x400).unwrap_or_default();
        prop_assume!(!partition.is_empty());
        let at = 8 + at.index(partition.len() - 8);
        flip(&mut partition, at, bit);
        prop_assert!(!flsh::parse(&partition).unwrap().crc_ok());
    }

    #[test]
    fn flsh_headers_are_found_however_the_stream_is_cut(
        before in vec(any::<u8>(), 0..50), cuts in vec(any::<Index>(), 0..30),
    ) {
        prop_assume!(!before.windows(4).any(|w| w == flsh::MAGIC));
        let mut stream = before.clone();
        stream.extend(flsh::build(&[(b"a", b"b")], 64).unwrap());
        let mut damaged = flsh::build(&[], 64).unwrap();
        damaged[2] ^= 1;
        stream.extend(damaged);
        let mut scan = flsh::Scan::new();
        for piece in pieces(&stream, &cuts) {
            scan.feed(piece);
        }
        let first = before.len() as u64;
        prop_assert_eq!(scan.found(), [first, first + 64]);
    }

    #[test]
    fn mxp_reads_back_what_was_built(
        names in vec("[A-Z_]{1,15}", 0..20), starts in vec(any::<u64>(), 20),
        sizes in vec(any::<u64>(), 20), kinds in vec(1u8..=255, 20),
    ) {
        let records: Vec<mxp::Record> = names.into_iter().zip(starts).zip(sizes).zip(kinds)
            .map(|(((name, start), size), kind)| {
                let kind = match kind {
                    1 => mxp::RecordKind::BootPart,
                    3 => mxp::RecordKind::Partition,
                    7 => mxp::RecordKind::Factory,
                    other => mxp::RecordKind::Other(other),
                };
                mxp::Record { kind, start, size, name }
            })
            .collect();
        prop_assert_eq!(mxp::parse(&mxp::build(&records).unwrap()), records);
    }

    #[test]
    fn uimage_verdict_is_the_same_however_the_stream_is_cut(
        data in vec(any::<u8>(), 0..3000), padding in 0usize..300, cut_off in 0usize..400,
        cuts in vec(any::<Index>(), 0..30),
    ) {
        let mut image = uimage::build("MVX2##I3g60b5603KL_LX318####[BR:", 1, &data).unwrap();
        let whole = image.len();
        image.resize(whole + padding, 0xFF);
        image.truncate(image.len() - cut_off.min(image.len()));
        let mut check = uimage::Check::new();
        for piece in pieces(&image, &cuts) {
            check.feed(piece);
        }
        let verdict = check.finish();
        if image.len() < uimage::HEADER {
            prop_assert_eq!(verdict, Err(uimage::UimageError::Cut));
        } else if image.len() < whole {
            let have = (image.len() - 64) as u32;
            prop_assert_eq!(verdict.unwrap().data, uimage::Data::Short { have, want: data.len() as u32 });
        } else {
            let verdict = verdict.unwrap();
            prop_assert_eq!(verdict.data, uimage::Data::Good);
            prop_assert_eq!(verdict.trailing, (image.len() - whole) as u64);
            prop_assert!(verdict.trailing_is_padding);
            prop_assert_eq!(verdict.header.family(), uimage::Family::I3);
            prop_assert_eq!(verdict.header.linux(), Some("3.18".to_owned()));
        }
    }

    #[test]
    fn uimage_sees_any_flipped_bit(
        data in vec(any::<u8>(), 1..2000), at: Index, bit in 0u32..8,
    ) {
        let mut image = uimage::build("a kernel", 1, &data).unwrap();
        let at = at.index(image.len());
        flip(&mut image, at, bit);
        let mut check = uimage::Check::new();
        check.feed(&image);
        let good = check.finish().is_ok_and(|v| v.data == uimage::Data::Good);
        prop_assert!(!good);
    }

    #[test]
    fn squashfs_reads_back_what_was_built(bytes_used in 1500u64..400_000, time: u32) {
        let built = squashfs::build(bytes_used, time, &vec![7; bytes_used as usize]).unwrap();
        prop_assert_eq!(built.len() as u64, bytes_used);
        let read = squashfs::parse(&built).unwrap();
        prop_assert_eq!((read.bytes_used, read.mkfs_time), (bytes_used, time));
        prop_assert_eq!((read.compression_name(), read.block_size), ("xz", 0x2_0000));
    }

    #[test]
    fn squashfs_tables_beyond_its_end_are_seen(short in 1u64..200) {
        let mut head = squashfs::build(10_000, 0, &[7; 10_000]).unwrap();
        let last = squashfs::parse(&head).unwrap().id_table;
        head[40..48].copy_from_slice(&(last + 1 - short).to_le_bytes());
        let seen = matches!(squashfs::parse(&head), Err(squashfs::SquashfsError::Table { .. }));
        prop_assert!(seen);
    }

    #[test]
    fn jffs2_sees_any_flipped_bit_of_a_node(
        data in vec(any::<u8>(), 0..2000), name in vec(any::<u8>(), 1..100), at: Index, bit in 0u32..8,
    ) {
        let mut window = jffs2::CLEANMARKER.to_vec();
        window.extend(jffs2::dirent(1, 1, 2, 8, &name).unwrap());
        let inode_at = window.len();
        window.extend(jffs2::inode(2, 1, 0o10_0644, 0, &data).unwrap());
        let end = inode_at + 68 + data.len();
        window.resize(0x1_0000, 0xFF);
        let good = jffs2::walk(&window);
        prop_assert_eq!(good.verdict(), jffs2::Jffs2Health::Healthy);
        prop_assert_eq!((good.cleanmarkers, good.dirents, good.inodes), (1, 1, 1));

        let dirent_end = 12 + 40 + name.len();
        let at = at.index(end);
        prop_assume!(!(dirent_end..inode_at).contains(&at)); // padding
        flip(&mut window, at, bit);
        let bad = jffs2::walk(&window);
        prop_assert!(bad != good);
        // A cleared accurate bit is no damage: so JFFS2 marks a replaced node.
        prop_assert!(bad.verdict() != jffs2::Jffs2Health::Healthy || bad.obsolete + bad.torn == 1);
    }

    #[test]
    fn jffs2_takes_a_write_cut_short_for_torn_and_not_for_damage(
        data in vec(0u8..0xFF, 100..2000), kept in 1usize..100,
    ) {
        let mut window = jffs2::CLEANMARKER.to_vec();
        window.extend(jffs2::inode(2, 1, 0o10_0644, 0, b"whole").unwrap());
        let node = jffs2::inode(2, 2, 0o10_0644, 0, &data).unwrap();
        window.extend_from_slice(&node[..kept]);
        window.resize(0x1_0000, 0xFF);
        let stats = jffs2::walk(&window);
        prop_assert_eq!(stats.verdict(), jffs2::Jffs2Health::Healthy);
        prop_assert_eq!((stats.inodes, stats.garbage), (1, 0));
        prop_assert_eq!(stats.torn, 1);
    }

    #[test]
    fn jffs2_accounts_for_every_window_that_is_merged(
        windows in vec(vec(any::<u8>(), 0..600), 0..6),
    ) {
        let mut sum = jffs2::WindowStats::default();
        for window in &windows {
            sum.merge(&jffs2::walk(window));
        }
        let bytes: usize = windows.iter().map(Vec::len).sum();
        prop_assert_eq!((sum.windows, sum.bytes), (windows.len() as u64, bytes as u64));
        let first = windows.iter().position(|w| jffs2::walk(w).bad_windows > 0);
        prop_assert_eq!(sum.first_bad_window, first.map(|f| f as u64));
    }

    #[test]
    fn an_environment_reads_back_and_sees_any_flipped_bit(
        entries in entries(), at: Index, bit in 0u32..8,
    ) {
        let borrowed = borrowed(&entries);
        let mut region = uboot_env::build(&borrowed, uboot_env::SIZE).unwrap();
        let env = uboot_env::parse(&region).unwrap();
        prop_assert!(env.crc_ok());
        prop_assert_eq!(env.entries().collect::<Vec<_>>(), borrowed);
        let at = at.index(region.len());
        flip(&mut region, at, bit);
        prop_assert!(!uboot_env::parse(&region).unwrap().crc_ok());
    }

    #[test]
    fn arbitrary_bytes_never_panic(
        magic in prop::sample::select(vec![
            &b""[..], b"FLSH", b"MXPT\x01\x03", b"\x27\x05\x19\x56", b"hsqs", b"\x85\x19\x02\xE0",
        ]),
        rest in vec(any::<u8>(), 0..5000), cut in any::<Index>(),
    ) {
        let mut bytes = magic.to_vec();
        bytes.extend(rest);
        if let Ok(flsh) = flsh::parse(&bytes) {
            prop_assert!(flsh.entries().count() <= bytes.len());
        }
        prop_assert!(mxp::parse(&bytes).len() <= 30);
        let _ = (mi360d::chip::table::flash_map(&bytes), squashfs::parse(&bytes), uimage::parse(&bytes));
        let _ = (uboot_env::parse(&bytes).map(|e| e.entries().count()), tf::Trailer::parse(&bytes));
        let stats = jffs2::walk(&bytes);
        let _ = stats.verdict();
        prop_assert!(stats.erased + stats.garbage <= bytes.len() as u64);
        let mut check = uimage::Check::new();
        let (a, b) = bytes.split_at(cut.index(bytes.len() + 1));
        check.feed(a);
        check.feed(b);
        let _ = check.finish();
    }
}

#[test]
fn a_flsh_of_either_variant_is_told_by_its_structure_not_by_luck() {
    let legacy = flsh::build_legacy(&[(b"miio_ssid", b"home"), (b"timezone", b"UTC")]).unwrap();
    for padding in [0u8, 0xFF] {
        let mut file = legacy.clone();
        file.resize(0x1_0000, padding);
        let read = flsh::parse(&file).unwrap();
        assert_eq!((read.variant, read.crc_ok()), (flsh::Variant::Legacy, true));
        file[0x15] ^= 1;
        assert!(!flsh::parse(&file).unwrap().crc_ok());
    }
}

#[test]
fn a_flsh_says_whether_it_is_blank_or_cut() {
    assert_eq!(flsh::parse(&[0xFF; 64]).unwrap_err(), flsh::FlshError::Blank);
    assert_eq!(flsh::parse(&[]).unwrap_err(), flsh::FlshError::NoMagic);
    assert_eq!(flsh::parse(b"xxFLSH\x04\0\0\0").unwrap_err(), flsh::FlshError::Cut { at: 2 });
}

#[test]
fn flsh_keeps_its_values_out_of_debug() {
    let partition = flsh::build(&[(b"key", b"verysecretsecret")], 0x100).unwrap();
    let shown = format!("{:?}", flsh::parse(&partition).unwrap());
    assert!(!shown.contains("secret") && !shown.contains("118"), "{shown}");
}

#[test]
fn a_tf_image_is_split_by_the_models_map() {
    for (model, rootfs) in [("ipc009", 0x21_0000), ("ipc019", 0x20_0000)] {
        let slices = mi360d::chip::tf::slices(&FlashMap::stock(model).unwrap()).unwrap();
        let seen: Vec<(Role, u64)> = slices.iter().map(|s| (s.role, s.offset)).collect();
        assert_eq!(seen, [(Role::Kernel, 0), (Role::Rootfs, rootfs), (Role::Data, 0x96_0000)]);
    }
    assert_eq!(tf::SIZE, 16_318_544);
    let trailer = tf::Trailer { signature: [7; 64], unknown: [1; 16] };
    let map = FlashMap::stock("ipc009").unwrap();
    let image = mi360d::chip::tf::build(&map, b"kernel", b"rootfs", b"data", &trailer).unwrap();
    assert_eq!(image.len() as u64, tf::SIZE);
    assert_eq!(&image[0x96_0000..0x96_0004], b"data");
    assert_eq!(tf::Trailer::parse(&image[tf::BODY as usize..]), Some(trailer));
    assert!(mi360d::chip::tf::build(&map, &vec![0; 0x21_0001], b"", b"", &trailer).is_none());
}

#[test]
fn a_map_that_begins_or_ends_elsewhere_splits_no_tf_image() {
    let sizes = [0x6_0000, 0x20_0000, 0x75_0000, 0x64_0000, 0x8000, 0x8000];
    let raw: Vec<RawPartition> = (0..)
        .zip(Role::ALL)
        .zip(sizes)
        .map(|((index, role), size)| {
            let name = role.name().to_owned();
            RawPartition { index, name, size, erase_size: 0x8000, offset: None }
        })
        .collect();
    let map = FlashMap::conclude(&raw);
    assert!(map.is_known());
    assert_eq!(mi360d::chip::tf::slices(&map), None);
}

#[test]
fn a_node_that_jffs2_replaced_is_obsolete_and_no_damage() {
    let mut window = jffs2::inode(2, 1, 0o10_0644, 0, b"new").unwrap();
    let at = window.len();
    window.extend(jffs2::inode(2, 2, 0o10_0644, 0, b"old").unwrap());
    window[at + 3] &= !0x20;
    let stats = jffs2::walk(&window);
    assert_eq!((stats.inodes, stats.obsolete), (1, 1));
    assert_eq!(stats.verdict(), jffs2::Jffs2Health::Healthy);
}

#[test]
fn the_real_boot_names_the_stock_map_and_holds_a_good_uboot() {
    let Some(boot) = samples::read("ipc019/BOOT.bin") else { return };
    let map = FlashMap::conclude(&mi360d::chip::table::flash_map(&boot).unwrap());
    assert!(map.is_known());
    assert_eq!(map.covering(), FlashMap::stock("ipc019").unwrap().covering());
    let table = &boot[mxp::TABLE_OFFSET..][..mxp::TABLE_SIZE];
    assert_eq!(mxp::build(&mxp::parse(table)).unwrap(), table, "our table is the vendor's");

    let mut check = uimage::Check::new();
    check.feed(&boot[0x3_0000..0x4_F000]);
    let verdict = check.finish().unwrap();
    assert_eq!(verdict.data, uimage::Data::Good);
    assert_eq!(
        (verdict.header.os, verdict.header.family()),
        (uimage::OS_UBOOT, uimage::Family::I6)
    );

    let env = uboot_env::parse(&boot[uboot_env::OFFSET..][..uboot_env::SIZE]).unwrap();
    assert!(env.crc_ok());
    assert_eq!(env.get("sf_kernel_size"), Some(&b"200000"[..]));
}

#[test]
fn the_real_kernel_is_good_and_of_the_i6_family() {
    let Some(kernel) = samples::read("ipc019/KERNEL-2019.uImage") else { return };
    let mut check = uimage::Check::new();
    kernel.chunks(1000).for_each(|c| check.feed(c));
    let verdict = check.finish().unwrap();
    assert_eq!((verdict.data, verdict.trailing), (uimage::Data::Good, 0));
    assert_eq!(verdict.header.family(), uimage::Family::I6);
    assert_eq!(verdict.header.linux().as_deref(), Some("4.9"));
    assert_eq!(verdict.header.to_bytes(), kernel[..uimage::HEADER]);
}

#[test]
fn the_real_data_is_healthy_and_no_flipped_byte_goes_unseen() {
    let Some(mut data) = samples::read("ipc019/DATA-3.5.1_0052.jffs2") else { return };
    let walk = |data: &[u8]| {
        let mut stats = jffs2::WindowStats::default();
        data.chunks(0x1_0000).for_each(|w| stats.merge(&jffs2::walk(w)));
        stats
    };
    let good = walk(&data);
    assert_eq!(good.verdict(), jffs2::Jffs2Health::Healthy);
    assert_eq!((good.inodes, good.dirents, good.erased), (1926, 230, 572));
    assert_eq!((good.torn, good.corrupt, good.garbage), (0, 0, 0));
    for at in (0..data.len()).step_by(39_979) {
        let old = data[at];
        data[at] = !old;
        let window = at & !0xFFFF;
        let end = data.len().min(window + 0x1_0000);
        let (was, is) = {
            let is = jffs2::walk(&data[window..end]);
            data[at] = old;
            (jffs2::walk(&data[window..end]), is)
        };
        let padding = was == is;
        assert!(padding || is.corrupt + is.garbage + is.torn + is.obsolete + is.overrun > 0);
        assert!(!padding || data[at] == 0xFF, "{at:#x} is no padding");
    }
}

#[test]
fn the_real_empty_config_is_the_one_we_build() {
    let Some(config) = samples::read("ipc019/CONFIG-empty.bin") else { return };
    let read = flsh::parse(&config).unwrap();
    assert_eq!((read.length, read.stored_crc, read.crc_ok()), (4, 0x4A, true));
    assert_eq!(read.entries().count(), 0);
    assert_eq!(flsh::build(&[], config.len()).unwrap(), config);
}
