//! A file written from the start, line by line.

use std::fmt::Display;

/// A file that grows.
#[derive(Debug, Default)]
pub struct Writer {
    text: String,
}

impl Writer {
    /// One that begins with this: comments, or nothing.
    pub fn after(head: &str) -> Writer {
        Writer { text: head.to_owned() }
    }

    /// `name = "text"`.
    pub fn text(&mut self, name: &str, text: &str) {
        self.plain(name, &toml_edit::Value::from(text));
    }

    /// The same, where there is something.
    pub fn maybe(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(name, text);
        }
    }

    /// `name = 7`, `name = true`.
    pub fn plain(&mut self, name: &str, value: &dyn Display) {
        self.line(&format!("{name} = {value}"));
    }

    /// `name = [1, 2]`.
    pub fn numbers(&mut self, name: &str, numbers: &[u32]) {
        let numbers: Vec<String> = numbers.iter().map(u32::to_string).collect();
        self.plain(name, &format!("[{}]", numbers.join(", ")));
    }

    /// `[name]`; the lines that follow are its.
    pub fn table(&mut self, name: &str) {
        self.line(&format!("\n[{name}]"));
    }

    /// `[[name]]`: one more of that name.
    pub fn one_more(&mut self, name: &str) {
        self.line(&format!("\n[[{name}]]"));
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// The whole file.
    pub fn finish(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Kind, parse};
    use super::*;

    #[test]
    fn any_text_comes_back_as_it_was() {
        proptest::proptest!(|(text in "\\PC*|[\n\r\t\"'\\\\#={}]*")| {
            let mut writer = Writer::after("# head\n\n");
            writer.text("a", &text);
            writer.plain("b", &7);
            let Ok(Kind::Table(pairs)) = parse(&writer.finish()).map(super::super::At::into_inner)
            else { panic!("no table") };
            proptest::prop_assert_eq!(pairs[0].1.as_ref(), &Kind::Text(text));
        });
    }
}
