//! The command line's arguments, parsed. `help` explains them.

use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use lexopt::prelude::*;
use thiserror::Error;

use crate::error::{Code, Exit, Explain};
use crate::programmer::{DEFAULT_PROGRAMMER, Device};

use super::command::{Choice, Command, ProgrammerAction, RtspArgs};

/// The parsed command line.
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
        UsageError { reason: format!("no help exists for '{topic}'"), command: None, json }
    }
}

impl Explain for UsageError {
    fn code(&self) -> Code {
        Code::Usage
    }

    fn hint(&self) -> String {
        match &self.command {
            Some(command) => format!("`mi360d help {command}` explains how to use it."),
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
    own: Option<PathBuf>,
    donor: Option<PathBuf>,
    out: Option<PathBuf>,
    factory: Option<PathBuf>,
    damaged_factory: bool,
    programmer: Option<String>,
    chip: Option<String>,
    rtsp: RtspArgs,
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
        // Parsing may end before it reaches this argument.
        let json = words.iter().any(|word| word == "--json");
        let mut found = Words::default();
        let result = found.read(&mut lexopt::Parser::from_iter(words));
        let command = found.name.clone().filter(|name| super::topics::has(name));
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
                Long("own") => self.own = Some(parser.value()?.into()),
                Long("donor") => self.donor = Some(parser.value()?.into()),
                Long("out") => self.out = Some(parser.value()?.into()),
                Long("factory") => self.factory = Some(parser.value()?.into()),
                Long("damaged-factory") => self.damaged_factory = true,
                Long("programmer") => self.programmer = Some(parser.value()?.string()?),
                Long("chip") => self.chip = Some(parser.value()?.string()?),
                Long("stream") => {
                    let word = parser.value()?;
                    let is_pair = |at: &usize| *at + 1 < word.len();
                    let at = word.as_bytes().iter().position(|b| *b == b'=').filter(is_pair);
                    let at = at.ok_or_else(|| {
                        format!("--stream {:?} is not NAME=PATH", word.to_string_lossy())
                    })?;
                    let (name, path) = word.as_bytes().split_at(at);
                    let name = String::from_utf8_lossy(name).into_owned();
                    self.rtsp.streams.push((name, OsStr::from_bytes(&path[1..]).to_owned()));
                }
                Long("password-file") => self.rtsp.password_file = Some(parser.value()?.into()),
                Long("basic") => self.rtsp.basic = true,
                Long("audio") => self.rtsp.audio = Some(parser.value()?.into()),
                Long("snapshot") => self.rtsp.snapshot = Some(parser.value()?.into()),
                Long("speaker") => self.rtsp.speaker = Some(parser.value()?.into()),
                Long("sound") => self.rtsp.sound = Some(parser.value()?.string()?),
                Long("firmware") => self.rtsp.firmware = true,
                Long("viewers") => self.rtsp.viewers = Some(parser.value()?.parse()?),
                Value(value) if self.name.is_none() => self.name = Some(value.string()?),
                Value(value) => self.values.push(value),
                other => return Err(other.unexpected()),
            }
        }
        Ok(())
    }

    /// An option that does not go with this command.
    fn misplaced(&self, name: &str) -> Option<&'static str> {
        let Words { config, listen, model, from, choice, rtsp, .. } = self;
        let Words { own, donor, out, factory, damaged_factory, programmer, chip, .. } = self;
        let allowed: &[(&'static str, bool)] = &[
            ("--config", config.is_some() && name != "run"),
            ("--listen", listen.is_some() && !matches!(name, "run" | "demo" | "rtsp")),
            ("--model", model.is_some() && name != "sim"),
            ("--from", from.is_some() && name != "sim"),
            ("--only", choice.only.is_some() && !["plan", "flash", "restore"].contains(&name)),
            (
                "--did",
                choice.did.is_some() && !["plan", "flash", "restore", "programmer"].contains(&name),
            ),
            (
                "--confirm",
                choice.confirm.is_some() && !["flash", "restore", "programmer"].contains(&name),
            ),
            ("--programmer", programmer.is_some() && name != "programmer"),
            ("--chip", chip.is_some() && name != "programmer"),
            ("--own", own.is_some() && name != "assemble"),
            ("--donor", donor.is_some() && name != "assemble"),
            ("--damaged-factory", *damaged_factory && name != "assemble"),
            ("--factory", factory.is_some() && !["assemble", "recover"].contains(&name)),
            ("--out", out.is_some() && !["assemble", "recover", "redact"].contains(&name)),
            ("--stream", !rtsp.streams.is_empty() && name != "rtsp"),
            ("--password-file", rtsp.password_file.is_some() && name != "rtsp"),
            ("--basic", rtsp.basic && name != "rtsp"),
            ("--audio", rtsp.audio.is_some() && name != "rtsp"),
            ("--snapshot", rtsp.snapshot.is_some() && name != "rtsp"),
            ("--speaker", rtsp.speaker.is_some() && name != "rtsp"),
            ("--sound", rtsp.sound.is_some() && name != "rtsp"),
            ("--firmware", rtsp.firmware && name != "rtsp"),
            ("--viewers", rtsp.viewers.is_some() && name != "rtsp"),
        ];
        allowed.iter().find(|(_, wrong)| *wrong).map(|(option, _)| *option)
    }

    #[allow(clippy::too_many_lines)] // one arm for each command
    fn into_args(self) -> Result<Args, String> {
        let misplaced = self.misplaced(self.name.as_deref().unwrap_or("help"));
        let Words { args, name, values, config, listen, model, from, choice, rtsp, .. } = self;
        let Words { own, donor, out, factory, damaged_factory, programmer, chip, .. } = self;
        let name = name.unwrap_or_else(|| "help".to_owned());
        if let Some(option) = misplaced {
            return Err(format!("'{name}' has no option {option}"));
        }
        let mut values = values.into_iter();
        let mut next = || values.next();
        let text = |value: OsString| value.to_string_lossy().into_owned();
        let need = |value: Option<OsString>, what: &str| {
            value.ok_or_else(|| format!("'{name}' needs {what}"))
        };
        let option = |value: Option<PathBuf>, what: &str| {
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
                Some(other) => return Err(format!("'sim {other}' is not a command")),
                None => return Err("'sim' needs the word create and a folder".to_owned()),
            },
            "map" => Command::Map,
            "facts" => Command::Facts,
            "backup" => Command::Backup,
            "backups" => Command::Backups,
            "verify" => Command::Verify { set: need(next(), "a backup's id or folder")? },
            "inspect" => Command::Inspect { file: need(next(), "a file")?.into() },
            "plan" => Command::Plan {
                source: need(next(), "a file, or a backup's id or folder")?,
                only: choice.only,
                did: choice.did,
            },
            "flash" => Command::Flash { file: need(next(), "a file")?.into(), choice },
            "restore" => Command::Restore { set: need(next(), "a backup's id or folder")?, choice },
            "resume" => Command::Resume,
            "passwd" => Command::Passwd,
            "assemble" => Command::Assemble {
                own: option(own, "--own SET_OR_DUMP")?,
                donor: option(donor, "--donor FILE_OR_SET")?,
                out: option(out, "--out FILE")?,
                factory,
                damaged_factory,
            },
            "recover" => Command::Recover {
                files: {
                    let mut files = vec![PathBuf::from(need(next(), "a file or a folder")?)];
                    files.extend(std::iter::from_fn(&mut next).map(PathBuf::from));
                    files
                },
                out: option(out, "--out FILE")?,
                factory,
            },
            "redact" => Command::Redact {
                dump: need(next(), "a dump or a backup's folder")?.into(),
                out: option(out, "--out FILE")?,
            },
            "programmer" => {
                let action = match next().map(text).as_deref() {
                    Some("status") => ProgrammerAction::Status,
                    Some("read") => {
                        ProgrammerAction::Read { dir: need(next(), "a folder")?.into() }
                    }
                    Some("write") => {
                        ProgrammerAction::Write { image: need(next(), "an image")?.into(), choice }
                    }
                    Some(other) => return Err(format!("'programmer {other}' is not a command")),
                    None => return Err("'programmer' needs status, read or write".to_owned()),
                };
                let programmer = programmer.unwrap_or_else(|| DEFAULT_PROGRAMMER.to_owned());
                Command::Programmer { action, device: Device { programmer, chip } }
            }
            "rtsp"
                if rtsp.sound.as_ref().is_some_and(|word| {
                    word != "off" && crate::rtsp::SoundForm::from_word(word).is_none()
                }) =>
            {
                return Err("--sound must be g711, l16 or off".to_owned());
            }
            "rtsp" if rtsp.streams.is_empty() => {
                return Err("'rtsp' needs --stream NAME=PATH".to_owned());
            }
            "rtsp" => Command::Rtsp(RtspArgs { listen, ..rtsp }),
            other => return Err(format!("'{other}' is not a command")),
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
            ("assemble --own A --donor B", "--out"),
            ("redact A", "--out"),
            ("recover A", "--out"),
            ("recover --out A", "a file"),
            ("map --factory A", "--factory"),
            ("map --out A", "--out"),
            ("inspect A --damaged-factory", "--damaged-factory"),
            ("rtsp", "--stream"),
            ("rtsp --stream main", "NAME=PATH"),
            ("map --stream a=b", "--stream"),
            ("programmer", "status"),
            ("programmer erase", "erase"),
            ("programmer read", "folder"),
            ("programmer write", "image"),
            ("map --programmer dummy", "--programmer"),
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
