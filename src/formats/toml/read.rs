//! How types read themselves from a file's nodes.

use std::collections::BTreeMap;

use super::{At, Fault, Kind, Node};

/// A type that reads itself.
pub trait Read: Sized {
    /// Reads it.
    ///
    /// # Errors
    /// What is expected, and the place.
    fn read(node: Node) -> Result<Self, Fault>;
}

impl Node {
    fn expected<T>(&self, what: &str) -> Result<T, Fault> {
        Err(Fault::new(self.at(), format!("expected {what}")))
    }

    /// One of several words.
    ///
    /// # Errors
    /// The words that are expected.
    pub fn word<T: Copy>(self, words: &[(&str, T)]) -> Result<T, Fault> {
        let found = match self.as_ref() {
            Kind::Text(text) => words.iter().find(|(word, _)| word == text),
            _ => None,
        };
        match found {
            Some((_, value)) => Ok(*value),
            None => self.expected(&one_of(&mut words.iter().map(|(word, _)| *word))),
        }
    }

    /// A value that a type takes or refuses.
    ///
    /// # Errors
    /// The reason why it refuses it.
    pub fn checked<V: Read, T: TryFrom<V, Error = String>>(self) -> Result<T, Fault> {
        let at = self.at();
        T::try_from(V::read(self)?).map_err(|reason| Fault::new(at, reason))
    }
}

fn one_of(words: &mut dyn Iterator<Item = &str>) -> String {
    let words: Vec<String> = words.map(|word| format!("`{word}`")).collect();
    format!("{}{}", if words.len() > 1 { "one of " } else { "" }, words.join(", "))
}

impl Read for bool {
    fn read(node: Node) -> Result<bool, Fault> {
        match node.as_ref() {
            Kind::Bool(b) => Ok(*b),
            _ => node.expected("true or false"),
        }
    }
}

impl Read for i64 {
    fn read(node: Node) -> Result<i64, Fault> {
        match node.as_ref() {
            Kind::Integer(n) => Ok(*n),
            _ => node.expected("a whole number"),
        }
    }
}

impl Read for u32 {
    fn read(node: Node) -> Result<u32, Fault> {
        let number = match node.as_ref() {
            Kind::Integer(n) => u32::try_from(*n).ok(),
            _ => None,
        };
        number.map_or_else(|| node.expected("a number from 0 to 4294967295"), Ok)
    }
}

impl Read for u64 {
    fn read(node: Node) -> Result<u64, Fault> {
        match node.as_ref() {
            Kind::Integer(n @ 0..) => Ok(n.unsigned_abs()),
            _ => node.expected("a number, 0 or more"),
        }
    }
}

impl Read for String {
    fn read(node: Node) -> Result<String, Fault> {
        let at = node.at();
        match node.into_inner() {
            Kind::Text(text) => Ok(text),
            _ => Err(Fault::new(at, "expected a text in quotes")),
        }
    }
}

impl<T: Read> Read for At<T> {
    fn read(node: Node) -> Result<At<T>, Fault> {
        Ok(At::new(node.at(), T::read(node)?))
    }
}

impl<T: Read> Read for Vec<T> {
    fn read(node: Node) -> Result<Vec<T>, Fault> {
        node.list()?.into_iter().map(T::read).collect()
    }
}

/// A table whose names are the owner's, in the file's order.
impl<T: Read> Read for Vec<(At<String>, T)> {
    fn read(node: Node) -> Result<Vec<(At<String>, T)>, Fault> {
        node.pairs()?.into_iter().map(|(name, node)| Ok((name, T::read(node)?))).collect()
    }
}

impl<T: Read> Read for BTreeMap<String, T> {
    fn read(node: Node) -> Result<BTreeMap<String, T>, Fault> {
        let pair = |(name, node): (At<String>, Node)| Ok((name.into_inner(), T::read(node)?));
        node.pairs()?.into_iter().map(pair).collect()
    }
}

impl Read for Node {
    fn read(node: Node) -> Result<Node, Fault> {
        Ok(node)
    }
}

impl Node {
    fn list(self) -> Result<Vec<Node>, Fault> {
        let at = self.at();
        match self.into_inner() {
            Kind::List(nodes) => Ok(nodes),
            _ => Err(Fault::new(at, "expected a list in square brackets")),
        }
    }

