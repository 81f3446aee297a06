//! The page: assets in the binary, and the texts in the browser's language.

use serde_json::{Map, Value};

use super::asked::{Answer, Asked};
use super::gate::ForeignHost;
use super::packed::{Asset, ENGLISH, MORE, PORTUGUESE, PORTUGUESE_SAID, SCRIPT, STYLE, ZONES};
use super::reply;
use crate::access::login::Login;
use crate::camera::Hardware;
use crate::settings::values::Language;

pub(super) const CSS: &str = "text/css; charset=utf-8";
pub(super) const JS: &str = "text/javascript; charset=utf-8";
pub(super) const TEXTS: &str = "application/json";

/// The page's own cookie while this browser is logged in: no secret, and trusted by nothing.
const IS_IN: &str = "mi360d_in=1";

const SHELL: &str = include_str!("page/index.html");

pub(super) fn style(asked: &Asked<'_>) -> Answer {
    Ok(asset(CSS, STYLE, asked))
}

pub(super) fn script(asked: &Asked<'_>) -> Answer {
    Ok(asset(JS, SCRIPT, asked))
}

pub(super) fn more(asked: &Asked<'_>) -> Answer {
    Ok(asset(JS, MORE, asked))
}

pub(super) fn english(asked: &Asked<'_>) -> Answer {
    Ok(asset(TEXTS, ENGLISH, asked))
}

pub(super) fn zones(asked: &Asked<'_>) -> Answer {
    Ok(asset(TEXTS, ZONES, asked))
}

pub(super) fn portuguese(asked: &Asked<'_>) -> Answer {
    Ok(asset(TEXTS, PORTUGUESE, asked))
}

pub(super) fn portuguese_said(asked: &Asked<'_>) -> Answer {
    Ok(asset(TEXTS, PORTUGUESE_SAID, asked))
}

fn asset(kind: &str, asset: Asset, asked: &Asked<'_>) -> reply::Reply {
    reply::asset(kind, asset, asked.encoding, asked.etag)
}

/// The shell with the login form in it, or the wait for the page: on a slow network there is something
/// to read and to type before the script has come.
pub(super) fn page(asked: &Asked<'_>) -> Answer {
    let camera = &asked.context.camera;
    let wanted = camera.state().settings.config.web.language;
    let (code, texts) = texts(language(wanted, asked.language.unwrap_or_default()));
    let (state, inside) = inside(camera.login(), asked.asking.cookie.unwrap_or_default());
    let simulated = matches!(camera.hardware(), Hardware::Simulated { .. });
    let fill = |html: &str, inside: &str| {
        filled(html, |name| match name {
            "language" => code.to_owned(),
            "state" => state.to_owned(),
            "inside" => inside.to_owned(),
            // A user of a simulated camera's page has its card in a folder of the same PC.
            "code" if simulated => escaped(&camera.login().setup_code().unwrap_or_default()),
            "code" => String::new(),
            key => escaped(texts.get(key).and_then(Value::as_str).unwrap_or(key)),
        })
    };
    let html = fill(SHELL, &fill(inside, ""));
    let answer = reply::bytes(200, "text/html; charset=utf-8", html.into_bytes());
    Ok(reply::with(answer, "Vary", "Accept-Language, Cookie"))
}

/// What is shown until the script has come. The session's cookie belongs to the API's folder and
/// does not come with this request, so the page leaves a note that this browser is logged in.
fn inside(login: &Login, cookies: &str) -> (&'static str, &'static str) {
    if login.has_password() {
        let is_in = cookies.split(';').any(|cookie| cookie.trim() == IS_IN);
        return if is_in {
            ("house", include_str!("page/house.html"))
        } else {
            ("login", include_str!("page/login.html"))
        };
    }
    match login.setup_code() {
        Some(_) => ("setup", include_str!("page/setup.html")),
        None => ("closed", include_str!("page/closed.html")),
    }
}

