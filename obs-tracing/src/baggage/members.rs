//! A list of baggage members: read from a header, changed, and written to one.

use std::borrow::Cow;
use std::fmt;

use obs_core::Redactor;
use obs_core::health::{self, Event};
use obs_core::redact::REDACTED;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

/// The most members: what W3C's first recommendation of baggage allows.
pub const MAX_MEMBERS: usize = 180;
/// The most bytes of the header: W3C asks that this much is passed on.
pub const MAX_BYTES: usize = 8192;

/// What is percent-encoded in a value: all but W3C's `baggage-octet`, and the `%` itself.
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b',').add(b';').add(b'\\').add(b'%');

/// Names and values that travel with a request. Never more than a header may hold.
///
/// `Debug` shows the names alone.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Baggage {
    members: Vec<Member>,
    /// The length of the header.
    bytes: usize,
}

#[derive(Clone, PartialEq, Eq)]
struct Member {
    key: String,
    /// Decoded.
    value: String,
    /// As they came: `;ttl=60;internal`.
    properties: String,
}

impl Baggage {
    /// The value of `key`. Names are case-sensitive.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.members.iter().find(|member| member.key == key).map(|member| member.value.as_str())
    }

    /// Every name with its value, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.members.iter().map(|member| (member.key.as_str(), member.value.as_str()))
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Reads the values of one or several `baggage` headers. A member that is not valid is passed over
    /// and counted, as is what is beyond the limits; of two with one name the later counts.
    pub(crate) fn parse<'h>(values: impl IntoIterator<Item = &'h str>) -> Self {
        let mut baggage = Self::default();
        // Bytes that were looked at: whatever is sent, no more than a header's worth is read.
        let mut read = 0;
        for value in values {
            for member in value.split(',') {
                read += member.len() + 1;
                if read > MAX_BYTES + 1 {
                    health::count(Event::LimitExceeded);
                    return baggage;
                }
                match Member::parse(member) {
                    Some(member) => drop(baggage.put(member)),
                    // Empty members are allowed in a list.
                    None if member.trim().is_empty() => {}
                    None => health::count(Event::HeaderRefused),
                }
            }
        }
        baggage
    }

    /// Sets `key`, without properties. Returns whether it was kept.
    pub(crate) fn set(&mut self, key: &str, value: &str) -> bool {
        if !is_token(key) {
            health::count(Event::NameRefused);
            return false;
        }
        // Before it is copied: a value of megabytes cannot fit, since encoding makes it no shorter.
        if key.len() + value.len() > MAX_BYTES {
            health::count(Event::LimitExceeded);
            return false;
        }
        self.put(Member { key: key.to_owned(), value: value.to_owned(), properties: String::new() })
    }

    pub(crate) fn remove(&mut self, key: &str) -> bool {
        let Some(at) = self.members.iter().position(|member| member.key == key) else {
            return false;
        };
        let member = self.members.remove(at);
        // With the comma, which the last one to go did not have.
        self.bytes -= member.len() + usize::from(!self.members.is_empty());
        true
    }

    /// The header's value, redacted, within the limits; `None` where there is nothing.
    pub(crate) fn header(&self, redactor: &Redactor) -> Option<String> {
        let mut header = String::with_capacity(self.bytes);
        for member in &self.members {
            let before = header.len();
            if !header.is_empty() {
                header.push(',');
            }
            member.write(&mut header, redactor);
            // A marker may be longer than what it replaces.
            if header.len() > MAX_BYTES {
                header.truncate(before);
                health::count(Event::LimitExceeded);
            }
        }
        (!header.is_empty()).then_some(header)
    }

    fn put(&mut self, member: Member) -> bool {
        let at = self.members.iter().position(|other| other.key == member.key);
        let replaced = at.and_then(|at| self.members.get(at)).map(Member::len);
        let bytes = match replaced {
            Some(replaced) => self.bytes - replaced + member.len(),
            None => self.bytes + usize::from(!self.is_empty()) + member.len(),
        };
        if bytes > MAX_BYTES || (at.is_none() && self.len() >= MAX_MEMBERS) {
            health::count(Event::LimitExceeded);
            return false;
        }
        self.bytes = bytes;
        match at.and_then(|at| self.members.get_mut(at)) {
            Some(place) => *place = member,
            None => self.members.push(member),
        }
        true
    }
}

impl fmt::Debug for Baggage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.members.iter().map(|member| &member.key)).finish()
    }
}

impl Member {
    fn parse(text: &str) -> Option<Self> {
        let (pair, properties) = match text.split_once(';') {
            Some((pair, properties)) => (pair, properties),
            None => (text, ""),
        };
        let (key, value) = pair.split_once('=')?;
        let (key, value) = (trimmed(key), trimmed(value));
        if !is_token(key) || !value.bytes().all(is_octet) {
            return None;
        }
        Some(Self {
            key: key.to_owned(),
            // What is percent-encoded and no UTF-8 becomes U+FFFD, as the recommendation has it.
            value: percent_decode_str(value).decode_utf8_lossy().into_owned(),
            properties: self::properties(properties)?,
        })
    }

    /// The length in a header.
    fn len(&self) -> usize {
        let value: usize = encoded(&self.value).map(str::len).sum();
        self.key.len() + 1 + value + self.properties.len()
    }

    fn write(&self, header: &mut String, redactor: &Redactor) {
        header.push_str(&self.key);
        header.push('=');
        header.extend(encoded(&redacted(redactor, &self.key, &self.value)));
        // Properties have no value of their own to be replaced: they go as a whole.
        let is_secret = |property: &str| {
            let key = property.split_once('=').map_or(property, |(key, _)| key);
            redactor.is_redacted(key)
        };
        let holds_secret = self.properties.split(';').skip(1).any(is_secret)
            || matches!(redactor.redact(&self.properties), Cow::Owned(_))
            || decoded(&self.properties)
                .is_some_and(|text| matches!(redactor.redact(&text), Cow::Owned(_)));
        if !holds_secret {
            header.push_str(&self.properties);
        }
    }
}

/// The value as it may leave.
pub(super) fn redacted<'v>(redactor: &Redactor, key: &str, value: &'v str) -> Cow<'v, str> {
    if redactor.is_redacted(key) { Cow::Borrowed(REDACTED) } else { redactor.redact(value) }
}

fn encoded(value: &str) -> impl Iterator<Item = &str> {
    utf8_percent_encode(value, ENCODED)
}

/// The text behind percent-encoding, where there is any.
fn decoded(text: &str) -> Option<Cow<'_, str>> {
    text.contains('%').then(|| percent_decode_str(text).decode_utf8_lossy())
}

/// The properties, each with a `;` before it; `None` if one is not valid.
fn properties(text: &str) -> Option<String> {
    let mut properties = String::new();
    for property in text.split(';').map(trimmed).filter(|property| !property.is_empty()) {
        let (key, value) = match property.split_once('=') {
            Some((key, value)) => (trimmed(key), Some(trimmed(value))),
            None => (property, None),
        };
        if !is_token(key) || !value.unwrap_or_default().bytes().all(is_octet) {
            return None;
        }
        properties.push(';');
        properties.push_str(key);
        if let Some(value) = value {
            properties.push('=');
            properties.push_str(value);
        }
    }
    Some(properties)
}

fn trimmed(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// HTTP's `token`.
fn is_token(key: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !key.is_empty() && key.bytes().all(is_allowed)
}

/// W3C's `baggage-octet`.
fn is_octet(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b',' | b';' | b'\\')
}
