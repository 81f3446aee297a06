//! Bytes of an Annex-B stream become whole pictures, and nothing else does: a picture that was cut
//! or that follows a lost one is dropped, and all behind it up to the next key frame. Pure: bytes
//! and instants come in, pictures go out.
//!
//! Signs of a loss, since a cut picture looks like any other (docs/rtsp.md, "What was lost"):
//!
//! 1. The reader says where the pipe had been full ([`Assembler::cut`]): if a start code is
//!    right there, the writer gave up in the middle of what it was writing.
//! 2. The numbers of pictures have a gap. Then the picture before the gap is not trusted either.
//! 3. A slice that begins nothing, of another picture than the one before it, or of parameter sets
//!    that never came.

//!
//! | file | contents |
//! | --- | --- |
//! | `picture` | a whole picture as it is handed on; what was lost |
//! | `assembler` | bytes in, pictures out; the losses |
//! | `judge` | what each unit is: a slice of this picture, of the next one, or nothing |

mod assembler;
mod judge;
mod picture;

pub use assembler::{Assembler, LARGEST_PICTURE};
pub use picture::{Losses, Picture};