fn texts(language: Language) -> (&'static str, Map<String, Value>) {
    let (code, texts) = match language {
        Language::Pt => ("pt", PORTUGUESE),
        _ => ("en", ENGLISH),
    };
    (code, serde_json::from_str(&texts.text()).unwrap_or_default())
}

/// A template with each `{name}` in it replaced.
fn filled(template: &str, value: impl Fn(&str) -> String) -> String {
    let mut parts = template.split('{');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once('}').unwrap_or(("", part));
        out += &value(name);
        out += rest;
    }
    out
}

/// The page for a browser that used a name that is not ours: the reason, and what to set.
pub(super) fn foreign_host(asked: &ForeignHost<'_>) -> String {
    let (code, texts) = texts(language(Language::Auto, asked.languages));
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

/// The first language of the browser's list that the page has.
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
    use crate::error::Code;

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
        let (english, portuguese) =
            (read(&ENGLISH.text()), read(include_str!("page/texts/pt.json")));
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
        // English is what the camera says itself: an error's words and hint.
        for key in portuguese.keys().filter(|key| !english.contains_key(*key)) {
            // What these are of is asked in `web::texts`.
            let is_camera_s = ["say.", "why.", "hack."].iter().any(|kind| key.starts_with(kind));
            assert!(is_camera_s, "{key} is nowhere in English");
        }
        for code in Code::ON_PAGE {
            for key in [format!("say.{code}"), format!("say.{code}.hint")] {
                let text = portuguese.get(&key).and_then(serde_json::Value::as_str);
                assert!(text.is_some_and(|text| !text.is_empty()), "{key} has no text");
            }
        }
        let script = SCRIPT.text() + &MORE.text();
        for (at, _) in script.match_indices(" t(\"").chain(script.match_indices("(t(\"")) {
            let key = script[at + 4..].split('"').next().unwrap();
            let is_beginning = key.ends_with('.');
            assert!(is_beginning || english.contains_key(key), "{key} has no text");
        }
        for html in ["login", "setup", "closed", "house", "index"] {
            let html = std::fs::read_to_string(format!("src/web/page/{html}.html")).unwrap();
            filled(&html, |name| {
                let given = ["language", "state", "inside", "code"].contains(&name);
                assert!(given || english.contains_key(name), "{name} has no text");
                String::new()
            });
        }
    }

    #[test]
    fn both_languages_fill_in_the_same_names_and_no_text_is_left_over() {
        let read = |text: &str| -> Map<String, Value> { serde_json::from_str(text).unwrap() };
        let (english, portuguese) =
            (read(&ENGLISH.text()), read(include_str!("page/texts/pt.json")));
        let names = |text: &Value| -> Vec<String> {
            let parts = text.as_str().unwrap().split('{').skip(1);
            let mut names: Vec<String> =
                parts.filter_map(|part| Some(part.split_once('}')?.0.to_owned())).collect();
            names.sort();
            names.dedup();
            names
        };
        for (key, text) in &english {
            assert_eq!(names(text), names(&portuguese[key]), "{key}");
        }
        let mut used = SCRIPT.text() + &MORE.text() + include_str!("page.rs");
        for html in ["login", "setup", "closed", "house", "index"] {
            used += &std::fs::read_to_string(format!("src/web/page/{html}.html")).unwrap();
        }
        // A key that is put together begins with a text that ends with a dot.
        let beginnings: Vec<&str> = used
            .split(['"', '`'])
            .filter_map(|text| text.split("${").next())
            .filter(|text| text.len() > 1 && text.ends_with('.') && !text.contains(' '))
            .collect();
        for key in english.keys() {
            let whole =
                used.contains(&format!("\"{key}\"")) || used.contains(&format!("{{{key}}}"));
            let begun = beginnings.iter().any(|beginning| key.starts_with(beginning));
            assert!(whole || begun, "{key} is used nowhere");
        }
    }
}
