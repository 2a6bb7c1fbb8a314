//! Captures lines, and reads them so strictly that a duplicate key is a failure.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex};

use obs_core::clock::ManualClock;
use obs_logging::{Format, StructuredLogger, StructuredLoggerBuilder};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use tracing::Subscriber;
use tracing_subscriber::layer::SubscriberExt;

/// 2026-11-21T12:30:00.125Z
pub(crate) const NOW: u64 = 1_795_264_200_125;

/// Keeps what is written to it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Capture(Arc<Mutex<Vec<u8>>>);

impl Capture {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    pub(crate) fn lines(&self) -> Vec<Line> {
        self.text().lines().map(Line::read).collect()
    }

    /// The only line.
    pub(crate) fn line(&self) -> Line {
        let mut lines = self.lines();
        assert_eq!(lines.len(), 1, "{}", self.text());
        lines.remove(0)
    }
}

impl io::Write for Capture {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A line's members in order, each key once.
#[derive(Clone, PartialEq)]
pub(crate) struct Line(pub(crate) Vec<(String, Value)>);

impl Line {
    pub(crate) fn read(line: &str) -> Self {
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    pub(crate) fn keys(&self) -> Vec<&str> {
        self.0.iter().map(|(key, _)| key.as_str()).collect()
    }
}

impl std::ops::Index<&str> for Line {
    type Output = Value;

    fn index(&self, key: &str) -> &Value {
        self.get(key).unwrap_or(&Value::Null)
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter().map(|(key, value)| (key, value))).finish()
    }
}

impl<'de> Deserialize<'de> for Line {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Line;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Line, A::Error> {
                let mut line = Line(Vec::new());
                while let Some((key, value)) = map.next_entry::<String, Value>()? {
                    if line.has(&key) {
                        return Err(serde::de::Error::custom(format!("{key:?} occurs twice")));
                    }
                    line.0.push((key, value));
                }
                Ok(line)
            }
        }

        deserializer.deserialize_map(Members)
    }
}

/// A logger that writes JSON of every level into `capture`, at once, at [`NOW`].
pub(crate) fn builder(capture: &Capture) -> StructuredLoggerBuilder {
    let capture = capture.clone();
    StructuredLogger::builder()
        .service("orders")
        .environment("test")
        .level("trace")
        .format(Format::Json)
        .synchronous()
        .clock(Arc::new(ManualClock::at_millis(NOW)))
        .writer(move || capture.clone())
}

/// Runs `log` with a logger on a registry, and returns what it wrote.
pub(crate) fn captured(log: impl FnOnce()) -> Capture {
    captured_by(|builder| builder, log)
}

pub(crate) fn captured_by(
    change: impl FnOnce(StructuredLoggerBuilder) -> StructuredLoggerBuilder,
    log: impl FnOnce(),
) -> Capture {
    let capture = Capture::default();
    let logger = change(builder(&capture)).build().unwrap();
    tracing::subscriber::with_default(subscriber(&logger), log);
    capture
}

pub(crate) fn subscriber(logger: &StructuredLogger) -> impl Subscriber + Send + Sync + use<> {
    tracing_subscriber::registry().with(logger.layer())
}
