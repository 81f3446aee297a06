//! A flash of this camera, from what its owner brings to the proof that the
//! chip holds it. The page and the command line call the same functions.
//!
//! | file | holds |
//! | --- | --- |
//! | `request` | what is asked for, and opening it |
//! | `planned` | the plan: blocks, blockers, warnings, the phrase |
//! | `lawful` | the laws for BOOT, CONFIG and FACTORY on this camera |
//! | `conditions` | what else must hold: card, identity, machine, protection |
//! | `document` | the plan as page and `--json` show it |
//! | `run` | doing it |
//! | `writing` | the part that a flash and its resumption share |
//! | `rescue` | the image for the boot loader at the card's root |
//! | `resume` | after a power cut |
//! | `outcome` | what came of it, what is where |
//! | `error` | why not |

mod conditions;
mod document;
mod error;
mod lawful;
mod outcome;
mod planned;
mod request;
mod rescue;
mod resume;
mod run;
mod writing;

pub use document::{PlanDocument, PlanPart};
pub use error::FlashingError;
pub use outcome::{Flashed, PartFate, WhatCame};
pub use planned::Planned;
pub use request::{PlanRequest, PlanSource};
pub use resume::Interrupted;
