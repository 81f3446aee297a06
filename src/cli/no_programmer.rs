//! `programmer` in a binary for a camera: there is no flashrom, and no chip clipped to it.

use super::args::{Args, ProgrammerAction};
use super::failure::Result;
use crate::error::{Code, Exit, Explain};
use crate::programmer::Device;

/// Always refused.
#[derive(Debug)]
struct OnlyOnPc;

impl std::fmt::Display for OnlyOnPc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("this build of mi360d is for a camera and cannot use a programmer")
    }
}

impl std::error::Error for OnlyOnPc {}

impl Explain for OnlyOnPc {
    fn code(&self) -> Code {
        Code::NoFlashrom
    }

    fn exit(&self) -> Exit {
        Exit::Refused
    }

    fn hint(&self) -> String {
        "Nothing was changed. Clip the chip to a PC and use mi360d there: cargo build --release."
            .into()
    }
}

pub fn programmer(_: &Args, _: &ProgrammerAction, _: &Device) -> Result {
    Err(OnlyOnPc.into())
}
