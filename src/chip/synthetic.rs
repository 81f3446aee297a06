//! A plausible chip out of nothing: every format valid, an identity that
//! belongs to nobody, and no byte of any firmware. It cannot boot.

use std::io;

use crate::chip::{FlashMap, Role};
use crate::formats::{flsh, ipl, jffs2, mxp, squashfs, uboot_env, uimage};

/// Mon, 23 Sep 2019, 12:00 UTC: when everything synthetic was made.
const MADE: u32 = 1_569_240_000;
const IPL_CUST: usize = 0x1_0000;
const UBOOT: usize = 0x3_0000;
/// Where U-Boot holds the name of the image that it takes from a card.
const NAME_AT: usize = 0x1_2000;
const RESCUE: &[u8] = b"\0tf_recovery.img\0";
const ENVIRONMENT: usize = 0x4_F000;
const ENVIRONMENT_SIZE: usize = 0x1000;

/// A chip of this model, 16 MiB, with random contents and a random identity.
///
/// # Errors
/// An unknown model; or the system has no random bytes.
pub fn chip(model: &str) -> io::Result<Vec<u8>> {
    let map = FlashMap::stock(model)
        .ok_or_else(|| io::Error::other(format!("no flash map of '{model}' is known")))?;
    let mut seed = [0; 32];
    crate::base::fill_random(&mut seed)?;
    let mut noise = Noise::new(&seed);
    let size = map.chip_size.unwrap_or(0x100_0000);
    let mut chip = vec![0xFF; size as usize];
    for part in &map.partitions {
        let room = part.size as usize;
        let content = match part.role {
            Role::Boot => boot(model, &map, &mut noise),
            Role::Kernel => kernel(model, &mut noise),
            Role::Rootfs => rootfs(room, &mut noise),
            Role::Data => data(&mut noise),
            Role::Config => flsh::build(&[], room),
            Role::Factory => flsh::build(&pairs(&identity(model, &mut noise)), room),
            Role::Other => None,
        };
        let content = content.filter(|c| c.len() <= room);
        let content =
            content.ok_or_else(|| io::Error::other(format!("{} does not fit", part.name)))?;
        let start = part.offset.unwrap_or(0) as usize;
        chip[start..start + content.len()].copy_from_slice(&content);
    }
    Ok(chip)
}

fn is_i3(model: &str) -> bool {
    matches!(model, "ipc009" | "ipc016")
}

fn boot(model: &str, map: &FlashMap, noise: &mut Noise) -> Option<Vec<u8>> {
    let mut boot = vec![0xFF; 0x5_0000];
    let mut put = |at: usize, bytes: &[u8]| boot[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &ipl::build(ipl::IPL, &noise.bytes(0x5000)));
    put(IPL_CUST, &ipl::build(ipl::IPL_CUST, &noise.bytes(0x4000)));
    let mut records = vec![
        record(mxp::RecordKind::BootPart, "IPL", 0, 0x1_0000),
        record(mxp::RecordKind::BootPart, "IPL_CUST", 0x1_0000, 0xF000),
        record(mxp::RecordKind::BootPart, "KEY_CUST", 0x1_F000, 0x1000),
        record(mxp::RecordKind::BootPart, "MXPT", 0x2_0000, 0x1000),
        record(mxp::RecordKind::BootPart, "UBOOT", 0x3_0000, 0x1_F000),
        record(mxp::RecordKind::BootPart, "UBOOT_ENV", 0x4_F000, 0x1000),
    ];
    for part in &map.partitions {
        let kind = if part.role == Role::Factory {
            mxp::RecordKind::Factory
        } else {
            mxp::RecordKind::Partition
        };
        records.push(record(kind, &part.name, part.offset?, part.size));
    }
    put(mxp::TABLE_OFFSET, &mxp::build(&records)?);
    let family = if is_i3(model) { "I3g" } else { "I6g" };
    let mut uboot = noise.bytes(0x1_8000);
    // What the firmware that can run this program has in its U-Boot: its rescue's name.
    uboot[NAME_AT..NAME_AT + RESCUE.len()].copy_from_slice(RESCUE);
    put(UBOOT, &uimage::build(&format!("MVX4##{family}synthetic_UBT1501####XVM"), MADE, &uboot)?);
    let bootargs = "console=ttyS0,115200 root=/dev/mtdblock2 rootfstype=squashfs ro init=/linuxrc";
    let environment: [(&[u8], &[u8]); 4] = [
        (b"baudrate", b"115200"),
        (b"bootargs", bootargs.as_bytes()),
        (b"bootdelay", b"0"),
        (b"ethaddr", b"02:00:00:00:00:01"),
    ];
    put(ENVIRONMENT, &uboot_env::build(&environment, ENVIRONMENT_SIZE)?);
    Some(boot)
}

