//! The identities in a file, wherever they are: a brick's dump may be
//! shifted or cut. Each header is checked as it streams by, so that no
//! number of false ones hides a true one.

use std::io;

use super::{Elsewhere, Report, Source, next};
use crate::chip::WINDOW;
use crate::formats::flsh;
use crate::identity::{self, Identity};
use crate::image::source::peek;

/// Bytes behind a header in which an identity's texts are: real ones take
/// fewer than 400.
const TEXT: usize = 0x400;
/// The most identities that are judged, which takes a hash of 64 KiB each.
const MOST_JUDGED: usize = 1024;
/// The most that are kept: a camera has one.
const MOST_KEPT: usize = 16;

/// How far a text is searched, in bytes.
const LONGEST_TEXT: u64 = 4 << 20;

/// What was found so far.
#[derive(Default)]
pub(super) struct Found {
    /// The best ones, in their order.
    pub(super) kept: Vec<Elsewhere>,
    /// Whether there are more of them than were judged or kept.
    pub(super) more: bool,
    judged: usize,
}

impl Found {
    /// Looks at what is at `offset`, where a header is.
    pub(super) fn look(&mut self, source: &dyn Source, offset: u64) -> io::Result<()> {
        if !promises(&peek(source, offset, TEXT)?) {
            return Ok(());
        }
        if self.judged == MOST_JUDGED {
            self.more = true;
            return Ok(());
        }
        self.judged += 1;
        let mut bytes = peek(source, offset, WINDOW as usize)?;
        // Where the file is cut off, what is missing was most likely erased.
        bytes.resize(WINDOW as usize, 0xFF);
        let judged = identity::judge(&bytes);
        if let Some(identity) = judged.identity.filter(Identity::is_personal) {
            self.keep(Elsewhere {
                offset,
                health: judged.health,
                masked: identity.masked(),
                fingerprint: judged.fingerprint,
                identity,
            });
        }
        Ok(())
    }

    /// Keeps it, if need be in place of a damaged one.
    fn keep(&mut self, found: Elsewhere) {
        if self.kept.len() == MOST_KEPT {
            self.more = true;
            let damaged = self.kept.iter().rposition(|e| !e.health.is_healthy());
            match damaged {
                Some(i) if found.health.is_healthy() => self.kept.remove(i),
                _ => return,
            };
        }
        self.kept.push(found);
    }
}

/// The values of an identity that somebody has as text: a list, or what `strings` printed.
pub(super) fn in_text(source: &dyn Source, report: &mut Report) -> io::Result<()> {
    let mut at = 0;
    while at < source.len().min(LONGEST_TEXT) {
        let found = Identity::salvaged(&peek(source, at, WINDOW as usize + TEXT)?);
        if found.is_personal() {
            "In part. Values of an identity are in this text. No command makes a FACTORY of them, \
             but they cannot be replaced."
                .clone_into(&mut report.identity.answer);
            report.identity.masked = found.masked();
            report.identity.identity = Some(found);
            report.findings.clear();
            report.next = next::next(report);
            return Ok(());
        }
        at += u64::from(WINDOW);
    }
    Ok(())
}

/// Whether an identity's texts are behind this header, before the next one.
fn promises(bytes: &[u8]) -> bool {
    let Some(text) = bytes.get(flsh::HEADER..) else { return false };
    let next = text.windows(flsh::HEADER).position(flsh::is_header);
    Identity::salvaged(&text[..next.unwrap_or(text.len())]).is_personal()
}
