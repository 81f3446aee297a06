//! KERNEL: a uImage (docs/formats.md, uImage).

use super::{ContentFacts, Judged, UimageFacts};
use crate::formats::uimage::{Check, Data, Family, HEADER, Header, OS_UBOOT, UimageError};
use crate::formats::version;
use crate::image::finding::Finding;

impl UimageFacts {
    pub(super) fn of(header: &Header) -> UimageFacts {
        UimageFacts {
            name: header.name.clone(),
            family: header.family(),
            linux: header.linux(),
            bytes: HEADER as u64 + u64::from(header.size),
            load: header.load,
            entry: header.entry,
            compression: header.compression,
        }
    }

    /// The family in a word.
    pub fn family_name(&self) -> &'static str {
        match self.family {
            Family::I3 => "I3",
            Family::I6 => "I6",
            Family::Other => "unknown family",
        }
    }
}

/// What is wrong with the data of a uImage, in words; nothing for good data.
pub(super) fn data_reason(data: Data) -> String {
    match data {
        Data::Good => String::new(),
        Data::BadCrc { stored, computed } => {
            format!("its checksum is {computed:08x}, and should be {stored:08x}")
        }
        Data::Short { have, want } => format!("only {have} of its {want} bytes are there"),
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Kernel {
    check: Check,
}

impl Kernel {
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.check.feed(bytes);
    }

    pub(super) fn finish(self) -> Judged {
        let verdict = match self.check.finish() {
            Ok(verdict) => verdict,
            Err(e) => return no_uimage(e),
        };
        let header = &verdict.header;
        let facts = UimageFacts::of(header);
        let mut findings = Vec::new();
        if verdict.data != Data::Good {
            let (code, hint) = if matches!(verdict.data, Data::Short { .. }) {
                ("kernel-short", "The file is cut off: copy or download it again.")
            } else {
                ("kernel-crc", "The boot loader would not start it: use another copy.")
            };
            findings.push(
                Finding::blocker(
                    code,
                    format!("The kernel is damaged: {}.", data_reason(verdict.data)),
                )
                .at(HEADER as u64)
                .hint(hint),
            );
        }
        if !header.is_arm_linux() {
            let what = if header.os == OS_UBOOT { "U-Boot" } else { "no Linux for ARM" };
            findings.push(
                Finding::blocker("no-kernel", format!("This uImage is {what}, not a kernel."))
                    .at(28)
                    .hint("Do not flash it to KERNEL."),
            );
        }
        let damaged = !findings.is_empty();
        if header.family() == Family::Other {
            findings.push(
                Finding::warning(
                    "kernel-family",
                    "The image's name does not say which processor it is for.",
                )
                .at(32),
            );
        }
        if !verdict.trailing_is_padding {
            findings.push(
                Finding::note("kernel-trailing", "There is something after the kernel.")
                    .at(facts.bytes),
            );
        }
        let mut kind = format!("uImage, {}", facts.family_name());
        if let Some(linux) = &facts.linux {
            kind = format!("{kind}, Linux {linux}");
        } else if header.os == OS_UBOOT {
            kind.push_str(", U-Boot");
        }
        let version = version::of_kernel(&header.name);
        Judged {
            kind,
            damaged,
            findings,
            facts: ContentFacts { uimage: Some(facts), version, ..ContentFacts::default() },
            ..Judged::default()
        }
    }
}

fn no_uimage(e: UimageError) -> Judged {
    let (kind, code) = match e {
        UimageError::HeaderCrc { .. } => ("uImage, damaged", "kernel-header"),
        UimageError::NoMagic | UimageError::Cut => ("not a kernel", "no-kernel"),
    };
    Judged {
        kind: kind.to_owned(),
        damaged: true,
        findings: vec![
            Finding::blocker(code, format!("There is no kernel: {e}."))
                .at(0)
                .hint("The boot loader would not start it."),
        ],
        ..Judged::default()
    }
}
