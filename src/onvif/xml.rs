//! XML as SOAP has it, read into a small flat tree: names by their local part, no document type, no
//! entities but the five and numbers, depth and size bounded. Pure.

/// Elements inside each other.
const DEEPEST: usize = 32;
/// Elements in all.
const MOST: usize = 512;
/// Attributes of one element.
const MOST_ATTRIBUTES: usize = 32;

/// A document.
#[derive(Debug)]
pub struct Tree<'a> {
    elements: Vec<Element<'a>>,
}

#[derive(Debug)]
struct Element<'a> {
    parent: Option<usize>,
    name: &'a str,
    attributes: Vec<(&'a str, String)>,
    text: String,
}

/// One element of a tree.
#[derive(Clone, Copy, Debug)]
pub struct At(usize);

fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

/// Reads a whole document; `None` for all that is none, or too large.
pub fn parse(text: &str) -> Option<Tree<'_>> {
    let mut rest = text.trim_start_matches('\u{feff}');
    let mut elements: Vec<Element<'_>> = Vec::new();
    let mut open: Vec<(usize, &str)> = Vec::new();
    while let Some(at) = rest.find('<') {
        let (before, tag) = rest.split_at(at);
        match open.last() {
            Some((i, _)) => elements[*i].text.push_str(&unescape(before)?),
            None => before.trim().is_empty().then_some(())?,
        }
        rest = if let Some(more) = tag.strip_prefix("<?") {
            more.split_once("?>")?.1
        } else if let Some(more) = tag.strip_prefix("<!--") {
            more.split_once("-->")?.1
        } else if let Some(more) = tag.strip_prefix("<![CDATA[") {
            let (plain, more) = more.split_once("]]>")?;
            elements[open.last()?.0].text.push_str(plain);
            more
        } else if let Some(more) = tag.strip_prefix("</") {
            let (name, more) = more.split_once('>')?;
            (open.pop()?.1 == name.trim_end()).then_some(())?;
            more
        } else {
            // A second root, or too many of anything.
            let root = open.is_empty() && !elements.is_empty();
            if root || open.len() == DEEPEST || elements.len() == MOST {
                return None;
            }
            let (name, attributes, empty, more) = start(&tag[1..])?;
            let parent = open.last().map(|(i, _)| *i);
            elements.push(Element { parent, name: local(name), attributes, text: String::new() });
            if !empty {
                open.push((elements.len() - 1, name));
            }
            more
        };
    }
    let whole = open.is_empty() && !elements.is_empty() && rest.trim().is_empty();
    whole.then_some(Tree { elements })
}

type Start<'a> = (&'a str, Vec<(&'a str, String)>, bool, &'a str);

/// A start tag behind its `<`: name, attributes, whether it ends at once, and what follows.
fn start(text: &str) -> Option<Start<'_>> {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, ':' | '_' | '-' | '.');
    let end = text.find(|c| !plain(c))?;
    let (name, mut rest) = text.split_at(end);
    (!name.is_empty()).then_some(())?;
    let mut attributes = Vec::new();
    loop {
        rest = rest.trim_start();
        if let Some(more) = rest.strip_prefix('>') {
            return Some((name, attributes, false, more));
        }
        if let Some(more) = rest.strip_prefix("/>") {
            return Some((name, attributes, true, more));
        }
        let (key, more) = rest.split_once('=')?;
        let more = more.trim_start();
        let quote = more.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let (value, more) = more.get(1..)?.split_once(quote)?;
        let key = key.trim_end();
        if attributes.len() == MOST_ATTRIBUTES || key.is_empty() || !key.chars().all(plain) {
            return None;
        }
        attributes.push((local(key), unescape(value)?));
        rest = more;
    }
}

fn unescape(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut parts = text.split('&');
    out.push_str(parts.next()?);
    for part in parts {
        let (name, plain) = part.split_once(';')?;
        out.push(match name {
            "lt" => '<',
            "gt" => '>',
            "amp" => '&',
            "quot" => '"',
            "apos" => '\'',
            _ => {
                let number = name.strip_prefix('#')?;
                let code = match number.strip_prefix('x') {
                    Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                    None => number.parse().ok()?,
                };
                char::from_u32(code)?
            }
        });
        out.push_str(plain);
    }
    Some(out)
}

