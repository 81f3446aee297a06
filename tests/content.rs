//! Laws of the content check: it sees what is wrong with a partition, and
//! sees the same however the stream is cut into pieces.

#![allow(clippy::unwrap_used)] // in the helpers too

mod samples;
mod synthetic;

use mi360d::chip::Role;
use mi360d::formats::uimage::Family;
use mi360d::formats::{flsh, jffs2, squashfs, uimage};
use mi360d::image::{Content, ContentCheck, Health, Severity};
use proptest::prelude::*;
use proptest::sample::Index;
use synthetic::noise;

fn check(role: Role, bytes: &[u8]) -> Content {
    check_sized(role, bytes, bytes.len())
}

fn check_sized(role: Role, bytes: &[u8], size: usize) -> Content {
    let mut check = ContentCheck::new(role, size as u32);
    bytes.chunks(0x1_0000).for_each(|w| check.feed(w));
    check.finish()
}

fn codes(content: &Content) -> Vec<&'static str> {
    content.findings.iter().map(|f| f.code).collect()
}

fn rootfs(bytes_used: usize, size: usize) -> Vec<u8> {
    let mut out = squashfs::build(bytes_used as u64, 1, &noise(bytes_used)).unwrap();
    out.resize(size, 0xFF);
    out
}

fn kernel() -> Vec<u8> {
    let mut out = uimage::build(synthetic::I3, 1, &noise(5000)).unwrap();
    out.resize(0x3_0000, 0xFF);
    out
}

fn boot() -> Vec<u8> {
    synthetic::chip("ipc009")[..0x5_0000].to_vec()
}

fn data() -> Vec<u8> {
    let mut out = jffs2::CLEANMARKER.to_vec();
    out.extend(jffs2::dirent(1, 1, 2, 8, b"app").unwrap());
    out.extend(jffs2::inode(2, 1, 0o10_0644, 0, &noise(4000)).unwrap());
    out.resize(0x3_0000, 0xFF);
    out
}

#[test]
fn each_role_takes_its_own_content_for_healthy() {
    let config = flsh::build(&[(b"a", b"b")], 0x1_0000).unwrap();
    for (role, bytes) in [
        (Role::Boot, boot()),
        (Role::Kernel, kernel()),
        (Role::Rootfs, rootfs(200_000, 0x4_0000)),
        (Role::Data, data()),
        (Role::Config, config),
    ] {
        let content = check(role, &bytes);
        assert_eq!(content.health, Health::Healthy, "{role}: {content:?}");
        assert!(content.findings.is_empty(), "{role}: {content:?}");
    }
}

#[test]
fn each_role_takes_the_content_of_every_other_for_damage() {
    let factory = flsh::build(&[(b"a", b"b")], 0x5_0000).unwrap();
    let all = [
        (Role::Boot, boot()),
        (Role::Kernel, kernel()),
        (Role::Rootfs, rootfs(200_000, 0x4_0000)),
        (Role::Data, data()),
        (Role::Config, factory),
    ];
    for (role, _) in &all {
        for (_, bytes) in all.iter().filter(|(other, _)| other != role) {
            assert_eq!(check(*role, bytes).health, Health::Damaged, "{role}");
        }
    }
}

#[test]
fn erased_is_blank_and_zeros_are_damage_in_every_role() {
    for role in Role::ALL {
        assert_eq!(check(role, &vec![0xFF; 0x5_0000]).health, Health::Blank, "{role}");
        assert_eq!(check(role, &vec![0; 0x5_0000]).health, Health::Damaged, "{role}");
        assert_eq!(check_sized(role, &[], 0x1_0000).health, Health::Damaged, "{role}");
    }
    assert_eq!(check(Role::Other, &[0; 99]).health, Health::Unknown);
    // An empty JFFS2 has lost its files as well as an erased one.
    let mut empty = vec![0xFF; 0x2_0000];
    empty[..12].copy_from_slice(&jffs2::CLEANMARKER);
    assert_eq!(check(Role::Data, &empty).health, Health::Blank);
    for role in [Role::Boot, Role::Kernel, Role::Rootfs] {
        let content = check(role, &vec![0xFF; 0x5_0000]);
        assert_eq!(content.findings[0].severity, Severity::Blocker, "{role}");
    }
}

#[test]
fn a_hole_in_a_squashfs_is_named_by_its_window() {
    let holes = |content: &Content| -> Vec<Option<u64>> {
        let holes = content.findings.iter().filter(|f| f.code == "squashfs-hole");
        holes.map(|f| f.at).collect()
    };
    for value in [0, 0xFF] {
        // Blocks without a checksum: only a hole tells.
        let mut bytes = squashfs::build_bare(0x6_2345, 1, &noise(0x6_2345)).unwrap();
        bytes.resize(0x8_0000, 0xFF);
        bytes[0x2_0000..0x3_0000].fill(value);
        let content = check(Role::Rootfs, &bytes);
        assert_eq!((content.health, codes(&content)), (Health::Damaged, vec!["squashfs-hole"]));
        assert_eq!(content.findings[0].at, Some(0x2_0000));
        // In the last, shorter window too, where the tables are.
        let mut bytes = rootfs(0x6_2345, 0x8_0000);
        bytes[0x6_0000..0x6_2345].fill(value);
        assert_eq!(holes(&check(Role::Rootfs, &bytes)), [Some(0x6_0000)]);
        // Any other value may be content.
        bytes[0x6_0000..0x6_2345].fill(7);
        assert!(holes(&check(Role::Rootfs, &bytes)).is_empty());
    }
}

