//! Marks by which a part of a camera is recognised, wherever it is.

use crate::chip::Role;
use crate::formats::{flsh, uimage};
use crate::identity;

/// The size of every chip seen in these cameras, in bytes.
pub(super) const CHIP: u64 = 0x100_0000;

/// Where the kernels of both known models are loaded to (docs/formats.md, uImage).
pub(super) const KERNEL_LOAD: u32 = 0x2000_8000;

/// One model of each known map; the first is the likelier.
pub(super) const MODELS: [&str; 2] = ["ipc009", "ipc019"];

/// Whether a partition of this role begins like this.
pub(super) fn begins_like(role: Role, head: &[u8]) -> bool {
    match role {
        Role::Boot => head.get(4..8) == Some(b"IPL_"),
        Role::Kernel => head.starts_with(&uimage::MAGIC.to_be_bytes()),
        Role::Rootfs => head.starts_with(b"hsqs"),
        Role::Data => head.starts_with(&[0x85, 0x19]),
        Role::Config | Role::Factory => head.starts_with(flsh::MAGIC) || flsh::is_header(head),
        Role::Other => false,
    }
}

/// Whether the bytes of a partition are one camera's FACTORY, damaged or not.
pub(super) fn holds_identity(bytes: &[u8]) -> bool {
    identity::judge(bytes).identity.is_some_and(|i| i.is_personal())
}
