//! The words of the command line, parsed. What they mean is in `help`.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use lexopt::prelude::*;
use thiserror::Error;

use crate::error::{Exit, Explain};

/// All that the command line says.
#[derive(Debug, Default)]
pub struct Args {
    /// `--sim DIR`.
    pub sim: Option<PathBuf>,
    /// `--json`.
    pub json: bool,
    /// `-v`.
    pub verbose: bool,
    /// The command.
    pub command: Command,
}

/// A command and its words.
#[derive(Debug)]
#[allow(missing_docs)]
pub enum Command {
    Help(Option<String>),
    Version,
    Run { config: Option<PathBuf>, listen: Option<SocketAddr> },
    Demo { dir: Option<PathBuf>, listen: Option<SocketAddr> },
    SimCreate { dir: PathBuf, model: Option<String>, from: Option<PathBuf> },
    Map,
    Backup,
    Backups,
    Verify { set: String },
    Inspect { file: PathBuf },
    Passwd,
    Plan { source: String, only: Option<Vec<String>>, did: Option<String> },
    Flash { file: PathBuf, choice: Choice },
    Restore { set: String, choice: Choice },
    Resume,
}

/// What `flash` and `restore` are told beside their source.
#[derive(Debug, Default)]
pub struct Choice {
    /// `--only`, taken apart.
    pub only: Option<Vec<String>>,
    /// `--confirm`.
    pub confirm: Option<String>,
    /// `--did`.
    pub did: Option<String>,
}

impl Default for Command {
    fn default() -> Command {
        Command::Help(None)
    }
}

/// Words that mean nothing.
#[derive(Debug, Error)]
#[error("{reason}")]
pub struct UsageError {
    reason: String,
    command: Option<String>,
    /// Whether `--json` is among the words.
    pub json: bool,
}

impl UsageError {
    /// A topic that `help` does not have.
    pub fn no_help_on(topic: &str, json: bool) -> UsageError {
        UsageError { reason: format!("there is no help on '{topic}'"), command: None, json }
    }
}

impl Explain for UsageError {
    fn code(&self) -> &'static str {
        "usage"
    }

    fn hint(&self) -> String {
        match &self.command {
            Some(command) => format!("`mi360d help {command}` tells how it is used."),
            None => "`mi360d help` lists the commands.".to_owned(),
        }
    }

    fn exit(&self) -> Exit {
        Exit::Usage
    }
}

#[derive(Default)]
struct Words {
    args: Args,
    name: Option<String>,
    values: Vec<OsString>,
    config: Option<PathBuf>,
    listen: Option<SocketAddr>,
    model: Option<String>,
    from: Option<PathBuf>,
    choice: Choice,
    help: bool,
    version: bool,
}

impl Args {
    /// Parses the words that the process was started with.
    ///
    /// # Errors
    /// [`UsageError`], naming the word.
    pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Args, UsageError> {
        let words: Vec<OsString> = words.into_iter().collect();
        // Parsing may end before it comes to this word.
        let json = words.iter().any(|word| word == "--json");
        let mut found = Words::default();
        let result = found.read(&mut lexopt::Parser::from_iter(words));
        let command = found.name.clone().filter(|name| super::help::has(name));
        let error = |reason: String| UsageError { reason, command: command.clone(), json };
        result.map_err(|e| error(e.to_string()))?;
        if found.version {
            return Ok(Args { command: Command::Version, ..found.args });
        }
        if found.help {
            return Ok(Args { command: Command::Help(found.name), ..found.args });
        }
        found.into_args().map_err(error)
    }
}

impl Words {
    fn read(&mut self, parser: &mut lexopt::Parser) -> Result<(), lexopt::Error> {
        while let Some(word) = parser.next()? {
            match word {
                Long("sim") => self.args.sim = Some(parser.value()?.into()),
                Long("json") => self.args.json = true,
                Short('v') | Long("verbose") => self.args.verbose = true,
                Short('h') | Long("help") => self.help = true,
                Short('V') | Long("version") => self.version = true,
                Long("config") => self.config = Some(parser.value()?.into()),
                Long("listen") => self.listen = Some(parser.value()?.parse()?),
                Long("model") => self.model = Some(parser.value()?.string()?),
                Long("only") => {
                    let names = parser.value()?.string()?;
                    self.choice.only = Some(names.split(',').map(str::to_owned).collect());
                }
                Long("confirm") => self.choice.confirm = Some(parser.value()?.string()?),
                Long("did") => self.choice.did = Some(parser.value()?.string()?),
                Long("from") => self.from = Some(parser.value()?.into()),
                Value(value) if self.name.is_none() => self.name = Some(value.string()?),
                Value(value) => self.values.push(value),
                other => return Err(other.unexpected()),
            }
        }
        Ok(())
    }

