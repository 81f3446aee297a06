//! A write through the programmer: keep what the chip contains, decide, lift the protection, let
//! flashrom write what differs, read back, put the protection back. The folder next to the image
//! says at every moment how far it is, so that the same command continues.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use super::decide::{self, Plan};
use super::error::file_error;
use super::kept::{self, Journal, Step};
use super::output::{self, ChipFound, Protection};
use super::reading::{self, digest};
use super::{CHIP_SIZE, Device, Flashrom, ProgrammerError};
use crate::backup::sums::SHA256SUMS;
use crate::backup::{Progress, Work};
use crate::card::file::lock_dir;
use crate::chip::{FlashMap, Role};
use crate::identity::{self, Judgement};
use crate::image::assemble::Own;
use crate::image::inspect::inspect;
use crate::image::slices::SharedSource;
use crate::image::{Finding, Slices};

/// What is wanted.
pub struct Wish<'a> {
    /// The image of the whole chip.
    pub image: &'a Path,
    /// The phrase, typed by the owner.
    pub confirm: Option<&'a str>,
    /// The did, typed by the owner.
    pub did: Option<&'a str>,
}

/// How a write ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum WriteOutcome {
    /// The chip contained the image already.
    Unchanged,
    /// Only the plan was made: it has blockers, or the phrase is missing.
    Planned,
    /// The chip was written, read back, and contains the image.
    Done,
}

/// What a write did, or would do.
#[derive(Debug, Serialize)]
pub struct Written {
    /// How it ended.
    pub outcome: WriteOutcome,
    /// The chip that answered.
    pub found: ChipFound,
    /// The folder with what the chip contained before.
    pub kept: PathBuf,
    /// The plan.
    #[serde(flatten)]
    pub plan: Plan,
    /// The protection before the first write.
    pub protection_before: Option<Protection>,
    /// The protection now; `None` where this flashrom cannot tell for this chip.
    pub protection: Option<Protection>,
    /// Whether the protection is as it was; `None` if unknown.
    pub protected_as_before: Option<bool>,
}

/// Writes an image, or says what writing it would do.
///
/// # Errors
/// [`ProgrammerError`]; each says in which state the chip is.
pub fn write(
    device: &Device,
    wish: &Wish<'_>,
    progress: &dyn Progress,
) -> Result<Written, ProgrammerError> {
    let image = fs::metadata(wish.image).map_err(|e| file_error(wish.image, e))?;
    if !image.is_file() || image.len() > CHIP_SIZE {
        return Err(not_an_image(&image));
    }
    let flashrom = Flashrom::find(device)?;
    let (found, protection) = flashrom.status()?;
    if found.size != image.len() {
        return Err(ProgrammerError::OtherSize { found: found.size, wanted: image.len() });
    }
    let image_digest = digest(wish.image)?;
    let folder = folder_of(wish.image);
    kept::make_folder(&folder)?;
    let _lock = lock_dir(&folder)?;

    let mut journal = kept::journal(&folder)?.filter(|journal| journal.image == image_digest);
    let chip = folder.join(kept::CHIP);
    // Without its checksums the folder is no set: an earlier call was ended while it made it.
    let is_kept = folder.join(SHA256SUMS).exists();
    if journal.is_none() && is_kept {
        // Kept for another image, or before a journal was written: the reading may still be right.
        let fresh = Journal { image: image_digest.clone(), step: Step::Planned, protection: None };
        journal = Some(fresh);
    }
    let known = is_kept.then_some(chip.as_path());
    let now = reading::until_two_agree(&flashrom, &folder, known, progress)
        .inspect_err(|_| kept::forget_if_empty(&folder))?;
    let result = Flow { flashrom, found, folder, image_digest, progress }
        .run(wish, journal, &now.file, protection);
    // What the chip contains now is either kept as the set, or not needed any more.
    let _ = fs::remove_file(&now.file);
    result
}

struct Flow<'a> {
    flashrom: Flashrom,
    found: ChipFound,
    folder: PathBuf,
    image_digest: String,
    progress: &'a dyn Progress,
}

