//! Writing partitions: what has to change, in which order, and the proof that
//! it did. Knows nothing of pages, services or where an image comes from.
//!
//! | file | contents |
//! | --- | --- |
//! | `content` | new content: a part of a file, or bytes |
//! | `request` | what an owner asks for |
//! | `facts`, `decide` | what is known; from it the plan, what it costs, what is refused; pure |
//! | `resumable` | whether an interrupted flash may continue; pure |
//! | `plan` | block by block: same, program, erase; pure but for reading |
//! | `heal` | what a power cut costs, the phrase, the order of writing; pure |
//! | `rules` | what may be written to BOOT, CONFIG and FACTORY; pure |
//! | `protection` | the chip's own write protection, lifted and put back |
//! | `block` | one block: erased, programmed, read back |
//! | `proof` | a partition as the chip gives it back: its hash, and a sample of each block |
//! | `neighbour` | blocks behind what is written: held, checked again, put back |
//! | `writer` | a partition: first block first and last, and its proof |
//! | `journal` | what a later start must know, on the card |
//! | `watch` | observers, and what keeps the watchdog fed |

pub mod block;
pub mod content;
pub mod decide;
pub mod error;
pub mod facts;
pub mod heal;
pub mod journal;
pub mod neighbour;
pub mod plan;
pub mod proof;
pub mod protection;
pub mod request;
pub mod resumable;
pub mod rules;
pub mod watch;
pub mod writer;

pub use content::{Bytes, FilePart, NewContent};
pub use error::FlashError;
pub use heal::Heals;
pub use plan::{Action, Counts, PartPlan};
pub use request::{PlanRequest, PlanSource};
pub use watch::{BlockState, Step, Unwatched, Watch};
