//! The page: assets of the binary, and the texts in the language that the owner reads.

use super::packed::{ENGLISH, PORTUGUESE, Packed, SCRIPT, STYLE};
use super::reply;
use super::routes::{Answer, Asked};
use crate::camera::config::Language;

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
    fn every_text_of_the_page_is_there_in_both_languages() {
        let read = |text: &str| -> serde_json::Map<String, serde_json::Value> {
            serde_json::from_str(text).unwrap()
        };
        let (english, portuguese) = (read(&ENGLISH.text()), read(&PORTUGUESE.text()));
        for key in english.keys() {
            assert!(portuguese.contains_key(key), "{key} is not translated");
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