impl Flow<'_> {
    fn run(
        &self,
        wish: &Wish<'_>,
        journal: Option<Journal>,
        now: &Path,
        protection: Option<Protection>,
    ) -> Result<Written, ProgrammerError> {
        let kept_chip = self.folder.join(kept::CHIP);
        let now_bytes = read_all(now)?;
        let image = read_all(wish.image)?;
        if journal.is_none() {
            kept::keep(&self.folder, now, self.progress)?;
        }
        let mut journal = match journal {
            Some(journal) => journal,
            None => Journal {
                image: self.image_digest.clone(),
                step: Step::Planned,
                protection: protection.clone(),
            },
        };
        let before_bytes = read_all(&kept_chip)?;
        let continues = journal.step == Step::Writing;
        if !continues && now_bytes != before_bytes && now_bytes != image {
            return Err(other_content(&self.folder));
        }
        if journal.step != Step::Writing {
            journal.protection.clone_from(&protection);
        }
        kept::note(&self.folder, &journal)?;

        let (map, found) = against(wish.image)?;
        let judge = |bytes: &[u8]| judged(map.as_ref(), bytes);
        let plan = decide::decide(decide::Facts {
            map: map.as_ref(),
            image: &image,
            chip: &now_bytes,
            candidate: &judge(&image),
            before: &judge(&before_bytes),
            now: &judge(&now_bytes),
            did: wish.did,
            found,
        });
        if plan.confirm.is_none() && plan.blockers.is_empty() {
            let protection = self.protect(&journal, protection)?;
            journal.step = Step::Done;
            kept::note(&self.folder, &journal)?;
            let outcome = if continues { WriteOutcome::Done } else { WriteOutcome::Unchanged };
            return Ok(self.told(outcome, plan, &journal, protection));
        }
        if !plan.blockers.is_empty() || plan.confirm.as_deref() != wish.confirm {
            return Ok(self.told(WriteOutcome::Planned, plan, &journal, protection));
        }

        journal.step = Step::Writing;
        kept::note(&self.folder, &journal)?;
        self.progress.at(Work::WriteClipped, 0, 1);
        let lift = protection.as_ref().is_some_and(Protection::is_on);
        let ran = self.flashrom.write(wish.image, lift)?;
        if !ran.ok {
            let reason = ran.reason();
            if ran.signal.is_none() && output::says_unchanged(&ran.text) {
                return Err(ProgrammerError::Unchanged { reason });
            }
            if ran.text.contains("new WP settings") {
                return Err(ProgrammerError::Protected { reason });
            }
            let verified = ran.text.contains("Verifying flash");
            return Err(match ran.signal {
                None if verified => ProgrammerError::NotVerified { reason },
                _ => ProgrammerError::Interrupted { reason },
            });
        }
        // flashrom's word is not the proof: what the chip returns is.
        self.progress.at(Work::ReadClippedBack, 0, 1);
        let back = self.folder.join("read-back.bin");
        let _ = fs::remove_file(&back);
        self.flashrom.read(&back)?;
        let bytes = read_all(&back)?;
        let _ = fs::remove_file(&back);
        if let Some(at) = bytes.iter().zip(&image).position(|(a, b)| a != b) {
            let reason = format!("the first wrong byte is at {at:#x}");
            return Err(ProgrammerError::NotVerified { reason });
        }
        let protection = self.protect(&journal, protection)?;
        journal.step = Step::Done;
        kept::note(&self.folder, &journal)?;
        Ok(self.told(WriteOutcome::Done, plan, &journal, protection))
    }

    /// Puts the protection back as the journal has it.
    fn protect(
        &self,
        journal: &Journal,
        now: Option<Protection>,
    ) -> Result<Option<Protection>, ProgrammerError> {
        match &journal.protection {
            Some(before) if now.is_some() && before.is_on() => {
                self.progress.at(Work::ProtectClipped, 0, 1);
                self.flashrom.protect(before)
            }
            _ => Ok(now),
        }
    }

    fn told(
        &self,
        outcome: WriteOutcome,
        plan: Plan,
        journal: &Journal,
        protection: Option<Protection>,
    ) -> Written {
        let as_before = match (&journal.protection, &protection) {
            (Some(before), Some(now)) => Some(before == now),
            _ => None,
        };
        Written {
            outcome,
            found: self.found.clone(),
            kept: self.folder.clone(),
            plan,
            protection_before: journal.protection.clone(),
            protected_as_before: as_before,
            protection,
        }
    }
}

/// The folder for what the chip contained: next to the image, with its name.
fn folder_of(image: &Path) -> PathBuf {
    let mut name = image.file_name().unwrap_or_default().to_owned();
    name.push(".before");
    image.with_file_name(name)
}

fn read_all(path: &Path) -> Result<Vec<u8>, ProgrammerError> {
    fs::read(path).map_err(|e| file_error(path, e))
}

/// The image's own map, and all that inspection has against it.
fn against(path: &Path) -> Result<(Option<FlashMap>, Vec<Finding>), ProgrammerError> {
    let file = File::open(path).map_err(|e| file_error(path, e))?;
    let Some(map) = kept::own_map(&file).map_err(|e| file_error(path, e))? else {
        return Ok((None, Vec::new()));
    };
    let report = inspect(&file as &dyn crate::image::Source)?;
    let mut found: Vec<Finding> = Vec::new();
    for part in &report.partitions {
        // FACTORY has laws of its own.
        if part.is_lost() && part.role != Role::Factory {
            found.push(
                Finding::blocker("image-damaged", format!("{} is {}.", part.name, part.kind))
                    .of(&part.name)
                    .hint("`mi360d inspect` says what is wrong with the image. Repair it first."),
            );
        }
    }
    let own = Own::of_dump(&file).map_err(|e| file_error(path, e))?;
    if let Ok(own) = own {
        let shared: SharedSource = Arc::new(file);
        let slices = Slices::of_file(shared, &own.target())?;
        // "Not FACTORY" for the same reason; what cannot be verified from here is no news on a PC.
        found.extend(slices.blockers.iter().filter(|f| !f.code.starts_with("identity-")).cloned());
    }
    Ok((Some(map), found))
}

fn judged(map: Option<&FlashMap>, bytes: &[u8]) -> Judgement {
    let part = map.and_then(|map| map.by_role(Role::Factory));
    let range = part.and_then(|part| {
        let from = part.offset? as usize;
        bytes.get(from..from + part.size as usize)
    });
    range.map_or_else(Judgement::missing, identity::judge)
}

fn not_an_image(meta: &fs::Metadata) -> ProgrammerError {
    let reason = format!("This is not an image of a whole chip: it has {} bytes.", meta.len());
    ProgrammerError::Refused(vec![
        Finding::blocker("no-chip-image", reason)
            .hint("Make one with `mi360d assemble` or `mi360d recover`."),
    ])
}

fn other_content(folder: &Path) -> ProgrammerError {
    ProgrammerError::Refused(vec![
        Finding::blocker(
            "other-content",
            format!("The chip does not contain what is kept in {}.", folder.display()),
        )
        .hint("If this is another chip, or it changed since, move that folder away and try again."),
    ])
}
