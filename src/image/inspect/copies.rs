//! Several dumps in one file that `recover` does not merge: of two cameras, or of two chips. Its rules
//! are those of `recover`, so that no step is advised that it refuses.

use std::io;

use super::{Elsewhere, FileKind, Report, Source, next};
use crate::chip::WINDOW;
use crate::identity::{self, Judgement};
use crate::image::finding::Finding;
use crate::image::marks::CHIP;
use crate::image::source::peek;
use crate::image::transform::Note;

/// Where FACTORY is, in every known map.
const FACTORY: u64 = 0xFF_0000;
/// Bytes that are compared together.
const PAGE: usize = 256;

/// Dumps that are no readings of one chip.
pub(super) struct Several {
    copies: u64,
    reason: String,
    judged: Vec<Judgement>,
    are_two_cameras: bool,
}

/// Why the dumps in a file are not merged; `None` where they are.
pub(super) fn several(source: &dyn Source, copies: u64) -> io::Result<Option<Several>> {
    if !cfg!(feature = "pc") {
        return Ok(None);
    }
    let mut judged = Vec::new();
    let mut unlike = false;
    for copy in 0..copies {
        judged.push(identity::judge(&peek(source, copy * CHIP + FACTORY, WINDOW as usize)?));
        unlike = unlike || (copy > 0 && !are_alike(source, copy * CHIP)?);
    }
    let is_whole = |j: &Judgement| j.health.is_healthy() || j.is_crc_only();
    let best = judged.iter().find(|j| j.health.is_healthy());
    let best = best.or_else(|| judged.iter().find(|j| is_whole(j)));
    let Some(mine) = best.and_then(|j| j.identity.as_ref().map(|mine| (j, mine))) else {
        let reason = unlike.then(|| DIFFER.to_owned());
        return Ok(reason.map(|reason| Several { copies, reason, judged, are_two_cameras: false }));
    };
    let theirs = || judged.iter().filter_map(|j| Some((j, j.identity.as_ref()?)));
    let are_two_cameras = theirs().any(|(j, theirs)| {
        let are_whole = mine.0.health.is_healthy() && j.health.is_healthy();
        theirs.is_anothers(mine.1) || (are_whole && !mine.1.same_as(theirs))
    });
    let are_personal = theirs().filter(|(_, theirs)| theirs.is_personal()).count();
    let reason = if are_two_cameras {
        "The dumps in it are of different cameras: each has an identity of its own.".to_owned()
    } else if unlike {
        DIFFER.to_owned()
    } else if are_personal < judged.len() {
        "Not each of the dumps in it has an identity: nothing shows that they are of one camera."
            .to_owned()
    } else {
        return Ok(None);
    };
    Ok(Some(Several { copies, reason, judged, are_two_cameras }))
}

const DIFFER: &str = "The dumps in it are no readings of one chip: most of their pages differ.";

/// Whether most pages that contain something are equal to those at the beginning.
fn are_alike(source: &dyn Source, from: u64) -> io::Result<bool> {
    let (mut equal, mut all, mut at) = (0, 0, 0);
    while at < CHIP {
        let one = peek(source, at, WINDOW as usize)?;
        let other = peek(source, from + at, WINDOW as usize)?;
        for (a, b) in one.chunks(PAGE).zip(other.chunks(PAGE)) {
            if a.iter().chain(b).any(|&byte| byte != 0xFF) {
                all += 1;
                equal += u32::from(a == b);
            }
        }
        at += u64::from(WINDOW);
    }
    Ok(equal * 2 >= all)
}

impl Several {
    /// The report on the file, from that on the first dump in it.
    pub(super) fn report(self, first: Report, size: u64, sha256: String) -> Report {
        let mut report = Report { size, sha256, ..first };
        let words = format!("{} dumps in one file, which are not merged", self.copies);
        report.kind = FileKind::Mangled;
        report.what = format!("{words}; the first: {}", report.what);
        let pieces: Vec<String> = (0..self.copies)
            .map(|copy| {
                let from = copy * CHIP + 1;
                format!("`tail -c +{from} FILE | head -c {CHIP} > dump{}.bin`", copy + 1)
            })
            .collect();
        let hint = format!("Cut each out and inspect it by itself: {}.", pieces.join(" and "));
        report.findings.insert(0, Finding::blocker("two-chips", self.reason).at(CHIP).hint(hint));
        for (copy, judged) in (0..).zip(self.judged).skip(1) {
            if let Some(identity) = judged.identity.filter(identity::Identity::is_personal) {
                report.identity.elsewhere.push(Elsewhere {
                    offset: copy * CHIP + FACTORY,
                    health: judged.health,
                    masked: identity.masked(),
                    fingerprint: judged.fingerprint,
                    identity,
                });
            }
        }
        if self.are_two_cameras {
            "Yes, but of more than one camera: each dump in this file has an identity of its own."
                .clone_into(&mut report.identity.answer);
        } else if let Some(rest) = report.identity.answer.strip_prefix("Yes.") {
            report.identity.answer = format!("Yes, but not as it is: there are {words}.{rest}");
        }
        report.mangled.insert(0, Note { code: "doubled", words });
        report.next = next::next(&report);
        report
    }
}
