//! LZO1X, as Linux packs JFFS2 nodes with it. Facts: docs/formats.md, JFFS2.

/// What the state is after a run of literals.
const RUN: usize = 4;

/// Unpacks to exactly `size` bytes; `None` where that is not what it holds.
pub(super) fn unpack(packed: &[u8], size: usize) -> Option<Vec<u8>> {
    let mut input = Input { packed, at: 0 };
    let mut out = Vec::with_capacity(size);
    // How many literals followed the last match: 0 to 3, or a run of its own.
    let mut state = 0;
    if let Some(&first @ 18..) = packed.first() {
        input.at = 1;
        let count = usize::from(first) - 17;
        input.copy(count, size, &mut out)?;
        state = count.min(RUN);
    }
    loop {
        let code = input.byte()?;
        let (distance, length, literals) = match code {
            0..16 if state == 0 => {
                let count = input.count(code, 15)? + 3;
                input.copy(count, size, &mut out)?;
                state = RUN;
                continue;
            }
            0..16 => {
                let near = 1 + (code >> 2) + (input.byte()? << 2);
                if state == RUN { (near + 0x800, 3, code & 3) } else { (near, 2, code & 3) }
            }
            16..32 => {
                let length = input.count(code & 7, 7)? + 2;
                let word = input.byte()? | input.byte()? << 8;
                let distance = ((code & 8) << 11) + (word >> 2);
                if distance == 0 {
                    return (out.len() == size).then_some(out);
                }
                (distance + 0x4000, length, word & 3)
            }
            32..64 => {
                let length = input.count(code & 31, 31)? + 2;
                let word = input.byte()? | input.byte()? << 8;
                (1 + (word >> 2), length, word & 3)
            }
            _ => (1 + (code >> 2 & 7) + (input.byte()? << 3), (code >> 5) + 1, code & 3),
        };
        let from = out.len().checked_sub(distance)?;
        if length > size - out.len() {
            return None;
        }
        for at in from..from + length {
            out.push(*out.get(at)?);
        }
        input.copy(literals, size, &mut out)?;
        state = literals;
    }
}

struct Input<'a> {
    packed: &'a [u8],
    at: usize,
}

impl Input<'_> {
    fn byte(&mut self) -> Option<usize> {
        let byte = *self.packed.get(self.at)?;
        self.at += 1;
        Some(byte.into())
    }

    /// A count that did not fit into its code: each zero stands for 255.
    fn count(&mut self, in_code: usize, most: usize) -> Option<usize> {
        if in_code != 0 {
            return Some(in_code);
        }
        let mut count = most;
        loop {
            match self.byte()? {
                0 => count += 255,
                last => return Some(count + last),
            }
        }
    }

    fn copy(&mut self, count: usize, size: usize, out: &mut Vec<u8>) -> Option<()> {
        let end = self.at.checked_add(count)?;
        let literals = self.packed.get(self.at..end).filter(|l| l.len() <= size - out.len())?;
        out.extend_from_slice(literals);
        self.at = end;
        Some(())
    }
}
