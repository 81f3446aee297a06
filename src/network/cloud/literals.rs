//! Addresses that are written into the vendor's P2P libraries: no name leads to them, so they are
//! read from the camera's own files, whichever version it has. Pure but for [`of_libraries`].

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::net::Ipv4Addr;
use std::path::Path;

/// The P2P libraries of DATA. Only these: other programs name the owner's gateway or a public name
/// server, which must stay within reach.
const LIBRARIES: [&str; 6] = [
    "libIOTCAPIs.so",
    "libAVAPIs.so",
    "libRDTAPIs.so",
    "libP2PTunnelAPIs.so",
    "libPPCS_API.so",
    "libmiss.so",
];
/// Bytes of one library that are read; the largest known one has 0.4 MiB.
const LIMIT: u64 = 2 << 20;
/// Bytes read at a time.
const PIECE: usize = 0x4000;
/// Addresses taken from one camera.
const MANY: usize = 64;
/// The longest dotted address: `255.255.255.255`.
const LONGEST: usize = 15;

/// The addresses in the libraries below `folder`; a library that is not there has none.
pub fn of_libraries(folder: &Path) -> BTreeSet<Ipv4Addr> {
    let mut found = BTreeSet::new();
    for name in LIBRARIES {
        let Ok(file) = File::open(folder.join(name)) else { continue };
        if let Err(e) = scan(file.take(LIMIT), &mut found) {
            log::warn!("{name} cannot be read: {e}");
        }
    }
    found
}

/// Adds the addresses that are in `bytes` as a text of their own, between two NULs.
fn scan(mut bytes: impl Read, found: &mut BTreeSet<Ipv4Addr>) -> std::io::Result<()> {
    let mut piece = vec![0; PIECE];
    // The text since the last NUL; None once it is too long to be an address.
    let mut text: Option<Vec<u8>> = None;
    loop {
        let read = bytes.read(&mut piece)?;
        if read == 0 {
            return Ok(());
        }
        for &byte in piece.iter().take(read) {
            if byte == 0 {
                let address = text.as_deref().and_then(address);
                if let Some(address) = address.filter(|_| found.len() < MANY) {
                    found.insert(address);
                }
                text = Some(Vec::with_capacity(LONGEST));
            } else if let Some(begun) = &mut text {
                if begun.len() == LONGEST {
                    text = None;
                } else {
                    begun.push(byte);
                }
            }
        }
    }
}

fn address(text: &[u8]) -> Option<Ipv4Addr> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One byte at a time: an address may lie across two pieces.
    struct Slow<'a>(&'a [u8]);

    impl Read for Slow<'_> {
        fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
            self.0.read(&mut to[..1])
        }
    }

    fn of(bytes: &[u8]) -> Vec<String> {
        let mut found = BTreeSet::new();
        scan(Slow(bytes), &mut found).unwrap();
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn only_a_whole_text_is_an_address() {
        let cases: [(&[u8], &[&str]); 8] = [
            (b"\0 61.220.62.219\0", &[]),
            (b"\x0061.220.62.219\0", &["61.220.62.219"]),
            (b"\x001.2.3.4\x005.6.7.8\0", &["1.2.3.4", "5.6.7.8"]),
            (b"\0v1.2.3.4\0", &[]),
            (b"\x001.2.3.4", &[]),
            (b"1.2.3.4\0", &[]),
            (b"\x001.2.3.400\x001.2.3\0", &[]),
            (b"\x00255.255.255.2555\x00255.255.255.255\0", &["255.255.255.255"]),
        ];
        for (bytes, wanted) in cases {
            assert_eq!(of(bytes), wanted, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn a_library_full_of_addresses_gives_a_bounded_number() {
        let many: Vec<u8> = (0..1000)
            .flat_map(|i| format!("\x0050.1.{}.{}\0", i / 250, i % 250).into_bytes())
            .collect();
        assert_eq!(of(&many).len(), MANY);
        let folder = tempfile::tempdir().unwrap();
        assert!(of_libraries(folder.path()).is_empty());
        std::fs::write(folder.path().join("libIOTCAPIs.so"), b"\x7fELF\x0050.1.1.1\0").unwrap();
        std::fs::write(folder.path().join("miio_stream"), b"\x7fELF\x008.8.8.8\0").unwrap();
        let found = of_libraries(folder.path());
        assert_eq!(found.into_iter().collect::<Vec<_>>(), [Ipv4Addr::new(50, 1, 1, 1)]);
    }
}
