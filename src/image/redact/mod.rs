//! A copy of a dump that is safe to post: without identity, settings and
//! secrets. `secrets` knows what must not be found in it, `env` treats
//! U-Boot's environment; this file says what of the chip is blanked, and
//! streams the copy. It is used by the command and by the page alike.

pub mod env;
mod error;
pub mod secrets;
mod summary;

pub use error::RedactError;
pub use summary::{Blanked, Summary};

use std::io::{self, Read, Write};
use std::ops::Range;

use super::inspect::FileKind;
use super::inspect::sniff::sniff;
use super::slices::SharedSource;
use super::source::{Source, peek};
use super::transform;
use crate::chip::{FlashMap, Role, WINDOW};
use crate::formats::{mxp, squashfs, uboot_env, uimage};
use env::EnvNote;
use secrets::{REACH, Secrets};

/// Where U-Boot begins in BOOT, and the gap before it, in bytes.
const UBOOT: u64 = 0x3_0000;
const GAP: u64 = (mxp::TABLE_OFFSET + mxp::TABLE_SIZE) as u64;
const ENV: u64 = uboot_env::OFFSET as u64;

/// How a dump is made safe: prepared once, written as often as needed.
pub struct Redaction {
    map: FlashMap,
    secrets: Secrets,
    /// What is erased whole, by the partitions' names.
    erased: Vec<(String, Range<u64>)>,
    /// Where only padding belongs.
    slack: Vec<Range<u64>>,
    env: Option<(u64, Vec<u8>, EnvNote)>,
    len: u64,
}

impl Redaction {
    /// Looks at a dump of a whole chip: reads all of it once.
    ///
    /// # Errors
    /// [`RedactError::NotADump`], or where it cannot be read.
    pub fn prepare(dump: &dyn Source) -> Result<Redaction, RedactError> {
        let sniffed = sniff(dump)?;
        // Where bytes were lost or added on the way, secrets are elsewhere than the map says.
        if sniffed.may_be_mangled {
            if let Some(transform) = transform::detect(dump)? {
                return Err(RedactError::NotADump(format!("it is {}", transform.note().words)));
            }
            if transform::lost_bytes(dump)?.is_some() {
                return Err(RedactError::NotADump("bytes are missing in it".to_owned()));
            }
        }
        let map = map_of(dump)?.or_else(|| {
            // BOOT is gone: the stock maps differ only between KERNEL and ROOTFS.
            (sniffed.kind == FileKind::FullDump).then(|| FlashMap::stock("ipc009")).flatten()
        });
        let map = map.filter(|map| map.chip_size.map(u64::from) == Some(dump.len()));
        let Some(map) = map.filter(|_| sniffed.kind == FileKind::FullDump) else {
            return Err(RedactError::NotADump(sniffed.what));
        };
        let mut redaction = Redaction {
            secrets: Secrets::default(),
            erased: Vec::new(),
            slack: Vec::new(),
            env: None,
            len: dump.len(),
            map,
        };
        redaction.read_secrets(dump)?;
        redaction.find_slack(dump)?;
        redaction.read_env(dump)?;
        Ok(redaction)
    }

    /// Bytes of the copy: as many as the dump has.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether the copy would have no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Writes the copy, from its first byte to its last.
    ///
    /// # Errors
    /// Where the dump cannot be read, or `out` not be written.
    pub fn write(&self, dump: &dyn Source, out: &mut dyn Write) -> io::Result<Summary> {
        let mut summary = Summary {
            blanked: self.erased.iter().map(|(name, _)| name.clone()).collect(),
            environment: self.env.as_ref().map(|(.., note)| note.clone()),
            forms: self.secrets.len(),
            ..Summary::default()
        };
        let mut at = 0;
        while at < self.len {
            let end = (at + u64::from(WINDOW)).min(self.len);
            let bytes = self.window(dump, at..end, &mut summary)?;
            out.write_all(&bytes)?;
            at = end;
        }
        Ok(summary)
    }

