//! Locking parts of this process in memory.

use std::ffi::c_void;
use std::fs;
use std::io;
use std::ptr::NonNull;

use nix::sys::mman::mlock;

/// Holds in memory what could be taken out of it and read again from a file (the program itself),
/// and the whole stack of the thread that calls. Anonymous memory needs no lock where there is no
/// swap, and locking all of it (`mlockall`) makes every byte of every thread's stack resident.
pub fn lock_what_runs() -> io::Result<()> {
    let here = 0u8;
    let stack = (&raw const here).addr();
    let mut result = Ok(());
    for (from, to) in ranges(&fs::read_to_string("/proc/self/maps")?, stack) {
        let Some(address) = NonNull::new(std::ptr::without_provenance_mut::<c_void>(from)) else {
            continue;
        };
        // SAFETY: locking changes no byte. A range that another thread has unmapped since the list
        // was read gives ENOMEM; one that it has mapped again is locked for nothing.
        let locked = unsafe { mlock(address, to - from) };
        // One range that is gone is no reason to leave the others out.
        result = result.and(locked.map_err(io::Error::from));
    }
    result
}

/// The mappings, first byte and the one behind the last, that are of a file or hold this address.
fn ranges(maps: &str, address: usize) -> Vec<(usize, usize)> {
    let range = |line: &str| {
        let (from, rest) = line.split_once('-')?;
        let to = rest.split(' ').next()?;
        let number = |hex| usize::from_str_radix(hex, 16).ok();
        let (from, to) = (number(from)?, number(to)?);
        let is_readable = rest.split(' ').nth(1)?.starts_with('r');
        let wanted = line.contains('/') || (from..to).contains(&address);
        (is_readable && wanted && from < to).then_some((from, to))
    };
    maps.lines().filter_map(range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_the_own_stack_are_chosen() {
        let maps = "00010000-0017c000 r-xp 00000000 b3:01 12 /mnt/sdcard/mi360d/mi360d\n\
                    0018b000-0018e000 rw-p 0016b000 b3:01 12 /mnt/sdcard/mi360d/mi360d\n\
                    0018e000-0018f000 rw-p 00000000 00:00 0 [heap]\n\
                    b6e00000-b6e01000 ---p 00000000 00:00 0\n\
                    b6e01000-b6e21000 rw-p 00000000 00:00 0\n\
                    b6f00000-b6f20000 rw-p 00000000 00:00 0\n\
                    broken\n";
        let all = ranges(maps, 0xb6e0_2000);
        assert_eq!(
            all,
            [(0x1_0000, 0x17_c000), (0x18_b000, 0x18_e000), (0xb6e0_1000, 0xb6e2_1000)]
        );
    }

    #[test]
    fn the_kernel_holds_what_was_locked() {
        let locked = || {
            let status = fs::read_to_string("/proc/self/status").unwrap();
            let line = status.lines().find_map(|l| l.strip_prefix("VmLck:")).unwrap();
            line.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
        };
        // Its text alone is larger than what a user without rights may lock.
        match lock_what_runs() {
            Ok(()) => assert!(locked() > 128, "{} KiB", locked()),
            Err(e) => assert_eq!(e.raw_os_error(), Some(nix::errno::Errno::ENOMEM as i32), "{e}"),
        }
    }
}
