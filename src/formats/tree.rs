//! A parsed TOML document as serde reads it: a tree of plain values with their places.
//!
//! The `toml` crate's own deserializers are generic over every type that is read; they were 7 % of
//! the camera's binary. Here only a few lines are compiled for each type.

use std::fmt;
use std::ops::Range;
use std::vec;

use serde::de::value::StringDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, Error, Expected, IntoDeserializer, MapAccess, SeqAccess,
    Unexpected, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_spanned::de::{SpannedDeserializer, is_spanned};
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

/// A value, and its bytes in the document.
pub struct Tree {
    span: Range<usize>,
    value: Value,
}

enum Value {
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    List(Vec<Tree>),
    Table(Vec<(Key, Tree)>),
}

struct Key {
    span: Range<usize>,
    name: String,
}

/// Why a tree is not read, and where.
#[derive(Debug)]
pub struct TreeError(Box<(String, Option<usize>)>);

impl TreeError {
    /// What is wrong, in serde's words; it may quote a value.
    pub fn message(&self) -> &str {
        &self.0.0
    }

    /// Where, in bytes from the document's start.
    pub fn at(&self) -> usize {
        self.0.1.unwrap_or(0)
    }

    fn placed(mut self, at: usize) -> TreeError {
        self.0.1.get_or_insert(at);
        self
    }
}

impl fmt::Display for TreeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl std::error::Error for TreeError {}

impl Error for TreeError {
    fn custom<T: fmt::Display>(message: T) -> TreeError {
        TreeError(Box::new((message.to_string(), None)))
    }
}

impl Tree {
    /// The tree of a document.
    ///
    /// # Errors
    /// A number that does not fit 64 bits.
    pub fn of(table: Spanned<DeTable<'_>>) -> Result<Tree, TreeError> {
        let span = table.span();
        Ok(Tree { span, value: self::table(table.into_inner())? })
    }

    fn wrong(&self, expected: &dyn Expected) -> TreeError {
        let found = match &self.value {
            Value::Bool(value) => Unexpected::Bool(*value),
            Value::Integer(value) => Unexpected::Signed(*value),
            Value::Float(value) => Unexpected::Float(*value),
            Value::Text(value) => Unexpected::Str(value),
            Value::List(_) => Unexpected::Seq,
            Value::Table(_) => Unexpected::Map,
        };
        TreeError::invalid_type(found, expected).placed(self.span.start)
    }
}

fn table(table: DeTable<'_>) -> Result<Value, TreeError> {
    let rows = table.into_iter().map(|(key, value)| Ok((named(key), value_of(value)?)));
    Ok(Value::Table(rows.collect::<Result<_, TreeError>>()?))
}

fn named(key: Spanned<DeString<'_>>) -> Key {
    Key { span: key.span(), name: key.into_inner().into_owned() }
}

fn value_of(value: Spanned<DeValue<'_>>) -> Result<Tree, TreeError> {
    let span = value.span();
    let too_large = || TreeError::custom("a number with at most 64 bits").placed(span.start);
    let value = match value.into_inner() {
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Integer(number) => {
            let number = i64::from_str_radix(number.as_str(), number.radix());
            Value::Integer(number.map_err(|_| too_large())?)
        }
        DeValue::Float(number) => Value::Float(number.as_str().parse().map_err(|_| too_large())?),
        DeValue::Boolean(value) => Value::Bool(value),
        DeValue::Datetime(time) => Value::Text(time.to_string()),
        DeValue::Array(list) => {
            Value::List(list.into_iter().map(value_of).collect::<Result<_, _>>()?)
        }
        DeValue::Table(rows) => table(rows)?,
    };
    Ok(Tree { span, value })
}

impl<'de> Deserializer<'de> for Tree {
    type Error = TreeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TreeError> {
        let at = self.span.start;
        match self.value {
            Value::Bool(value) => visitor.visit_bool(value),
            Value::Integer(value) => visitor.visit_i64(value),
            Value::Float(value) => visitor.visit_f64(value),
            Value::Text(value) => visitor.visit_string(value),
            Value::List(list) => visitor.visit_seq(Items(list.into_iter())),
            Value::Table(rows) => visitor.visit_map(Rows(rows.into_iter(), None)),
        }
        .map_err(|e: TreeError| e.placed(at))
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TreeError> {
        match self.value {
            Value::Bool(value) => visitor.visit_bool(value),
            _ => Err(self.wrong(&visitor)),
        }
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TreeError> {
        match self.value {
            Value::Integer(value) => {
                visitor.visit_i64(value).map_err(|e: TreeError| e.placed(self.span.start))
            }
            _ => Err(self.wrong(&visitor)),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TreeError> {
        match self.value {
            Value::Text(value) => {
                visitor.visit_string(value).map_err(|e: TreeError| e.placed(self.span.start))
            }
            _ => Err(self.wrong(&visitor)),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TreeError> {
        match self.value {
            Value::List(list) => visitor
                .visit_seq(Items(list.into_iter()))
                .map_err(|e: TreeError| e.placed(self.span.start)),
            _ => Err(self.wrong(&visitor)),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TreeError> {
        match self.value {
            Value::Table(rows) => visitor
                .visit_map(Rows(rows.into_iter(), None))
                .map_err(|e: TreeError| e.placed(self.span.start)),
            _ => Err(self.wrong(&visitor)),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, TreeError> {
        if is_spanned(name) {
            let span = self.span.clone();
            return visitor.visit_map(SpannedDeserializer::new(self, span));
        }
        self.deserialize_map(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TreeError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, TreeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, TreeError> {
        match self.value {
            Value::Text(value) => {
                let variant: StringDeserializer<TreeError> = value.into_deserializer();
                visitor.visit_enum(variant).map_err(|e: TreeError| e.placed(self.span.start))
            }
            _ => Err(self.wrong(&visitor)),
        }
    }

    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TreeError> {
        self.deserialize_i64(visitor)
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TreeError> {
        self.deserialize_i64(visitor)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TreeError> {
        self.deserialize_i64(visitor)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TreeError> {
        self.deserialize_i64(visitor)
    }

    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TreeError> {
        self.deserialize_i64(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TreeError> {
        self.deserialize_string(visitor)
    }

    forward_to_deserialize_any! {
        i8 i16 i128 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct
        identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, TreeError> for Tree {
    type Deserializer = Tree;

    fn into_deserializer(self) -> Tree {
        self
    }
}

struct Items(vec::IntoIter<Tree>);

impl<'de> SeqAccess<'de> for Items {
    type Error = TreeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, TreeError> {
        let Some(item) = self.0.next() else { return Ok(None) };
        let at = item.span.start;
        seed.deserialize(item).map(Some).map_err(|e| e.placed(at))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

struct Rows(vec::IntoIter<(Key, Tree)>, Option<Tree>);

impl<'de> MapAccess<'de> for Rows {
    type Error = TreeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, TreeError> {
        let Some((key, value)) = self.0.next() else { return Ok(None) };
        self.1 = Some(value);
        let at = key.span.start;
        let key = Tree { span: key.span, value: Value::Text(key.name) };
        seed.deserialize(key).map(Some).map_err(|e| e.placed(at))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, TreeError> {
        match self.1.take() {
            // What a type's own check says of it has no place yet.
            Some(value) => {
                let at = value.span.start;
                seed.deserialize(value).map_err(|e| e.placed(at))
            }
            None => Err(TreeError::custom("a value without a key")),
        }
    }
}
