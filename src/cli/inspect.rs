//! `inspect`.

use std::path::{Path, PathBuf};

use serde_json::json;
use thiserror::Error;

use super::args::Args;
use super::out::print;
use crate::error::{Code, Exit, Explain};
use crate::image;
use crate::image::source::OpenFile;
use crate::repair::inputs;

/// A file that cannot be opened.
#[derive(Debug, Error)]
#[error("{}: {reason}", path.display())]
struct OpenError {
    path: PathBuf,
    reason: String,
}

impl Explain for OpenError {
    fn code(&self) -> Code {
        Code::File
    }

    fn hint(&self) -> String {
        "Check the name, and unpack archives first. For a backup's folder, use `mi360d verify DIR`; \
         for several dumps or pieces of one chip, `mi360d recover DIR --out chip.bin`."
            .to_owned()
    }
}

pub fn inspect(args: &Args, path: &Path) -> super::failure::Result {
    let open_error = |reason: String| OpenError { path: path.to_owned(), reason };
    let report = if path.is_dir() {
        let found = inputs::inspect_folder(path)?;
        found.ok_or_else(|| open_error("this folder contains no partition files".to_owned()))?
    } else {
        let file = OpenFile::open(path).map_err(|e| open_error(e.to_string()))?;
        image::inspect::inspect(&file)?
    };
    let mut document = json!(report);
    if let Some(fields) = document.as_object_mut() {
        fields.insert("file".to_owned(), json!(path.to_string_lossy()));
    }
    print(args, &document, || format!("{}\n\n{}", path.display(), report.to_text()))?;
    Ok(if report.has_damage() { Exit::Damaged } else { Exit::Done })
}
