//! Tests: every text of the camera that the page shows has words in Portuguese, and none of these is
//! left over. The camera itself speaks English. Errors, notices and findings have codes; of what has
//! none, `why.` texts have the camera's English and the other language, with ` = ` between them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::error::Code;

/// What only a terminal shows.
const TERMINAL: [&str; 6] =
    ["cli/", "programmer/", "repair/", "image/assemble", "image/redact", "image/recover"];

/// Files whose texts, apart from those of the log, are all shown as they are.
const SHOWN: [&str; 7] = [
    "services/elf.rs",
    "services/table.rs",
    "services/unit.rs",
    "services/framegrabber.rs",
    "services/setting.rs",
    "camera/flashing/outcome.rs",
    "camera/codec.rs",
];

/// Texts in them that are the log's, a file's or a part of another text.
const ELSEWHERE: [&str; 11] = [
    "hack.toml: {}",
    "config.toml, [hacks.{}.settings], '{}': {}",
    "[mi360d] KILL: it did not end on TERM",
    "[mi360d] {}",
    "{}: {}",
    "text of {} bytes",
    "list of {}",
    "true or false, a whole number, a text or a list of texts",
    "expected a number up to 9223372036854775807",
    "expected firmware, h264 or h265",
    "Nothing was changed. docs/hacks.md explains what the codec needs.",
];

/// Codes of findings that a variable holds where the finding is made.
const BY_VARIABLE: [&str; 29] = [
    "backwards",
    "bits-moved",
    "doubled",
    "foreign-identity",
    "inserted",
    "inverted",
    "ipl-damaged",
    "kernel-crc",
    "kernel-header",
    "kernel-short",
    "log",
    "mirrored",
    "no-ipl",
    "no-zeros",
    "oversized",
    "replaced-bytes",
    "rotated",
    "seven-bits",
    "stretched",
    "stuck-line",
    "swapped-groups",
    "swapped-nibbles",
    "swapped-pairs",
    "swapped-words",
    "text-mode",
    "truncated",
    "unproven-identity",
    "utf-16",
    "wrapped",
];

fn portuguese() -> BTreeMap<String, String> {
    serde_json::from_str(include_str!("page/texts/pt.json")).unwrap()
}

/// A file of `src` without its tests.
struct Source {
    path: String,
    text: String,
}

fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new("src").to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let end = text.find("#[cfg(test)]\nmod tests").unwrap_or(text.len());
                let name = path.to_string_lossy().trim_start_matches("src/").to_owned();
                found.push(Source { path: name, text: text[..end].to_owned() });
            }
        }
    }
    found
}

/// A text as it is in a program: with `{}` for whatever is filled in.
fn shape(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        out += before;
        out += "{}";
        rest = after.split_once('}').map_or("", |(_, rest)| rest);
    }
    out + rest
}

