//! What a sampling rule is matched against: taken from the fields of a trace's first span.

use std::cell::Cell;
use std::error::Error;
use std::fmt::{self, Write as _};
use std::ops::Range;

use obs_core::guard;
use tracing_core::field::{Field, Visit};

/// What is kept of one value, in bytes: a rule sees no more of it.
const MAX_VALUE: usize = 4 * 1024;
/// What a thread keeps for its next root, in bytes.
const MAX_KEPT: usize = 16 * 1024;

/// The request, as far as the span tells. What it does not tell is empty.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Request<'a> {
    /// The HTTP method.
    pub(crate) method: &'a str,
    /// The path of the URL, without a query.
    pub(crate) path: &'a str,
    pub(crate) host: &'a str,
    /// The ARN of the resource that the service runs on.
    pub(crate) resource_arn: &'a str,
    /// The values of the attributes that rules name, in the order of [`super::rules::RuleSet`]'s list.
    pub(crate) attributes: Attributes<'a>,
}

/// Values of attributes, by their index.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Attributes<'a> {
    Kept(&'a str, &'a [Option<Range<usize>>]),
    #[cfg(any(test, feature = "__fuzz"))]
    Given(&'a [Option<&'a str>]),
}

impl<'a> Attributes<'a> {
    /// `None` if the span does not have it.
    pub(crate) fn get(&self, index: usize) -> Option<&'a str> {
        match self {
            Self::Kept(text, ranges) => text.get(ranges.get(index)?.clone()?),
            #[cfg(any(test, feature = "__fuzz"))]
            Self::Given(values) => *values.get(index)?,
        }
    }
}

impl Default for Attributes<'_> {
    fn default() -> Self {
        Self::Kept("", &[])
    }
}

/// Reads a request from the fields of a span, which `visit` passes to the visitor that it gets, and
/// passes it to `read`. `attributes` are the fields that rules name.
///
/// Allocates only until the thread's buffer is large enough.
pub(crate) fn with_request<R>(
    attributes: &[Box<str>],
    visit: impl FnOnce(&mut dyn Visit),
    read: impl FnOnce(&Request<'_>) -> R,
) -> R {
    thread_local! {
        static BUFFER: Cell<Option<Box<Buffer>>> = const { Cell::new(None) };
    }
    // Taken out: a `Debug` that begins a trace of its own finds none, and makes one.
    let mut buffer = BUFFER.try_with(Cell::take).ok().flatten().unwrap_or_default();
    buffer.begin(attributes.len());
    visit(&mut Reader { buffer: &mut buffer, attributes });
    let result = read(&buffer.request());
    if buffer.text.capacity() <= MAX_KEPT {
        let _ = BUFFER.try_with(|kept| kept.set(Some(buffer)));
    }
    result
}

#[derive(Debug, Default)]
struct Buffer {
    text: String,
    known: [Slot; 4],
    attributes: Vec<Option<Range<usize>>>,
}

/// A value, and which of the names that stand for it gave it: the one that comes first counts.
#[derive(Clone, Debug, Default)]
struct Slot {
    range: Range<usize>,
    rank: Option<u8>,
}

const METHOD: usize = 0;
const PATH: usize = 1;
const HOST: usize = 2;
const RESOURCE_ARN: usize = 3;

/// What a field stands for: OpenTelemetry's names today, then those of before.
fn known(name: &str) -> Option<(usize, u8)> {
    Some(match name {
        "http.request.method" => (METHOD, 0),
        "http.method" => (METHOD, 1),
        "url.path" => (PATH, 0),
        "http.target" => (PATH, 1),
        "url.full" => (PATH, 2),
        "http.url" => (PATH, 3),
        "server.address" => (HOST, 0),
        "http.host" => (HOST, 1),
        "cloud.resource_id" => (RESOURCE_ARN, 0),
        "aws.lambda.invoked_arn" => (RESOURCE_ARN, 1),
        "faas.id" => (RESOURCE_ARN, 3),
        name if name.starts_with("aws.") && name.ends_with(".arn") => (RESOURCE_ARN, 2),
        _ => return None,
    })
}

impl Buffer {
    fn begin(&mut self, attributes: usize) {
        self.text.clear();
        self.known = Default::default();
        self.attributes.clear();
        self.attributes.resize(attributes, None);
    }

    fn request(&self) -> Request<'_> {
        let value = |slot: &Slot| self.text.get(slot.range.clone()).unwrap_or_default();
        let [method, path, host, resource_arn] = &self.known;
        let mut path_value = value(path);
        if path.rank >= Some(2) {
            path_value = path_of_url(path_value);
        }
        let end = path_value.find(['?', '#']).unwrap_or(path_value.len());
        Request {
            method: value(method),
            path: path_value.get(..end).unwrap_or_default(),
            host: value(host),
            resource_arn: value(resource_arn),
            attributes: Attributes::Kept(&self.text, &self.attributes),
        }
    }
}

/// What follows the host.
fn path_of_url(url: &str) -> &str {
    let Some((_, behind)) = url.split_once("://") else { return url };
    match behind.find(['/', '?', '#']) {
        Some(at) if behind[at..].starts_with('/') => behind.get(at..).unwrap_or("/"),
        _ => "/",
    }
}

struct Reader<'a> {
    buffer: &'a mut Buffer,
    attributes: &'a [Box<str>],
}

impl Reader<'_> {
    /// Keeps the value if a rule may ask for it.
    fn keep(&mut self, field: &Field, write: impl FnOnce(&mut Bounded<'_>) -> fmt::Result) {
        let name = field.name();
        let known = known(name).filter(|(index, rank)| {
            self.buffer.known.get(*index).is_some_and(|slot| slot.rank.is_none_or(|r| r > *rank))
        });
        let attribute = self.attributes.iter().position(|wanted| **wanted == *name);
        if known.is_none() && attribute.is_none() {
            return;
        }
        let begin = self.buffer.text.len();
        let mut out = Bounded { text: &mut self.buffer.text, end: begin + MAX_VALUE };
        // An error is the end of what is kept.
        let _ = write(&mut out);
        let range = begin..self.buffer.text.len();
        if let Some(slot) = attribute.and_then(|index| self.buffer.attributes.get_mut(index)) {
            *slot = Some(range.clone());
        }
        if let Some((index, rank)) = known
            && let Some(slot) = self.buffer.known.get_mut(index)
        {
            *slot = Slot { range, rank: Some(rank) };
        }
    }

    fn keep_formatted(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        // The application's `Debug` runs here.
        self.keep(field, |out| guard::caught(|| out.write_fmt(value)).unwrap_or(Ok(())));
    }
}

impl Visit for Reader<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.keep(field, |out| out.write_str(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.keep(field, |out| out.write_str(if value { "true" } else { "false" }));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.keep(field, |out| write!(out, "{value}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.keep(field, |out| write!(out, "{value}"));
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.keep(field, |out| write!(out, "{value}"));
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.keep(field, |out| write!(out, "{value}"));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.keep(field, |out| write!(out, "{value}"));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.keep_formatted(field, format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.keep_formatted(field, format_args!("{value:?}"));
    }
}

/// Writes up to an end.
struct Bounded<'a> {
    text: &'a mut String,
    end: usize,
}

impl fmt::Write for Bounded<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.end.saturating_sub(self.text.len());
        if text.len() <= room {
            self.text.push_str(text);
            return Ok(());
        }
        self.text.push_str(text.get(..text.floor_char_boundary(room)).unwrap_or_default());
        self.end = 0;
        Err(fmt::Error)
    }
}
