//! One line, read strictly.

use std::error::Error;
use std::fmt;
use std::ops::Index;
use std::str::FromStr;

use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::Value;

/// A line's members in order, each key once.
///
/// ```
/// use obs_logging::test::Line;
///
/// let line: Line = r#"{"level":"INFO","message":"paid","cents":1250}"#.parse()?;
/// assert_eq!(line.message(), "paid");
/// assert_eq!(line.u64("cents"), 1250);
/// assert_eq!(line["cents"], 1250);
/// assert_eq!(line.keys(), ["level", "message", "cents"]);
/// assert!(r#"{"a":1,"a":2}"#.parse::<Line>().is_err());
/// # Ok::<(), obs_logging::test::InvalidLine>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct Line {
    text: String,
    members: Vec<(String, Value)>,
}

impl Line {
    /// The line as it was written, without its line feed.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The value of `key`; `None` where the line has none.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.iter().find(|(name, _)| *name == key).map(|(_, value)| value)
    }

    /// Whether the line has that key.
    pub fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// All keys, in order.
    pub fn keys(&self) -> Vec<&str> {
        self.iter().map(|(key, _)| key).collect()
    }

    /// All members, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.members.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// The event's text.
    ///
    /// # Panics
    ///
    /// Where there is none, or it is no string: no line of ours is so.
    #[track_caller]
    pub fn message(&self) -> &str {
        self.str("message")
    }

    /// The level: `TRACE`, `DEBUG`, `INFO`, `WARN` or `ERROR`.
    ///
    /// # Panics
    ///
    /// Where there is none, or it is no string: no line of ours is so.
    #[track_caller]
    pub fn level(&self) -> &str {
        self.str("level")
    }

    /// The string under `key`.
    ///
    /// # Panics
    ///
    /// Where there is none, with the line.
    #[track_caller]
    pub fn str(&self, key: &str) -> &str {
        self.typed(key, "a string", Value::as_str)
    }

    /// The number under `key`, which is whole and not negative.
    ///
    /// # Panics
    ///
    /// Where there is none, with the line.
    #[track_caller]
    pub fn u64(&self, key: &str) -> u64 {
        self.typed(key, "a whole number that is not negative", Value::as_u64)
    }

    /// The number under `key`, which is whole.
    ///
    /// # Panics
    ///
    /// Where there is none, with the line.
    #[track_caller]
    pub fn i64(&self, key: &str) -> i64 {
        self.typed(key, "a whole number", Value::as_i64)
    }

    /// The number under `key`.
    ///
    /// # Panics
    ///
    /// Where there is none, with the line.
    #[track_caller]
    pub fn f64(&self, key: &str) -> f64 {
        self.typed(key, "a number", Value::as_f64)
    }

    /// The truth value under `key`.
    ///
    /// # Panics
    ///
    /// Where there is none, with the line.
    #[track_caller]
    pub fn bool(&self, key: &str) -> bool {
        self.typed(key, "true or false", Value::as_bool)
    }

    #[track_caller]
    #[expect(clippy::panic, reason = "an expectation of a test")]
    fn typed<'a, T>(
        &'a self,
        key: &str,
        wanted: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> T {
        let Some(value) = self.get(key) else {
            panic!("there is no {key:?} in the line: {self}");
        };
        match read(value) {
            Some(value) => value,
            None => panic!("{key:?} is {value}, not {wanted}, in the line: {self}"),
        }
    }
}

impl Index<&str> for Line {
    type Output = Value;

    /// The value of `key`; null where the line has none.
    fn index(&self, key: &str) -> &Value {
        self.get(key).unwrap_or(&Value::Null)
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl FromStr for Line {
    type Err = InvalidLine;

    fn from_str(text: &str) -> Result<Self, InvalidLine> {
        let invalid = |fault: serde_json::Error| InvalidLine { text: text.to_owned(), fault };
        let mut reader = serde_json::Deserializer::from_str(text);
        let members = reader.deserialize_map(Members).map_err(invalid)?;
        reader.end().map_err(invalid)?;
        Ok(Self { text: text.to_owned(), members })
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<(String, Value)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members: Self::Value = Vec::new();
        while let Some((key, value)) = map.next_entry::<String, Value>()? {
            if members.iter().any(|(known, _)| *known == key) {
                return Err(A::Error::custom(format_args!("{key:?} occurs twice")));
            }
            members.push((key, value));
        }
        Ok(members)
    }
}

/// A line that is not one object of JSON in which each key occurs once.
///
/// The logger writes none such. If you see this, something else writes to the same place, the logger's
/// format is text, or the logger has a bug.
#[derive(Debug)]
pub struct InvalidLine {
    text: String,
    fault: serde_json::Error,
}

impl InvalidLine {
    /// The line as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for InvalidLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in the line: {}", self.fault, self.text)
    }
}

impl Error for InvalidLine {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.fault)
    }
}
