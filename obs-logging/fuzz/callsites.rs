//! Callsites whose fields have names that are hard to write: as many as a byte can name, made once, as
//! what `tracing` is told of must live for ever.

use std::sync::OnceLock;

use tracing_core::callsite::{Callsite, Identifier};
use tracing_core::field::FieldSet;
use tracing_core::subscriber::Interest;
use tracing_core::{Kind, Level, Metadata};

/// Few enough that they meet: built-in keys, derived ones, what the macros write, what JSON escapes.
pub(crate) const NAMES: &[&str] = &[
    "a",
    "b",
    "c",
    "r#a",
    "a_type",
    "a_chain",
    "fields.a",
    "message",
    "level",
    "r#level",
    "fields.level",
    "fields.fields.level",
    "timestamp",
    "logger",
    "module",
    "function",
    "line",
    "service",
    "correlation_id",
    "function_request_id",
    "trace_id",
    "suppressed",
    "truncated_fields",
    "evicted",
    "error",
    "err",
    "r#error",
    "error_type",
    "error_message",
    "error_chain",
    "traceback",
    "panic_location",
    "log.target",
    "log.line",
    "password",
    "r#token",
    "user.api_key",
    "",
    "r#",
    " ",
    "with space",
    "Vec<T>/x",
    "quo\"te",
    "back\\slash",
    "line\nfeed\r",
    "\u{1b}[31m",
    "\u{85}\u{2028}\u{2029}",
    "\u{0}",
    "größe",
    "🦀",
    LONG,
];

/// 300 characters.
const LONG: &str = concat!(
    "long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_",
    "long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_",
    "long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_long_",
);

const LEVELS: [Level; 5] = [Level::ERROR, Level::INFO, Level::DEBUG, Level::WARN, Level::TRACE];

struct Site {
    metadata: OnceLock<Metadata<'static>>,
}

impl Callsite for Site {
    fn set_interest(&self, _: Interest) {}

    fn metadata(&self) -> &Metadata<'_> {
        self.metadata.get().expect("it is set when the site is made")
    }
}

/// The event of this number, at any level.
pub(crate) fn event(number: u8) -> &'static Metadata<'static> {
    static EVENTS: OnceLock<Vec<&'static Metadata<'static>>> = OnceLock::new();
    EVENTS.get_or_init(|| all(&Kind::EVENT))[usize::from(number)]
}

/// The span of this number, of level info.
pub(crate) fn span(number: u8) -> &'static Metadata<'static> {
    static SPANS: OnceLock<Vec<&'static Metadata<'static>>> = OnceLock::new();
    SPANS.get_or_init(|| all(&Kind::SPAN))[usize::from(number)]
}

fn all(kind: &Kind) -> Vec<&'static Metadata<'static>> {
    (0..=u8::MAX).map(|number| made(number, kind.clone())).collect()
}

fn made(number: u8, kind: Kind) -> &'static Metadata<'static> {
    let mut mixed =
        u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::from(kind.is_span());
    let mut next = |below: usize| {
        mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9).wrapping_add(1);
        usize::try_from(mixed >> 33).unwrap_or(0) % below
    };
    // Up to eight fields; two of them may have one name.
    let names: Vec<_> = (0..next(9)).map(|_| NAMES[next(NAMES.len())]).collect();
    let name = NAMES[next(NAMES.len())];
    let level = if kind.is_span() { Level::INFO } else { LEVELS[usize::from(number) % 5] };
    let site: &'static Site = Box::leak(Box::new(Site { metadata: OnceLock::new() }));
    let fields = FieldSet::new(Box::leak(names.into_boxed_slice()), Identifier(site));
    site.metadata
        .get_or_init(|| Metadata::new(name, "fuzzed", level, None, None, None, fields, kind))
}
