//! uImage: the format of U-Boot's images: a kernel, or U-Boot itself. The
//! header is read at once, the data checked as it streams by.
//!
//! Facts: docs/formats.md, uImage.

use serde::Serialize;

use super::crc32;
use super::{array, be32, is_filled, printable};

/// Bytes of the header.
pub const HEADER: usize = 64;
/// What the header begins with, big-endian.
pub const MAGIC: u32 = 0x2705_1956;
/// Operating system: Linux.
pub const OS_LINUX: u8 = 5;
/// Operating system: U-Boot.
pub const OS_UBOOT: u8 = 17;
/// Architecture: ARM.
pub const ARCH_ARM: u8 = 2;
/// Type: kernel.
pub const TYPE_KERNEL: u8 = 2;

/// The family of processors that an image is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Family {
    /// MStar infinity3 (MSC313E): `ipc009`, `ipc016`.
    I3,
    /// SigmaStar infinity6 (SSC323): `ipc019` and its kin.
    I6,
    /// The name tells none of the two.
    Other,
}

impl Family {
    /// The family that an image's name tells: `MVX2##I3g...`.
    pub fn of_name(name: &str) -> Family {
        match name.split_once("##").map(|(_, rest)| rest) {
            Some(rest) if rest.starts_with("I3") => Family::I3,
            Some(rest) if rest.starts_with("I6") => Family::I6,
            _ => Family::Other,
        }
    }
}

/// Why bytes are not a uImage header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UimageError {
    /// Fewer than 64 bytes.
    #[error("the header is cut off")]
    Cut,
    /// It does not begin with the magic.
    #[error("it does not begin with the magic 27 05 19 56")]
    NoMagic,
    /// The CRC of the header is wrong: nothing in it can be believed.
    #[error("the header's CRC is wrong: {stored:08x} is written, {computed:08x} would be right")]
    HeaderCrc {
        /// What is written.
        stored: u32,
        /// What would be right.
        computed: u32,
    },
}

/// The header of a uImage, its CRC found right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// When it was made, in seconds since 1970.
    pub time: u32,
    /// Bytes of data behind the header.
    pub size: u32,
    /// Where U-Boot puts the data, an address in memory.
    pub load: u32,
    /// Where it starts, an address in memory.
    pub entry: u32,
    /// The CRC32 of the data.
    pub data_crc: u32,
    /// Operating system.
    pub os: u8,
    /// Architecture.
    pub arch: u8,
    /// Type.
    pub kind: u8,
    /// Compression: 0 none, 3 lzma (the vendor writes 3 for xz).
    pub compression: u8,
    /// The name, at most 32 bytes of ASCII.
    pub name: String,
}

impl Header {
    /// The family that the name tells.
    pub fn family(&self) -> Family {
        Family::of_name(&self.name)
    }

    /// The kernel's version that the name tells: `LX409` is Linux 4.9.
    pub fn linux(&self) -> Option<String> {
        let (_, rest) = self.name.split_once("_LX")?;
        let number: u32 = rest.get(..3)?.parse().ok()?;
        Some(format!("{}.{}", number / 100, number % 100))
    }

    /// Whether it says that it is Linux for ARM.
    pub fn is_arm_linux(&self) -> bool {
        (self.os, self.arch, self.kind) == (OS_LINUX, ARCH_ARM, TYPE_KERNEL)
    }

    /// Its 64 bytes, the header's CRC included.
    pub fn to_bytes(&self) -> [u8; HEADER] {
        let mut out = [0; HEADER];
        let words = [MAGIC, 0, self.time, self.size, self.load, self.entry, self.data_crc];
        for (at, word) in out.chunks_exact_mut(4).zip(words) {
            at.copy_from_slice(&word.to_be_bytes());
        }
        out[28..32].copy_from_slice(&[self.os, self.arch, self.kind, self.compression]);
        for (at, byte) in out[32..].iter_mut().zip(self.name.bytes()) {
            *at = byte;
        }
        let crc = header_crc(&out);
        out[4..8].copy_from_slice(&crc.to_be_bytes());
        out
    }
}

/// The CRC of a header counts its own field as zero.
fn header_crc(header: &[u8; HEADER]) -> u32 {
    let mut crc = crc32::Hasher::new();
    crc.update(&header[..4]);
    crc.update(&[0; 4]);
    crc.update(&header[8..]);
    crc.finalize()
}

