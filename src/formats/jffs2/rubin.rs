//! Rubin, the arithmetic coder of JFFS2: with fixed odds ("rubinmips"), or with
//! those of the node ("dynrubin"). Facts: docs/formats.md, JFFS2.

/// The upper bit of the coder's words of 16 bits.
const UPPER: u32 = 1 << 15;

/// Unpacks `size` bytes with the odds in the node's first 8 bytes.
pub(super) fn dynamic(packed: &[u8], size: usize) -> Option<Vec<u8>> {
    let (odds, packed) = packed.split_first_chunk::<8>()?;
    Some(unpack(packed, size, 256, odds.map(u32::from)))
}

/// Unpacks `size` bytes with the fixed odds.
pub(super) fn fixed(packed: &[u8], size: usize) -> Vec<u8> {
    unpack(packed, size, 1043, [277, 249, 290, 267, 229, 341, 212, 241])
}

/// `ones` of `all` are how often each bit of a byte is 1, the lowest first.
fn unpack(packed: &[u8], size: usize, all: u32, ones: [u32; 8]) -> Vec<u8> {
    let mut bits =
        packed.iter().flat_map(|byte| (0..8).rev().map(move |i| u32::from(byte >> i & 1)));
    // Behind the end come zeros.
    let mut next = || bits.next().unwrap_or(0);
    let mut value = (0..16).fold(0, |value, _| value << 1 | next());
    // The interval that is left: it always contains UPPER when a bit is decoded.
    let (mut low, mut width) = (0, 2 * UPPER);
    let mut out = Vec::with_capacity(size);
    for _ in 0..size {
        let mut byte = 0;
        for (i, ones) in ones.iter().enumerate() {
            while low >= UPPER || low + width <= UPPER {
                low = (low & (UPPER - 1)) << 1;
                value = (value & (UPPER - 1)) << 1 | next();
                width <<= 1;
            }
            let zero = ((all - ones) * width / all).clamp(1, width - 1);
            if value >= low + zero {
                byte |= 1 << i;
                low += zero;
                width -= zero;
            } else {
                width = zero;
            }
        }
        out.push(byte);
    }
    out
}
