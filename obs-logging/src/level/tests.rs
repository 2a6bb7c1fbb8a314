//! The answers, beside `EnvFilter`'s own for the same directives.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;
use tracing_core::callsite::{Callsite, Identifier};
use tracing_core::field::FieldSet;
use tracing_core::metadata::Kind;
use tracing_core::subscriber::Interest;
use tracing_core::{Level, LevelFilter, Metadata};
use tracing_subscriber::layer::{Context, Filter, SubscriberExt};
use tracing_subscriber::{EnvFilter, Layer, Registry};

use super::filter::LineFilter;
use super::{Directives, Levels};

struct Nowhere;

impl Callsite for Nowhere {
    fn set_interest(&self, _: Interest) {}
    fn metadata(&self) -> &Metadata<'_> {
        unreachable!("it is never registered")
    }
}

fn metadata(kind: Kind, level: Level, target: &str) -> Metadata<'_> {
    let fields = FieldSet::new(&["order_id"], Identifier(&Nowhere));
    Metadata::new("charge", target, level, None, None, Some("orders"), fields, kind)
}

const EVERY_LEVEL: [Level; 5] =
    [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE];

fn filter(directives: &str) -> LineFilter {
    Levels::new(Directives::parse(directives, "RUST_LOG").unwrap(), LevelFilter::OFF).filter()
}

