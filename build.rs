//! Packs what the page is made of, and other long texts: on the camera every kilobyte of the
//! program lies in memory, and these are read seldom. `mi360d::web::packed` unpacks them.

use std::io::Write;
use std::path::Path;
use std::{env, fs};

use lzma_rust2::{Lzma2Options, Lzma2Writer};

/// Classic scripts share one scope: the parts are one script.
const SCRIPT: &[&str] = &[
    "core", "map", "home", "chip", "flash", "backups", "live", "frames", "services", "settings",
    "update", "start",
];

fn main() -> Result<(), String> {
    println!("cargo::rerun-if-changed=build.rs");
    let mut script = "\"use strict\";\n".to_owned();
    for part in SCRIPT {
        script += &text(&format!("src/web/page/{part}.js"))?;
    }
    pack("page.js", &script)?;
    for (name, path) in [
        ("page.css", "src/web/page/page.css"),
        ("en.json", "src/web/page/texts/en.json"),
        ("pt.json", "src/web/page/texts/pt.json"),
        ("schemas.json", "src/web/schemas.json"),
        ("answers.xml", "src/onvif/answers.xml"),
    ] {
        pack(name, &text(path)?)?;
    }
    Ok(())
}

fn text(path: &str) -> Result<String, String> {
    println!("cargo::rerun-if-changed={path}");
    fs::read_to_string(path).map_err(|e| format!("{path}: {e}"))
}

fn pack(name: &str, text: &str) -> Result<(), String> {
    let mut options = Lzma2Options::with_preset(9);
    options.lzma_options.dict_size = 1 << 17;
    options.lzma_options.pb = 0; // texts have no words of four bytes
    let mut writer = Lzma2Writer::new(Vec::new(), options);
    let packed = writer.write_all(text.as_bytes()).and_then(|()| writer.finish());
    let folder = env::var("OUT_DIR").unwrap_or_default();
    let path = Path::new(&folder).join(format!("{name}.lzma2"));
    packed.and_then(|packed| fs::write(&path, packed)).map_err(|e| format!("{name}: {e}"))
}
