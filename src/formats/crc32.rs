//! CRC32 as Ethernet, zip, uImage and U-Boot's environment have it (polynomial 0xEDB88320,
//! reflected). Four bytes at a time: 4 KiB of tables, where the usual crate has 16.

const POLYNOMIAL: u32 = 0xEDB8_8320;

/// `TABLES[n][b]`: the byte `b` with `n` bytes of 0 behind it.
static TABLES: [[u32; 256]; 4] = tables();

const fn tables() -> [[u32; 256]; 4] {
    let mut tables = [[0; 256]; 4];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = (crc >> 1) ^ if crc & 1 == 1 { POLYNOMIAL } else { 0 };
            bit += 1;
        }
        tables[0][byte] = crc;
        let mut n = 1;
        while n < 4 {
            crc = (crc >> 8) ^ tables[0][(crc & 0xFF) as usize];
            tables[n][byte] = crc;
            n += 1;
        }
        byte += 1;
    }
    tables
}

/// The CRC of these bytes.
pub fn hash(bytes: &[u8]) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(bytes);
    hasher.finalize()
}

/// The product of two polynomials, modulo that of the CRC.
fn product(one: u32, mut other: u32) -> u32 {
    let mut product = 0;
    for bit in (0..32).rev() {
        if one >> bit & 1 == 1 {
            product ^= other;
        }
        other = (other >> 1) ^ if other & 1 == 1 { POLYNOMIAL } else { 0 };
    }
    product
}

/// A CRC that grows.
#[derive(Clone, Debug, Default)]
pub struct Hasher {
    crc: u32,
    bytes: u64,
}

impl Hasher {
    /// That of no bytes.
    pub fn new() -> Hasher {
        Hasher::default()
    }

    /// Goes on from this one.
    pub fn new_with_initial(crc: u32) -> Hasher {
        Hasher { crc, bytes: 0 }
    }

    /// Takes more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        let table = |n: usize, word: u32| TABLES[n][usize::from(word as u8)];
        let mut crc = !self.crc;
        let (words, rest) = bytes.as_chunks::<4>();
        for word in words {
            let word = crc ^ u32::from_le_bytes(*word);
            crc =
                table(3, word) ^ table(2, word >> 8) ^ table(1, word >> 16) ^ table(0, word >> 24);
        }
        for byte in rest {
            crc = (crc >> 8) ^ table(0, crc ^ u32::from(*byte));
        }
        self.crc = !crc;
        self.bytes += bytes.len() as u64;
    }

    /// Goes on with the bytes that another one took.
    pub fn combine(&mut self, next: &Hasher) {
        // Reflected: the highest bit is x to the power of 0.
        let (mut shift, mut power, mut left) = (1 << 31, 1 << 23, next.bytes);
        while left > 0 {
            if left & 1 == 1 {
                shift = product(shift, power);
            }
            power = product(power, power);
            left >>= 1;
        }
        self.crc = product(self.crc, shift) ^ next.crc;
        self.bytes += next.bytes;
    }

    /// The CRC of all that it took.
    pub fn finalize(self) -> u32 {
        self.crc
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_of_the_standard_comes_out() {
        assert_eq!(hash(b"123456789"), 0xCBF4_3926);
        assert_eq!(hash(b""), 0);
    }

    #[test]
    fn any_bytes_in_any_pieces_give_what_another_s_program_gives() {
        proptest::proptest!(|(bytes: Vec<u8>, cut: usize, initial: u32)| {
            proptest::prop_assert_eq!(hash(&bytes), crc32fast::hash(&bytes));
            let (one, two) = bytes.split_at(cut % (bytes.len() + 1));
            let mut ours = Hasher::new_with_initial(initial);
            let mut theirs = crc32fast::Hasher::new_with_initial(initial);
            for piece in [one, two] {
                ours.update(piece);
                theirs.update(piece);
            }
            proptest::prop_assert_eq!(ours.finalize(), theirs.finalize());
            let [mut first, mut second] = [Hasher::new(), Hasher::new()];
            first.update(one);
            second.update(two);
            first.combine(&second);
            proptest::prop_assert_eq!(first.finalize(), hash(&bytes));
        });
    }
}
