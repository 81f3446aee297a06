//! The content check: no panic in any role, and one content however the stream is cut.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mi360d::chip::Role;
use mi360d::image::ContentCheck;

fuzz_target!(|bytes: &[u8]| {
    let [role, size, bytes @ ..] = bytes else { return };
    let all = [
        Role::Boot,
        Role::Kernel,
        Role::Rootfs,
        Role::Data,
        Role::Config,
        Role::Factory,
        Role::Other,
    ];
    let role = all[usize::from(*role) % all.len()];
    // As large as what comes, or larger, or smaller.
    let size = bytes.len() as u32 / 128 * u32::from(*size);
    let run = |piece: usize| {
        let mut check = ContentCheck::new(role, size);
        bytes.chunks(piece).for_each(|w| check.feed(w));
        format!("{:?}", check.finish())
    };
    assert_eq!(run(0x1_0000), run(1 + bytes.len() / 5));
});
