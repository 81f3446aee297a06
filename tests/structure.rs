//! The structure of `src`: rooms import only rooms below them, and no two files need each other.
//!
//! Read from the imports and the paths in the code itself, without tests and comments. A name that
//! a module re-exports counts for the file that defines it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Rooms from the ground up; those of one line do not import each other.
const FLOORS: &[&[&str]] = &[
    &["base", "error", "sys"],
    &["formats", "network"],
    &["identity", "card", "vendor", "mqtt"],
    &["chip"],
    &["image", "access", "services", "settings", "controls"],
    &["backup", "machine", "facts", "rtsp"],
    &["flash", "repair", "update", "onvif"],
    &["programmer"],
    &["camera"],
    &["web"],
    &["cli"],
];

#[test]
fn no_two_files_need_each_other() {
    let circles = Code::read().circles();
    assert!(circles.is_empty(), "files that need each other:\n{}", circles.join("\n"));
}

#[test]
fn rooms_import_only_rooms_below_them() {
    let floor = |room: &str| FLOORS.iter().position(|rooms| rooms.contains(&room));
    let mut wrong = BTreeSet::new();
    for (from, to, name) in Code::read().arrows() {
        let (a, b) = (room(&from), room(&to));
        match (floor(&a), floor(&b)) {
            (Some(above), Some(below)) if above > below || a == b => {}
            (Some(_), Some(_)) => drop(wrong.insert(format!("{from} imports {to}: {name}"))),
            _ => drop(wrong.insert(format!("{a} or {b} has no floor in this test"))),
        }
    }
    let wrong: Vec<_> = wrong.into_iter().collect();
    assert!(wrong.is_empty(), "arrows that point up:\n{}", wrong.join("\n"));
}

/// The first folder or file under `src`.
fn room(file: &str) -> String {
    file.split('/').next().unwrap_or(file).trim_end_matches(".rs").to_owned()
}

/// All files by their module path, as in `flash::journal`; the crate itself is "".
struct Code {
    files: BTreeMap<String, File>,
}

struct File {
    path: String,
    /// Full paths of what it imports or names.
    uses: Vec<String>,
    /// A name that it imports or re-exports, and the full path behind it.
    exports: Vec<(String, String)>,
}

impl Code {
    fn read() -> Code {
        let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut found = Vec::new();
        walk(&src, &mut found);
        let mut modules = BTreeMap::new();
        for path in found {
            let relative = path.strip_prefix(&src).unwrap().to_str().unwrap().to_owned();
            if relative.starts_with("bin/") || relative == "main.rs" {
                continue;
            }
            let mut module =
                relative.trim_end_matches(".rs").trim_end_matches("/mod").replace('/', "::");
            if module == "lib" {
                module.clear();
            }
            modules.insert(module, (relative, without_tests(&fs::read_to_string(&path).unwrap())));
        }
        let names: BTreeSet<String> = modules.keys().cloned().collect();
        let files = modules
            .into_iter()
            .map(|(module, (path, text))| {
                let (mut uses, mut exports) = (Vec::new(), Vec::new());
                let bare = without_uses(&text);
                for (statement, public) in statements(&text) {
                    for (path, name) in expand(&statement) {
                        let Some(full) = absolute(&module, &path, &names) else { continue };
                        if names.contains(&full) {
                            let inside = paths_from(&bare, &name);
                            uses.extend(inside.iter().map(|rest| format!("{full}::{rest}")));
                        }
                        if !public {
                            uses.push(full.clone());
                        }
                        // What is below sees what is only imported here, too.
                        exports.push((name, full));
                    }
                }
                for path in inline_paths(&text, &bare) {
                    uses.extend(absolute(&module, &path, &names));
                }
                (module, File { path, uses, exports })
            })
            .collect();
        Code { files }
    }

    /// The module whose file defines what this path names, and the name.
    fn defined(&self, full: &str, depth: usize) -> Option<(String, String)> {
        let segments: Vec<&str> = full.split("::").collect();
        let mut module = String::new();
        let mut at = 0;
        while at < segments.len() {
            let next = join(&module, segments[at]);
            if !self.files.contains_key(&next) {
                break;
            }
            module = next;
            at += 1;
        }
        if at == 0 {
            return None;
        }
        let Some(name) = segments.get(at) else {
            return Some((module, String::new()));
        };
        if depth < 8 {
            for (exported, target) in &self.files[&module].exports {
                if exported == name {
                    return self.defined(target, depth + 1);
                }
            }
        }
        Some((module, (*name).to_owned()))
    }

    fn arrows(&self) -> Vec<(String, String, String)> {
        let mut arrows = BTreeSet::new();
        for (module, file) in &self.files {
            if module.is_empty() {
                continue;
            }
            for full in &file.uses {
                let Some((target, name)) = self.defined(full, 0) else { continue };
                // To name a module is no need of its file; what is taken from it is.
                if target != *module && !name.is_empty() {
                    arrows.insert((file.path.clone(), self.files[&target].path.clone(), name));
                }
            }
        }
        arrows.into_iter().collect()
    }

