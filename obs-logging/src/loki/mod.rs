//! Lines to Grafana Loki, in batches. Feature `loki`.
//!
//! ```
//! use obs_logging::StructuredLogger;
//! use obs_logging::loki::Loki;
//! use std::time::Duration;
//!
//! let loki = Loki::new("http://127.0.0.1:3100").label("region", "eu-central-1");
//! let failure = loki.last_failure();
//! // Stdout as ever, and Loki beside it; `loki_only` for Loki alone.
//! let logger = StructuredLogger::builder().service("orders").loki(loki).build()?;
//! // … at the end of the program:
//! let report = logger.shutdown(Duration::from_secs(2));
//! if !report.is_complete() {
//!     eprintln!("{report}: {failure}");
//! }
//! # Ok::<(), obs_logging::Error>(())
//! ```
//!
//! # What arrives
//!
//! | in Loki | what |
//! | --- | --- |
//! | line | the JSON line, as the other writers get it: `\| json` makes fields of it |
//! | labels | `service`, `environment`, `level` (in lower case) and those of [`Loki::label`] |
//! | structured metadata | ids, [`METADATA_FIELDS`], and the fields of [`Loki::metadata`], where a line has them |
//! | time | the line's, in nanoseconds: lines of one millisecond are a nanosecond apart, in their order |
//!
//! Each set of labels is a stream, which Loki indexes and keeps open: labels are few and take few
//! values. What takes many, an order's number, say, is found in the line or as structured metadata:
//!
//! ```text
//! {service="orders", level="error"} | trace_id="4bf92f3577b34da6a3ce929d0e0e4736"
//! {service="orders"} | json | duration_ms > 500
//! ```
//!
//! A field that is a label or metadata as well is called `<name>_extracted` behind `| json`.
//! Structured metadata needs `allow_structured_metadata`, which is on since Loki 3, and its schema 13;
//! [`Loki::without_metadata`] leaves it out.
//!
//! # Limits
//!
//! | what | limit | what happens beyond it |
//! | --- | --- | --- |
//! | labels of a stream (Loki's default) | [`MAX_LABELS`] | an error of `build` |
//! | label's name, its value (Loki's defaults) | [`MAX_LABEL_NAME_BYTES`], [`MAX_LABEL_VALUE_BYTES`] | an error of `build` |
//! | line (Loki's default) | [`MAX_LINE_BYTES`] | the largest fields are cut, as by `max_line_bytes` |
//! | metadata of a line | [`MAX_METADATA_FIELDS`] of [`MAX_METADATA_VALUE_BYTES`] each, well under Loki's 64 KB | longer values are in the line only |
//! | request before it is compressed | [`Loki::batch_bytes`], [`Loki::batch_lines`] | further requests; in halves after a 413 |
//!
//! # When Loki does not take it
//!
//! A request is sent again on 408, 429 and 5xx, when there is no answer, and when the connection breaks
//! (at once the first time: a kept connection dies when Lambda freezes the process), with doubled,
//! randomized waits, or when `Retry-After` says, for [`Loki::give_up_after`] at most. A request
//! whose answer got lost is sent twice; Loki mostly leaves out the second of two equal lines of one
//! nanosecond. Every other status is final: its lines count as rejected, all of them, though Loki may have
//! kept those that nothing was wrong with.
//!
//! Meanwhile lines wait in [`Loki::buffer_bytes`] of memory. What finds no room is dropped and counted,
//! and when Loki takes lines again, one among them says how many were lost and why. The application never
//! waits. [`FlushReport`] has the counts under the name `loki`, [`Loki::last_failure`] the reason.
//!
//! The lines go out from a thread of their own, in Lambda too: flush before the response, as
//! `obs_lambda::run` does.
//!
//! [`FlushReport`]: crate::FlushReport

mod entry;
mod request;
mod settings;
mod sink;

use std::sync::Arc;
use std::time::Duration;

use obs_core::Identity;
use obs_core::clock::Clock;
use obs_core::http::{Retry, Secret, Sender};
use obs_core::lane::{Lane, LastFailure, Lines};