#[test]
fn what_is_cut_off_is_damage() {
    let bytes = rootfs(200_000, 0x4_0000);
    let content = check_sized(Role::Rootfs, &bytes[..100_000], 0x4_0000);
    assert_eq!(codes(&content), ["squashfs-short", "cut-off"]);
    assert_eq!(content.findings[1].at, Some(100_000));
    let content = check_sized(Role::Kernel, &kernel()[..3000], 0x3_0000);
    assert_eq!(codes(&content), ["kernel-short", "cut-off"]);
}

#[test]
fn a_bad_environment_is_a_note_and_no_damage() {
    let mut bytes = boot();
    bytes[0x4_F010] ^= 1;
    let content = check(Role::Boot, &bytes);
    assert_eq!((content.health, codes(&content)), (Health::Healthy, vec!["environment-crc"]));
    assert_eq!(content.facts.env_crc_ok, Some(false));
}

#[test]
fn each_loss_in_boot_is_named() {
    for (at, code) in
        [(5, "no-ipl"), (0x1_0006, "no-ipl"), (0x3_0000, "no-uboot"), (0x3_1000, "uboot-damaged")]
    {
        let mut bytes = boot();
        bytes[at] ^= 1;
        let content = check(Role::Boot, &bytes);
        assert_eq!((content.health, codes(&content)), (Health::Damaged, vec![code]));
    }
    let mut bytes = boot();
    bytes[0x2_0000] ^= 1;
    let content = check(Role::Boot, &bytes);
    assert_eq!((content.health, codes(&content)), (Health::Damaged, vec!["map-damaged"]));
    bytes[0x2_0000..0x2_1000].fill(0xFF);
    assert_eq!(check(Role::Boot, &bytes).health, Health::Healthy);
}

#[test]
fn uboot_is_no_kernel() {
    let Some(boot) = samples::read("ipc019/BOOT.bin") else { return };
    let content = check(Role::Kernel, &boot[0x3_0000..0x4_F000]);
    assert_eq!(content.health, Health::Damaged);
    assert!(codes(&content).contains(&"no-kernel"));
}

#[test]
fn the_real_parts_are_healthy() {
    let read = samples::read;
    let Some(mut bytes) = read("ipc019/KERNEL-2019.uImage") else { return };
    bytes.resize(0x20_0000, 0xFF);
    let content = check(Role::Kernel, &bytes);
    assert_eq!((content.health, content.kind.as_str()), (Health::Healthy, "uImage, I6, Linux 4.9"));
    assert_eq!(content.facts.uimage.unwrap().family, Family::I6);
    for (role, name) in [
        (Role::Boot, "ipc019/BOOT.bin"),
        (Role::Data, "ipc019/DATA-3.5.1_0052.jffs2"),
        (Role::Config, "ipc019/CONFIG-empty.bin"),
    ] {
        let content = check(role, &read(name).unwrap());
        assert_eq!(content.health, Health::Healthy, "{name}: {content:?}");
        assert!(content.findings.is_empty(), "{name}: {content:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_content_is_the_same_however_the_stream_is_cut(
        which in 0usize..6, spoilt in prop::collection::vec((any::<Index>(), any::<u8>(), 0usize..0x1_8000), 0..4),
        role in 0usize..6, cuts in prop::collection::vec(any::<Index>(), 0..40),
    ) {
        let mut bytes = match which {
            0 => boot(),
            1 => kernel(),
            2 => rootfs(200_000, 0x4_0000),
            3 => data(),
            4 => flsh::build(&[(b"did", b"123456789")], 0x1_0000).unwrap(),
            _ => vec![0xFF; 0x2_0000],
        };
        for (at, value, len) in spoilt {
            let at = at.index(bytes.len());
            let end = bytes.len().min(at + len);
            bytes[at..end].fill(value);
        }
        let role = Role::ALL[if role == 5 { which.min(5) } else { role }];
        let mut check = ContentCheck::new(role, bytes.len() as u32);
        let mut at: Vec<usize> = cuts.iter().map(|i| i.index(bytes.len() + 1)).collect();
        at.extend([0, bytes.len()]);
        at.sort_unstable();
        at.windows(2).for_each(|w| check.feed(&bytes[w[0]..w[1]]));
        let cut = serde_json::to_value(check.finish()).unwrap();
        prop_assert_eq!(cut, serde_json::to_value(self::check(role, &bytes)).unwrap());
    }

    #[test]
    fn no_bytes_bring_a_panic_in_any_role(
        role in 0usize..6, size: u32, bytes in prop::collection::vec(any::<u8>(), 0..3000),
    ) {
        let mut check = ContentCheck::new(Role::ALL[role], size);
        check.feed(&bytes);
        prop_assert!(check.finish().health != Health::Healthy);
    }
}