    /// Strongly connected files, each circle as one text.
    fn circles(&self) -> Vec<String> {
        let arrows = self.arrows();
        let mut next: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (from, to, _) in &arrows {
            next.entry(from).or_default().insert(to);
        }
        let reach = |start: &str| {
            let (mut seen, mut open) = (BTreeSet::new(), vec![start.to_owned()]);
            while let Some(at) = open.pop() {
                for to in next.get(at.as_str()).into_iter().flatten() {
                    if seen.insert((*to).to_owned()) {
                        open.push((*to).to_owned());
                    }
                }
            }
            seen
        };
        let all: BTreeMap<&str, BTreeSet<String>> =
            next.keys().map(|from| (*from, reach(from))).collect();
        let mut circles = BTreeSet::new();
        for (from, seen) in &all {
            if seen.contains(*from) {
                let members: BTreeSet<&str> = seen
                    .iter()
                    .map(String::as_str)
                    .filter(|to| all.get(to).is_some_and(|back| back.contains(*from)))
                    .collect();
                circles.insert(members);
            }
        }
        circles
            .into_iter()
            .map(|members| {
                let mut ties: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
                for (from, to, name) in &arrows {
                    if members.contains(from.as_str()) && members.contains(to.as_str()) {
                        ties.entry((from, to)).or_default().push(name);
                    }
                }
                let ties: Vec<_> = ties
                    .iter()
                    .map(|((from, to), names)| format!("  {from} -> {to}: {}", names.join(", ")))
                    .collect();
                format!("circle of {}:\n{}", members.len(), ties.join("\n"))
            })
            .collect()
    }
}

fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

fn join(module: &str, name: &str) -> String {
    if module.is_empty() { name.to_owned() } else { format!("{module}::{name}") }
}

/// The code without comments, and without what is compiled for tests only at the file's end.
fn without_tests(text: &str) -> String {
    let tests = ["mod tests", "pub(super) mod tests"]
        .iter()
        .filter_map(|module| text.find(&format!("\n#[cfg(test)]\n{module}")))
        .min();
    let text = &text[..tests.unwrap_or(text.len())];
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Every `use` as its tree, and whether it is a re-export.
fn statements(text: &str) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("use ") {
        let line = rest[..at].rsplit('\n').next().unwrap_or_default().trim();
        let after = &rest[at + 4..];
        let end = after.find(';').unwrap_or(after.len());
        if line.is_empty() || line.starts_with("pub") {
            found.push((
                after[..end].split_whitespace().collect::<Vec<_>>().join(" "),
                !line.is_empty(),
            ));
        }
        rest = &after[end.min(after.len())..];
    }
    found
}

/// The code without its `use` lines.
fn without_uses(text: &str) -> String {
    let (mut left, mut inside) = (Vec::new(), false);
    for line in text.lines() {
        let start = line.trim_start();
        let is_use = start.starts_with("use ")
            || (start.starts_with("pub") && start.split_whitespace().nth(1) == Some("use"))
            || (start.starts_with("pub(") && start.contains(" use "));
        if !inside && !is_use {
            left.push(line);
        }
        inside = (inside || is_use) && !line.trim_end().ends_with(';');
    }
    left.join("\n")
}

/// `a::{b, c::d as e}` as paths with the names they get.
fn expand(tree: &str) -> Vec<(String, String)> {
    let tree = tree.trim();
    let Some(open) = tree.find('{') else {
        let (path, name) = match tree.split_once(" as ") {
            Some((path, name)) => (path.trim(), name.trim()),
            None => (tree, tree.rsplit("::").next().unwrap_or(tree)),
        };
        return vec![(path.to_owned(), name.to_owned())];
    };
    let before = &tree[..open];
    let inner = &tree[open + 1..tree.rfind('}').unwrap_or(tree.len())];
    let (mut parts, mut depth, mut from) = (Vec::new(), 0, 0);
    for (at, c) in inner.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&inner[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&inner[from..]);
    parts
        .into_iter()
        .filter(|part| !part.trim().is_empty())
        .flat_map(|part| {
            let part = part.trim();
            if part == "self" || part.starts_with("self as") {
                let module = before.trim_end_matches("::");
                return vec![(
                    module.to_owned(),
                    module.rsplit("::").next().unwrap_or(module).to_owned(),
                )];
            }
            expand(&format!("{before}{part}"))
        })
        .collect()
}

/// Paths in the code itself that begin with `crate::` or `super::`, or with a module declared there.
fn inline_paths(text: &str, bare: &str) -> Vec<String> {
    let mut found = Vec::new();
    for start in ["crate", "super"] {
        found.extend(paths_from(bare, start).into_iter().map(|rest| format!("{start}::{rest}")));
    }
    for line in text.lines() {
        let line = line.trim();
        let declared = line.strip_prefix("pub ").unwrap_or(line).strip_prefix("mod ");
        if let Some(name) = declared.and_then(|rest| rest.strip_suffix(';')) {
            found.extend(
                paths_from(bare, name).into_iter().map(|rest| format!("self::{name}::{rest}")),
            );
        }
    }
    found
}

/// What follows `name::` wherever it stands as the beginning of a path.
fn paths_from(bare: &str, name: &str) -> Vec<String> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let start = format!("{name}::");
    let whole = |at: usize| !bare[..at].ends_with(|c: char| is_word(c) || c == ':' || c == '.');
    bare.match_indices(&start)
        .filter(|(at, _)| whole(*at))
        .map(|(at, _)| {
            let rest = &bare[at + start.len()..];
            rest[..rest.find(|c: char| !(is_word(c) || c == ':')).unwrap_or(rest.len())].to_owned()
        })
        .filter(|rest| !rest.is_empty() && !rest.ends_with("::"))
        .collect()
}

/// The path from the crate's root; none for what other crates have.
fn absolute(module: &str, path: &str, names: &BTreeSet<String>) -> Option<String> {
    let mut segments: Vec<&str> = path.trim().split("::").collect();
    let mut base: Vec<&str> = module.split("::").filter(|s| !s.is_empty()).collect();
    match *segments.first()? {
        "crate" => {
            base.clear();
            segments.remove(0);
        }
        "self" => drop(segments.remove(0)),
        "super" => {
            while segments.first() == Some(&"super") {
                base.pop();
                segments.remove(0);
            }
        }
        first if names.contains(&join(module, first)) => {}
        _ => return None,
    }
    base.extend(segments);
    Some(base.join("::"))
}