/// A text that can be anywhere in an answer. What XML cannot contain is left out.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\0'..='\x08' | '\x0b' | '\x0c' | '\x0e'..='\x1f' | '\u{fffe}' | '\u{ffff}' => {}
            c => out.push(c),
        }
    }
    out
}

impl Tree<'_> {
    fn children(&self, of: Option<usize>) -> impl Iterator<Item = usize> {
        (0..self.elements.len()).filter(move |i| self.elements[*i].parent == of)
    }

    /// The element at the end of this path from the root, each step by its name.
    pub fn path(&self, names: &[&str]) -> Option<At> {
        let step = |of: Option<usize>, name: &&str| {
            self.children(of).find(|i| self.elements[*i].name == *name).map(Some)
        };
        names.iter().try_fold(None, step).flatten().map(At)
    }

    /// The same, from an element.
    pub fn below(&self, at: At, names: &[&str]) -> Option<At> {
        let step = |of: usize, name: &&str| {
            self.children(Some(of)).find(|i| self.elements[*i].name == *name)
        };
        names.iter().try_fold(at.0, step).map(At)
    }

    /// The first element inside one.
    pub fn first(&self, at: At) -> Option<At> {
        self.children(Some(at.0)).next().map(At)
    }

    /// Its name.
    pub fn name(&self, at: At) -> &str {
        self.elements[at.0].name
    }

    /// Its text, without blanks around it.
    pub fn text(&self, at: At) -> &str {
        self.elements[at.0].text.trim()
    }

    /// One of its attributes.
    pub fn attribute(&self, at: At, name: &str) -> Option<&str> {
        let mut all = self.elements[at.0].attributes.iter();
        all.find(|(found, _)| *found == name).map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_request_is_read_by_local_names() {
        let tree = parse(
            "\u{feff}<?xml version='1.0'?><!-- a > b --><s:E xmlns:s=\"x\">\n <s:B a:k = '1>&#x41;' >\
             <c/> a&amp;<![CDATA[<b>]]></s:B ></s:E> ",
        )
        .unwrap();
        let b = tree.path(&["E", "B"]).unwrap();
        assert_eq!((tree.text(b), tree.attribute(b, "k")), ("a&<b>", Some("1>A")));
        assert_eq!(tree.name(tree.first(b).unwrap()), "c");
        assert!(tree.path(&["B"]).is_none() && tree.path(&["E", "c"]).is_none());
        assert!(tree.path(&[]).is_none());
    }

    #[test]
    fn what_is_no_document_or_too_much_of_one_is_refused() {
        let deep = |n: usize| format!("{}{}", "<a>".repeat(n), "</a>".repeat(n));
        assert!(parse(&deep(DEEPEST)).is_some());
        for text in [
            "",
            " ",
            "a",
            "<a>",
            "</a>",
            "<a></b>",
            "<a/><b/>",
            "<a/>x",
            "x<a/>",
            "<a b></a>",
            "<a b=c/>",
            "<a b=\"/>",
            "<a>&nbsp;</a>",
            "<a>&</a>",
            "<a>&#xD800;</a>",
            "<a",
            "<!DOCTYPE a><a/>",
            "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>",
            "<a><![CDATA[</a>",
            "<a><!--</a>",
            "<?",
            "< a/>",
            "<a =\"1\"/>",
            &deep(DEEPEST + 1),
            &deep(20_000),
            &format!("<a>{}</a>", "<b/>".repeat(MOST)),
            &format!("<a {}/>", "b='' ".repeat(MOST_ATTRIBUTES + 1)),
        ] {
            assert!(parse(text).is_none(), "{}", &text[..text.len().min(60)]);
        }
    }

    proptest! {
        #[test]
        fn anything_is_read_without_panic_and_what_is_escaped_comes_back(
            text in "\\PC*|[<>/a=\"'&;#x!\\[\\]?: -]*",
            value in "[^\\x00-\\x1f\u{fffe}\u{ffff}]*",
        ) {
            let _ = parse(&text);
            let document = format!("<a b=\"{0}\">{0}</a>", escape(&value));
            let tree = parse(&document).unwrap();
            let a = tree.path(&["a"]).unwrap();
            prop_assert_eq!(tree.text(a), value.trim());
            prop_assert_eq!(tree.attribute(a, "b"), Some(value.as_str()));
        }
    }
}
