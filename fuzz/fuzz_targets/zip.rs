//! A release's archive: no panic, and never more bytes than its list says.
#![no_main]

use std::io;

use libfuzzer_sys::fuzz_target;
use mi360d::formats::zip;

fuzz_target!(|bytes: &[u8]| {
    let read = |at: u64, buf: &mut [u8]| {
        let from = usize::try_from(at).ok().and_then(|at| bytes.get(at..));
        let found = from.and_then(|rest| rest.get(..buf.len()));
        buf.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    };
    let Ok(entries) = zip::list(&read, bytes.len() as u64) else { return };
    for entry in entries.iter().filter(|entry| entry.size < 1 << 20) {
        let mut given = 0;
        let done = zip::unpack(&read, entry, &mut |piece| {
            given += piece.len();
            Ok(())
        });
        assert!(given <= entry.size as usize);
        assert!(done.is_err() || given == entry.size as usize);
    }
});
