//! An image for the programmer out of two: BOOT, CONFIG and FACTORY of the
//! camera itself, KERNEL, ROOTFS and DATA of a donor. Which parts go together
//! is decided here; opening and writing files is in [`crate::repair::brick`].

use std::io::{self, Write};

use crate::formats::sha256::Sha256;
use serde::Serialize;

use super::finding::Finding;
use super::slices::{Slice, Slices, Target};
use super::source::{Source, peek};
use crate::chip::{FlashMap, Role, WINDOW};
use crate::error::{Code, Exit, Explain};
use crate::formats::mxp;
use crate::formats::uimage::{self, Family};
use crate::identity::{self, Identity, Judgement};

/// Where U-Boot begins in BOOT, in bytes.
const UBOOT: u64 = 0x3_0000;

/// Why two images make none.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AssembleError {
    /// BOOT has no map, so nobody knows where the parts belong.
    #[error("BOOT has no known flash map, so the places of the parts are unknown")]
    NoMap,
    /// Something speaks against it.
    #[error("{}", reasons(.0))]
    Refused(Vec<Finding>),
}

fn reasons(findings: &[Finding]) -> String {
    let text: Vec<String> = findings
        .iter()
        .map(|f| match &f.partition {
            Some(partition) => format!("{partition}: {}", f.reason),
            None => f.reason.clone(),
        })
        .collect();
    text.join(" ")
}

impl Explain for AssembleError {
    fn code(&self) -> Code {
        match self {
            AssembleError::NoMap => Code::NoMap,
            AssembleError::Refused(findings) => {
                findings.first().map_or(Code::Refused, |f| Code::Finding(f.code))
            }
        }
    }

    fn hint(&self) -> String {
        match self {
            AssembleError::NoMap => {
                "Use an older dump of this camera, or a set from its card, whose BOOT is intact."
                    .to_owned()
            }
            AssembleError::Refused(findings) => {
                let mut hints: Vec<&str> = Vec::new();
                for hint in findings.iter().map(|f| f.hint.as_str()) {
                    if !hint.is_empty() && !hints.contains(&hint) {
                        hints.push(hint);
                    }
                }
                hints.join(" ")
            }
        }
    }

    fn exit(&self) -> Exit {
        Exit::Refused
    }
}

/// What the camera's own BOOT and FACTORY say about it.
pub struct Own {
    /// Its map: that of its MXP table.
    pub map: FlashMap,
    family: Option<Family>,
    identity: Judgement,
    model: Option<String>,
}

impl Own {
    /// Reads BOOT and FACTORY. `at` gives the source of a partition, and where
    /// in it the partition begins.
    ///
    /// # Errors
    /// [`AssembleError::NoMap`]; where a source cannot be read.
    pub fn of(
        boot: &dyn Source,
        factory: impl Fn(&FlashMap) -> io::Result<Vec<u8>>,
    ) -> io::Result<Result<Own, AssembleError>> {
        let table = peek(boot, mxp::TABLE_OFFSET as u64, mxp::TABLE_SIZE)?;
        let map = crate::chip::table::map_of(&table).map(|raw| FlashMap::conclude(&raw));
        let Some(map) = map.filter(FlashMap::is_known) else {
            return Ok(Err(AssembleError::NoMap));
        };
        let uboot = uimage::parse(&peek(boot, UBOOT, uimage::HEADER)?);
        let identity = identity::judge(&factory(&map)?);
        let model = identity.identity.as_ref().and_then(Identity::model);
        Ok(Ok(Own { map, family: uboot.ok().map(|h| h.family()), identity, model }))
    }

    /// The same of a dump of the whole chip.
    ///
    /// # Errors
    /// As [`Own::of`].
    pub fn of_dump(dump: &dyn Source) -> io::Result<Result<Own, AssembleError>> {
        Own::of(dump, |map| match map.by_role(Role::Factory) {
            Some(part) => peek(dump, part.offset.unwrap_or(0).into(), part.size as usize),
            None => Ok(Vec::new()),
        })
    }

    /// The camera that the image is for.
    pub fn target(&self) -> Target<'_> {
        Target {
            map: &self.map,
            model: self.model.as_deref(),
            family: self.family,
            identity: Some(&self.identity),
            firmware: None,
            kernel_load: None,
            known: &[],
        }
    }
}

/// Which of the two a part is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The camera itself.
    Own,
    /// The donor.
    Donor,
}

/// One part of the image.
#[derive(Clone, Debug, Serialize)]
pub struct Taken {
    /// Which of the two it is from.
    pub from: Side,
    /// Where it is written on the chip, in bytes.
    pub to: u32,
    /// What is taken.
    #[serde(flatten)]
    pub slice: Slice,
}

/// Two images that go together.
#[derive(Debug)]
pub struct Mixture {
    own: Slices,
    donor: Slices,
    /// The parts, in the chip's order: all of the chip.
    pub parts: Vec<Taken>,
    /// What the owner must know.
    pub warnings: Vec<Finding>,
}