use crate::error::Error;
use crate::notice::Notices;
use entry::Entries;
use request::Streams;
use sink::LokiSink;

/// Labels of a stream (Loki: `max_label_names_per_series`, by default).
pub const MAX_LABELS: usize = 15;
/// Bytes of a label's name (Loki: `max_label_name_length`, by default).
pub const MAX_LABEL_NAME_BYTES: usize = 1024;
/// Bytes of a label's value (Loki: `max_label_value_length`, by default).
pub const MAX_LABEL_VALUE_BYTES: usize = 2048;
/// Bytes of a line (Loki: `max_line_size`, by default).
pub const MAX_LINE_BYTES: usize = 256 * 1024;
/// Fields that are structured metadata, those of [`METADATA_FIELDS`] included. Ours: with
/// [`MAX_METADATA_VALUE_BYTES`], a line's stay well under Loki's 128 and 64 KB.
pub const MAX_METADATA_FIELDS: usize = 32;
/// Bytes of one value of structured metadata, encoded. Ours.
pub const MAX_METADATA_VALUE_BYTES: usize = 1024;

/// The fields that are structured metadata without being asked for: ids, which take as many values as
/// there are requests.
pub const METADATA_FIELDS: [&str; 5] =
    ["correlation_id", "function_request_id", "trace_id", "span_id", "xray_trace_id"];

/// Where and how lines go to Loki; given to a logger's builder with
/// [`loki`](crate::StructuredLoggerBuilder::loki) or
/// [`loki_only`](crate::StructuredLoggerBuilder::loki_only).
///
/// ```
/// use obs_logging::loki::Loki;
/// use std::time::Duration;
///
/// let loki = Loki::new("https://logs.example.com")
///     .basic_auth("4711", "a secret")
///     .label("region", "eu-central-1")
///     .metadata("order_id")
///     .give_up_after(Duration::from_secs(60));
/// assert!(!format!("{loki:?}").contains("a secret"));
/// ```
#[derive(Debug)]
#[must_use = "it does nothing until a logger is built with it"]
pub struct Loki {
    address: Secret,
    labels: Vec<(String, String)>,
    metadata: Option<Vec<String>>,
    tenant: Option<String>,
    auth: Option<Auth>,
    headers: Vec<(String, Secret)>,
    gzip: bool,
    batch_wait: Duration,
    batch_bytes: usize,
    batch_lines: usize,
    buffer_bytes: usize,
    request_timeout: Duration,
    give_up_after: Duration,
    last_failure: LastFailure,
}

#[derive(Debug)]
enum Auth {
    Basic(String, Secret),
    Bearer(Secret),
}

impl Loki {
    /// To Loki at this address: `http://127.0.0.1:3100`. Lines go to `/loki/api/v1/push` below it, unless
    /// it ends so. What is wrong with it is an error of `build`.
    pub fn new(address: impl Into<String>) -> Self {
        Self {
            address: Secret::new(address),
            labels: Vec::new(),
            metadata: Some(METADATA_FIELDS.map(str::to_owned).to_vec()),
            tenant: None,
            auth: None,
            headers: Vec::new(),
            gzip: true,
            batch_wait: Duration::from_secs(1),
            batch_bytes: 1024 * 1024,
            batch_lines: 10_000,
            buffer_bytes: 4 * 1024 * 1024,
            request_timeout: Duration::from_secs(10),
            give_up_after: Duration::from_secs(300),
            last_failure: LastFailure::default(),
        }
    }

