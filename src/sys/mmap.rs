//! Mapping files into memory. Only for files on a reliable disk: a mapped file
//! on a card that is pulled out is a SIGBUS (docs/ARCHITECTURE.md).

use std::fs::File;
use std::io;

use memmap2::{Mmap, MmapMut};

/// Maps a whole file, readable and writable, shared with other processes.
pub fn map_shared(file: &File) -> io::Result<MmapMut> {
    // SAFETY: the map is only ever read and written through byte slices that
    // live under one lock in `chip::sim`; another process that maps the same
    // simulated chip changes bytes, never the length, as a second program on
    // real hardware would.
    unsafe { MmapMut::map_mut(file) }
}

/// Maps a whole file and holds its pages in memory until the map is dropped.
pub fn map_locked(file: &File) -> io::Result<Mmap> {
    // SAFETY: nobody reads these bytes through the map: it is only there so that
    // the kernel keeps the pages.
    let map = unsafe { Mmap::map(file)? };
    map.lock()?;
    Ok(map)
}
