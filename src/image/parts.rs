//! Partition files that together are one camera: which file is which
//! partition, and where each belongs on the chip. The files of a folder or the
//! members of a tar are read as one chip; nothing is copied.

use std::io;
use std::ops::Deref;

use super::content::ContentCheck;
use super::finding::Finding;
use super::source::{Source, peek};
use crate::chip::{FlashMap, Role, WINDOW};
use crate::formats::uimage::{self, Family};
use crate::formats::{flsh, mxp};
use crate::identity;
use crate::image::marks::{CHIP, MODELS, begins_like, holds_identity};

/// The most members of a tar that are read.
const MOST: usize = 256;
/// Bytes of a record of a tar.
const RECORD: u64 = 512;

/// A file of a folder, or a member of a tar.
pub struct Member<'a> {
    /// Its name, without folders.
    pub name: String,
    /// Where its bytes are.
    pub source: &'a dyn Source,
    /// Where it begins there, in bytes.
    pub from: u64,
    /// Its bytes.
    pub length: u64,
}

/// A part that was given its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// What it is.
    pub role: Role,
    /// Bytes of it.
    pub length: u64,
    /// Which member it is.
    member: usize,
}

/// The members as one chip; what no member has is 0xFF. `S` is where their
/// bytes are.
pub struct Composite<S> {
    segments: Vec<(u64, u64, S, u64)>,
    len: u64,
    /// Which member is which part.
    pub placed: Vec<Placed>,
    /// The map by which they have their places.
    pub map: FlashMap,
    /// What is wrong with them as the parts of one chip.
    pub findings: Vec<Finding>,
}

impl<T> Composite<T> {
    /// The same, with the bytes of each member in what `of` gives for it.
    pub fn share<S>(self, of: impl Fn(usize) -> S) -> Composite<S> {
        let placed = self.placed.iter().map(|p| p.member);
        let segments =
            self.segments.into_iter().zip(placed).map(|(s, member)| (s.0, s.1, of(member), s.3));
        Composite {
            segments: segments.collect(),
            len: self.len,
            placed: self.placed,
            map: self.map,
            findings: self.findings,
        }
    }
}

impl<S: Deref<Target: Source>> Source for Composite<S> {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let end = offset.saturating_add(buf.len() as u64);
        if end > self.len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        buf.fill(0xFF);
        for (start, length, source, from) in &self.segments {
            let (a, b) = ((*start).clamp(offset, end), (start + length).clamp(offset, end));
            if a < b {
                let target = &mut buf[(a - offset) as usize..(b - offset) as usize];
                source.read_at(from + (a - start), target)?;
            }
        }
        Ok(())
    }
}

/// Puts partition files together, by their own map, or by that of the camera
/// they are for where they tell none. `None` where they are not two parts at
/// least, or one for a camera.
///
/// # Errors
/// Where one cannot be read.
pub fn compose<'a>(
    members: &[Member<'a>],
    camera: Option<&FlashMap>,
) -> io::Result<Option<Composite<&'a dyn Source>>> {
    let mut found: Vec<(Role, usize)> = Vec::new();
    let mut findings = Vec::new();
    let mut told = Vec::new();
    for (i, member) in members.iter().enumerate() {
        if let Some((role, by_content)) = role_of(member)? {
            told.push((role, i, by_content));
        }
    }
    // Notes and checksums next to a part have its name, too: what is in a file counts more.
    told.sort_by_key(|(.., by_content)| !by_content);
    let mut certain = Vec::new();
    for (role, i, by_content) in told {
        let Some((_, first)) = found.iter().find(|(known, _)| *known == role) else {
            found.push((role, i));
            certain.extend(by_content.then_some(role));
            continue;
        };
        if by_content || !certain.contains(&role) {
            let (first, second) = (&members[*first].name, &members[i].name);
            findings.push(
                Finding::blocker("two-files", format!("{first} and {second} are both {role}."))
                    .of(role.name())
                    .hint("Remove one of them: nothing shows which is right."),
            );
        }
    }
    if found.len() < if camera.is_some() { 1 } else { 2 } {
        return Ok(None);
    }
    let parts: Vec<(Role, &Member<'_>)> = found.iter().map(|(r, i)| (*r, &members[*i])).collect();
    let Some(map) = map_of(&parts)?.or_else(|| camera.cloned()) else { return Ok(None) };
    let mut segments = Vec::new();
    let mut placed = Vec::new();
    for part in map.covering() {
        let Some((role, i)) = found.iter().find(|(role, _)| *role == part.role) else {
            continue;
        };
        let member = &members[*i];
        if member.length > part.size.into() {
            findings.push(
                Finding::blocker(
                    "too-long",
                    format!(
                        "{role} has {} bytes, and {} {}.",
                        part.size, member.name, member.length
                    ),
                )
                .of(role.name())
                .hint("It is for a model with another flash map, or more than one partition."),
            );
        }
        let length = member.length.min(part.size.into());
        segments.push((part.offset.unwrap_or(0).into(), length, member.source, member.from));
        placed.push(Placed { role: *role, length, member: *i });
    }
    let len = map.chip_size.map_or(CHIP, u64::from);
    Ok(Some(Composite { segments, len, placed, map, findings }))
}

