//! BOOT: IPL, map, U-Boot and environment, each at its place
//! (docs/formats.md, BOOT).

use super::{ContentFacts, Judged, UimageFacts, keep, uimage};
use crate::chip::table;
use crate::formats::uimage::{Check, Data};
use crate::formats::{ipl, mxp, uboot_env};
use crate::image::finding::Finding;

/// Where the second loader begins, and how much room each of the two has.
const IPL_CUST: u64 = 0x1_0000;
const IPL_CUST_END: u64 = 0x1_F000;
const TABLE: u64 = mxp::TABLE_OFFSET as u64;
const UBOOT: u64 = 0x3_0000;
const ENV: u64 = uboot_env::OFFSET as u64;
const NEVER: &str = "Never flash this to BOOT: a camera without a boot loader needs a programmer.";

/// What is kept of BOOT: the map and the environment; the loaders and U-Boot stream by.
#[derive(Clone, Debug, Default)]
pub(super) struct Boot {
    ipl: ipl::Check,
    ipl_cust: ipl::Check,
    table: Vec<u8>,
    uboot: Check,
    env: Vec<u8>,
}

impl Boot {
    pub(super) fn feed(&mut self, at: u64, bytes: &[u8]) {
        let range = |from: u64, len: usize| keep::overlap(at, bytes, from..from + len as u64);
        self.ipl.feed(keep::overlap(at, bytes, 0..IPL_CUST));
        self.ipl_cust.feed(keep::overlap(at, bytes, IPL_CUST..IPL_CUST_END));
        self.table.extend_from_slice(range(TABLE, mxp::TABLE_SIZE));
        self.uboot.feed(keep::overlap(at, bytes, UBOOT..ENV));
        self.env.extend_from_slice(range(ENV, uboot_env::SIZE));
    }

    pub(super) fn finish(self) -> Judged {
        let mut findings = Vec::new();
        let loaders = [
            (&self.ipl, ipl::IPL, 0..IPL_CUST, "IPL"),
            (&self.ipl_cust, ipl::IPL_CUST, IPL_CUST..IPL_CUST_END, "IPL_CUST"),
        ];
        for (check, magic, place, name) in loaders {
            let verdict = check.finish(magic, (place.end - place.start) as u32);
            findings.extend(loader(verdict, name, place.start));
        }
        findings.extend(map(&self.table));
        let uboot = self.uboot.finish();
        let facts = uboot.as_ref().ok().map(|v| UimageFacts::of(&v.header));
        match uboot {
            Err(e) => findings.push(
                Finding::blocker("no-uboot", format!("There is no U-Boot: {e}."))
                    .at(UBOOT)
                    .hint(NEVER),
            ),
            Ok(verdict) if verdict.data != Data::Good => findings.push(
                Finding::blocker(
                    "uboot-damaged",
                    format!("U-Boot is damaged: {}.", uimage::data_reason(verdict.data)),
                )
                .at(UBOOT)
                .hint(NEVER),
            ),
            Ok(_) => {}
        }
        let damaged = findings.iter().any(|f| f.severity == crate::image::Severity::Blocker);
        let env = uboot_env::parse(&self.env);
        let env_crc_ok = env.as_ref().map(uboot_env::Env::crc_ok);
        if env_crc_ok != Some(true) {
            findings.push(
                Finding::note(
                    "environment-crc",
                    "U-Boot's environment has a wrong checksum. That is common and harmless: \
                     U-Boot then uses the one that is built into it.",
                )
                .at(ENV),
            );
        }
        let kind = match &facts {
            Some(uboot) if !damaged => format!("IPL, U-Boot ({})", uboot.family_name()),
            _ => "boot loader, incomplete".to_owned(),
        };
        Judged {
            kind,
            damaged,
            findings,
            facts: ContentFacts { uimage: facts, env_crc_ok, ..ContentFacts::default() },
            ..Judged::default()
        }
    }
}

/// What is wrong with the flash map.
fn map(bytes: &[u8]) -> Option<Finding> {
    if table::says(bytes).is_some_and(|map| map.is_known()) {
        return None;
    }
    Some(if table::is_damaged(bytes) {
        Finding::blocker(
            "map-damaged",
            "Its flash map is damaged: Linux may not find its partitions.",
        )
        .at(TABLE)
        .hint(NEVER)
    } else {
        Finding::warning("no-map", "It contains no flash map that this program knows.")
            .at(TABLE)
            .hint("The map is then guessed from the places of the parts.")
    })
}

/// What is wrong with a first loader.
fn loader(verdict: ipl::IplCheck, name: &str, at: u64) -> Option<Finding> {
    let (code, reason) = match verdict {
        ipl::IplCheck::Good => return None,
        ipl::IplCheck::Missing => ("no-ipl", format!("The first loader, {name}, is not there.")),
        ipl::IplCheck::Length(length) => (
            "ipl-damaged",
            format!("The first loader, {name}, is damaged: its length says {length} bytes."),
        ),
        ipl::IplCheck::Sum { stored, computed } => (
            "ipl-damaged",
            format!(
                "The first loader, {name}, is damaged: the sum of its words is {computed:08x}, \
                 and should be {stored:08x}."
            ),
        ),
    };
    Some(Finding::blocker(code, reason).at(at).hint(NEVER))
}
