//! The first page: how the camera is, in words. Every visitor of the network
//! may see it, so it holds no secret; what it shows is text, always escaped.

use std::fmt::Write as _;

use super::reply::{self, Reply};
use super::routes::Asked;
use crate::camera::state::BackupState;
use crate::camera::status::{self, Status};
use crate::camera::{flash_view, status_txt};

const STYLE: &str = include_str!("page.css");

pub(super) fn style(_: &Asked<'_>) -> Reply {
    reply::text("text/css; charset=utf-8", STYLE.to_owned())
}

pub(super) fn page(asked: &Asked<'_>) -> Reply {
    let camera = &asked.context.camera;
    let status = status::of(camera);
    let mut html = String::with_capacity(8 << 10);
    head(&mut html, &status);
    answers(&mut html, &status);
    notices(&mut html, &status);
    if asked.is_loopback {
        let reading = camera.state().reading.clone();
        chip(&mut html, &flash_view::of(camera, reading.as_ref()));
    }
    html.push_str("</main></body></html>\n");
    reply::text("text/html; charset=utf-8", html)
}

fn head(html: &mut String, status: &Status) {
    let busy = matches!(status.backup, BackupState::Waiting | BackupState::Running { .. });
    let refresh = if busy { "<meta http-equiv=\"refresh\" content=\"2\">" } else { "" };
    let model = escape(&status.model);
    let _ = write!(
        html,
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">{refresh}\
         <title>{model}: mi360d</title><link rel=\"icon\" href=\"data:,\">\
         <link rel=\"stylesheet\" href=\"/mi360d.css\"></head><body><header>\
         <h1>mi360d</h1><p>{model}, version {}</p></header><main>",
        status.program
    );
}

fn answers(html: &mut String, status: &Status) {
    let (mark, word, identity) = match (status.identity.health, status.identity.saved) {
        ("healthy", "card") => ("good", "Safe", "Your camera's identity is healthy and saved."),
        (_, "card") => ("bad", "Look", "FACTORY is saved as it is, but it is not healthy."),
        (_, "none") => ("bad", "Look", "This chip has no partition named FACTORY."),
        _ => ("bad", "Not safe", "Your camera's identity is not saved on the card."),
    };
    answer(html, "Identity", mark, word, identity);
    let (mark, word) = match &status.backup {
        BackupState::Done { complete: true, .. } => ("good", "Proven"),
        BackupState::Waiting | BackupState::Running { .. } => ("wait", "Under way"),
        BackupState::Off => ("wait", "Off"),
        BackupState::Done { .. } | BackupState::Failed { .. } => ("bad", "Look"),
    };
    let mut words = status_txt::backup_words(&status.backup);
    if let BackupState::Running { step, done, total } = &status.backup {
        let percent = (done * 100).checked_div(*total).unwrap_or(0);
        words = format!("{step}, {percent} %");
    }
    answer(html, "Backup", mark, word, &words);
    let ready = matches!(status.card, crate::card::CardState::Ready { .. });
    let (mark, word) = if ready { ("good", "Ready") } else { ("bad", "Look") };
    answer(html, "Card", mark, word, &status.card.words());
}

fn answer(html: &mut String, name: &str, mark: &str, word: &str, text: &str) {
    let _ = write!(
        html,
        "<section class=\"{mark}\"><h2>{name}</h2><p><strong>{word}</strong> {}</p></section>",
        escape(text)
    );
}

fn notices(html: &mut String, status: &Status) {
    if status.notices.is_empty() {
        return;
    }
    html.push_str("<h2>What to do next</h2><ol class=\"notices\">");
    for n in &status.notices {
        let _ = write!(
            html,
            "<li><strong>{}:</strong> {}.<br>{}</li>",
            n.severity.word(),
            escape(&n.message),
            escape(&n.hint)
        );
    }
    html.push_str("</ol>");
}

fn chip(html: &mut String, view: &flash_view::FlashView) {
    html.push_str(
        "<h2>The flash chip</h2><table><thead><tr><th>Partition</th><th>What it is</th>\
         <th>Health</th><th>What it holds</th></tr></thead><tbody>",
    );
    for part in &view.partitions {
        let _ = write!(
            html,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape(&part.name),
            part.meaning,
            part.health,
            escape(&part.content)
        );
    }
    html.push_str("</tbody></table>");
}

/// Text that stays text in HTML, in an attribute as well.
fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_shown_is_text() {
        assert_eq!(super::escape("<a href=\"x\">'&"), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;");
    }
}
