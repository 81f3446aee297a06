//! `config.toml` as a new card has it: every field with its purpose and default, as a
//! comment. Made from the table of fields, so it lacks none. Pure.

use serde_json::Value;

use super::config::Config;
use super::fields::{CARD_ONLY, FIELDS, Field, Shown};

const HEAD: &str = "\
# Settings of mi360d. You need not change any: a line that begins with # shows a
# default or an example. If a line is wrong, the page and STATUS.txt show which;
# until it is corrected all defaults apply, and no old backup is deleted.
";

const HACKS: &str = "
# Hacks: see docs/hacks.md of the project. The page also writes here.
# [hacks.ssh-server]
# enabled = true
# [hacks.ssh-server.settings]
# port = 22
";

/// Letters of a line at most.
const WIDTH: usize = 78;

/// The whole file.
pub fn text() -> String {
    let defaults = serde_json::to_value(Config::default()).unwrap_or_default();
    let mut text = HEAD.to_owned();
    let mut section = "";
    let mut sections: Vec<&str> = FIELDS.iter().filter_map(Field::section).collect();
    sections.dedup();
    for wanted in sections {
        let own = |field: &&Field| field.section() == Some(wanted);
        for field in FIELDS.iter().chain(CARD_ONLY).filter(own) {
            let Some((name, key)) = field.name.split_once('.') else { continue };
            if name != section {
                section = name;
                text.push_str(&format!("\n[{name}]\n"));
            }
            text.push_str(&comment(field.help));
            let value = match field.shown {
                Shown::Example(value) => value.to_owned(),
                Shown::Default => {
                    defaults.get(name).and_then(|s| s.get(key)).map_or_else(String::new, value)
                }
            };
            text.push_str(&format!("# {key} = {value}\n"));
        }
    }
    text.push_str(HACKS);
    text
}

/// A value in TOML: what JSON writes of texts, numbers and lists of them is the same there.
fn value(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(Value::to_string).collect();
            format!("[{}]", items.join(", "))
        }
        other => other.to_string(),
    }
}

fn comment(words: &str) -> String {
    let mut text = String::from("#");
    let mut width = 1;
    for word in words.split(' ') {
        if width + 1 + word.len() > WIDTH {
            text.push_str("\n#");
            width = 1;
        }
        text.push(' ');
        text.push_str(word);
        width += 1 + word.len();
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::config;

    const FILE: &str = "rootfs-overlay/mnt/sdcard/mi360d/config.toml";

    /// With `MI360D_WRITE_CONFIG` set it writes the file instead.
    #[test]
    fn the_file_on_the_card_is_made_from_the_table_of_fields() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
        if std::env::var_os("MI360D_WRITE_CONFIG").is_some() {
            std::fs::write(&path, text()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap(), text());
    }

    #[test]
    fn every_line_of_it_is_a_setting_that_the_program_takes() {
        assert_eq!(config::parse(text().as_bytes()), Ok(Config::default()));
        // The same with every setting in force.
        let set = |line: &str| match line.strip_prefix("# ") {
            Some(rest) if rest.split_once(" = ").is_some_and(|(key, _)| !key.contains(' ')) => {
                rest.to_owned()
            }
            _ => line.to_owned(),
        };
        let (own, _) =
            text().split_once("# Hacks").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        let all = own.lines().map(set).collect::<Vec<_>>().join("\n");
        let config = config::parse(all.as_bytes()).unwrap();
        let shown = serde_json::to_value(&config).unwrap();
        for (section, fields) in shown.as_object().unwrap() {
            for key in fields.as_object().unwrap().keys() {
                let name = format!("{section}.{key}");
                let known = FIELDS.iter().chain(CARD_ONLY).any(|field| field.name == name);
                assert!(known, "{name} is a setting that the table lacks");
                assert!(all.contains(&format!("\n{key} = ")), "{name}");
            }
        }
        for field in FIELDS.iter().chain(CARD_ONLY) {
            let found = field.name.split('.').try_fold(&shown, |at, key| at.get(key));
            assert!(found.is_some(), "{} is no setting", field.name);
        }
    }
}