impl Mixture {
    /// Chooses the parts. `damaged_factory` lets a FACTORY pass that is erased
    /// or damaged, as it is.
    ///
    /// # Errors
    /// [`AssembleError`], with all that speaks against it.
    pub fn of(
        own: Slices,
        donor: Slices,
        map: &FlashMap,
        damaged_factory: bool,
    ) -> Result<Mixture, AssembleError> {
        let mut against = Vec::new();
        let mut warnings = Vec::new();
        let mut parts = Vec::new();
        for part in map.covering() {
            let (from, slices) =
                if part.role.is_protected() { (Side::Own, &own) } else { (Side::Donor, &donor) };
            match slices.by_role(part.role) {
                Some(slice) => {
                    parts.push(Taken { from, to: part.offset.unwrap_or(0), slice: slice.clone() });
                }
                None if slices.blockers.iter().any(|f| f.partition.is_none()) => {}
                None => against.push(lacks(from, &part.name)),
            }
        }
        for (from, slices) in [(Side::Own, &own), (Side::Donor, &donor)] {
            let chosen: Vec<&Slice> =
                parts.iter().filter(|t| t.from == from).map(|t| &t.slice).collect();
            against.extend(slices.blockers_of(&chosen).cloned().map(|f| told_of(from, f)));
            // What firmware the own parts come with does not matter: it is not taken.
            let matters = |f: &&Finding| {
                from == Side::Donor || !matches!(f.code, "version-unknown" | "unprovable")
            };
            let told = slices.warnings_of(&chosen).filter(matters);
            warnings.extend(told.cloned().map(|f| told_of(from, f)));
        }
        // The stock system does not check it: it is reported, and the owner decides.
        let (told, others): (Vec<Finding>, _) =
            against.into_iter().partition(|f| Code::Finding(f.code) == "identity-crc");
        against = others;
        warnings.extend(told);
        let is_identity = |f: &Finding| f.code.starts_with("identity-");
        if damaged_factory {
            let (known, others) = against.into_iter().partition(is_identity);
            against = others;
            warnings.extend::<Vec<Finding>>(known);
        } else if let Some(dead) = against.iter_mut().find(|f| is_identity(f)) {
            let donor_has_one = donor.by_role(Role::Factory).is_some_and(is_alive);
            dead.hint = if donor_has_one {
                "The donor's is never used: it is another camera's account. "
            } else {
                ""
            }
            .to_owned()
                + "Look on this camera's card for mi360d/identity and mi360d/backups, and use \
                    that as --own. With --damaged-factory it is used as it is: the camera then \
                    runs without the vendor's cloud.";
        }
        if against.is_empty() && covers(&parts) != map.chip_size.map(u64::from) {
            return Err(AssembleError::NoMap);
        }
        // Findings about FACTORY in the donor concern nothing that is taken.
        warnings.retain(|f| !matches!(f.code, "foreign-identity" | "unproven-identity"));
        if against.is_empty() {
            Ok(Mixture { own, donor, parts, warnings })
        } else {
            Err(AssembleError::Refused(against))
        }
    }

    /// Writes the image, and gives its SHA-256.
    ///
    /// # Errors
    /// Where a source cannot be read, or `out` not be written.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<[u8; 32]> {
        let mut hash = Sha256::new();
        let mut window = vec![0; WINDOW as usize];
        for part in &self.parts {
            let slices = if part.from == Side::Own { &self.own } else { &self.donor };
            for index in 0..part.slice.size.div_ceil(WINDOW) {
                let there = (part.slice.size - index * WINDOW).min(WINDOW) as usize;
                slices.read_window(&part.slice, index, &mut window[..there])?;
                hash.update(&window[..there]);
                out.write_all(&window[..there])?;
            }
        }
        Ok(hash.finalize())
    }

    /// What each of the two is, in words.
    pub fn what(&self, side: Side) -> &str {
        if side == Side::Own { &self.own.what } else { &self.donor.what }
    }
}

fn is_alive(factory: &Slice) -> bool {
    factory.content.facts.identity.as_ref().is_some_and(|j| j.identity.is_some())
}

/// Bytes of the parts, where they follow each other without a gap.
fn covers(parts: &[Taken]) -> Option<u64> {
    parts.iter().try_fold(0, |end, part| {
        (u64::from(part.to) == end).then(|| end + u64::from(part.slice.size))
    })
}

fn told_of(from: Side, finding: Finding) -> Finding {
    let whose = match from {
        Side::Own => "In the own file: ",
        Side::Donor => "In the donor: ",
    };
    Finding { reason: format!("{whose}{}", finding.reason), ..finding }
}

fn lacks(from: Side, name: &str) -> Finding {
    let (what, hint) = match from {
        Side::Own => (
            "The own file lacks this.",
            "Use a dump of this camera's whole chip, or one of its backup sets.",
        ),
        Side::Donor => (
            "The donor lacks this.",
            "Use a tf image, a dump of the whole chip, or a backup set as the donor.",
        ),
    };
    Finding::blocker("incomplete", what).of(name).hint(hint)
}

impl From<Finding> for AssembleError {
    fn from(finding: Finding) -> AssembleError {
        AssembleError::Refused(vec![finding])
    }
}
