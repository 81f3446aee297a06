//! A file, or a backup set, as one camera could write it: which partitions of *its* map are in it,
//! which bytes of which file each takes, and everything against it. `layout` finds the offsets of
//! the partitions, `pass` reads everything once, `judge` finds what is wrong with a part itself,
//! `against` whether it fits the camera, and `choice` picks some of them. Nothing here writes to
//! the chip, and [`crate::backup`] checks the sets.

mod against;
mod choice;
mod judge;
mod layout;
mod pass;
mod taken;

pub use choice::ChoiceError;
pub use judge::SetFile;
pub use taken::{SharedSource, Slice, SliceSource, Slices, Target, TrailerNote};

use std::sync::Arc;

use super::bundle::Bundle;
use super::inspect::InspectError;
use super::source::Source;
use taken::{UNCHECKED, UNPROVABLE, UNSIGNED};

impl Slices {
    /// Takes a file apart for this camera: reads it once from end to end.
    ///
    /// # Errors
    /// [`InspectError`] where it cannot be read; what is wrong with what is
    /// read is in the findings.
    pub fn of_file(file: SharedSource, target: &Target<'_>) -> Result<Slices, InspectError> {
        let unread = |source| InspectError::Read { offset: 0, source };
        let layout = layout::of_file(file.as_ref(), target.map).map_err(unread)?;
        let passed = pass::file(file.as_ref(), &layout.places)?;
        judge::file(file, layout, passed, target)
    }

    /// The same for partition files that are together; `file` is what they are
    /// in, for its hash: a tar, or of a folder the chip that they make.
    ///
    /// # Errors
    /// As [`Slices::of_file`].
    pub fn of_parts(
        parts: Bundle,
        file: Option<&dyn Source>,
        target: &Target<'_>,
    ) -> Result<Slices, InspectError> {
        let layout = layout::of_parts(&parts, target.map);
        let mut passed = pass::file(&parts, &layout.places)?;
        if let Some(file) = file {
            passed.sha256 = pass::file(file, &[])?.sha256;
        }
        judge::file(Arc::new(parts), layout, passed, target)
    }

    /// The same for the files of a set, one for each partition.
    ///
    /// # Errors
    /// [`InspectError`] where one cannot be read.
    pub fn of_set(files: Vec<SetFile>, target: &Target<'_>) -> Result<Slices, InspectError> {
        judge::set(files, target)
    }
}
