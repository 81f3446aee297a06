//! A report as plain text for a terminal: the answer first, then the facts,
//! and last what to do. No colours, 80 columns where words can be broken.

use std::fmt::Write as _;

use super::finding::{Finding, Severity};
use super::inspect::{PartitionReport, Report};

const WIDTH: usize = 80;

impl Report {
    /// The report as text, with a line feed at its end.
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        wrapped(&mut out, "", &format!("{}, {} bytes.", self.what, grouped(self.size)));
        self.identity_text(&mut out);
        self.facts_text(&mut out);
        self.partitions_text(&mut out);
        if !self.findings.is_empty() {
            out.push_str("\nFindings\n");
            self.findings.iter().for_each(|f| finding(&mut out, f));
        }
        list(&mut out, "Alive", &self.alive);
        list(&mut out, "Gone", &self.gone);
        if !self.next.is_empty() {
            out.push_str("\nWhat to do next\n");
            for (i, step) in self.next.iter().enumerate() {
                wrapped(&mut out, &format!("  {}. ", i + 1), step);
            }
        }
        out
    }

    fn identity_text(&self, out: &mut String) {
        out.push_str("\nIs the identity still in it?\n");
        wrapped(out, "  ", &self.identity.answer);
        for masked in &self.identity.masked {
            line(out, masked.key, &masked.shown);
        }
        if let Some(fingerprint) =
            self.identity.fingerprint.as_ref().filter(|_| self.identity.identity.is_some())
        {
            line(out, "fingerprint", fingerprint);
        }
        for e in &self.identity.elsewhere {
            let shown: Vec<String> =
                e.masked.iter().map(|m| format!("{} {}", m.key, m.shown)).collect();
            wrapped(out, &format!("  at {:#x}   ", e.offset), &shown.join(", "));
        }
    }

    fn facts_text(&self, out: &mut String) {
        out.push('\n');
        if let Some(model) = &self.model {
            line(out, "model", &format!("{} ({})", model.id, model.how));
        }
        if let Some(source) = &self.map_source {
            line(out, "map", source);
        }
        if let Some(firmware) = &self.firmware {
            line(out, "firmware", firmware);
        }
        line(out, "sha256", &self.sha256);
    }

    fn partitions_text(&self, out: &mut String) {
        if self.partitions.is_empty() {
            return;
        }
        out.push('\n');
        row(out, ["", "offset", "size", "health", "holds"]);
        for p in &self.partitions {
            let health = health_word(p);
            row(out, [&p.name, &hex(p.offset), &format!("{:#08x}", p.size), health, &p.kind]);
        }
    }
}

fn health_word(p: &PartitionReport) -> &'static str {
    use super::content::Health;
    match p.health {
        Health::Healthy => "healthy",
        Health::Blank => "blank",
        Health::Damaged => "DAMAGED",
        Health::Unknown => "unknown",
    }
}

fn hex(offset: i64) -> String {
    let sign = if offset < 0 { "-" } else { "" };
    format!("{sign}{:#08x}", offset.unsigned_abs())
}

fn row(out: &mut String, cells: [&str; 5]) {
    let [name, offset, size, health, kind] = cells;
    let row = format!("  {name:<8} {offset:<9} {size:<9} {health:<8} {kind}");
    out.push_str(row.trim_end());
    out.push('\n');
}

fn line(out: &mut String, name: &str, value: &str) {
    wrapped(out, &format!("  {name:<12} "), value);
}

fn finding(out: &mut String, f: &Finding) {
    let mark = match f.severity {
        Severity::Blocker => "  !! ",
        Severity::Warning => "  !  ",
        Severity::Note => "  -  ",
    };
    let mut text = String::new();
    if let Some(partition) = &f.partition {
        let _ = write!(text, "{partition}: "); // a String takes all
    }
    text.push_str(&f.reason);
    if let Some(at) = f.at {
        let _ = write!(text, " (at {at:#x})");
    }
    wrapped(out, mark, &text);
    if !f.hint.is_empty() {
        wrapped(out, "     ", &f.hint);
    }
}

fn list(out: &mut String, title: &str, lines: &[String]) {
    if !lines.is_empty() {
        let _ = writeln!(out, "\n{title}");
        for l in lines {
            wrapped(out, "  ", l);
        }
    }
}

/// 16777216 as `16,777,216`.
fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `text` behind `lead`, its later lines indented as far.
fn wrapped(out: &mut String, lead: &str, text: &str) {
    let mut column = lead.chars().count();
    let indent = " ".repeat(column);
    out.push_str(lead);
    let mut first = true;
    for word in text.split_whitespace() {
        let long = word.chars().count();
        if !first && column + 1 + long > WIDTH {
            out.push('\n');
            out.push_str(&indent);
            column = indent.len();
            first = true;
        }
        if !first {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += long;
        first = false;
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!(grouped(7), "7");
        assert_eq!(grouped(123), "123");
        assert_eq!(grouped(16_777_216), "16,777,216");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal_unless_a_word_is() {
        let mut out = String::new();
        wrapped(&mut out, "  1. ", &"word ".repeat(50));
        assert!(out.lines().count() > 1 && out.lines().all(|l| l.len() <= WIDTH));
        assert!(out.lines().skip(1).all(|l| l.starts_with("     word")));
    }
}
