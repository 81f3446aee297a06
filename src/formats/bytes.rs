//! Comparing large buffers. musl's memcmp, which `==` calls on the camera, looks at one byte after
//! the other; a flash compares every block that it wrote.

/// Bytes compared at a time: more than one processor word, so that the loop itself costs little.
const STEP: usize = 16;

/// Whether both hold the same.
pub fn alike(one: &[u8], other: &[u8]) -> bool {
    let (words, rest) = one.as_chunks::<STEP>();
    let (other_words, other_rest) = other.as_chunks::<STEP>();
    let same =
        |(a, b): (&[u8; STEP], &[u8; STEP])| u128::from_ne_bytes(*a) == u128::from_ne_bytes(*b);
    one.len() == other.len() && words.iter().zip(other_words).all(same) && rest == other_rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_changed_byte_anywhere_and_another_length_are_told() {
        for length in [0, 1, 15, 16, 17, 31, 32, 33, 256] {
            let one: Vec<u8> = (0..length).map(|n| n as u8).collect();
            assert!(alike(&one, &one.clone()), "{length}");
            assert!(!alike(&one, &[one.as_slice(), &[0]].concat()), "{length}");
            assert!(!alike(&[one.as_slice(), &[0]].concat(), &one), "{length}");
            for at in 0..length {
                let mut other = one.clone();
                other[at] ^= 0x80;
                assert!(!alike(&one, &other), "{length}, {at}");
            }
        }
    }
}
