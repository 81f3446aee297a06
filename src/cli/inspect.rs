//! `inspect`.

use std::fs::File;
use std::path::{Path, PathBuf};

use serde_json::json;
use thiserror::Error;

use super::args::Args;
use super::out::print;
use crate::error::{Exit, Explain};
use crate::image;

/// A file that cannot be opened.
#[derive(Debug, Error)]
#[error("{}: {reason}", path.display())]
struct OpenError {
    path: PathBuf,
    reason: String,
}

impl Explain for OpenError {
    fn code(&self) -> &'static str {
        "file"
    }

    fn hint(&self) -> String {
        "Check the name. A backup's folder is read by `mi360d verify DIR`.".to_owned()
    }
}

pub fn inspect(args: &Args, path: &Path) -> super::Result {
    let open_error = |reason: String| OpenError { path: path.to_owned(), reason };
    let file = File::open(path).map_err(|e| open_error(e.to_string()))?;
    let meta = file.metadata().map_err(|e| open_error(e.to_string()))?;
    if !meta.is_file() {
        return Err(open_error("it is not a file".to_owned()).into());
    }
    let report = image::inspect::inspect(&file)?;
    let mut document = json!(report);
    if let Some(fields) = document.as_object_mut() {
        fields.insert("file".to_owned(), json!(path));
    }
    print(args, &document, || format!("{}\n\n{}", path.display(), report.to_text()))?;
    Ok(if report.has_damage() { Exit::Damaged } else { Exit::Done })
}