    /// The copy as a source to read from, for an upload.
    pub fn into_reader(self, dump: SharedSource) -> RedactedReader {
        RedactedReader { redaction: self, dump, at: 0, window: Vec::new(), taken: 0 }
    }

    /// Reads a copy again, and says in which partition a secret still is.
    ///
    /// # Errors
    /// [`RedactError::Leak`]; where the copy cannot be read.
    pub fn prove(&self, copy: &dyn Source) -> Result<(), RedactError> {
        let mut at = 0;
        while at < copy.len() {
            let bytes = peek(copy, at, WINDOW as usize + REACH)?;
            let found = self.secrets.found_in(&bytes);
            // Values that are masked by now are behind telling names, too.
            let leak = found.iter().find(|r| !is_masked(&bytes[(*r).clone()]));
            if let Some(leak) = leak {
                return Err(RedactError::Leak(self.name_at(at + leak.start as u64)));
            }
            at += u64::from(WINDOW);
        }
        let whole = |(name, range): &(String, Range<u64>)| -> Result<(), RedactError> {
            let mut at = range.start;
            while at < range.end {
                let bytes = peek(copy, at, WINDOW as usize)?;
                let there = (range.end - at).min(bytes.len() as u64) as usize;
                if there == 0 || bytes[..there].iter().any(|b| *b != 0xFF) {
                    return Err(RedactError::Leak(name.clone()));
                }
                at += there as u64;
            }
            Ok(())
        };
        self.erased.iter().try_for_each(whole)
    }

    /// One window of the copy.
    fn window(
        &self,
        dump: &dyn Source,
        range: Range<u64>,
        summary: &mut Summary,
    ) -> io::Result<Vec<u8>> {
        // Some bytes more on both sides, for what crosses the border.
        let from = range.start.saturating_sub(REACH as u64);
        let mut bytes = peek(dump, from, (range.end - from) as usize + REACH)?;
        let until = from + bytes.len() as u64;
        let local = |r: &Range<u64>| -> Range<usize> {
            let clamp = |at: u64| (at.clamp(from, until) - from) as usize;
            clamp(r.start)..clamp(r.end)
        };
        let inner = local(&range);
        let note = |list: &mut Vec<Blanked>, at: usize, count: usize| {
            let partition = self.name_at(from + at as u64);
            match list.iter_mut().find(|b| b.partition == partition) {
                Some(blanked) => blanked.bytes += count as u64,
                None => list.push(Blanked { partition, at: from + at as u64, bytes: count as u64 }),
            }
        };
        for (_, erased) in &self.erased {
            bytes[local(erased)].fill(0xFF);
        }
        for slack in &self.slack {
            let slack = local(slack);
            for at in slack {
                if bytes[at] != 0 && bytes[at] != 0xFF {
                    bytes[at] = 0xFF;
                    if inner.contains(&at) {
                        note(&mut summary.slack, at, 1);
                    }
                }
            }
        }
        if let Some((at, env, _)) = &self.env {
            let place = local(&(*at..*at + env.len() as u64));
            if !place.is_empty() {
                let skipped = (from + place.start as u64).saturating_sub(*at) as usize;
                let count = place.len();
                bytes[place].copy_from_slice(&env[skipped..skipped + count]);
            }
        }
        for found in self.secrets.found_in(&bytes) {
            if is_masked(&bytes[found.clone()]) {
                continue;
            }
            bytes[found.clone()].fill(b'x');
            if inner.contains(&found.start) {
                note(&mut summary.in_content, found.start, found.len());
            }
        }
        bytes.truncate(inner.end);
        bytes.drain(..inner.start);
        Ok(bytes)
    }

    fn name_at(&self, at: u64) -> String {
        let holds = |p: &&&crate::chip::Partition| {
            let start = u64::from(p.offset.unwrap_or(0));
            (start..start + u64::from(p.size)).contains(&at)
        };
        let parts = self.map.covering();
        parts.iter().find(holds).map_or_else(String::new, |p| p.name.clone())
    }