    fn pairs(self) -> Result<Vec<(At<String>, Node)>, Fault> {
        let at = self.at();
        match self.into_inner() {
            Kind::Table(pairs) => Ok(pairs),
            _ => Err(Fault::new(at, "expected a section")),
        }
    }
}

/// The fields of a table, taken one by one.
pub struct Fields {
    at: usize,
    left: Vec<(At<String>, Node)>,
}

impl Fields {
    /// Those of a table that has none but these.
    ///
    /// # Errors
    /// The first field that is unknown, and those that are not.
    pub fn known(node: Node, names: &[&str]) -> Result<Fields, Fault> {
        let fields = Fields::any(node)?;
        match fields.left.iter().find(|(name, _)| !names.contains(&name.as_ref().as_str())) {
            Some((name, _)) => {
                let expected = one_of(&mut names.iter().copied());
                let message = format!("unknown field `{}`, expected {expected}", name.as_ref());
                Err(Fault::new(name.at(), message))
            }
            None => Ok(fields),
        }
    }

    /// Those of a table that may have others, of a later version.
    ///
    /// # Errors
    /// Where it is no table.
    pub fn any(node: Node) -> Result<Fields, Fault> {
        Ok(Fields { at: node.at(), left: node.pairs()? })
    }

    fn take(&mut self, wanted: &str) -> Option<Node> {
        let at = self.left.iter().position(|(name, _)| name.as_ref() == wanted)?;
        Some(self.left.swap_remove(at).1)
    }

    /// A field that may be missing.
    ///
    /// # Errors
    /// Where it is not what is expected.
    pub fn optional<T: Read>(&mut self, name: &str) -> Result<Option<T>, Fault> {
        self.take(name).filter(|node| *node.as_ref() != Kind::Null).map(T::read).transpose()
    }

    /// A field for which something stands in where it is missing.
    ///
    /// # Errors
    /// As [`Self::optional`].
    pub fn or<T: Read>(&mut self, name: &str, otherwise: T) -> Result<T, Fault> {
        self.take(name).map_or(Ok(otherwise), T::read)
    }

    /// A field that must be there.
    ///
    /// # Errors
    /// As [`Self::optional`], and where it is missing.
    pub fn required<T: Read>(&mut self, name: &str) -> Result<T, Fault> {
        match self.take(name) {
            Some(node) => T::read(node),
            None => Err(self.missing(name)),
        }
    }

    /// A field that goes by one of several names, and must be there.
    ///
    /// # Errors
    /// As [`Self::required`]; it is called by the first name.
    pub fn one_of<T: Read>(&mut self, names: &[&str]) -> Result<T, Fault> {
        let found = names.iter().find_map(|name| self.take(name));
        found.map_or_else(|| self.required(names.first().unwrap_or(&"")), T::read)
    }

    fn missing(&self, name: &str) -> Fault {
        Fault::new(self.at, format!("missing field `{name}`"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::from_str;
    use super::*;

    struct Two {
        first: u32,
        second: Vec<String>,
    }

    impl Read for Two {
        fn read(node: Node) -> Result<Two, Fault> {
            let mut fields = Fields::known(node, &["first", "second"])?;
            Ok(Two { first: fields.required("first")?, second: fields.or("second", Vec::new())? })
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line_and_no_value() {
        let two: Two = from_str("first = 7\nsecond = ['a']").unwrap();
        assert_eq!((two.first, two.second), (7, vec!["a".to_owned()]));
        for (text, said) in [
            ("second = []", "line 1: missing field `first`"),
            ("\nfirst = -1", "line 2: expected a number from 0 to 4294967295"),
            ("first = 1\nsecond = [\n'a',\n2]", "line 4: expected a text in quotes"),
            ("first = 1\nsecond = 'hunter2'", "line 2: expected a list in square brackets"),
            (
                "first = 1\n[third]",
                "line 2: unknown field `third`, expected one of `first`, `second`",
            ),
            ("first = 1.5", "line 1: expected a number from 0 to 4294967295"),
            ("first = 1\nfirst = 2", "line 2: duplicate key"),
        ] {
            assert_eq!(from_str::<Two>(text).err().unwrap().to_string(), said, "{text}");
        }
    }
}
