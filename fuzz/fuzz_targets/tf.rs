//! tf image: no panic, whatever the map and the trailer.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mi360d::chip::{FlashMap, table};
use mi360d::formats::tf;

fuzz_target!(|bytes: &[u8]| {
    if let Some(trailer) = tf::Trailer::parse(bytes) {
        let _ = trailer.is_plausible();
        assert_eq!(trailer.to_bytes()[..], bytes[..tf::TRAILER]);
    }
    if let Some(slices) =
        table::map_of(bytes).and_then(|raw| mi360d::chip::tf::slices(&FlashMap::conclude(&raw)))
    {
        assert_eq!(slices.iter().map(|s| u64::from(s.size)).sum::<u64>(), tf::BODY);
    }
});