    fn read_secrets(&mut self, dump: &dyn Source) -> io::Result<()> {
        for part in self.map.covering() {
            let start = u64::from(part.offset.unwrap_or(0));
            let range = start..start + u64::from(part.size);
            if matches!(part.role, Role::Factory | Role::Config) {
                let bytes = peek(dump, start, part.size.min(WINDOW) as usize)?;
                self.secrets.read_flsh(&bytes);
                self.secrets.salvage(&bytes);
            }
            let stray = self.secrets.read_part(dump, range.clone())?;
            if matches!(part.role, Role::Boot | Role::Kernel | Role::Rootfs) {
                // A copy of an identity, or of settings, where none belongs.
                self.slack.extend(stray);
            } else {
                self.erased.push((part.name.clone(), range));
            }
        }
        Ok(())
    }

    /// Where only padding belongs: behind the kernel and the root file system,
    /// between the parts of BOOT.
    fn find_slack(&mut self, dump: &dyn Source) -> io::Result<()> {
        for part in self.map.covering() {
            let start = u64::from(part.offset.unwrap_or(0));
            let end = start + u64::from(part.size);
            let mut add = |from: u64, to: u64| self.slack.extend((from < to).then_some(from..to));
            let used = |at: u64| -> io::Result<Option<u64>> {
                let head = peek(dump, at, uimage::HEADER)?;
                let header = uimage::parse(&head).ok();
                Ok(header.map(|h| at + uimage::HEADER as u64 + u64::from(h.size)))
            };
            match part.role {
                Role::Boot if end >= ENV + uboot_env::SIZE as u64 => {
                    add(GAP, UBOOT);
                    if let Some(uboot) = used(UBOOT)? {
                        add(uboot, ENV);
                    }
                    add(ENV + uboot_env::SIZE as u64, end);
                }
                Role::Kernel => {
                    if let Some(kernel) = used(start)? {
                        add(kernel, end);
                    }
                }
                Role::Rootfs => {
                    let head = peek(dump, start, squashfs::SUPERBLOCK)?;
                    if let Ok(superblock) = squashfs::parse(&head) {
                        add(start.saturating_add(superblock.bytes_used), end);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn read_env(&mut self, dump: &dyn Source) -> io::Result<()> {
        let size = uboot_env::SIZE as u64;
        let Some(boot) = self.map.by_role(Role::Boot).filter(|p| u64::from(p.size) >= ENV + size)
        else {
            return Ok(());
        };
        let at = u64::from(boot.offset.unwrap_or(0)) + ENV;
        let mut region = peek(dump, at, size as usize)?;
        let note = env::redact(&mut region, &self.secrets);
        self.env = Some((at, region, note));
        Ok(())
    }
}

/// A copy that is made as it is read, window by window.
pub struct RedactedReader {
    redaction: Redaction,
    dump: SharedSource,
    at: u64,
    window: Vec<u8>,
    taken: usize,
}

impl Read for RedactedReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.window.len() && self.at < self.redaction.len {
            let end = (self.at + u64::from(WINDOW)).min(self.redaction.len);
            let mut unused = Summary::default();
            let range = self.at..end;
            self.window = self.redaction.window(self.dump.as_ref(), range, &mut unused)?;
            (self.at, self.taken) = (end, 0);
        }
        let count = buf.len().min(self.window.len() - self.taken);
        buf[..count].copy_from_slice(&self.window[self.taken..self.taken + count]);
        self.taken += count;
        Ok(count)
    }
}

/// A dump's own map, by its MXP table.
fn map_of(dump: &dyn Source) -> io::Result<Option<FlashMap>> {
    let table = peek(dump, mxp::TABLE_OFFSET as u64, mxp::TABLE_SIZE)?;
    Ok(crate::chip::table::map_of(&table)
        .map(|raw| FlashMap::conclude(&raw))
        .filter(FlashMap::is_known))
}

/// Whether a value was replaced already.
fn is_masked(value: &[u8]) -> bool {
    value.iter().all(|b| matches!(b, b'x' | b'0' | b':' | b'.' | b'-' | b' ' | 0 | 0xFF))
}
