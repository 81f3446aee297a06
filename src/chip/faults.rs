//! The faults of the simulated chip: `MI360D_SIM_FAULTS`, parsed. What they
//! do is in `sim`.

use super::ChipError;

/// One read that comes back with a wrong bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flip {
    /// The byte, from the chip's start.
    pub offset: u32,
    /// The bit, 0 to 7.
    pub bit: u8,
}

/// Everything that is wrong with a simulated chip.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// The chip operations (erase or page program, from 1) at which power fails.
    pub cuts: Vec<u64>,
    /// Bits that the next read of their byte gets wrong, once.
    pub flips: Vec<Flip>,
    /// Offsets whose erase block does not erase.
    pub stuck: Vec<u32>,
    /// Offsets at which reads fail.
    pub eio: Vec<u32>,
    /// Offsets whose erase block is write-protected.
    pub wp: Vec<u32>,
    /// Offsets whose erase block takes the next one with it when it is erased.
    pub over_erase: Vec<u32>,
    /// Bytes that have one wrong bit after each programming, which reports success.
    pub lying_write: Vec<u32>,
}

/// The variable that holds the list.
pub const VARIABLE: &str = "MI360D_SIM_FAULTS";

impl Faults {
    /// The faults that the environment asks for; none where it is silent.
    ///
    /// # Errors
    /// [`ChipError::Fault`] for a word that is no fault: a fault that silently
    /// did not happen would prove the wrong thing.
    pub fn from_env() -> Result<Faults, ChipError> {
        std::env::var(VARIABLE).map_or_else(|_| Ok(Faults::default()), |list| Faults::parse(&list))
    }

    /// Parses a comma-separated list; numbers are decimal, or hex after `0x`.
    ///
    /// # Errors
    /// [`ChipError::Fault`], with the word.
    pub fn parse(list: &str) -> Result<Faults, ChipError> {
        let mut faults = Faults::default();
        for word in list.split(',').map(str::trim).filter(|w| !w.is_empty()) {
            let bad = |reason| ChipError::Fault { word: word.to_owned(), reason };
            let (name, rest) = word.split_once('@').ok_or_else(|| bad("it has no @"))?;
            let offset = |text: &str| number(text).ok_or_else(|| bad("it needs an offset"));
            match name {
                "cut" => match rest.parse() {
                    Ok(n) if n > 0 => faults.cuts.push(n),
                    _ => return Err(bad("operations are counted from 1")),
                },
                "flip" => {
                    let (at, bit) =
                        rest.split_once(':').ok_or_else(|| bad("it needs OFFSET:BIT"))?;
                    let bit = bit.parse().ok().filter(|b| *b < 8);
                    let bit = bit.ok_or_else(|| bad("a bit is 0 to 7"))?;
                    faults.flips.push(Flip { offset: offset(at)?, bit });
                }
                "stuck" => faults.stuck.push(offset(rest)?),
                "eio" => faults.eio.push(offset(rest)?),
                "wp" => faults.wp.push(offset(rest)?),
                "over-erase" => faults.over_erase.push(offset(rest)?),
                "lying-write" => faults.lying_write.push(offset(rest)?),
                _ => return Err(bad("its name is unknown")),
            }
        }
        Ok(faults)
    }
}

fn number(text: &str) -> Option<u32> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_of_the_contract_is_understood() {
        let list = "cut@12, flip@0x10:7,stuck@65536,eio@0xFF0000,wp@0,over-erase@3,lying-write@0x9";
        let faults = Faults::parse(list).unwrap();
        assert_eq!(faults.cuts, [12]);
        assert_eq!(faults.flips, [Flip { offset: 16, bit: 7 }]);
        assert_eq!(faults.stuck, [65536]);
        assert_eq!(faults.eio, [0xFF_0000]);
        assert_eq!(faults.wp, [0]);
        assert_eq!((faults.over_erase, faults.lying_write), (vec![3], vec![9]));
        assert_eq!(Faults::parse("").unwrap(), Faults::default());
    }

    #[test]
    fn a_word_that_is_no_fault_is_refused_by_name() {
        for word in ["cut", "cut@0", "cut@x", "flip@1", "flip@1:8", "eio@", "burn@1", "wp@-1"] {
            let error = Faults::parse(word).unwrap_err().to_string();
            assert!(error.contains(&format!("'{word}'")), "{error}");
        }
    }
}
