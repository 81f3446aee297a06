//! `hack.toml`: read, checked in every point, with the line of what is wrong.
//! Pure. docs/hacks.md describes it for owners.

mod raw;
mod settings;
mod wrong;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use wrong::{HINT, MANY, Wrong, few, short, within};

use toml::Spanned;

use super::error::ManifestError;
use super::hack::{Hack, Optional, Origin, Port, Program, Ready, is_name};
use super::setting::{Setting, SettingKind};
use super::template::Template;
use crate::formats::document::{self, line_at};
use crate::sys::spawn::Limits;
use raw::{Raw, RawReady};

/// The longest `hack.toml`, in bytes.
pub const LIMIT: usize = 0x1_0000;

/// Reads a `hack.toml`. `dir` is its folder, whose name its `id` must be.
///
/// # Errors
/// The first fault, with its line.
pub fn parse(text: &[u8], dir: &Path) -> Result<Hack, ManifestError> {
    if text.len() > LIMIT {
        return Err(ManifestError::new(format!("it is longer than {LIMIT} bytes"), HINT));
    }
    let text = std::str::from_utf8(text).map_err(|e| ManifestError {
        line: Some(line_at(text, e.valid_up_to())),
        message: "it is not UTF-8".into(),
        hint: "Save it as UTF-8 in your editor.".into(),
    })?;
    // Notepad puts a byte order mark in front.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let raw: Raw = document::from_toml(text).map_err(|fault| ManifestError {
        line: Some(fault.line),
        message: fault.message,
        hint: HINT.into(),
    })?;
    check(raw, dir).map_err(|wrong| ManifestError {
        line: wrong.at.map(|at| line_at(text.as_bytes(), at)),
        message: wrong.message,
        hint: wrong.hint,
    })
}

fn check(raw: Raw, dir: &Path) -> Result<Hack, Wrong> {
    let folder = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let id = raw.id.as_ref();
    if !is_name(id) {
        return Err(Wrong::at(&raw.id, "'id' needs 1 to 40 letters, digits, '-' and '_'"));
    }
    if *id != folder {
        return Err(Wrong::at(
            &raw.id,
            format!("the id '{id}' is not the folder's name '{folder}'"),
        )
        .hint("Rename one of the two."));
    }
    let (settings, optional, files) = settings::check(raw.settings)?;
    let optional = optional
        .into_iter()
        .map(|(setting, args)| Ok(Optional { setting, args: arguments(&args, &settings)? }))
        .collect::<Result<Vec<_>, Wrong>>()?;
    let mut vectors = Vec::new();
    if let Some(words) = &raw.exec {
        vectors.push((id.clone(), exec(words, &settings)?));
    }
    for (name, program) in few("programs", raw.programs)? {
        if !is_name(name.as_ref()) || vectors.iter().any(|(other, _)| other == name.as_ref()) {
            return Err(Wrong::at(&name, "a program's name can have letters, digits, '-' and '_'"));
        }
        vectors.push((name.as_ref().clone(), exec(&program.exec, &settings)?));
    }
    if vectors.is_empty() {
        return Err(Wrong::at(&raw.id, "there is no 'exec' with a program"));
    }
    let mut env = BTreeMap::new();
    for (name, text) in few("env", raw.env)? {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        if name.as_ref().is_empty() || !name.as_ref().bytes().all(plain) {
            return Err(Wrong::at(&name, "a variable's name can have letters, digits and '_'"));
        }
        env.insert(name.as_ref().clone(), template(&text, &settings, true)?);
    }
    let fifos = names("fifos", &raw.fifos)?;
    let needs = names("needs", &raw.needs)?;
    if let Some(own) = raw.needs.iter().find(|need| need.as_ref() == id) {
        return Err(Wrong::at(own, "a hack cannot need itself"));
    }
    if let Some(file) = files.iter().find(|(_, file)| fifos.contains(file)) {
        return Err(Wrong::at(&raw.id, format!("'{}' is a FIFO and a setting's file", file.1)));
    }
    let first = Program {
        name: String::new(),
        exec: Vec::new(),
        optional,
        env,
        files,
        script: None,
        dir: None,
        ready: ready(raw.ready, &settings)?,
        restart: raw.restart,
        stop: Duration::from_secs(within(raw.stop_seconds, "stop_seconds", 1, 60, 5)?),
        limits: limits(raw.limits)?,
    };
    let mut programs: Vec<Program> =
        vectors.into_iter().map(|(name, exec)| Program { name, exec, ..first.clone() }).collect();
    // What says that it works is said of the first.
    programs.iter_mut().skip(1).for_each(|program| program.ready = Ready::Started);
    Ok(Hack {
        id: id.clone(),
        name: short("name", raw.name, 60)?.unwrap_or_else(|| id.clone()),
        about: short("about", raw.about, 1000)?.unwrap_or_default(),
        dir: dir.to_owned(),
        enabled: raw.enabled,
        needs,
        fifos,
        prepare: raw.prepare,
        settings,
        programs,
        confirm: false,
        unavailable: None,
        origin: Origin::Hack,
    })
}

