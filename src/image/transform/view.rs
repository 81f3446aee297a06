//! Mangled bytes whose place before can be calculated: nothing is kept.

use std::io;

use super::kind::Transform;
use crate::image::source::Source;

/// A view of a file.
pub(super) struct View<'a> {
    source: &'a dyn Source,
    transform: Transform,
}

impl<'a> View<'a> {
    pub(super) fn new(source: &'a dyn Source, transform: Transform) -> View<'a> {
        View { source, transform }
    }

    /// Groups of `size` bytes, each turned around, `unit` bytes at a time.
    fn turned(&self, unit: u64, size: u64, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let start = offset / size * size;
        let end = (offset + buf.len() as u64).next_multiple_of(size);
        let mut bytes = vec![0; (end - start) as usize];
        self.source.read_at(start, &mut bytes)?;
        for group in bytes.chunks_mut(size as usize) {
            group.reverse();
            group.chunks_mut(unit as usize).for_each(<[u8]>::reverse);
        }
        let from = (offset - start) as usize;
        buf.copy_from_slice(&bytes[from..from + buf.len()]);
        Ok(())
    }
}

impl Source for View<'_> {
    fn len(&self) -> u64 {
        let len = self.source.len();
        match &self.transform {
            Transform::Swapped { group, .. } => len / group * group,
            Transform::BitsMoved { early: false, .. } => len.saturating_sub(1),
            Transform::Inserted { every, count, ahead } => {
                let rest = len % (every + count);
                let rest = if *ahead { rest.saturating_sub(*count) } else { rest.min(*every) };
                len / (every + count) * every + rest
            }
            Transform::Repeated { copies, .. } | Transform::Wrapped { copies } => len / copies,
            Transform::Utf16(form) => len.saturating_sub(form.mark) / 2,
            Transform::Stretched | Transform::Halved { .. } => len / 2,
            _ => len,
        }
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        if offset.checked_add(buf.len() as u64).is_none_or(|end| end > self.len()) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match &self.transform {
            Transform::Swapped { unit, group } => self.turned(*unit, *group, offset, buf),
            Transform::BitsMoved { by, early } => {
                // The first bits that are missing were zeros in all that begins a part.
                let mut bytes = vec![0; buf.len() + 1];
                let (first, right) = if *early { (1, *by) } else { (0, 8 - by) };
                let skip = usize::from(offset < first);
                self.source.read_at(offset.saturating_sub(first), &mut bytes[skip..])?;
                for (byte, pair) in buf.iter_mut().zip(bytes.windows(2)) {
                    *byte = (u32::from(pair[0]) << 8 >> right) as u8 | pair[1] >> right;
                }
                Ok(())
            }
            Transform::Inverted | Transform::Mirrored | Transform::Nibbles => {
                self.source.read_at(offset, buf)?;
                for byte in buf {
                    *byte = match self.transform {
                        Transform::Mirrored => byte.reverse_bits(),
                        Transform::Nibbles => byte.rotate_left(4),
                        _ => !*byte,
                    };
                }
                Ok(())
            }
            Transform::Backwards => {
                let end = offset + buf.len() as u64;
                self.source.read_at(self.source.len() - end, buf)?;
                buf.reverse();
                Ok(())
            }
            Transform::Stretched => {
                let mut bytes = vec![0; buf.len() * 2];
                self.source.read_at(offset * 2, &mut bytes)?;
                for (byte, pair) in buf.iter_mut().zip(bytes.chunks_exact(2)) {
                    *byte = pair[0];
                }
                Ok(())
            }
            Transform::Halved { upper } if cfg!(feature = "pc") => {
                let mut bytes = vec![0; buf.len() * 2];
                self.source.read_at(offset * 2, &mut bytes)?;
                for (byte, pair) in buf.iter_mut().zip(bytes.chunks_exact(2)) {
                    let (high, low) = if *upper { (pair[0], pair[1]) } else { (pair[1], pair[0]) };
                    *byte = high << 4 | low & 0xF;
                }
                Ok(())
            }
            Transform::Stuck { mask, high } if cfg!(feature = "pc") => {
                self.source.read_at(offset, buf)?;
                let read = if *high { *mask } else { 0 };
                for (at, byte) in (offset..).zip(buf) {
                    *byte = if at & mask == read { *byte } else { 0xFF };
                }
                Ok(())
            }
            Transform::Rotated { by } => {
                let len = self.source.len();
                let start = (offset + by) % len;
                let first = (len - start).min(buf.len() as u64) as usize;
                let (now, wrapped) = buf.split_at_mut(first);
                self.source.read_at(start, now)?;
                if wrapped.is_empty() { Ok(()) } else { self.source.read_at(0, wrapped) }
            }
            Transform::Inserted { every, count, ahead } => {
                let first = if *ahead { *count } else { 0 };
                let mut done = 0;
                while done < buf.len() {
                    let at = offset + done as u64;
                    let piece = (every - at % every).min((buf.len() - done) as u64) as usize;
                    let place = at / every * (every + count) + at % every + first;
                    self.source.read_at(place, &mut buf[done..done + piece])?;
                    done += piece;
                }
                Ok(())
            }
            Transform::Utf16(form) => {
                let mut bytes = vec![0; buf.len() * 2];
                self.source.read_at(form.mark + offset * 2, &mut bytes)?;
                for (byte, unit) in buf.iter_mut().zip(bytes.chunks_exact(2)) {
                    let pair = [unit[0], unit[1]];
                    let unit = if form.little {
                        u16::from_le_bytes(pair)
                    } else {
                        u16::from_be_bytes(pair)
                    };
                    *byte = form.page.byte(unit);
                }
                Ok(())
            }
            _ => self.source.read_at(offset, buf),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_reads_the_same_in_any_pieces() {
        let bytes: Vec<u8> = (0..240u32).map(|i| i as u8).collect();
        for transform in [
            Transform::Swapped { unit: 1, group: 2 },
            Transform::Swapped { unit: 1, group: 4 },
            Transform::Swapped { unit: 2, group: 4 },
            Transform::BitsMoved { by: 3, early: false },
            Transform::BitsMoved { by: 1, early: true },
            Transform::Inverted,
            Transform::Mirrored,
            Transform::Nibbles,
            Transform::Backwards,
            Transform::Stretched,
            Transform::Wrapped { copies: 2 },
            Transform::Halved { upper: true },
            Transform::Stuck { mask: 0x10, high: true },
            Transform::Rotated { by: 100 },
            Transform::Inserted { every: 16, count: 3, ahead: false },
            Transform::Inserted { every: 13, count: 3, ahead: true },
        ] {
            let view = View::new(&bytes, transform.clone());
            let mut all = vec![0; view.len() as usize];
            view.read_at(0, &mut all).unwrap();
            for start in 0..all.len() {
                let mut piece = vec![0; (all.len() - start).min(37)];
                view.read_at(start as u64, &mut piece).unwrap();
                assert_eq!(piece, all[start..start + piece.len()], "{transform:?} at {start}");
            }
            assert!(view.read_at(view.len(), &mut [0]).is_err());
        }
    }
}
