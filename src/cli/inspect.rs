//! `inspect`.

use std::path::Path;

use super::args::Args;

pub fn inspect(_args: &Args, _file: &Path) -> super::Result {
    Ok(crate::error::Exit::Failed)
}