/// The texts in a program, and whether each goes to the log.
fn literals(code: &str) -> Vec<(bool, String)> {
    let bytes = code.as_bytes();
    let (mut found, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        if code[at..].starts_with("//") {
            at += code[at..].find('\n').unwrap_or(code.len() - at);
        } else if code[at..].starts_with("'\"'") || code[at..].starts_with("'\\\"'") {
            at += 4;
        } else if bytes[at] == b'"' {
            let begin = at + 1;
            at = begin;
            while bytes[at] != b'"' {
                at += 1 + usize::from(bytes[at] == b'\\');
            }
            let statement = code[..begin].rfind([';', '}']).map_or(0, |end| end + 1);
            let is_logged = code[statement..begin].contains("log::");
            let joined: Vec<&str> = code[begin..at].split("\\\n").collect();
            let mut text = joined[0].to_owned();
            joined[1..].iter().for_each(|more| text += more.trim_start());
            found.push((is_logged, text.replace("\\\"", "\"").replace("{{", "{")));
            at += 1;
        } else {
            at += code[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    found
}

/// The codes of findings that the page can show, and whether each has a hint.
fn findings() -> BTreeMap<String, bool> {
    let mut found: BTreeMap<String, bool> =
        BY_VARIABLE.iter().map(|code| ((*code).to_owned(), false)).collect();
    for source in sources().iter().filter(|s| !TERMINAL.iter().any(|t| s.path.starts_with(t))) {
        let constant = |name: &str| {
            let files = sources();
            let line = format!("const {name}: &str = \"");
            files
                .iter()
                .find_map(|s| Some(s.text.split_once(&line)?.1.split('"').next()?.to_owned()))
        };
        for kind in ["note", "warning", "blocker"] {
            for (at, begin) in source.text.match_indices(&format!("Finding::{kind}(")) {
                let made = source.text[at + begin.len()..].trim_start();
                let code = match made.strip_prefix('"') {
                    Some(rest) => rest.split('"').next().map(str::to_owned),
                    None => constant(made.split(',').next().unwrap_or_default().trim()),
                };
                let end = made.find(';').unwrap_or(made.len());
                let end = end.min(made.find("Finding::").unwrap_or(end));
                let Some(code) = code else { continue };
                *found.entry(code).or_default() |= made[..end].contains(".hint(");
            }
        }
    }
    found
}

#[test]
fn every_finding_has_words_and_a_hint_where_it_has_one() {
    let portuguese = portuguese();
    let findings = findings();
    assert!(findings.len() > 90, "{}", findings.len());
    for (code, has_hint) in &findings {
        assert!(portuguese.contains_key(&format!("say.{code}")), "say.{code} has no text");
        let hint = portuguese.contains_key(&format!("say.{code}.hint"));
        assert!(hint || !has_hint, "say.{code}.hint has no text");
    }
    for key in portuguese.keys().filter_map(|key| key.strip_prefix("say.")) {
        let code = key.trim_end_matches(".hint");
        let is_code = Code::ON_PAGE.iter().any(|known| known.name() == code);
        assert!(is_code || findings.contains_key(code), "say.{key} is no code");
    }
}

#[test]
fn every_sentence_that_the_page_shows_as_it_is_has_words_and_none_is_left_over() {
    let sources = sources();
    let mut said = BTreeMap::new();
    for source in &sources {
        for (is_logged, text) in literals(&source.text) {
            said.entry(shape(&text))
                .or_insert_with(Vec::new)
                .push((source.path.clone(), is_logged));
        }
    }
    let mut known = BTreeSet::new();
    for (key, both) in portuguese().iter().filter(|(key, _)| key.starts_with("why.")) {
        let (english, own) = both.split_once(" = ").unwrap_or_else(|| panic!("{key}"));
        assert!(said.contains_key(&shape(english)), "{key}: the camera does not say {english:?}");
        for part in own.split('{').skip(1) {
            assert!(english.contains(&format!("{{{}}}", &part[..1])), "{key}: {{{}}}", &part[..1]);
        }
        assert!(known.insert(shape(english)), "{key} twice");
    }
    let mut looked_at = 0;
    for (text, places) in &said {
        // Why a value of config.toml is none is shown at its field.
        let is_reason = text.starts_with("expected ");
        let is_shown =
            |path: &str| SHOWN.contains(&path) || is_reason && path.starts_with("settings/");
        for (path, is_logged) in places.iter().filter(|(path, _)| is_shown(path)) {
            let is_words = text.contains(' ') && text.bytes().any(|b| b.is_ascii_lowercase());
            if !is_words || *is_logged || ELSEWHERE.contains(&text.as_str()) {
                continue;
            }
            looked_at += 1;
            assert!(known.contains(text), "{path} says {text:?}, which has no words");
        }
    }
    assert!(looked_at > 25, "{looked_at}");
}

/// What is said with a code, wherever one is given with its message.
fn messages(code: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (at, begin) in code.match_indices("Code::") {
        let Some((name, rest)) = code[at + begin.len()..].split_once(',') else { continue };
        if !name.bytes().all(|b| b.is_ascii_alphanumeric()) {
            continue;
        }
        let mut rest = rest.trim_start();
        for before in ["message:", "&", "format!("] {
            rest = rest.strip_prefix(before).unwrap_or(rest).trim_start();
        }
        if rest.starts_with('"') {
            found.extend(literals(rest).into_iter().next().map(|(_, text)| (kebab(name), text)));
        }
    }
    found
}

/// `BackupBroken` as `backup-broken`.
fn kebab(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push('-');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

#[test]
fn a_message_that_is_shown_within_its_codes_words_has_words_itself() {
    let portuguese = portuguese();
    let known: BTreeSet<String> = portuguese
        .iter()
        .filter(|(key, _)| key.starts_with("why."))
        .filter_map(|(_, both)| both.split_once(" = "))
        .map(|(english, _)| shape(english))
        .collect();
    let mut looked_at = 0;
    for source in sources().iter().filter(|s| !TERMINAL.iter().any(|t| s.path.starts_with(t))) {
        for (code, text) in messages(&source.text) {
            let around = portuguese.get(&format!("say.{code}"));
            // What follows a code there is its hint.
            let is_hint = source.path == "web/gate/answer.rs";
            if is_hint || !around.is_some_and(|around| around.contains("{said}")) {
                continue;
            }
            looked_at += 1;
            let text = shape(text.trim_end_matches('.'));
            assert!(known.contains(&text), "{}: {code} says {text:?}: no words", source.path);
        }
    }
    assert!(looked_at > 10, "{looked_at}");
}

#[test]
fn every_text_of_the_hacks_that_come_with_the_program_has_words() {
    let portuguese = portuguese();
    let mut wanted = BTreeSet::new();
    for entry in fs::read_dir("rootfs-overlay/mnt/sdcard/hacks").unwrap() {
        let Ok(text) = fs::read_to_string(entry.unwrap().path().join("hack.toml")) else {
            continue;
        };
        let hack: toml::Table = text.parse().unwrap();
        let id = hack["id"].as_str().unwrap();
        wanted.extend([format!("hack.{id}.name"), format!("hack.{id}.about")]);
        for (name, setting) in
            hack.get("settings").and_then(toml::Value::as_table).into_iter().flatten()
        {
            wanted.insert(format!("hack.{id}.{name}"));
            if setting.get("help").is_some() {
                wanted.insert(format!("hack.{id}.{name}.help"));
            }
        }
    }
    let there: BTreeSet<String> =
        portuguese.into_keys().filter(|key| key.starts_with("hack.")).collect();
    assert_eq!(there, wanted);
}
