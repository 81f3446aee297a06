//! Result of checking the blocks of a squashfs.

/// How many damaged blocks are named; more are counted.
pub const NAMED: usize = 8;

/// A block that is damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Where it begins, in bytes from the start of the file system.
    pub at: u64,
    /// Its bytes, where they are known.
    pub length: Option<u32>,
}

/// What the blocks amount to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Blocks whose checksum is right, the tables' included.
    pub blocks: u32,
    /// Bytes in them.
    pub bytes: u64,
    /// Bytes of blocks that are stored as they are, without any checksum.
    pub bare: u64,
    /// The damaged blocks, at most [`NAMED`] of them.
    pub damage: Vec<Damage>,
    /// How many are damaged in all.
    pub damaged: u32,
    /// Whether the tables were too large to be followed: then not all is verified.
    pub too_large: bool,
    /// Whether `/linuxrc` is in the root folder; `None` where that cannot be read.
    pub linuxrc: Option<bool>,
}

impl Checked {
    pub(super) fn good(&mut self, bytes: u64) {
        self.blocks += 1;
        self.bytes += bytes;
    }

    pub(super) fn bad(&mut self, at: u64, length: Option<u32>) {
        self.damaged += 1;
        if self.damage.len() < NAMED {
            self.damage.push(Damage { at, length });
        }
    }
}
