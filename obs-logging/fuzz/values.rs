//! Values of any kind, and what a line must hold of them, said as simply as possible.

use std::error::Error;
use std::fmt;

use obs_core::guard::PANICKED;
use obs_core::json;
use obs_core::redact::{REDACTED, Redactor, Sensitive};
use obs_logging::BUILT_IN_KEYS;
use serde_json::{Value, json};
use tracing_core::field::{Value as Recordable, debug, display};

/// The bytes of an input, read from the front; nothing but zeros behind the end.
pub(crate) struct Input<'a>(pub(crate) &'a [u8]);

impl Input<'_> {
    pub(crate) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// An index below `n`, which is not 0.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        usize::from(self.byte()) % n
    }

    /// Up to 200 bytes as they are, or a few of them so often that a line becomes too long.
    fn text(&mut self) -> String {
        let length = usize::from(self.byte());
        let (length, times) = if length <= 200 { (length, 1) } else { (6, (length - 200) * 32) };
        let (text, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        String::from_utf8_lossy(text).repeat(times)
    }

    fn eight(&mut self) -> [u8; 8] {
        std::array::from_fn(|_| self.byte())
    }

    pub(crate) fn value(&mut self) -> Any {
        match self.below(15) {
            0 => Any::Missing,
            1..=3 => Any::Text(self.text()),
            4 => Any::Debug(self.text()),
            // At the beginning of a line it would be for a report: see the tests of those.
            5 => Any::Display(self.text().replace("\n\n", "\n")),
            6 => Any::Int(i64::from_le_bytes(self.eight())),
            7 => Any::Uint(u64::from_le_bytes(self.eight())),
            8 => Any::Float(f64::from_bits(u64::from_le_bytes(self.eight()))),
            9 => Any::Bool(self.byte().is_multiple_of(2)),
            10 => Any::Wide(i128::from(i64::from_le_bytes(self.eight())) << self.below(60)),
            11 | 12 => {
                let cause = (self.byte().is_multiple_of(2))
                    .then(|| Box::new(Failed::of(self.text(), None)));
                Any::Error(Failed::of(self.text(), cause), self.byte().is_multiple_of(2))
            }
            13 => Any::Secret(Sensitive::new(self.text())),
            _ => Any::Panics(Panics),
        }
    }
}

pub(crate) enum Any {
    Missing,
    Text(String),
    Debug(String),
    Display(String),
    Int(i64),
    Uint(u64),
    Float(f64),
    Bool(bool),
    Wide(i128),
    /// Whether its type is known.
    Error(Failed, bool),
    Secret(Sensitive<String>),
    Panics(Panics),
}

#[derive(Debug)]
pub(crate) struct Failed {
    text: String,
    cause: Option<Box<Failed>>,
}

impl Failed {
    fn of(text: String, cause: Option<Box<Self>>) -> Self {
        Self { text, cause }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for Failed {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Panics;

impl fmt::Debug for Panics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("half of it")?;
        panic!("a value panics")
    }
}

/// The key that a field's name becomes.
pub(crate) fn key(name: &str) -> String {
    let name = name.strip_prefix("r#").unwrap_or(name);
    let moved = BUILT_IN_KEYS.contains(&name);
    if moved { format!("fields.{name}") } else { name.to_owned() }
}

impl Any {
    pub(crate) fn recordable(&self) -> Option<Box<dyn Recordable + '_>> {
        Some(match self {
            Self::Missing => return None,
            Self::Text(text) => Box::new(text.as_str()),
            Self::Debug(text) => Box::new(debug(text)),
            Self::Display(text) => Box::new(display(text)),
            Self::Int(n) => Box::new(*n),
            Self::Uint(n) => Box::new(*n),
            Self::Float(n) => Box::new(*n),
            Self::Bool(b) => Box::new(*b),
            Self::Wide(n) => Box::new(*n),
            Self::Error(error, true) => Box::new(obs_logging::err(error)),
            Self::Error(error, false) => Box::new(error as &(dyn Error + 'static)),
            Self::Secret(secret) => Box::new(debug(secret)),
            Self::Panics(panics) => Box::new(debug(panics)),
        })
    }

    /// The members of a line that a field of this value becomes, in the order in which they are said.
    pub(crate) fn members(&self, name: &str, redactor: &Redactor) -> Vec<(String, Value)> {
        let plain = match self {
            Self::Missing => return Vec::new(),
            _ if redactor.is_redacted(name) => json!(REDACTED),
            Self::Error(error, _) => {
                let name = if name == "err" { "error" } else { name };
                let name = name.strip_prefix("r#").unwrap_or(name);
                let chain: Vec<_> =
                    error.cause.iter().map(|cause| redactor.redact(&cause.text)).collect();
                return vec![
                    (format!("{name}_type"), json!("Failed")),
                    (format!("{name}_message"), json!(redactor.redact(&error.text))),
                    (format!("{name}_chain"), json!(chain)),
                ];
            }
            other => other.plain(redactor),
        };
        vec![(key(name), plain)]
    }

    /// The value where it is one member, as an error is not in a span's name, in a message, or appended.
    pub(crate) fn plain(&self, redactor: &Redactor) -> Value {
        match self {
            Self::Missing => Value::Null,
            Self::Text(text) | Self::Display(text) => json!(redactor.redact(text)),
            Self::Error(error, _) => json!(redactor.redact(&error.text)),
            Self::Debug(text) => json!(redactor.redact(&format!("{text:?}"))),
            Self::Int(n) => json!(n),
            Self::Uint(n) => json!(n),
            Self::Float(n) if !n.is_finite() => Value::Null,
            Self::Float(n) => json!(n),
            Self::Bool(b) => json!(b),
            Self::Wide(n) => match i64::try_from(*n) {
                Ok(small) => json!(small),
                Err(_) => json!(redactor.redact(&n.to_string())),
            },
            Self::Secret(_) => json!(REDACTED),
            Self::Panics(_) => json!(redactor.redact(PANICKED)),
        }
    }

    /// As the message of an event, which is text whatever it is made of.
    pub(crate) fn message(&self, redactor: &Redactor) -> String {
        match self {
            Self::Float(n) => {
                let mut text = Vec::new();
                json::float(&mut text, *n);
                String::from_utf8(text).expect("digits")
            }
            other => match other.plain(redactor) {
                Value::String(text) => text,
                other => other.to_string(),
            },
        }
    }
}
