//! The page: assets of the binary, and the texts in the language that the owner reads.

use serde_json::{Map, Value};

use super::asked::{Answer, Asked};
use super::gate::ForeignHost;
use super::packed::{ENGLISH, PORTUGUESE, Packed, SCRIPT, STYLE};
use super::reply;
use crate::settings::config::Language;

pub(super) const CSS: &str = "text/css; charset=utf-8";
pub(super) const JS: &str = "text/javascript; charset=utf-8";

const SHELL: &str = include_str!("page/index.html");

pub(super) fn style(asked: &Asked<'_>) -> Answer {
    Ok(asset(CSS, STYLE, asked))
}

pub(super) fn script(asked: &Asked<'_>) -> Answer {
    Ok(asset(JS, SCRIPT, asked))
}

fn asset(kind: &str, packed: Packed, asked: &Asked<'_>) -> reply::Reply {
    reply::asset(kind, &|| packed.text().into_bytes(), &packed.tag(), asked.etag)
}

/// The shell with the texts as data in it: one request less, and no script of its own.
pub(super) fn page(asked: &Asked<'_>) -> Answer {
    let wanted = asked.context.camera.state().settings.config.web.language;
    let (code, texts) = match language(wanted, asked.language.unwrap_or_default()) {
        Language::Pt => ("pt", PORTUGUESE),
        _ => ("en", ENGLISH),
    };
    let html = SHELL.replacen("{language}", code, 1).replacen("{texts}", &texts.text(), 1);
    let answer = reply::bytes(200, "text/html; charset=utf-8", html.into_bytes());
    Ok(reply::with(answer, "Vary", "Accept-Language"))
}

/// The page for a person who came by a name that is none of ours: why, and what to set.
pub(super) fn foreign_host(asked: &ForeignHost<'_>) -> String {
    let (code, texts) = match language(Language::Auto, asked.languages) {
        Language::Pt => ("pt", PORTUGUESE),
        _ => ("en", ENGLISH),
    };
    let texts: Map<String, Value> = serde_json::from_str(&texts.text()).unwrap_or_default();
    let text = |key: &str| {
        let text = texts.get(key).and_then(Value::as_str).unwrap_or(key);
        escaped(text).replace("{name}", &escaped(bare(asked.name)))
    };
    let address = escaped(asked.address);
    let setting = format!("<strong>{}</strong>", text("set.web.host_names"));
    let steps = text("foreign.steps").replace("{setting}", &setting);
    format!(
        "<!DOCTYPE html><html lang=\"{code}\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\"><meta name=\"color-scheme\" \
         content=\"light dark\"><title>mi360d</title></head><body><h1>{}</h1><p>{}</p>\
         <p><a href=\"http://{address}/\">http://{address}/</a></p><p>{steps}</p></body></html>",
        text("foreign.title"),
        text("foreign.why"),
    )
}

/// A Host without its port.
fn bare(host: &str) -> &str {
    host.rsplit_once(':').filter(|(_, port)| !port.contains(']')).map_or(host, |(name, _)| name)
}

/// Text that cannot become markup.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

/// The first language of the browser's list that the page speaks.
fn language(wanted: Language, accepted: &str) -> Language {
    if wanted != Language::Auto {
        return wanted;
    }
    let speaks = |tag: &str| match tag.trim().get(..2).map(str::to_ascii_lowercase).as_deref() {
        Some("pt") => Some(Language::Pt),
        Some("en") => Some(Language::En),
        _ => None,
    };
    accepted.split(',').find_map(speaks).unwrap_or(Language::En)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_browser_chooses_unless_the_owner_did() {
        for (wanted, accepted, spoken) in [
            (Language::Auto, "", Language::En),
            (Language::Auto, "de-DE,de;q=0.9,pt-BR;q=0.8,en;q=0.7", Language::Pt),
            (Language::Auto, "en-US,en;q=0.9,pt;q=0.8", Language::En),
            (Language::Auto, "\u{e9}", Language::En),
            (Language::En, "pt", Language::En),
            (Language::Pt, "en", Language::Pt),
        ] {
            assert_eq!(language(wanted, accepted), spoken, "{accepted}");
        }
    }

    #[test]
    fn a_foreign_name_is_shown_as_text_with_the_address_and_the_setting() {
        for (languages, setting) in [("en", "Host names"), ("pt-PT", "Nomes da c\u{e2}mara")] {
            let (name, address) = ("<b>cam</b>.example:8080", "192.168.1.7:8360");
            let html = foreign_host(&ForeignHost { name, address, languages });
            assert!(
                html.contains("&lt;b&gt;cam&lt;/b&gt;.example") && !html.contains("<b>"),
                "{html}"
            );
            assert!(html.contains("href=\"http://192.168.1.7:8360/\"") && html.contains(setting));
            assert!(!html.contains('{') && !html.contains("foreign."), "{html}");
        }
    }

    #[test]
    fn every_text_of_the_page_is_there_in_both_languages() {
        let read = |text: &str| -> serde_json::Map<String, serde_json::Value> {
            serde_json::from_str(text).unwrap()
        };
        let (english, portuguese) = (read(&ENGLISH.text()), read(&PORTUGUESE.text()));
        for key in english.keys() {
            assert!(portuguese.contains_key(key), "{key} is not translated");
        }
        // A key is a name, never the camera's English: that changes without anybody looking here.
        let is_name = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        for key in english.keys().chain(portuguese.keys()) {
            assert!(key.bytes().all(is_name), "{key}");
        }
        let works = crate::backup::Work::ON_CAMERA.map(crate::backup::Work::code);
        let steps = crate::flash::Step::ALL.map(crate::flash::Step::code);
        for code in works.into_iter().chain(steps).chain(["begins"]) {
            assert!(english.contains_key(&format!("step.{code}")), "{code} has no text");
        }
        // Beyond that a language may have its own words for what the camera says, by its code.
        for key in portuguese.keys().filter(|key| !english.contains_key(*key)) {
            assert!(key.starts_with("say."), "{key} is nowhere in English");
        }
        let script = SCRIPT.text();
        for (at, _) in script.match_indices(" t(\"").chain(script.match_indices("(t(\"")) {
            let key = script[at + 4..].split('"').next().unwrap();
            let is_beginning = key.ends_with('.');
            assert!(is_beginning || english.contains_key(key), "{key} has no text");
        }
        // Data in a page ends at the first end of a script.
        for text in [ENGLISH.text(), PORTUGUESE.text()] {
            assert!(!text.contains("</") && !text.contains("<!--"));
        }
    }
}
