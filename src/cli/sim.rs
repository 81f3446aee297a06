//! `sim create`.

use std::path::Path;

use serde_json::json;

use super::args::Args;
use super::out::print;
use crate::camera::Camera;
use crate::chip::simulate;
use crate::error::Exit;

pub fn create(
    args: &Args,
    dir: &Path,
    model: Option<&str>,
    from: Option<&Path>,
) -> super::failure::Result {
    simulate::create(dir, model, from)?;
    let camera = Camera::open(Some(dir))?;
    let identity = camera.judge_identity();
    let model = camera.model(&identity);
    let document = json!({
        "dir": dir,
        "model": model,
        "identity": identity.health.name(),
        "partitions": camera.chip().map().partitions.len(),
        "known_map": camera.chip().map().is_known(),
    });
    print(args, &document, || {
        format!(
            "A simulated {model} is in {0}; its identity is {1}.\n\
             Now try:  mi360d --sim {0} map\n          mi360d --sim {0} backup\n          mi360d demo {0}\n",
            dir.display(),
            identity.health
        )
    })?;
    Ok(Exit::Done)
}
