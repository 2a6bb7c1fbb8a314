//! Fields for the rest of a request's lines.

use std::error::Error;
use std::fmt::Debug;
use std::sync::OnceLock;

use obs_core::health::{self, Event};
use obs_core::{RequestContext, json};
use tracing_core::callsite::{Callsite, Identifier};
use tracing_core::field::{Field, FieldSet, Value, Visit};
use tracing_core::subscriber::Interest;
use tracing_core::{Kind, Level, Metadata};

use crate::visitor;

/// Appends a field to all following lines of the current request, whichever span or task of it they
/// come from, and to its EMF documents.
///
/// `value` is anything that a field of `tracing::info!` takes, and keeps its type: a number stays a
/// number. What has no type there goes through `tracing::field::display` or `debug`. The value is
/// encoded now. A field of the same name is replaced; an `Option` that is `None` changes nothing.
///
/// The field belongs to the request ([`RequestContext::current`]): no other request sees it, however
/// many run at once, and the next one begins without it. Without a current request nothing happens;
/// `obs_core::health` counts it as `no_request`.
///
/// A request has at most 128 such fields ([`MAX_APPENDED_FIELDS`]), of 256 KiB together, names and
/// encoded values ([`MAX_APPENDED_BYTES`]). What goes beyond is refused, not cut, as half a secret would
/// not be found: a field of the same name stays as it is, and `obs_core::health` counts
/// `limit_exceeded`.
///
/// A field of a span or an event that has the same name takes its place in their lines. A name of
/// [`BUILT_IN_KEYS`](crate::BUILT_IN_KEYS) is written as `fields.<name>`, and what the logger's
/// redactor hides by name is hidden here too.
///
/// It takes a lock and allocates: once for each field and request, not for each line.
///
/// ```
/// use obs_core::RequestContext;
///
/// let request = RequestContext::builder().request_id("8f5c").build().enter();
/// obs_logging::append("order_id", 4711);
/// obs_logging::append("tenant", "acme");
/// obs_logging::append("ratio", 0.5);
/// obs_logging::append("caller", tracing::field::display(std::net::Ipv4Addr::LOCALHOST));
/// // {…,"function_request_id":"8f5c","order_id":4711,"tenant":"acme","ratio":0.5,"caller":"127.0.0.1"}
/// tracing::info!("accepted");
/// ```
///
/// [`MAX_APPENDED_FIELDS`]: obs_core::context::MAX_APPENDED_FIELDS
/// [`MAX_APPENDED_BYTES`]: obs_core::context::MAX_APPENDED_BYTES
pub fn append(key: &str, value: impl Value) {
    RequestContext::with_current(|request| match request {
        Some(request) => request.append_json(key, |out| {
            if let Some(field) = field() {
                value.record(field, &mut Encoder(out));
            }
        }),
        None => health::count(Event::NoRequest),
    });
}

/// Takes a field that was [appended](append) to the current request away again; returns whether there
/// was one.
pub fn remove(key: &str) -> bool {
    RequestContext::with_current(|request| {
        request.is_some_and(|request| request.remove_appended(key))
    })
}

/// Writes the one value that it is shown.
struct Encoder<'a>(&'a mut Vec<u8>);

impl Visit for Encoder<'_> {
    fn record_f64(&mut self, _: &Field, value: f64) {
        json::float(self.0, value);
    }

    fn record_i64(&mut self, _: &Field, value: i64) {
        json::int(self.0, value);
    }

    fn record_u64(&mut self, _: &Field, value: u64) {
        json::uint(self.0, value);
    }

    // As in a line: what has more digits than readers keep is text.
    fn record_i128(&mut self, field: &Field, value: i128) {
        match i64::try_from(value) {
            Ok(small) => self.record_i64(field, small),
            Err(_) => json::display(self.0, value),
        }
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        match u64::try_from(value) {
            Ok(small) => self.record_u64(field, small),
            Err(_) => json::display(self.0, value),
        }
    }

    fn record_bool(&mut self, _: &Field, value: bool) {
        json::boolean(self.0, value);
    }

    fn record_str(&mut self, _: &Field, value: &str) {
        json::string(self.0, value);
    }

    fn record_error(&mut self, _: &Field, value: &(dyn Error + 'static)) {
        visitor::debug(self.0, &tracing_core::field::display(value));
    }

    fn record_debug(&mut self, _: &Field, value: &dyn Debug) {
        visitor::debug(self.0, value);
    }
}

/// A value is recorded under a field, and a field belongs to a callsite: this one stands for all that
/// is appended, and no subscriber ever hears of it.
struct Appended;

static APPENDED: Appended = Appended;

static METADATA: Metadata<'static> = Metadata::new(
    "appended field",
    module_path!(),
    Level::INFO,
    None,
    None,
    None,
    FieldSet::new(&["value"], Identifier(&APPENDED)),
    Kind::EVENT,
);

impl Callsite for Appended {
    fn set_interest(&self, _: Interest) {}

    fn metadata(&self) -> &Metadata<'_> {
        &METADATA
    }
}

fn field() -> Option<&'static Field> {
    static FIELD: OnceLock<Option<Field>> = OnceLock::new();
    FIELD.get_or_init(|| METADATA.fields().field("value")).as_ref()
}
