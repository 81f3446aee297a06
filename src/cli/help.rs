//! `help` and `--help`: an overview, or one topic.

use serde_json::json;

use super::args::{Args, UsageError};
use super::failure::Result;
use super::out;
use super::topics::{OVERVIEW, TOPICS};
use crate::error::Exit;

/// Shows the overview, or a topic.
pub fn show(args: &Args, topic: Option<&str>) -> Result {
    let Some(topic) = topic else {
        let commands: Vec<&str> = TOPICS.iter().map(|(name, _)| *name).collect();
        let document = json!({ "help": OVERVIEW, "commands": commands });
        out::print(args, &document, || OVERVIEW.to_owned())?;
        return Ok(Exit::Done);
    };
    let Some((name, text)) = TOPICS.iter().find(|(name, _)| *name == topic) else {
        return Err(UsageError::no_help_on(topic, args.json).into());
    };
    out::print(args, &json!({ "command": name, "help": text }), || (*text).to_owned())?;
    Ok(Exit::Done)
}
