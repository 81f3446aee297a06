//! tf image: no panic, whatever the map and the trailer.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mi360d::chip::FlashMap;
use mi360d::formats::{mxp, tf};

fuzz_target!(|bytes: &[u8]| {
    if let Some(trailer) = tf::Trailer::parse(bytes) {
        let _ = trailer.is_plausible();
        assert_eq!(trailer.to_bytes()[..], bytes[..tf::TRAILER]);
    }
    if let Some(slices) = mxp::map_of(bytes).and_then(|raw| tf::slices(&FlashMap::conclude(&raw))) {
        assert_eq!(slices.iter().map(|s| u64::from(s.size)).sum::<u64>(), tf::BODY);
    }
});