    fn into_args(self) -> Result<Args, String> {
        let Words { args, name, values, config, listen, model, from, choice, .. } = self;
        let name = name.unwrap_or_else(|| "help".to_owned());
        let allowed: &[(&str, bool)] = &[
            ("--config", config.is_some() && name != "run"),
            ("--listen", listen.is_some() && name != "run" && name != "demo"),
            ("--model", model.is_some() && name != "sim"),
            ("--from", from.is_some() && name != "sim"),
            ("--only", choice.only.is_some() && !["plan", "flash", "restore"].contains(&&*name)),
            ("--did", choice.did.is_some() && !["plan", "flash", "restore"].contains(&&*name)),
            ("--confirm", choice.confirm.is_some() && !["flash", "restore"].contains(&&*name)),
        ];
        if let Some((option, _)) = allowed.iter().find(|(_, wrong)| *wrong) {
            return Err(format!("{option} does not go with '{name}'"));
        }
        let mut values = values.into_iter();
        let mut next = || values.next();
        let text = |value: OsString| value.to_string_lossy().into_owned();
        let need = |value: Option<OsString>, what: &str| {
            value.ok_or_else(|| format!("'{name}' needs {what}"))
        };
        let command = match name.as_str() {
            "help" => Command::Help(next().map(text)),
            "version" => Command::Version,
            "run" => Command::Run { config, listen },
            "demo" => Command::Demo { dir: next().map(PathBuf::from), listen },
            "sim" => match next().map(text).as_deref() {
                Some("create") => {
                    Command::SimCreate { dir: need(next(), "a folder")?.into(), model, from }
                }
                Some(other) => return Err(format!("'sim {other}' is no command")),
                None => return Err("'sim' needs the word create and a folder".to_owned()),
            },
            "map" => Command::Map,
            "backup" => Command::Backup,
            "backups" => Command::Backups,
            "verify" => Command::Verify { set: text(need(next(), "a backup's id or folder")?) },
            "inspect" => Command::Inspect { file: need(next(), "a file")?.into() },
            "plan" => Command::Plan {
                source: text(need(next(), "a file, or a backup's id or folder")?),
                only: choice.only,
                did: choice.did,
            },
            "flash" => Command::Flash { file: need(next(), "a file")?.into(), choice },
            "restore" => {
                Command::Restore { set: text(need(next(), "a backup's id or folder")?), choice }
            }
            "resume" => Command::Resume,
            "passwd" => Command::Passwd,
            other => return Err(format!("'{other}' is no command")),
        };
        match next() {
            Some(extra) => Err(format!("'{}' is one word too many", extra.to_string_lossy())),
            None => Ok(Args { command, ..args }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Args, UsageError> {
        Args::parse(std::iter::once("mi360d").chain(line.split_whitespace()).map(OsString::from))
    }

    #[test]
    fn options_may_stand_before_and_after_the_command() {
        for line in ["--sim D --json map", "map --sim D --json", "map --sim=D --json"] {
            let args = parse(line).unwrap();
            assert!(args.json && args.sim == Some("D".into()), "{line}");
            assert!(matches!(args.command, Command::Map), "{line}");
        }
    }

    #[test]
    fn wrong_words_are_named() {
        for (line, word) in [
            ("flush", "flush"),
            ("verify", "verify"),
            ("map extra", "extra"),
            ("map --listen 1.2.3.4:5", "--listen"),
            ("demo --listen here", "here"),
            ("--nonsense", "--nonsense"),
            ("sim destroy x", "destroy"),
            ("sim create", "folder"),
        ] {
            let error = parse(line).unwrap_err();
            assert!(error.to_string().contains(word), "{line}: {error}");
            assert_eq!(error.exit(), Exit::Usage);
        }
    }

    #[test]
    fn help_is_there_for_every_command() {
        assert!(matches!(parse("").unwrap().command, Command::Help(None)));
        assert!(matches!(parse("map --help").unwrap().command, Command::Help(Some(_))));
        assert!(matches!(parse("help map").unwrap().command, Command::Help(Some(_))));
    }
}
