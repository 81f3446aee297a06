//! A small JPEG encoder for the made-up scene: baseline, no subsampling, and Huffman codes of one
//! length, which the file describes itself. ITU-T T.81. Pure.

/// The quantiser of every coefficient: good pictures, large files.
const QUANTISER: u8 = 6;
/// Coefficients from low to high frequencies: their places in a block of 8 rows.
const ZIGZAG: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20,
    13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59,
    52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];
/// Symbols of the difference of mean values: bits that follow.
const DC_SYMBOLS: u8 = 12;
/// Bits of the codes of either kind: enough for 12 and 162 symbols, without the code of all ones.
const DC_BITS: u32 = 4;
const AC_BITS: u32 = 8;
const END_OF_BLOCK: u8 = 0x00;
const SIXTEEN_ZEROS: u8 = 0xf0;

#[derive(Debug, Default)]
struct Bits {
    out: Vec<u8>,
    pending: u64,
    count: u32,
}

impl Bits {
    fn put(&mut self, count: u32, value: u32) {
        self.pending = self.pending << count | u64::from(value) & ((1 << count) - 1);
        self.count += count;
        while self.count >= 8 {
            self.count -= 8;
            let byte = (self.pending >> self.count) as u8;
            self.out.push(byte);
            if byte == 0xff {
                self.out.push(0);
            }
        }
    }
}

/// The symbols of coefficients: end of block, then zeros before it (0 to 15) and bits (1 to 10),
/// and sixteen zeros.
fn ac_symbols() -> Vec<u8> {
    let sized = (0..16u8).flat_map(|run| (1..=10).map(move |size| run << 4 | size));
    std::iter::once(END_OF_BLOCK).chain(sized).chain([SIXTEEN_ZEROS]).collect()
}

fn ac_code(symbol: u8) -> u32 {
    match symbol {
        END_OF_BLOCK => 0,
        SIXTEEN_ZEROS => 161,
        _ => u32::from(symbol >> 4) * 10 + u32::from(symbol & 15),
    }
}

/// Bits of a number, and the number as those bits (F.1.2.1).
fn sized(value: i32) -> (u32, u32) {
    let size = 32 - value.unsigned_abs().leading_zeros();
    let bits = if value < 0 { value - 1 } else { value };
    (size, bits.cast_unsigned())
}

fn segment(out: &mut Vec<u8>, marker: u8, content: &[u8]) {
    out.extend_from_slice(&[0xff, marker]);
    out.extend_from_slice(&(content.len() as u16 + 2).to_be_bytes());
    out.extend_from_slice(content);
}

fn huffman(class: u8, bits: u32, symbols: &[u8]) -> Vec<u8> {
    let mut out = vec![class << 4];
    out.extend((1..=16).map(|length| if length == bits { symbols.len() as u8 } else { 0 }));
    out.extend_from_slice(symbols);
    out
}

/// A JPEG file of this size, whose sides are multiples of 8; `pixel` gives Y, Cb, Cr.
pub fn encode(width: u16, height: u16, pixel: impl Fn(usize, usize) -> [u8; 3]) -> Vec<u8> {
    let mut out = vec![0xff, 0xd8];
    segment(&mut out, 0xe0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0");
    segment(&mut out, 0xdb, &[&[0], &[QUANTISER; 64][..]].concat());
    let (w, h) = (width.to_be_bytes(), height.to_be_bytes());
    let frame = [8, h[0], h[1], w[0], w[1], 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0];
    segment(&mut out, 0xc0, &frame);
    let dc: Vec<u8> = (0..DC_SYMBOLS).collect();
    segment(&mut out, 0xc4, &huffman(0, DC_BITS, &dc));
    segment(&mut out, 0xc4, &huffman(1, AC_BITS, &ac_symbols()));
    segment(&mut out, 0xda, &[3, 1, 0, 2, 0, 3, 0, 0, 63, 0]);
    let cosines = cosines();
    let mut bits = Bits { out, ..Bits::default() };
    let mut means = [0; 3];
    for top in (0..usize::from(height)).step_by(8) {
        for left in (0..usize::from(width)).step_by(8) {
            let mut planes = [[0f32; 64]; 3];
            for at in 0..64 {
                let colour = pixel(left + at % 8, top + at / 8);
                for (plane, value) in planes.iter_mut().zip(colour) {
                    plane[at] = f32::from(value) - 128.0;
                }
            }
            for (plane, mean) in planes.iter().zip(&mut means) {
                block(&mut bits, &transform(plane, &cosines), mean);
            }
        }
    }
    bits.put(7, 0x7f);
    let mut out = bits.out;
    out.extend_from_slice(&[0xff, 0xd9]);
    out
}

fn cosines() -> [[f32; 8]; 8] {
    let mut table = [[0.0; 8]; 8];
    for (u, row) in table.iter_mut().enumerate() {
        let scale = if u == 0 { 0.125f32.sqrt() } else { 0.5 };
        for (x, cell) in row.iter_mut().enumerate() {
            // Both are below 8.
            #[allow(clippy::cast_precision_loss)]
            let angle = (2 * x + 1) as f32 * u as f32 * std::f32::consts::PI / 16.0;
            *cell = scale * angle.cos();
        }
    }
    table
}

/// The cosine transform, quantised (A.3.3, A.3.4).
#[allow(clippy::needless_range_loop)] // as the formula has it
fn transform(plane: &[f32; 64], cosines: &[[f32; 8]; 8]) -> [i32; 64] {
    let mut rows = [0f32; 64];
    for y in 0..8 {
        for u in 0..8 {
            rows[y * 8 + u] = (0..8).map(|x| plane[y * 8 + x] * cosines[u][x]).sum();
        }
    }
    let mut out = [0; 64];
    for v in 0..8 {
        for u in 0..8 {
            let sum: f32 = (0..8).map(|y| rows[y * 8 + u] * cosines[v][y]).sum();
            out[v * 8 + u] = (sum / f32::from(QUANTISER)).round() as i32;
        }
    }
    out
}

fn block(bits: &mut Bits, values: &[i32; 64], mean: &mut i32) {
    let (size, word) = sized(values[0] - *mean);
    *mean = values[0];
    bits.put(DC_BITS, size);
    bits.put(size, word);
    let mut zeros = 0;
    for place in &ZIGZAG[1..] {
        let value = values[usize::from(*place)];
        if value == 0 {
            zeros += 1;
            continue;
        }
        while zeros >= 16 {
            bits.put(AC_BITS, ac_code(SIXTEEN_ZEROS));
            zeros -= 16;
        }
        let (size, word) = sized(value);
        bits.put(AC_BITS, ac_code(zeros << 4 | size as u8));
        bits.put(size, word);
        zeros = 0;
    }
    if zeros > 0 {
        bits.put(AC_BITS, ac_code(END_OF_BLOCK));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_the_ones_that_the_file_describes() {
        let symbols = ac_symbols();
        assert_eq!(symbols.len(), 162);
        for (code, symbol) in symbols.iter().enumerate() {
            assert_eq!(ac_code(*symbol), code as u32, "{symbol:#x}");
        }
        for (value, expected) in [(0, (0, 0)), (1, (1, 1)), (-1, (1, 0)), (5, (3, 5)), (-5, (3, 2))]
        {
            let (size, bits) = sized(value);
            assert_eq!((size, bits & ((1 << size) - 1)), expected, "{value}");
        }
        let file = encode(16, 8, |x, y| [(x * 16) as u8, (y * 30) as u8, 128]);
        assert!(file.starts_with(&[0xff, 0xd8]) && file.ends_with(&[0xff, 0xd9]));
    }
}
