//! One value of one record, and the type that it has or could have.

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::domain::calendar::Date;

/// One value of a record. Text borrows from the file wherever it can.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell<'a> {
    /// JSON's null, or an empty field of a delimited file.
    Null,
    /// A number; always finite.
    Number(f64),
    /// True or false.
    Boolean(bool),
    /// A string of a format that tells strings from numbers.
    Text(Cow<'a, str>),
    /// A field of a delimited file, which does not say what type it has.
    Untyped(Cow<'a, str>),
    /// An array; its elements are not looked at.
    List,
    /// An object; its members are not looked at.
    Object,
}

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Finite numbers.
    Number,
    /// True and false.
    Boolean,
    /// Calendar dates, as text.
    Date,
    /// Any text.
    Text,
    /// Arrays.
    List,
    /// Objects.
    Object,
    /// The column holds no value at all, so that its type is not known.
    Unknown,
}

impl Cell<'_> {
    /// Whether there is no value: null, or text that is blank.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Text(text) | Self::Untyped(text) => text.trim().is_empty(),
            Self::Number(_) | Self::Boolean(_) | Self::List | Self::Object => false,
        }
    }

    /// The narrowest type that the value has.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Null => Kind::Unknown,
            Self::Number(_) => Kind::Number,
            Self::Boolean(_) => Kind::Boolean,
            Self::List => Kind::List,
            Self::Object => Kind::Object,
            Self::Text(_) => match self.as_date() {
                Some(_) => Kind::Date,
                None => Kind::Text,
            },
            Self::Untyped(_) => {
                if self.as_number().is_some() {
                    Kind::Number
                } else if self.as_boolean().is_some() {
                    Kind::Boolean
                } else if self.as_date().is_some() {
                    Kind::Date
                } else {
                    Kind::Text
                }
            }
        }
    }

    /// Whether the value can stand in a column of that type.
    ///
    /// A JSON string is never a number, whatever it spells; an untyped field is whatever it spells.
    #[must_use]
    pub fn fits(&self, kind: Kind) -> bool {
        match kind {
            Kind::Number => self.as_number().is_some(),
            Kind::Boolean => self.as_boolean().is_some(),
            Kind::Date => self.as_date().is_some(),
            Kind::Text => self.as_text().is_some(),
            Kind::List => matches!(self, Self::List),
            Kind::Object => matches!(self, Self::Object),
            Kind::Unknown => false,
        }
    }

    /// The number that the value is or, untyped, spells; never NaN or an infinity.
    #[must_use]
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Untyped(text) => text.trim().parse().ok().filter(|n: &f64| n.is_finite()),
            _ => None,
        }
    }

    /// The date that the text spells.
    #[must_use]
    pub fn as_date(&self) -> Option<Date> {
        self.as_text().and_then(Date::parse)
    }

    /// The text.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Untyped(text) => Some(text),
            _ => None,
        }
    }

    fn as_boolean(&self) -> Option<bool> {
        match self {
            Self::Boolean(value) => Some(*value),
            Self::Untyped(text) if text.trim().eq_ignore_ascii_case("true") => Some(true),
            Self::Untyped(text) if text.trim().eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Cell<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CellVisitor)
    }
}

/// Keeps scalars and forgets what is nested. Nested values are skipped by [`IgnoredAny`], which
/// serde_json does without recursion: no depth of nesting can exhaust the stack.
struct CellVisitor;

impl<'de> Visitor<'de> for CellVisitor {
    type Value = Cell<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Cell::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Cell::Boolean(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Cell::Number(value as f64))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Cell::Number(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(if value.is_finite() { Cell::Number(value) } else { Cell::Null })
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(Cell::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Cell::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Cell::List)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Cell::Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Cell<'_> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn json_values_have_the_type_that_they_are_written_with() {
        for (text, kind, missing) in [
            ("null", Kind::Unknown, true),
            ("1776", Kind::Number, false),
            ("-0.5e3", Kind::Number, false),
            ("true", Kind::Boolean, false),
            ("\"1776\"", Kind::Text, false),
            ("\"true\"", Kind::Text, false),
            ("\"Jun 12 1998\"", Kind::Date, false),
            ("\"NaN\"", Kind::Text, false),
            ("\"  \"", Kind::Text, true),
            ("[1, [2]]", Kind::List, false),
            ("{\"a\": {\"b\": 1}}", Kind::Object, false),
        ] {
            let cell = json(text);
            assert_eq!((cell.kind(), cell.is_missing()), (kind, missing), "{text}");
        }
    }

    #[test]
    fn untyped_fields_have_the_type_that_they_spell() {
        for (text, kind) in [
            ("1776", Kind::Number),
            (" 1.5 ", Kind::Number),
            ("TRUE", Kind::Boolean),
            ("2012-01-31", Kind::Date),
            ("NaN", Kind::Text),
            ("inf", Kind::Text),
            ("1e999", Kind::Text),
            ("1,000", Kind::Text),
        ] {
            assert_eq!(Cell::Untyped(text.into()).kind(), kind, "{text}");
        }
    }

    #[test]
    fn what_fits_where() {
        let number_in_text = json("1776");
        assert!(!number_in_text.fits(Kind::Text) && number_in_text.fits(Kind::Number));
        let date = json("\"Jun 12 1998\"");
        assert!(date.fits(Kind::Text) && date.fits(Kind::Date) && !date.fits(Kind::Number));
        // A delimited file cannot say that the title `1776` is text: both readings are right.
        let field = Cell::Untyped("1776".into());
        assert!(field.fits(Kind::Text) && field.fits(Kind::Number));
    }

    // Scenario 46: deep nesting.
    #[test]
    fn deep_nesting_is_skipped_without_recursion() {
        let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
        assert_eq!(json(&deep), Cell::List);
        let deep = format!("{}1{}", "{\"a\":".repeat(200_000), "}".repeat(200_000));
        assert_eq!(json(&deep), Cell::Object);
    }
}
