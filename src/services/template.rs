//! Texts of `hack.toml` with places to fill: `{settings.port}`, `{hack.dir}`.
//! Values are data: they are never expanded again and never split. Pure.

use std::collections::BTreeMap;

use super::setting::Values;

/// What can be filled in besides settings, and what it means.
pub const PLACES: [(&str, &str); 6] = [
    ("hack.dir", "the hack's folder on the card"),
    ("run.dir", "the hack's own folder in memory, lost at power-off"),
    ("run", "the folder above it: {run}/ID is another hack's"),
    ("card", "the card's root folder"),
    ("mi360d", "the program itself"),
    ("model", "the camera's model, ipc009 for example"),
];

/// A text, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    parts: Vec<TemplatePart>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum TemplatePart {
    Text(String),
    Setting(String),
    Place(&'static str),
}

/// What the places stand for, at one start of one hack.
#[derive(Clone, Debug)]
pub struct Places<'a> {
    /// By the names of [`PLACES`].
    pub places: &'a BTreeMap<&'static str, String>,
    /// The settings in force.
    pub values: &'a Values,
}

impl Template {
    /// Takes a text apart. `{{` and `}}` stand for braces.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Template, String> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            literal.push_str(&rest[..at]);
            let (brace, after) = rest[at..].split_at(1);
            if let Some(after) = after.strip_prefix(brace) {
                literal.push_str(brace);
                rest = after;
                continue;
            }
            if brace == "}" {
                return Err("a '}' without its '{'; write '}}' for the character itself".into());
            }
            let Some((name, after)) = after.split_once('}') else {
                return Err("a '{' without its '}'; write '{{' for the character itself".into());
            };
            if !literal.is_empty() {
                parts.push(TemplatePart::Text(std::mem::take(&mut literal)));
            }
            parts.push(place(name)?);
            rest = after;
        }
        literal.push_str(rest);
        if !literal.is_empty() || parts.is_empty() {
            parts.push(TemplatePart::Text(literal));
        }
        Ok(Template { parts })
    }

    /// The settings that it names.
    pub fn settings(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            TemplatePart::Setting(name) => Some(name.as_str()),
            _ => None,
        })
    }

    /// The setting that it is, whole, if it is one.
    pub fn whole_setting(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [TemplatePart::Setting(name)] => Some(name),
            _ => None,
        }
    }

    /// What it begins with, unless that is a setting: a program's name is not for the page to set.
    pub fn fixed_start(&self) -> Option<&str> {
        match self.parts.first() {
            Some(TemplatePart::Text(text)) => Some(text),
            Some(TemplatePart::Place(name)) => Some(name),
            _ => None,
        }
    }

    /// The same with a text behind it.
    pub fn followed_by(mut self, text: &str) -> Template {
        self.parts.push(TemplatePart::Text(text.to_owned()));
        self
    }

    /// The hack's folder in memory.
    pub fn run_dir() -> Template {
        Template { parts: vec![TemplatePart::Place("run.dir")] }
    }

    /// A text that is taken as it is.
    pub fn literal(text: &str) -> Template {
        Template { parts: vec![TemplatePart::Text(text.to_owned())] }
    }

    /// Filled in, as one text. A list has no place in it: the check of `hack.toml` saw to that.
    pub fn fill(&self, with: &Places<'_>) -> String {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                TemplatePart::Text(literal) => text.push_str(literal),
                TemplatePart::Place(name) => {
                    text.push_str(with.places.get(name).map_or("", String::as_str));
                }
                TemplatePart::Setting(name) => {
                    let value = with.values.get(name).and_then(super::Value::as_argument);
                    text.push_str(&value.unwrap_or_default());
                }
            }
        }
        text
    }
}

fn place(name: &str) -> Result<TemplatePart, String> {
    if let Some(setting) = name.strip_prefix("settings.") {
        return Ok(TemplatePart::Setting(setting.to_owned()));
    }
    if let Some((known, _)) = PLACES.iter().find(|(known, _)| *known == name) {
        return Ok(TemplatePart::Place(known));
    }
    let known: Vec<&str> = PLACES.iter().map(|(known, _)| *known).collect();
    let known = known.join(", ");
    Err(format!("'{{{name}}}' does not exist; there are settings.NAME, {known}"))
}

#[cfg(test)]
mod tests {
    use super::super::Value;
    use super::*;

    fn filled(text: &str, value: &str) -> String {
        let places = BTreeMap::from([("hack.dir", "/h".to_owned())]);
        let values = Values::from([("x".to_owned(), Value::Text(value.to_owned()))]);
        Template::parse(text).unwrap().fill(&Places { places: &places, values: &values })
    }

    #[test]
    fn places_are_filled_and_doubled_braces_are_braces() {
        assert_eq!(filled("{hack.dir}/bin/{settings.x}", "a"), "/h/bin/a");
        assert_eq!(filled("{{}}{settings.x}{{", "b"), "{}b{");
        assert_eq!(filled("", "c"), "");
    }

    #[test]
    fn what_is_filled_in_is_never_looked_at_again() {
        for hostile in ["{hack.dir}", "{settings.x}", "; reboot", "$(id)", "a\nb", "}}{{", "'\"`"] {
            assert_eq!(filled("-{settings.x}-", hostile), format!("-{hostile}-"));
        }
    }

    #[test]
    fn a_broken_text_is_refused_with_its_reason() {
        for (text, word) in [("{", "without its '}'"), ("a}b", "without its '{'"), ("{x}", "'{x}'")]
        {
            assert!(Template::parse(text).unwrap_err().contains(word), "{text}");
        }
    }

    #[test]
    fn any_text_parses_or_is_refused() {
        proptest::proptest!(|(text in "[{}a.s]{0,20}")| { let _ = Template::parse(&text); });
    }
}