/// Checks the words that start a program.
fn exec(
    words: &Spanned<Vec<Spanned<String>>>,
    settings: &[Setting],
) -> Result<Vec<Template>, Wrong> {
    let exec = arguments(words, settings)?;
    match exec[0].fixed_start() {
        Some(program) if !program.is_empty() && exec[0].settings().next().is_none() => Ok(exec),
        _ => Err(Wrong::at(
            words,
            "'exec' begins with the program, which cannot come from a setting",
        )
        .hint("For example: exec = [\"bin/server\", \"--port\", \"{settings.port}\"]")),
    }
}

/// Checks the words of an argument vector.
fn arguments(
    words: &Spanned<Vec<Spanned<String>>>,
    settings: &[Setting],
) -> Result<Vec<Template>, Wrong> {
    if words.as_ref().is_empty() || words.as_ref().len() > MANY {
        return Err(Wrong::at(words, format!("expected 1 to {MANY} arguments")));
    }
    words.as_ref().iter().map(|word| template(word, settings, false)).collect()
}

/// Takes a text apart; the settings in it must be there, and fit there.
fn template(
    text: &Spanned<String>,
    settings: &[Setting],
    secrets: bool,
) -> Result<Template, Wrong> {
    let parsed = Template::parse(text.as_ref()).map_err(|reason| Wrong::at(text, reason))?;
    for name in parsed.settings() {
        let Some(setting) = settings.iter().find(|setting| setting.name == name) else {
            return Err(Wrong::at(text, format!("there is no [settings.{name}]"))
                .hint("Define it, or correct its name."));
        };
        if setting.kind.is_secret() && !secrets {
            return Err(Wrong::at(text, format!("'{name}' is a secret and cannot be an argument"))
                .hint(
                    "Every program on the camera can read the arguments of all others. Use \
                     'file', or put it into [env].",
                ));
        }
        let list = matches!(setting.kind, SettingKind::List { .. });
        if list && (secrets || parsed.whole_setting().is_none()) {
            return Err(Wrong::at(text, format!("the list '{name}' cannot be part of a text"))
                .hint("As a separate argument it becomes one argument for each of its items."));
        }
    }
    if text.as_ref().contains('\0') {
        return Err(Wrong::at(text, "a NUL character cannot be passed on"));
    }
    Ok(parsed)
}

fn names(what: &str, found: &[Spanned<String>]) -> Result<Vec<String>, Wrong> {
    let mut names = Vec::new();
    for name in found {
        if !is_name(name.as_ref()) {
            let message = format!("'{what}' needs names of letters, digits, '-' and '_'");
            return Err(Wrong::at(name, message));
        }
        if names.len() == MANY || names.contains(name.as_ref()) {
            return Err(Wrong::at(name, format!("'{what}' has this twice, or has too many")));
        }
        names.push(name.as_ref().clone());
    }
    Ok(names)
}

fn limits(raw: raw::RawLimits) -> Result<Limits, Wrong> {
    let signed = |n: u64| i32::try_from(n).unwrap_or_default();
    Ok(Limits {
        open_files: u32::try_from(within(raw.open_files, "open_files", 8, 4096, 256)?)
            .unwrap_or(256),
        nice: signed(within(raw.nice, "nice", 0, 19, 5)?),
        // Never below the daemon: a hack dies before it.
        oom_score: signed(within(raw.oom_score, "oom_score", 100, 1000, 500)?),
    })
}

fn ready(raw: Option<Spanned<RawReady>>, settings: &[Setting]) -> Result<Ready, Wrong> {
    let Some(raw) = raw else { return Ok(Ready::Started) };
    let place = Spanned::new(raw.span(), ());
    let raw = raw.into_inner();
    let within = Duration::from_secs(within(raw.seconds, "seconds", 1, 600, 30)?);
    match (raw.port, raw.port_setting, raw.file) {
        (Some(port), None, None) => match u16::try_from(*port.as_ref()) {
            Ok(number) if number > 0 => Ok(Ready::Port { port: Port::Number(number), within }),
            _ => Err(Wrong::at(&port, "'port' needs a number from 1 to 65535")),
        },
        (None, Some(name), None) => {
            let fits = settings.iter().any(|setting| {
                setting.name == *name.as_ref()
                    && matches!(setting.kind, SettingKind::Integer { min, max } if min >= 1 && max <= 65535)
            });
            if !fits {
                let message =
                    format!("'{}' is not an integer setting from 1 to 65535", name.as_ref());
                return Err(Wrong::at(&name, message));
            }
            Ok(Ready::Port { port: Port::Setting(name.into_inner()), within })
        }
        (None, None, Some(file)) => {
            Ok(Ready::File { path: template(&file, settings, false)?, within })
        }
        _ => Err(Wrong::at(&place, "[ready] needs one of 'port', 'port_setting' and 'file'")),
    }
}
