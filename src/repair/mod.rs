//! Repair on a PC: dumps and images are read, put together and written as new files. What goes
//! into them is decided in [`crate::image`].
//!
//! | file | contents |
//! | --- | --- |
//! | [`brick`] | `assemble` and `redact`: an image for the programmer, a dump that is safe to post |
//! | [`recover`] | `recover`: one image from several damaged reads |
//! | [`inputs`] | a dump, a folder of parts or a backup, opened as one input |

pub mod brick;
pub mod inputs;
pub mod recover;