/// Calls `ask` with the context that a filter is given.
fn with_context(ask: impl Fn(&Context<'_, Registry>) + Send + Sync + 'static) {
    struct Ask<F>(F, Arc<AtomicBool>);
    impl<F: Fn(&Context<'_, Registry>) + 'static> Layer<Registry> for Ask<F> {
        fn on_event(&self, _: &tracing::Event<'_>, context: Context<'_, Registry>) {
            (self.0)(&context);
            self.1.store(true, Ordering::Relaxed);
        }
    }
    let asked = Arc::new(AtomicBool::new(false));
    let subscriber = tracing_subscriber::registry().with(Ask(ask, Arc::clone(&asked)));
    tracing::subscriber::with_default(subscriber, || tracing::info!("ask"));
    assert!(asked.load(Ordering::Relaxed));
}

/// Compares all answers for `targets`.
fn check(directives: &str, targets: &[&str]) {
    let targets: Vec<_> = targets.iter().map(|&target| target.to_owned()).collect();
    let directives = directives.to_owned();
    with_context(move |context| {
        let ours = filter(&directives);
        let theirs = EnvFilter::builder().parse(&directives).unwrap();
        for target in &targets {
            let asks =
                |level| Filter::enabled(&theirs, &metadata(Kind::EVENT, level, target), context);
            for level in EVERY_LEVEL {
                let answer = |kind| ours.enabled(&metadata(kind, level, target), context);
                let case = format!("{directives:?}: {level} of {target:?}");
                assert_eq!(answer(Kind::EVENT), asks(level), "event, {case}");
                let gives_context = level <= Level::INFO && asks(Level::ERROR);
                assert_eq!(answer(Kind::SPAN), asks(level) || gives_context, "span, {case}");
            }
        }
    });
}

const TARGETS: &[&str] =
    &["", "orders", "orders::pay", "orders_db", "order", "Orders", "hyper", "a=b", "log", "5"];

#[test]
fn directives_without_spans_mean_what_they_mean_to_env_filter() {
    for directives in [
        "off",
        "error",
        "WARN",
        "info",
        "3",
        "orders",
        "orders,hyper=off",
        "orders=",
        "orders=INFO",
        "orders=0",
        "orders=+5",
        "info,orders=debug",
        "orders=debug,info",
        "warn,error,debug",
        "orders=debug,orders=warn",
        "trace,orders=off,orders::pay=info",
        "orders::pay=trace,orders=error,order=debug",
        "orders =debug,info",
        "::orders=debug,-x=info,_y=warn",
        "off,orders=trace",
        "debug,hyper=info,h2=warn",
        "info,log=trace",
    ] {
        assert!(Directives::parse(directives, "RUST_LOG").unwrap().rules().is_some());
        check(directives, TARGETS);
    }
}

#[test]
fn directives_with_spans_or_fields_are_left_to_env_filter() {
    for directives in
        ["info,[charge]=trace", "orders[charge{order_id=7}]=debug", "[{order_id}]=info,warn"]
    {
        assert!(Directives::parse(directives, "RUST_LOG").unwrap().rules().is_none());
        check(directives, TARGETS);
    }
}

fn any_directive() -> impl Strategy<Value = String> {
    let target =
        prop_oneof!["[oO]rders(::[ap]{1,2}){0,2}", "[-_:a-z0-9][-_:a-z0-9 ./]{0,6}", "hyper|h2|h",];
    let level =
        prop_oneof!["off|error|warn|info|debug|trace|OFF|Warn|dEbUg|[0-9]|", "[a-z+ ]{0,4}",];
    prop_oneof![
        level.clone(),
        target.clone(),
        (target, level).prop_map(|(t, l)| format!("{t}={l}"))
    ]
}

proptest! {
    #[test]
    fn any_directives_mean_what_they_mean_to_env_filter(
        directives in prop::collection::vec(any_directive(), 1..6),
        mut targets in prop::collection::vec("[oO]rders(::[ap]{1,2}){0,3}|h(2|yper)?(::x)?", 1..5),
    ) {
        let joined = directives.join(",");
        if let Ok(read) = Directives::parse(&joined, "RUST_LOG") {
            // Targets that begin as a directive does, and go on or end before it.
            for directive in &directives {
                let start = directive.split('=').next().unwrap_or_default();
                targets.push(start.to_owned());
                targets.push(format!("{start}::more"));
                targets.push(start.chars().skip(1).collect());
            }
            let targets: Vec<_> = targets.iter().map(String::as_str).collect();
            check(read.as_str(), &targets);
        } else {
            prop_assert!(EnvFilter::builder().parse(&joined).is_err() || joined.trim_matches([',', ' ']).is_empty(), "{joined:?}");
        }
    }
}

#[test]
fn what_tracing_remembers_of_a_callsite_needs_no_second_question() {
    // Asked as `tracing` asks: by static metadata.
    fn interest(directives: &str, metadata: &'static Metadata<'static>) -> Interest {
        Filter::<Registry>::callsite_enabled(&filter(directives), metadata)
    }
    static NOWHERE: Nowhere = Nowhere;
    static DEBUG: Metadata<'static> = Metadata::new(
        "event",
        "orders",
        Level::DEBUG,
        None,
        None,
        None,
        FieldSet::new(&[], Identifier(&NOWHERE)),
        Kind::EVENT,
    );
    static SPAN: Metadata<'static> = Metadata::new(
        "charge",
        "orders",
        Level::INFO,
        None,
        None,
        None,
        FieldSet::new(&[], Identifier(&NOWHERE)),
        Kind::SPAN,
    );
    for (directives, event, span) in [
        ("off", false, false),
        ("error", false, true),
        ("info", false, true),
        ("debug", true, true),
        ("info,orders=debug", true, true),
        ("debug,orders=off", false, false),
        ("debug,orders=warn", false, true),
        ("off,hyper=debug", false, false),
    ] {
        let (on_event, on_span) = (interest(directives, &DEBUG), interest(directives, &SPAN));
        assert!(if event { on_event.is_always() } else { on_event.is_never() }, "{directives}");
        assert!(if span { on_span.is_always() } else { on_span.is_never() }, "{directives}");
    }
}

#[test]
fn the_hint_lets_context_spans_through_unless_all_is_off() {
    for (value, expected) in [
        ("off", LevelFilter::OFF),
        ("error", LevelFilter::INFO),
        ("debug", LevelFilter::DEBUG),
        ("warn,orders=trace", LevelFilter::TRACE),
        ("warn,[charge]=trace", LevelFilter::TRACE),
    ] {
        assert_eq!(Filter::<()>::max_level_hint(&filter(value)), Some(expected), "{value}");
    }
}
