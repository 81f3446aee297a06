//! The direct commands of fetch_av, which makes pictures and sound: for what the bus does not
//! have, such as whether it is day or night (docs/controls.md, "fetch_av").
//!
//! | file | contains |
//! | --- | --- |
//! | `wire` | requests and answers; pure |
//! | `link` | one question, one connection |
//!
//! fetch_av takes nine clients, and a tenth makes it spin. So there is never more than one
//! connection of this process, and it is closed as soon as its question is answered.

pub mod link;
pub mod wire;

pub use link::{Address, Av, AvError};
pub use wire::Volume;
