//! Recover's detectors: no panic, and what was undone can be read as its length says.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mi360d::image::recover::{Input, recover};
use mi360d::image::transform;

fuzz_target!(|bytes: &[u8]| {
    let [how, bytes @ ..] = bytes else { return };
    if let Ok(Some(found)) = transform::detect(&bytes)
        && let Ok(transform::Undone { source: undone, .. }) = transform::undo(&bytes, &found)
    {
        let mut all = vec![0; undone.len() as usize];
        undone.read_at(0, &mut all).expect("all of it can be read");
        assert!(undone.read_at(undone.len(), &mut [0]).is_err());
        assert!(!found.note().words.is_empty());
    }
    // An image is 16 MiB: made for few inputs only, it leaves time for the detectors.
    if *how < 0xF8 {
        return;
    }
    let (one, two) = bytes.split_at(bytes.len() / 2);
    let input = |name: &str, bytes: &[u8]| Input { name: name.to_owned(), bytes: bytes.to_vec() };
    let inputs = vec![input("mtdblock5", one), input("b", two)];
    if let Ok(made) = recover(inputs, Some(&input("f", two))) {
        assert!(made.image.len().is_power_of_two() && !made.parts.is_empty());
    }
});
