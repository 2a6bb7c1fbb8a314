//! Headers, whose values may be secrets.

use std::fmt;

use hyper::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};

use crate::base64;

/// A text that `Debug` does not show.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text. Not for errors and logs.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// Checked headers. `Debug` shows their names only.
#[derive(Clone, Default)]
pub struct Headers {
    map: HeaderMap,
}

impl Headers {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a header, in the place of one of this name. Names are case-insensitive.
    ///
    /// # Errors
    ///
    /// The name is none, or the value holds control characters. The error does not show the value.
    pub fn insert(&mut self, name: &str, value: &str) -> Result<(), InvalidHeader> {
        let header = HeaderName::from_bytes(name.trim().as_bytes())
            .map_err(|_| InvalidHeader(format!("the header {name:?} has a name that is none")))?;
        let fault = |_| {
            InvalidHeader(format!(
                "the value of the header {header} has characters that none may have"
            ))
        };
        let mut value = HeaderValue::from_str(value).map_err(fault)?;
        value.set_sensitive(true);
        self.map.insert(header, value);
        Ok(())
    }

    /// `Authorization: Basic …`.
    ///
    /// # Errors
    ///
    /// The user name has a colon, which would end it.
    pub fn basic_auth(&mut self, user: &str, password: &str) -> Result<(), InvalidHeader> {
        if user.contains(':') {
            let fault = "a user name for basic authentication has no colon";
            return Err(InvalidHeader(fault.to_owned()));
        }
        let mut value = b"Basic ".to_vec();
        base64::encode(format!("{user}:{password}").as_bytes(), &mut value);
        self.insert(AUTHORIZATION.as_str(), &String::from_utf8_lossy(&value))
    }

    /// `Authorization: Bearer …`.
    ///
    /// # Errors
    ///
    /// The token holds control characters.
    pub fn bearer(&mut self, token: &str) -> Result<(), InvalidHeader> {
        self.insert(AUTHORIZATION.as_str(), &format!("Bearer {token}"))
    }

    /// The value of a header, if it is there and is text.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.map.get(name).and_then(|value| value.to_str().ok())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    pub(super) fn map(&self) -> &HeaderMap {
        &self.map
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.map.keys().map(HeaderName::as_str)).finish()
    }
}

/// A header that is not taken, and why. Does not show its value.
#[derive(Clone, Debug)]
pub struct InvalidHeader(String);

impl fmt::Display for InvalidHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidHeader {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenario_42_values_are_in_no_debug_and_no_error() {
        let mut headers = Headers::new();
        headers.insert("Api-Key", "hunter2").unwrap();
        headers.basic_auth("user", "hunter2").unwrap();
        assert_eq!(headers.get("authorization"), Some("Basic dXNlcjpodW50ZXIy"));
        headers.bearer("hunter2").unwrap();
        assert_eq!(headers.get("Authorization"), Some("Bearer hunter2"));
        assert_eq!((headers.get("api-key"), headers.len()), (Some("hunter2"), 2));
        let errors = [
            headers.insert("a b", "hunter2").unwrap_err(),
            headers.insert("a", "hunter2\n").unwrap_err(),
            headers.bearer("hunter2\r\nx: y").unwrap_err(),
            headers.basic_auth("a:b", "hunter2").unwrap_err(),
        ];
        let shown = format!("{headers:?} {errors:?} {:?}", Secret::new("hunter2"));
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(shown.contains("api-key"), "{shown}");
        assert!(errors.iter().all(|error| !error.to_string().contains("hunter2")));
    }
}