/// Reads and checks the header at the beginning of `bytes`.
pub fn parse(bytes: &[u8]) -> Result<Header, UimageError> {
    let head: [u8; HEADER] = array(bytes, 0).ok_or(UimageError::Cut)?;
    let word = |at| be32(&head, at).ok_or(UimageError::Cut);
    if word(0)? != MAGIC {
        return Err(UimageError::NoMagic);
    }
    let (stored, computed) = (word(4)?, header_crc(&head));
    if stored != computed {
        return Err(UimageError::HeaderCrc { stored, computed });
    }
    Ok(Header {
        time: word(8)?,
        size: word(12)?,
        load: word(16)?,
        entry: word(20)?,
        data_crc: word(24)?,
        os: head[28],
        arch: head[29],
        kind: head[30],
        compression: head[31],
        name: printable(&head[32..]),
    })
}

/// What is to be said about the data of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data {
    /// All there, and its CRC is right.
    Good,
    /// All there, and its CRC is wrong.
    BadCrc {
        /// What the header says.
        stored: u32,
        /// What the data has.
        computed: u32,
    },
    /// The stream ended before the data did.
    Short {
        /// Bytes that were there.
        have: u32,
        /// Bytes that the header says.
        want: u32,
    },
}

/// What a whole image turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UimageCheck {
    /// Its header.
    pub header: Header,
    /// Its data.
    pub data: Data,
    /// Bytes behind the data.
    pub trailing: u64,
    /// Whether those are all 0xFF or all 0, as padding is.
    pub trailing_is_padding: bool,
}

/// A check of a uImage as it streams by. However the stream is cut into
/// pieces, the verdict is the same.
#[derive(Clone, Debug)]
pub struct Check {
    head: Vec<u8>,
    header: Option<Result<Header, UimageError>>,
    crc: crc32::Hasher,
    data: u32,
    trailing: u64,
    trailing_ones: bool,
    trailing_zeros: bool,
}

impl Default for Check {
    fn default() -> Self {
        Check {
            head: Vec::with_capacity(HEADER),
            header: None,
            crc: crc32::Hasher::new(),
            data: 0,
            trailing: 0,
            trailing_ones: true,
            trailing_zeros: true,
        }
    }
}

impl Check {
    /// A check from the first byte of the header.
    pub fn new() -> Self {
        Check::default()
    }

    /// Takes the next bytes of the stream.
    pub fn feed(&mut self, bytes: &[u8]) {
        let (head, rest) = bytes.split_at(bytes.len().min(HEADER - self.head.len()));
        self.head.extend_from_slice(head);
        if self.header.is_none() && self.head.len() == HEADER {
            self.header = Some(parse(&self.head));
        }
        let Some(Ok(header)) = &self.header else { return };
        let missing = (header.size - self.data) as usize;
        let (data, trailing) = rest.split_at(rest.len().min(missing));
        self.crc.update(data);
        self.data += data.len() as u32;
        self.trailing += trailing.len() as u64;
        self.trailing_ones &= is_filled(trailing, 0xFF);
        self.trailing_zeros &= is_filled(trailing, 0);
    }

    /// The header, as soon as its 64 bytes have come.
    pub fn header(&self) -> Option<&Header> {
        self.header.as_ref().and_then(|h| h.as_ref().ok())
    }

    /// The verdict on what came.
    pub fn finish(self) -> Result<UimageCheck, UimageError> {
        let header = self.header.unwrap_or_else(|| parse(&self.head))?;
        let computed = self.crc.finalize();
        let data = if self.data < header.size {
            Data::Short { have: self.data, want: header.size }
        } else if computed == header.data_crc {
            Data::Good
        } else {
            Data::BadCrc { stored: header.data_crc, computed }
        };
        Ok(UimageCheck {
            header,
            data,
            trailing: self.trailing,
            trailing_is_padding: self.trailing_ones || self.trailing_zeros,
        })
    }
}

/// A kernel image for ARM with this name and data, both CRCs right. A name of
/// more than 32 bytes is cut. `None` for data of 4 GiB or more.
pub fn build(name: &str, time: u32, data: &[u8]) -> Option<Vec<u8>> {
    let header = Header {
        time,
        size: u32::try_from(data.len()).ok()?,
        load: 0x2000_8000,
        entry: 0x2000_8000,
        data_crc: crc32::hash(data),
        os: OS_LINUX,
        arch: ARCH_ARM,
        kind: TYPE_KERNEL,
        compression: 3,
        name: name.to_owned(),
    };
    let mut out = header.to_bytes().to_vec();
    out.extend_from_slice(data);
    Some(out)
}