fn record(kind: mxp::RecordKind, name: &str, start: u32, size: u32) -> mxp::Record {
    mxp::Record { kind, start: start.into(), size: size.into(), name: name.to_owned() }
}

fn kernel(model: &str, noise: &mut Noise) -> Option<Vec<u8>> {
    let name = if is_i3(model) {
        "MVX2##I3g60b5603KL_LX318####[BR:"
    } else {
        "MVX2##I6gd0db123KL_LX409####[BR:"
    };
    let mut payload = b"\xFD7zXZ\0".to_vec();
    payload.extend(noise.bytes(0x18_0000));
    uimage::build(name, MADE, &payload)
}

fn rootfs(room: usize, noise: &mut Noise) -> Option<Vec<u8>> {
    let used = room - 0x4_1234;
    squashfs::build(used as u64, MADE, &noise.bytes(used))
}

/// A small file system of some 1.5 MiB: `.config.nvram` and files of noise.
fn data(noise: &mut Noise) -> Option<Vec<u8>> {
    const BLOCK: usize = 0x1_0000;
    let mut image = Vec::new();
    let mut put = |node: &[u8]| {
        let used = image.len() % BLOCK;
        if used == 0 || used + node.len() > BLOCK {
            image.resize(image.len().next_multiple_of(BLOCK), 0xFF);
            image.extend_from_slice(&jffs2::CLEANMARKER);
        }
        image.extend_from_slice(node);
    };
    let settings = flsh::build_legacy(&[
        (b"miio_ssid", b"synthetic-network"),
        (b"miio_passwd", b"synthetic-password"),
        (b"timezone", b"Europe/Berlin"),
    ])?;
    put(&jffs2::dirent(1, 1, 2, 8, b".config.nvram")?);
    put(&jffs2::inode(2, 1, 0o100_644, 0, &settings)?);
    for file in 3..15u32 {
        put(&jffs2::dirent(1, file, file, 8, format!("file{file}").as_bytes())?);
        for page in 0..30 {
            put(&jffs2::inode(file, page + 1, 0o100_644, page * 4096, &noise.bytes(4096))?);
        }
    }
    Some(image)
}

fn identity(model: &str, noise: &mut Noise) -> Vec<(&'static str, String)> {
    // 02: an address that no maker was given.
    let mac = noise.bytes(5).iter().fold("02".to_owned(), |mac, b| format!("{mac}:{b:02x}"));
    let characters = |noise: &mut Noise, set: &[u8], length: usize| -> String {
        noise.bytes(length).iter().map(|b| char::from(set[*b as usize % set.len()])).collect()
    };
    let digits = characters(noise, b"0123456789", 8);
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    vec![
        ("vendor", "chuangmi".into()),
        ("model", format!("chuangmi.camera.{model}")),
        ("factory_partition", "1".into()),
        ("language", "en".into()),
        ("regioncode", "EU".into()),
        ("fid", "SYNTHETIC001".into()),
        ("ver", "1".into()),
        ("mac", mac),
        ("did", format!("9{digits}")),
        ("key", characters(noise, letters, 16)),
        ("hid", "00001".into()),
    ]
}

fn pairs<'a>(entries: &'a [(&'static str, String)]) -> Vec<(&'a [u8], &'a [u8])> {
    entries.iter().map(|(key, value)| (key.as_bytes(), value.as_bytes())).collect()
}

/// Bytes that look compressed: xorshift64*, seeded by the system.
struct Noise(u64);

impl Noise {
    fn new(seed: &[u8; 32]) -> Noise {
        let word = seed.iter().fold(0u64, |n, b| n.rotate_left(8) ^ u64::from(*b));
        Noise(word | 1)
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(count + 8);
        while bytes.len() < count {
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            bytes.extend_from_slice(&self.0.wrapping_mul(0x2545_F491_4F6C_DD1D).to_le_bytes());
        }
        bytes.truncate(count);
        bytes
    }
}
