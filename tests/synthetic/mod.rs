//! A camera that never was: plausible parts for tests, in any model's map.

#![allow(dead_code)] // each test takes what it needs
#![allow(clippy::unwrap_used)]

pub mod signed;

use mi360d::chip::{FlashMap, Role};
use mi360d::formats::{flsh, ipl, jffs2, mxp, squashfs, tf, uboot_env, uimage};

/// The key in its FACTORY.
pub const KEY: &str = "Abcdefghijklmnop";
/// The names of its U-Boot and kernel, and of a kernel of the other family.
pub const I3_BOOT: &str = "MVX1##I3g46ec744CM_UBT1501###XVM";
pub const I3: &str = "MVX2##I3g60b5603KL_LX318####[BR:";
pub const I6: &str = "MVX2##I6gd0db123KL_LX409####[BR:";

/// Bytes without long runs, as compressed data are.
pub fn noise(len: usize) -> Vec<u8> {
    (0..len as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

/// A FACTORY with this did.
pub fn factory(did: &str) -> Vec<u8> {
    let entries: [(&[u8], &[u8]); 5] = [
        (b"vendor", b"chuangmi"),
        (b"model", b"chuangmi.camera.ipc009"),
        (b"mac", b"50:EC:50:AB:CD:EF"),
        (b"did", did.as_bytes()),
        (b"key", KEY.as_bytes()),
    ];
    flsh::build(&entries, 0x1_0000).unwrap()
}

/// A U-Boot that takes an image of this name from a card, as it is in BOOT.
pub fn uboot(rescue: &str) -> Vec<u8> {
    let mut code = noise(0x1_0000);
    let text = format!("\0{rescue}\0");
    code[0x8000..0x8000 + text.len()].copy_from_slice(text.as_bytes());
    uimage::build(I3_BOOT, 1, &code).unwrap()
}

/// A whole camera, in the map of this model.
pub fn chip(model: &str) -> Vec<u8> {
    let map = FlashMap::stock(model).unwrap();
    let mut out = vec![0xFF; 0x100_0000];
    let mut put = |at: usize, bytes: &[u8]| out[at..at + bytes.len()].copy_from_slice(bytes);
    let records: Vec<mxp::Record> = map
        .covering()
        .iter()
        .map(|p| mxp::Record {
            kind: mxp::RecordKind::Partition,
            start: p.offset.unwrap().into(),
            size: p.size.into(),
            name: p.name.clone(),
        })
        .collect();
    let at = |role| map.by_role(role).unwrap().offset.unwrap() as usize;
    put(0, &ipl::build(ipl::IPL, &noise(0x4000)));
    put(0x1_0000, &ipl::build(ipl::IPL_CUST, &noise(0x3000)));
    put(0x2_0000, &mxp::build(&records).unwrap());
    put(0x3_0000, &uboot("tf_recovery.img"));
    put(0x4_F000, &uboot_env::build(&[(b"bootdelay", b"0")], 0x1000).unwrap());
    put(at(Role::Kernel), &uimage::build(I3, 1, &noise(100_000)).unwrap());
    put(at(Role::Rootfs), &squashfs::build(500_000, 1, &noise(500_000)).unwrap());
    put(at(Role::Data), &jffs2::CLEANMARKER);
    put(at(Role::Data) + 12, &jffs2::dirent(1, 1, 2, 8, b"app").unwrap());
    put(0xFE_0000, &flsh::build(&[], 0x1_0000).unwrap());
    put(0xFF_0000, &factory("123456789"));
    out
}

/// The same camera's tf image.
pub fn tf_image(model: &str) -> Vec<u8> {
    let mut out = chip(model)[tf::FLASH_START as usize..tf::FLASH_END as usize].to_vec();
    out.extend(noise(80));
    out
}
