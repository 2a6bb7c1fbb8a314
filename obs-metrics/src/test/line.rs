//! One line of output, and what it says beside its metrics.

use std::fmt;

use serde_json::Value;

use crate::emf;

/// One line that a collector wrote, without its line feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line(String);

impl Line {
    pub(super) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The line as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is meant as an EMF document; otherwise it is a log line.
    pub fn is_document(&self) -> bool {
        emf::is_emf(&self.0)
    }

    /// The member `name` of the line: a property, a dimension's value, `level`, `message` or an id of
    /// the request. A string as its text, anything else as JSON; `None` where there is none.
    ///
    /// ```
    /// # use obs_metrics::{MetricsCollector, Unit, test::TestSink};
    /// let test = TestSink::new();
    /// let metrics = MetricsCollector::builder().service("orders").sink(test.sink()).enabled(true).build()?;
    /// metrics.event().put("Errors", 1.0, Unit::Count).property("OrderId", "4711").property("Tries", 3);
    /// let line = &test.lines()[0];
    /// assert_eq!(line.property("OrderId").as_deref(), Some("4711"));
    /// assert_eq!(line.property("Tries").as_deref(), Some("3"));
    /// assert_eq!(line.property("Service").as_deref(), Some("orders"));
    /// assert_eq!(line.property("Password"), None);
    /// # Ok::<(), obs_metrics::Error>(())
    /// ```
    pub fn property(&self, name: &str) -> Option<String> {
        let line: Value = serde_json::from_str(&self.0).ok()?;
        Some(match line.get(name)? {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        })
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
