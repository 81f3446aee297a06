//! MXP: no panic, and a table that is read can be built and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mi360d::chip::{FlashMap, table};
use mi360d::formats::mxp;

fuzz_target!(|bytes: &[u8]| {
    let records = mxp::parse(bytes);
    if let Some(built) = mxp::build(&records) {
        assert_eq!(mxp::parse(&built), records);
    }
    if let Some(raw) = table::map_of(bytes) {
        FlashMap::conclude(&raw);
    }
    table::flash_map(bytes);
});
