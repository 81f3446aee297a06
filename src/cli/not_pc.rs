//! Answer of a camera's binary to the commands that only a PC has: `assemble`, `recover` and
//! `programmer`.

use super::failure::Result;
use crate::error::{Code, Exit, Explain};

/// Always refused.
#[derive(Debug)]
struct OnlyOnPc;

impl std::fmt::Display for OnlyOnPc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("this build of mi360d is for a camera and does not have this command")
    }
}

impl std::error::Error for OnlyOnPc {}

impl Explain for OnlyOnPc {
    fn code(&self) -> Code {
        Code::OnlyOnPc
    }

    fn exit(&self) -> Exit {
        Exit::Refused
    }

    fn hint(&self) -> String {
        "Nothing was changed. Use mi360d on a PC: cargo build --release.".into()
    }
}

pub fn refuse() -> Result {
    Err(OnlyOnPc.into())
}
