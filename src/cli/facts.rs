//! `facts`: what this camera's firmware is, for support.

use super::args::Args;
use super::out::print;
use crate::camera::{Camera, facts};
use crate::error::Exit;
use crate::facts::text;

pub fn facts(args: &Args) -> super::failure::Result {
    let camera = Camera::open(args.sim.as_deref())?;
    let facts = facts::gather(&camera);
    print(args, &facts, || text::of(&facts))?;
    Ok(Exit::Done)
}
