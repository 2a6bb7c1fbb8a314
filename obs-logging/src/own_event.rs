//! What a logger says itself, as events of callsites of its own: so that its lines have the same keys
//! as any other, and are redacted and cut as they are.

use tracing_core::field::{FieldSet, Value};
use tracing_core::metadata::Kind;
use tracing_core::subscriber::Interest;
use tracing_core::{Callsite, Event, Level, Metadata, identify_callsite};

/// Lines of a request were not held any more when it failed.
pub(crate) fn lines_evicted(evicted: u64, log: impl FnOnce(&Event<'_>)) {
    static HERE: Own = Own(&METADATA);
    static METADATA: Metadata<'static> = Metadata::new(
        "lines evicted",
        "obs_logging",
        Level::WARN,
        None,
        None,
        None,
        FieldSet::new(&["message", "evicted"], identify_callsite!(&HERE)),
        Kind::EVENT,
    );
    let message = "the oldest of the lines held for this request were left out";
    say(&METADATA, &[Some(&message), Some(&evicted)], log);
}

/// A thread has panicked.
pub(crate) struct Panicked<'a> {
    pub(crate) message: &'a str,
    pub(crate) location: Option<&'a str>,
    pub(crate) thread: Option<&'a str>,
    pub(crate) traceback: Option<&'a str>,
}

pub(crate) fn panicked(panic: &Panicked<'_>, log: impl FnOnce(&Event<'_>)) {
    static HERE: Own = Own(&METADATA);
    static METADATA: Metadata<'static> = Metadata::new(
        "panic",
        "panic",
        Level::ERROR,
        None,
        None,
        None,
        FieldSet::new(
            &["message", "error_type", "error_message", "panic_location", "thread", "traceback"],
            identify_callsite!(&HERE),
        ),
        Kind::EVENT,
    );
    let Panicked { message, location, thread, traceback } = panic;
    say(
        &METADATA,
        &[
            Some(message),
            Some(&"panic"),
            // As any error has it: who counts errors by type asks for it.
            Some(message),
            location.as_ref().map(|location| location as &dyn Value),
            thread.as_ref().map(|thread| thread as &dyn Value),
            traceback.as_ref().map(|traceback| traceback as &dyn Value),
        ],
        log,
    );
}

fn say(
    metadata: &'static Metadata<'static>,
    values: &[Option<&dyn Value>],
    log: impl FnOnce(&Event<'_>),
) {
    log(&Event::new(metadata, &metadata.fields().value_set_all(values)));
}

/// Never registered: no subscriber is told of it, only the logger that speaks.
struct Own(&'static Metadata<'static>);

impl Callsite for Own {
    fn set_interest(&self, _: Interest) {}

    fn metadata(&self) -> &Metadata<'_> {
        self.0
    }
}
