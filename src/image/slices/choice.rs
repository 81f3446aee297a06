//! Which of the partitions in a file are to be written: all that any firmware
//! brings, or those that the owner named.

use super::{Slice, Slices};
use crate::chip::{FlashMap, Role};
use crate::error::{Code, Exit, Explain};

/// Why names cannot be chosen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChoiceError {
    /// No name was given.
    #[error("no partition is selected")]
    Nothing,
    /// The camera has no such partition.
    #[error("this camera has no partition '{name}'")]
    Unknown {
        /// The name.
        name: String,
        /// Those that it has.
        known: Vec<String>,
    },
    /// The file has no such partition.
    #[error("{name} is not in this file")]
    NotInFile {
        /// The name.
        name: String,
        /// Those that are.
        has: Vec<String>,
    },
}

impl Explain for ChoiceError {
    fn code(&self) -> Code {
        match self {
            ChoiceError::Nothing => Code::NoPartition,
            ChoiceError::Unknown { .. } => Code::UnknownPartition,
            ChoiceError::NotInFile { .. } => Code::NotInImage,
        }
    }

    fn hint(&self) -> String {
        match self {
            ChoiceError::Nothing => {
                "List partitions with commas between them: --only KERNEL,ROOTFS.".to_owned()
            }
            ChoiceError::Unknown { known, .. } => format!("It has {}.", known.join(", ")),
            ChoiceError::NotInFile { has, .. } if has.is_empty() => {
                "No partition can be used from it.".to_owned()
            }
            ChoiceError::NotInFile { has, .. } => format!("It contains {}.", has.join(", ")),
        }
    }

    fn exit(&self) -> Exit {
        match self {
            ChoiceError::NotInFile { .. } => Exit::Refused,
            _ => Exit::Usage,
        }
    }
}

impl Slices {
    /// What is written where nobody names partitions: all but BOOT, CONFIG and
    /// FACTORY, which are one camera's own.
    pub fn firmware(&self) -> Vec<&Slice> {
        let is_firmware = |s: &&Slice| matches!(s.role, Role::Kernel | Role::Rootfs | Role::Data);
        self.slices.iter().filter(is_firmware).collect()
    }

    /// The partitions of these names, in the chip's order; letter case does
    /// not matter, and a name given twice counts once.
    ///
    /// # Errors
    /// [`ChoiceError`].
    pub fn choose(&self, names: &[String], map: &FlashMap) -> Result<Vec<&Slice>, ChoiceError> {
        let names: Vec<&str> = names.iter().map(|n| n.trim()).filter(|n| !n.is_empty()).collect();
        if names.is_empty() {
            return Err(ChoiceError::Nothing);
        }
        for name in &names {
            let Some(part) = map.partitions.iter().find(|p| p.name.eq_ignore_ascii_case(name))
            else {
                let known = map.partitions.iter().map(|p| p.name.clone()).collect();
                return Err(ChoiceError::Unknown { name: (*name).to_owned(), known });
            };
            if self.by_name(&part.name).is_none() {
                let has = self.slices.iter().map(|s| s.name.clone()).collect();
                return Err(ChoiceError::NotInFile { name: part.name.clone(), has });
            }
        }
        let is_named = |s: &&Slice| names.iter().any(|n| s.name.eq_ignore_ascii_case(n));
        Ok(self.slices.iter().filter(is_named).collect())
    }
}