/// What a file is, and whether what is in it says so; else its name does.
fn role_of(member: &Member<'_>) -> io::Result<Option<(Role, bool)>> {
    // macOS leaves files of this name next to the real ones.
    let is_none = member.name.starts_with("._");
    if is_none || member.length == 0 || member.length > CHIP / 2 {
        return Ok(None);
    }
    let head = read(member, 0, WINDOW as usize)?;
    let roles = [Role::Boot, Role::Kernel, Role::Rootfs, Role::Data, Role::Config];
    let named = role_by_name(&member.name);
    let seen = roles.into_iter().find(|role| begins_like(*role, &head));
    Ok(match seen {
        Some(Role::Config) => {
            let is_identity =
                holds_identity(&head) || flsh::parse(&head).is_ok_and(|f| f.get("did").is_some());
            Some((if is_identity { Role::Factory } else { Role::Config }, true))
        }
        Some(role) => Some((role, true)),
        None => named.map(|role| (role, false)),
    })
}

/// `mtdblock5`, `mtd5_FACTORY`, `FACTORY.bin`: what a name says.
pub fn role_by_name(name: &str) -> Option<Role> {
    let upper = name.to_ascii_uppercase();
    if let Some(role) = Role::ALL.into_iter().find(|role| names(name, role.name())) {
        return Some(role);
    }
    let rest = upper.split_once("MTDBLOCK").or_else(|| upper.split_once("MTD"))?.1;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    Role::ALL.get(digits.parse::<usize>().ok()?).copied()
}

/// Whether a word of a file's name is that of this partition.
pub(super) fn names(file: &str, partition: &str) -> bool {
    file.split(|c: char| !c.is_ascii_alphanumeric())
        .any(|word| word.eq_ignore_ascii_case(partition))
}

fn read(member: &Member<'_>, at: u64, size: usize) -> io::Result<Vec<u8>> {
    let there = member.length.saturating_sub(at).min(size as u64) as usize;
    peek(member.source, member.from + at, there)
}