    /// A label that is the same on every line: the region, the cluster. [`MAX_LABELS`] in all, so twelve
    /// beside `service`, `environment` and `level`; the first two of these are replaced by one of their
    /// name. Names are `[a-zA-Z_][a-zA-Z0-9_]*` and do not begin with `__`, values are not empty.
    pub fn label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.push((name.into(), value.into()));
        self
    }

    /// A field whose value is structured metadata of the lines that have it: one that takes many
    /// values and is searched for. Texts, numbers and booleans; dots in its name become underscores.
    pub fn metadata(mut self, field: impl Into<String>) -> Self {
        self.metadata.get_or_insert_default().push(field.into());
        self
    }

    /// No structured metadata, not even [`METADATA_FIELDS`]: for a Loki that does not allow it.
    pub fn without_metadata(mut self) -> Self {
        self.metadata = None;
        self
    }

    /// The tenant, `X-Scope-OrgID`, of a Loki that has several.
    pub fn tenant(mut self, tenant: impl Into<String>) -> Self {
        self.tenant = Some(tenant.into());
        self
    }

    /// Basic authentication. The password is never shown, in no error and in no `Debug`.
    pub fn basic_auth(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.auth = Some(Auth::Basic(user.into(), Secret::new(password)));
        self
    }

    /// A bearer token, which is never shown. It replaces [`Loki::basic_auth`], and the other way round.
    pub fn bearer(mut self, token: impl Into<String>) -> Self {
        self.auth = Some(Auth::Bearer(Secret::new(token)));
        self
    }

    /// A header of every request, for a gateway before Loki. The value is never shown.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), Secret::new(value)));
        self
    }

    /// Whether requests are compressed with gzip. Default: yes.
    pub fn gzip(mut self, gzip: bool) -> Self {
        self.gzip = gzip;
        self
    }

    /// How long the first line of a batch waits for others. Default 1 s. A flush, or a buffer that is
    /// half full, ends the wait.
    pub fn batch_wait(mut self, wait: Duration) -> Self {
        self.batch_wait = wait;
        self
    }

    /// The most bytes of a request, before it is compressed. Default 1 MiB, least 4 KiB. A single line
    /// that is larger goes alone: encoded for the request, a line may have twice its bytes.
    pub fn batch_bytes(mut self, bytes: usize) -> Self {
        self.batch_bytes = bytes.max(4 * 1024);
        self
    }

    /// The most lines of a request. Default 10,000; at least 1.
    pub fn batch_lines(mut self, lines: usize) -> Self {
        self.batch_lines = lines.max(1);
        self
    }

    /// The most bytes of lines that wait, those that are being sent included. Default 4 MiB. Sending
    /// needs as much again as one request has.
    pub fn buffer_bytes(mut self, bytes: usize) -> Self {
        self.buffer_bytes = bytes;
        self
    }

    /// How long one attempt may take, connecting included. Default 10 s. A flush shortens it so that
    /// there is time for a second one.
    pub fn request_timeout(mut self, limit: Duration) -> Self {
        self.request_timeout = limit;
        self
    }

    /// For how long a request is sent again. Default 5 minutes; zero sends each once. What is behind
    /// one that was given up, in the same batch, is sent once.
    pub fn give_up_after(mut self, limit: Duration) -> Self {
        self.give_up_after = limit;
        self
    }

    /// Why the last attempt that failed did so, in words for people: it is not logged, because its own
    /// log lines would be what fails.
    pub fn last_failure(&self) -> LastFailure {
        self.last_failure.clone()
    }

    /// The lane that sends.
    pub(crate) fn start(
        self,
        identity: &Identity,
        clock: Arc<dyn Clock>,
        notices: Arc<Notices>,
    ) -> Result<Lane<Lines>, Error> {
        let labels = settings::labels(&self.labels, identity)?;
        let sender = Sender::new(self.endpoint()?, self.checked_headers()?)
            .timeout(self.request_timeout)
            .retry(Retry::default().for_at_most(self.give_up_after))
            .clock(Arc::clone(&clock))
            .note_failures(self.last_failure.clone());
        let lane = Lane::builder("loki").capacity_bytes(self.buffer_bytes).linger(self.batch_wait);
        lane.start_async(LokiSink {
            sender,
            gzip: self.gzip,
            most: request::Most { bytes: self.batch_bytes, lines: self.batch_lines },
            streams: Streams::new(&labels),
            entries: Entries::new(settings::metadata(self.metadata.unwrap_or_default())?, clock),
            notices,
        })
        .map_err(|error| Error::loki_because("its runtime was refused", error))
    }
}
