//! Output of flashrom, parsed. Pure. The words are those of flashrom 1.2 to 1.4; output that is not
//! understood becomes `None`, never a guess.

use serde::{Deserialize, Serialize};

/// A chip that answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChipFound {
    /// Its maker, as flashrom names it.
    pub vendor: String,
    /// Its name, as `-c` takes it.
    pub name: String,
    /// Its bytes.
    pub size: u64,
}

/// The write protection by the chip's status register.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protection {
    /// The first protected byte.
    pub start: u64,
    /// Protected bytes; 0 where nothing is protected.
    pub length: u64,
    /// `disabled`, `hardware`, `power_cycle` or `permanent`.
    pub mode: String,
}

impl Protection {
    /// Whether a write would need it lifted first.
    pub fn is_on(&self) -> bool {
        self.length > 0 || self.mode != "disabled"
    }

    /// In a few words.
    pub fn words(&self) -> String {
        if self.length == 0 {
            return format!("off (mode {})", self.mode);
        }
        format!("{:#x} bytes from {:#x} (mode {})", self.length, self.start, self.mode)
    }
}

/// The chips in the output: `Found Winbond flash chip "W25Q128.V" (16384 kB, SPI) on dummy.`
pub fn chips(text: &str) -> Vec<ChipFound> {
    text.lines().filter_map(chip).collect()
}

fn chip(line: &str) -> Option<ChipFound> {
    let (vendor, rest) = line.strip_prefix("Found ")?.split_once(" flash chip \"")?;
    let (name, rest) = rest.split_once("\" (")?;
    let kib: u64 = rest.split_once(" kB")?.0.parse().ok()?;
    let size = kib.checked_mul(1024)?;
    Some(ChipFound { vendor: vendor.to_owned(), name: name.to_owned(), size })
}

/// The protection in the output of `--wp-status`.
pub fn protection(text: &str) -> Option<Protection> {
    let value = |name: &str| text.lines().rev().find_map(|line| line.trim().strip_prefix(name));
    let range = value("Protection range: ")?;
    let number = |name: &str| {
        let rest = range.split_once(name)?.1.strip_prefix("0x")?;
        let digits = rest.split(|c: char| !c.is_ascii_hexdigit()).next()?;
        u64::from_str_radix(digits, 16).ok()
    };
    let mode = value("Protection mode: ")?.trim().to_owned();
    Some(Protection { start: number("start=")?, length: number("length=")?, mode })
}

/// Whether no chip answered.
pub fn no_chip(text: &str) -> bool {
    text.contains("No EEPROM/flash device found")
}

/// Whether the programmer could not be used at all.
pub fn no_programmer(text: &str) -> bool {
    text.contains("Programmer initialization failed")
        || text.contains("Unknown programmer")
        || text.contains("Invalid programmer")
}

/// Whether a failed write says that it changed nothing.
pub fn says_unchanged(text: &str) -> bool {
    text.contains("It seems nothing was changed") || text.contains("nothing was changed")
}

/// The last words that explain a failure, without the advice to write to flashrom's authors.
pub fn reason(text: &str) -> String {
    let advice = ["Please ", "email", "Thanks", "work correctly", "file for all", "Run flashrom"];
    let bad = ["rror", "ailed", "ould", "FAILED", "not ", "No ", "Uh oh", "nknown", "mismatch"];
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let wanted = lines.iter().rev().find(|line| {
        bad.iter().any(|word| line.contains(word)) && !advice.iter().any(|w| line.starts_with(w))
    });
    let line = wanted.or_else(|| lines.iter().rev().find(|line| !line.is_empty()));
    let line = line.map_or("flashrom says nothing", |line| line);
    line.trim_end_matches('.').chars().filter(|c| !c.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOUND: &str = "flashrom unknown on Linux\n\n\
        Found Winbond flash chip \"W25Q128.V\" (16384 kB, SPI) on dummy.\n===\n\
        Thanks for your help!\n\
        Protection range: start=0x00000000 length=0x01000000 (all)\n\
        Protection mode: hardware\n";

    #[test]
    fn a_chip_and_its_protection_are_read() {
        let chip =
            ChipFound { vendor: "Winbond".into(), name: "W25Q128.V".into(), size: 0x100_0000 };
        assert_eq!(chips(FOUND), [chip]);
        let on = protection(FOUND).unwrap();
        assert_eq!(on, Protection { start: 0, length: 0x100_0000, mode: "hardware".into() });
        assert!(on.is_on());
        let off = "Protection range: start=0x00000000 length=0x00000000 (none)\n\
                   Protection mode: disabled\n";
        assert!(!protection(off).unwrap().is_on());
        // Lifted and then shown again in one run: the last words count.
        assert!(!protection(&format!("{FOUND}{off}")).unwrap().is_on());
    }

    #[test]
    fn what_is_not_understood_is_none() {
        for text in [
            "",
            "Found x flash chip \"y",
            "Found x flash chip \"y\" (99999999999999999999 kB, SPI)",
            "Protection range: start=0x length=0x (none)\nProtection mode: disabled",
            "Protection range: start=0x00 length=0x00",
            "Failed to get WP status: unknown WP error",
        ] {
            assert_eq!(chips(text), [], "{text}");
            assert_eq!(protection(text), None, "{text}");
        }
    }

    #[test]
    fn failures_are_told_apart() {
        assert!(no_chip("No EEPROM/flash device found.\nNote: flashrom can never write"));
        let usb = "Couldn't open device 1a86:5512.\nError: Programmer initialization failed.\n";
        assert!(no_programmer(usb) && !no_chip(usb));
        assert!(no_programmer("Error: Unknown programmer \"nosuch\". Valid choices are:"));
        assert!(says_unchanged("Good. It seems nothing was changed."));
        assert_eq!(
            reason("Reading flash... FAILED.\nThanks for your help!\n"),
            "Reading flash... FAILED"
        );
        assert_eq!(reason(""), "flashrom says nothing");
    }
}
