//! Check that a binary can run on the camera, by its ELF header.

/// The most that the camera's binary may weigh, in bytes. The copy that runs
/// lies in the camera's memory, of which 37 MiB are free before the stock
/// programs start: docs/weight.md.
pub const SIZE_LIMIT: usize = 2_359_296;

const CLASS_32: u8 = 1;
const LITTLE_ENDIAN: u8 = 1;
const TYPE_EXEC: u16 = 2;
const MACHINE_ARM: u16 = 40;
const EABI_MASK: u32 = 0xFF00_0000;
const EABI_5: u32 = 0x0500_0000;
const HARD_FLOAT: u32 = 0x400;
const SEGMENT_DYNAMIC: u32 = 2;
const SEGMENT_INTERP: u32 = 3;
const SECTION_SYMTAB: u32 = 2;

/// Nothing, or all that keeps this file from running on the camera.
pub fn judge(bytes: &[u8]) -> Result<(), String> {
    let faults = faults(bytes).unwrap_or_else(|| vec!["the ELF headers are cut short".into()]);
    if faults.is_empty() { Ok(()) } else { Err(faults.join("; ")) }
}

/// `None` where a header points outside the file.
fn faults(bytes: &[u8]) -> Option<Vec<String>> {
    let mut faults = Vec::new();
    let mut want = |good: bool, fault: &str| {
        if !good {
            faults.push(fault.to_owned());
        }
    };
    if !bytes.starts_with(b"\x7fELF") {
        return Some(vec!["no ELF file".into()]);
    }
    if *bytes.get(4)? != CLASS_32 || *bytes.get(5)? != LITTLE_ENDIAN {
        return Some(vec!["not 32-bit little-endian".into()]);
    }
    want(half(bytes, 18)? == MACHINE_ARM, "not ARM");
    want(half(bytes, 16)? == TYPE_EXEC, "no static executable (type EXEC)");
    let flags = word(bytes, 36)?;
    want(flags & EABI_MASK == EABI_5, "not EABI5");
    want(flags & HARD_FLOAT != 0, "not hard float");

    let segments = kinds(bytes, word(bytes, 28)?, half(bytes, 42)?, half(bytes, 44)?, 0)?;
    want(!segments.contains(&SEGMENT_INTERP), "asks for an interpreter (PT_INTERP)");
    want(!segments.contains(&SEGMENT_DYNAMIC), "linked dynamically (PT_DYNAMIC)");
    let sections = kinds(bytes, word(bytes, 32)?, half(bytes, 46)?, half(bytes, 48)?, 4)?;
    want(!sections.contains(&SECTION_SYMTAB), "not stripped");

    if bytes.len() > SIZE_LIMIT {
        faults.push(format!("{} bytes are more than {SIZE_LIMIT}", bytes.len()));
    }
    Some(faults)
}

/// The type words of a header table.
fn kinds(bytes: &[u8], table: u32, size: u16, count: u16, field: usize) -> Option<Vec<u32>> {
    (0..usize::from(count))
        .map(|i| word(bytes, (table as usize).checked_add(i * usize::from(size) + field)?))
        .collect()
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with one segment and one section of these types.
    fn file(segment: u32, section: u32) -> Vec<u8> {
        let mut bytes = vec![0; 256];
        bytes[..6].copy_from_slice(b"\x7fELF\x01\x01");
        let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
        put(16, &TYPE_EXEC.to_le_bytes());
        put(18, &MACHINE_ARM.to_le_bytes());
        put(28, &64_u32.to_le_bytes());
        put(32, &128_u32.to_le_bytes());
        put(36, &(EABI_5 | HARD_FLOAT).to_le_bytes());
        for (at, value) in [(42, 32_u16), (44, 1), (46, 40), (48, 1)] {
            put(at, &value.to_le_bytes());
        }
        put(64, &segment.to_le_bytes());
        put(132, &section.to_le_bytes());
        bytes
    }

    fn fault_of(bytes: &[u8]) -> String {
        judge(bytes).expect_err("a fault")
    }

    #[test]
    fn a_static_stripped_hard_float_binary_is_good() {
        assert_eq!(judge(&file(1, 1)), Ok(()));
    }

    #[test]
    fn each_fault_is_named() {
        assert!(fault_of(&file(SEGMENT_INTERP, 1)).contains("PT_INTERP"));
        assert!(fault_of(&file(SEGMENT_DYNAMIC, 1)).contains("PT_DYNAMIC"));
        assert!(fault_of(&file(1, SECTION_SYMTAB)).contains("stripped"));
        assert!(fault_of(b"#!/bin/sh\n").contains("no ELF"));
        let mut soft = file(1, 1);
        soft[37] = 0;
        assert!(fault_of(&soft).contains("hard float"));
        let mut intel = file(1, 1);
        intel[18] = 62;
        assert!(fault_of(&intel).contains("not ARM"));
        let mut large = file(1, 1);
        large.resize(SIZE_LIMIT + 1, 0);
        assert!(fault_of(&large).contains("more than"));
    }

    #[test]
    fn a_file_cut_anywhere_is_no_panic() {
        let whole = file(1, 1);
        for length in 0..whole.len() {
            let _ = judge(&whole[..length]);
        }
        assert!(fault_of(&whole[..60]).contains("cut short"));
    }
}