/// The map: that of BOOT's table, else the only stock one that fits.
fn map_of(found: &[(Role, &Member<'_>)]) -> io::Result<Option<FlashMap>> {
    let of = |role: Role| found.iter().find(|(known, _)| *known == role).map(|(_, m)| *m);
    if let Some(boot) = of(Role::Boot) {
        let table = read(boot, mxp::TABLE_OFFSET as u64, mxp::TABLE_SIZE)?;
        let own = crate::chip::table::map_of(&table).map(|raw| FlashMap::conclude(&raw));
        if let Some(map) = own.filter(FlashMap::is_known) {
            return Ok(Some(map));
        }
    }
    let maps: Vec<(&str, FlashMap)> =
        MODELS.into_iter().filter_map(|model| Some((model, FlashMap::stock(model)?))).collect();
    for (_, map) in &maps {
        let exact = |role| {
            let size = map.by_role(role).map(|p| u64::from(p.size));
            of(role).is_some_and(|member| Some(member.length) == size)
        };
        if exact(Role::Kernel) || exact(Role::Rootfs) {
            return Ok(Some(map.clone()));
        }
    }
    for role in [Role::Kernel, Role::Boot] {
        let at = if role == Role::Boot { 0x3_0000 } else { 0 };
        let Some(member) = of(role) else { continue };
        let family = uimage::parse(&read(member, at, uimage::HEADER)?).map(|h| h.family());
        let model = match family {
            Ok(Family::I3) => MODELS[0],
            Ok(Family::I6) => MODELS[1],
            _ => continue,
        };
        return Ok(FlashMap::stock(model));
    }
    if let Some(factory) = of(Role::Factory) {
        let judged = identity::judge(&read(factory, 0, WINDOW as usize)?);
        let model = judged.identity.and_then(|i| i.model());
        if let Some(map) = model.as_deref().and_then(FlashMap::stock) {
            return Ok(Some(map));
        }
    }
    // Only KERNEL and ROOTFS are elsewhere in the other map.
    let moved = of(Role::Kernel).or(of(Role::Rootfs));
    Ok(maps.into_iter().next().map(|(_, map)| map).filter(|_| moved.is_none()))
}

/// The members of a tar; none where it is no tar.
///
/// # Errors
/// Where it cannot be read.
pub fn tar_members(tar: &dyn Source) -> io::Result<Vec<Member<'_>>> {
    let mut members = Vec::new();
    let mut long = None;
    let mut at = 0;
    while members.len() < MOST {
        let head = peek(tar, at, RECORD as usize)?;
        if head.get(257..262) != Some(b"ustar") {
            break;
        }
        let Some(length) = octal(&head[124..136]) else { break };
        let from = at + RECORD;
        let text = |bytes: &[u8]| {
            let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
            String::from_utf8_lossy(&bytes[..end]).into_owned()
        };
        match head[156] {
            b'L' => long = Some(text(&peek(tar, from, length.min(4096) as usize)?)),
            b'0' | 0 if from.saturating_add(length) <= tar.len() => {
                let name = long.take().unwrap_or_else(|| text(&head[..100]));
                let name = name.rsplit('/').next().unwrap_or_default().to_owned();
                members.push(Member { name, source: tar, from, length });
            }
            _ => long = None,
        }
        at = from.saturating_add(length.next_multiple_of(RECORD));
    }
    Ok(members)
}

fn octal(field: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(field).ok()?;
    u64::from_str_radix(text.trim_matches(|c| c == ' ' || c == '\0'), 8)
        .ok()
        .filter(|n| *n < 1 << 40)
}

/// Judges a part as it would be in a partition of this size.
pub fn judge(role: Role, bytes: &[u8], size: u32) -> super::Content {
    let mut check = ContentCheck::new(role, size);
    bytes.chunks(WINDOW as usize).for_each(|window| check.feed(window));
    let padding = vec![0xFF; WINDOW as usize];
    let mut missing = (size as usize).saturating_sub(bytes.len());
    while missing > 0 {
        let now = missing.min(padding.len());
        check.feed(&padding[..now]);
        missing -= now;
    }
    check.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_which_partition_a_file_is() {
        for (name, role) in [
            ("mtdblock0", Some(Role::Boot)),
            ("mtdblock5.bin", Some(Role::Factory)),
            ("mtd3_DATA.img", Some(Role::Data)),
            ("backup-KERNEL.bin", Some(Role::Kernel)),
            ("factory.bin", Some(Role::Factory)),
            ("mtd9", None),
            ("notes.txt", None),
        ] {
            assert_eq!(role_by_name(name), role, "{name}");
        }
    }
}
