//! Firmware versions as the vendor writes them: `3.5.1_0052`. Found in
//! whatever is not compressed, so not finding one says nothing.

use std::fmt;

use super::is_filled;

/// A firmware version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// The three numbers before the underscore, each below 100.
    pub release: [u8; 3],
    /// The four digits after it.
    pub build: u16,
}

impl Version {
    /// From this release on the vendor's boot loader takes no older image,
    /// and the boot hook is gone (docs/formats.md, Versions).
    pub const ONE_WAY: [u8; 3] = [4, 0, 9];

    /// Whether it is a release from which there is no way back.
    pub fn is_one_way(self) -> bool {
        self.release >= Version::ONE_WAY
    }
}

/// The builds that a kernel's name tells, and the firmware that each is in
/// (docs/formats.md, Versions).
const KERNELS: [(&str, Version); 2] = [
    ("##I6gd0db123KL", Version { release: [3, 5, 1], build: 52 }),
    ("##I6g46ec744KL", Version { release: [4, 0, 9], build: 426 }),
];

/// The firmware that a kernel of this name is in, where that is known.
pub fn of_kernel(name: &str) -> Option<Version> {
    KERNELS.iter().find(|(build, _)| name.contains(build)).map(|(_, version)| *version)
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c] = self.release;
        write!(f, "{a}.{b}.{c}_{:04}", self.build)
    }
}

/// The longest text of a version, and one byte on either side of it.
const LOOK: usize = 8 + 5 + 2;

/// A search for versions through a stream, fed piece by piece in order.
#[derive(Clone, Debug, Default)]
pub struct Scan {
    tail: Vec<u8>,
    found: Option<Version>,
}

impl Scan {
    /// A search from the beginning.
    pub fn new() -> Self {
        Scan::default()
    }

    /// Takes the next bytes of the stream.
    pub fn feed(&mut self, bytes: &[u8]) {
        let mut seam = std::mem::take(&mut self.tail);
        let seam_starts_stream = seam.len() < 2 * LOOK;
        seam.extend_from_slice(&bytes[..bytes.len().min(2 * LOOK)]);
        // What is before a version must be seen too: only at the stream's start is it nothing.
        self.look(&seam, if seam_starts_stream { 0 } else { LOOK });
        self.look(bytes, LOOK);
        let all = if bytes.len() >= 2 * LOOK { bytes } else { &seam };
        self.tail = all[all.len() - all.len().min(2 * LOOK)..].to_vec();
    }

    fn look(&mut self, bytes: &[u8], from: usize) {
        if is_filled(bytes, 0xFF) {
            return;
        }
        // A plain loop: this sees every byte of a chip. What follows must be seen, or more digits
        // may come.
        let mut i = from;
        while i + 5 < bytes.len() {
            if bytes[i] == b'_' {
                self.found = self.found.max(around(bytes, i));
            }
            i += 1;
        }
    }

    /// The highest version that was found.
    pub fn found(&self) -> Option<Version> {
        self.found
    }
}

/// The version around the underscore at `at`.
fn around(bytes: &[u8], at: usize) -> Option<Version> {
    let digits = bytes.get(at + 1..at + 5)?;
    if !digits.iter().all(u8::is_ascii_digit) || bytes.get(at + 5).is_some_and(u8::is_ascii_digit) {
        return None;
    }
    let build = digits.iter().fold(0, |n, d| n * 10 + u16::from(d - b'0'));
    let mut end = at;
    let mut release = [0; 3];
    for (part, number) in release.iter_mut().rev().enumerate() {
        let from = end.saturating_sub(2);
        let digits = bytes[from..end].iter().rev().take_while(|b| b.is_ascii_digit()).count();
        let text = &bytes[end - digits..end];
        *number = text.iter().fold(0, |n, d| n * 10 + (d - b'0'));
        if digits == 0 {
            return None;
        }
        end -= digits;
        let before = end.checked_sub(1).and_then(|i| bytes.get(i));
        if part < 2 {
            if before != Some(&b'.') {
                return None;
            }
            end -= 1;
        } else if before.is_some_and(|b| b.is_ascii_digit() || *b == b'.') {
            return None;
        }
    }
    Some(Version { release, build })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &[u8]) -> Option<String> {
        let mut scan = Scan::new();
        scan.feed(text);
        scan.found().map(|v| v.to_string())
    }

    #[test]
    fn only_the_vendors_pattern_is_a_version() {
        assert_eq!(found(b"ver 3.5.1_0052\n").as_deref(), Some("3.5.1_0052"));
        assert_eq!(found(b"3.4.2_0062\0 4.0.9_0409\0").as_deref(), Some("4.0.9_0409"));
        for not in [&b"3.5_0052 "[..], b"3.5.1_52 ", b"3.5.1_00521 ", b"1.3.5.1_0052 ", b"_0052 "] {
            assert_eq!(found(not), None, "{}", String::from_utf8_lossy(not));
        }
    }

    #[test]
    fn a_known_kernel_tells_its_firmware() {
        let version = of_kernel("MVX2##I6g46ec744KL_LX409####[BR:");
        assert!(version.is_some_and(Version::is_one_way));
        let version = of_kernel("MVX2##I6gd0db123KL_LX409####[BR:");
        assert_eq!(version.map(|v| v.to_string()).as_deref(), Some("3.5.1_0052"));
        assert_eq!(of_kernel("MVX1##I3g46ec744CM_UBT1501###XVM"), None);
    }

    #[test]
    fn from_4_0_9_on_there_is_no_way_back() {
        let version = |release| Version { release, build: 1 };
        assert!(version([4, 0, 9]).is_one_way() && version([4, 1, 0]).is_one_way());
        assert!(!version([4, 0, 8]).is_one_way() && !version([3, 10, 20]).is_one_way());
    }

    #[test]
    fn what_stands_before_a_cut_is_not_forgotten() {
        let text =
            b"-------------------------------- 2.9.9.9_0052 --------------------------------";
        for first in 0..text.len() {
            for second in first..text.len() {
                let mut scan = Scan::new();
                scan.feed(&text[..first]);
                scan.feed(&text[first..second]);
                scan.feed(&text[second..]);
                assert_eq!(scan.found(), None, "cut at {first} and {second}");
            }
        }
    }

    #[test]
    fn a_version_is_found_however_the_stream_is_cut() {
        let text = b"3.4.2_0062 ------- 13.5.1_0052 ------------ 3.5.1_0052 ";
        for first in 0..text.len() {
            let mut scan = Scan::new();
            scan.feed(&text[..first]);
            for byte in &text[first..] {
                scan.feed(&[*byte]);
            }
            assert_eq!(scan.found().map(|v| v.to_string()).as_deref(), Some("13.5.1_0052"));
        }
    }
}
