//! `[settings.NAME]` of `hack.toml`: each with the fields that its type takes,
//! and a default that its type takes.

use toml::Spanned;

use super::super::hack::is_name;
use super::super::setting::{LIST_LIMIT, Setting, SettingKind, TEXT_LIMIT};
use super::raw::{RawKind, RawSetting};
use super::wrong::{MANY, Wrong, few, short, within};

/// Settings in the file's order; arguments that go with one; files of some.
type Checked = (Vec<Setting>, Vec<(String, Spanned<Vec<Spanned<String>>>)>, Vec<(String, String)>);

/// Checks all of them.
pub fn check(raw: Vec<(Spanned<String>, RawSetting)>) -> Result<Checked, Wrong> {
    // The form has them in the order of the file.
    let raw = few("settings", raw)?;
    let (mut settings, mut optional, mut files) = (Vec::new(), Vec::new(), Vec::new());
    for (name, mut raw) in raw {
        if !is_name(name.as_ref()) {
            let message = "a setting's name can have letters, digits, '-' and '_'";
            return Err(Wrong::at(&name, message));
        }
        if let Some(args) = raw.args.take() {
            optional.push((name.as_ref().clone(), args));
        }
        if let Some(file) = raw.file.take() {
            if !is_name(file.as_ref()) || matches!(raw.kind, RawKind::List) {
                let message = "'file' needs a plain name and a type that is not a list";
                return Err(Wrong::at(&file, message));
            }
            files.push((name.as_ref().clone(), file.into_inner()));
        }
        settings.push(setting(&name, raw)?);
    }
    Ok((settings, optional, files))
}

fn setting(name: &Spanned<String>, mut raw: RawSetting) -> Result<Setting, Wrong> {
    let title = short("title", raw.title.take(), 60)?.unwrap_or_else(|| name.as_ref().clone());
    let help = short("help", raw.help.take(), 500)?.unwrap_or_default();
    let default = raw.default.take();
    let kind = kind(name, &mut raw)?;
    foreign(name, &kind, &raw)?;
    let default = match default {
        None if kind.is_secret() => kind.empty(),
        Some(value) if kind.is_secret() => {
            return Err(Wrong::at(
                &value,
                "a secret cannot have a default: everybody would know it",
            )
            .hint("Leave 'default' out; the owner sets it on the page."));
        }
        None => kind.empty(),
        Some(value) => {
            kind.check(value.as_ref())
                .map_err(|reason| Wrong::at(&value, format!("'default': {reason}")))?;
            value.into_inner()
        }
    };
    Ok(Setting { name: name.as_ref().clone(), title, help, kind, default })
}

fn kind(name: &Spanned<String>, raw: &mut RawSetting) -> Result<SettingKind, Wrong> {
    let length = |number, what: &str, default| {
        let limit = TEXT_LIMIT.cast_signed() as i64;
        within(number, what, 1, limit, default).map(|n| n as usize)
    };
    Ok(match raw.kind {
        RawKind::Bool => SettingKind::Bool,
        RawKind::Enum => {
            let Some(choices) = raw.choices.take() else {
                return Err(Wrong::at(name, "an enum needs 'choices'"));
            };
            let words = choices.as_ref();
            let unlike = words.iter().enumerate().all(|(i, word)| !words[..i].contains(word));
            if words.is_empty() || words.len() > MANY || !unlike {
                let message = "'choices' needs different words, at least one";
                return Err(Wrong::at(&choices, message));
            }
            SettingKind::Enum(choices.into_inner())
        }
        RawKind::Integer => {
            let min = raw.min.take();
            let low = min.as_ref().map_or(i64::MIN, |min| *min.as_ref());
            let high = raw.max.take().map_or(i64::MAX, Spanned::into_inner);
            match min {
                Some(min) if low > high => {
                    return Err(Wrong::at(&min, "'min' is more than 'max'"));
                }
                _ => SettingKind::Integer { min: low, max: high },
            }
        }
        RawKind::Text => {
            SettingKind::Text { max_length: length(raw.max_length.take(), "max_length", 256)? }
        }
        RawKind::Secret => SettingKind::Secret {
            min_length: length(raw.min_length.take(), "min_length", 1)?,
            max_length: length(raw.max_length.take(), "max_length", 256)?,
            hashed: raw.hashed.take().is_some_and(Spanned::into_inner),
        },
        RawKind::List => SettingKind::List {
            max_items: within(
                raw.max_items.take(),
                "max_items",
                1,
                LIST_LIMIT.cast_signed() as i64,
                16,
            )? as usize,
            secret: raw.secret.take().is_some_and(Spanned::into_inner),
        },
    })
}

/// What `kind` did not take is a field of another type.
fn foreign(name: &Spanned<String>, kind: &SettingKind, raw: &RawSetting) -> Result<(), Wrong> {
    let left = [
        ("choices", raw.choices.is_some()),
        ("min", raw.min.is_some()),
        ("max", raw.max.is_some()),
        ("min_length", raw.min_length.is_some()),
        ("max_length", raw.max_length.is_some()),
        ("max_items", raw.max_items.is_some()),
        ("secret", raw.secret.is_some()),
        ("hashed", raw.hashed.is_some()),
    ];
    match left.iter().find(|(_, there)| *there) {
        Some((field, _)) => {
            let message = format!("'{field}' cannot be used with the type '{}'", kind.name());
            Err(Wrong::at(name, message))
        }
        None => Ok(()),
    }
}
