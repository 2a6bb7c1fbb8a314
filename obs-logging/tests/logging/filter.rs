//! The level: which lines there are, and that nothing is hidden from other layers.

use std::sync::{Arc, Mutex};

use obs_logging::StructuredLogger;
use tracing::{debug, debug_span, error, info, info_span, trace, trace_span, warn};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};

use crate::capture::{Capture, builder, captured_by};

/// Another layer: sees the names of all spans and the levels of all events.
#[derive(Clone, Default)]
struct Witness(Arc<Mutex<Vec<String>>>);

impl<S: tracing::Subscriber> Layer<S> for Witness {
    fn on_new_span(
        &self,
        attributes: &tracing::span::Attributes<'_>,
        _: &tracing::Id,
        _: Context<'_, S>,
    ) {
        self.0.lock().unwrap().push(attributes.metadata().name().to_owned());
    }

    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        self.0.lock().unwrap().push(event.metadata().level().to_string());
    }
}

fn messages(capture: &Capture) -> Vec<String> {
    let text = |line: &crate::capture::Line| line["message"].as_str().unwrap().to_owned();
    capture.lines().iter().map(text).collect()
}

#[test]
fn directives_decide_per_target() {
    let capture = captured_by(
        |builder| builder.level("warn,orders=debug"),
        || {
            info!("hidden");
            warn!("seen");
            debug!(target: "orders", "seen in orders");
            debug!(target: "orders::pay", "seen in its modules");
            trace!(target: "orders", "hidden in orders");
        },
    );
    assert_eq!(messages(&capture), ["seen", "seen in orders", "seen in its modules"]);
}

#[test]
fn directives_can_name_a_span() {
    let capture = captured_by(
        |builder| builder.level("info,[charge]=trace"),
        || {
            debug!("hidden");
            let _charge = info_span!("charge").entered();
            trace!("seen");
        },
    );
    assert_eq!(messages(&capture), ["seen"]);
}

#[test]
fn the_level_hides_neither_spans_nor_events_from_another_layer() {
    let capture = Capture::default();
    let witness = Witness::default();
    let logger = builder(&capture).level("error").build().unwrap();
    let subscriber = tracing_subscriber::registry().with(logger.layer()).with(witness.clone());
    tracing::subscriber::with_default(subscriber, || {
        let _outer = trace_span!("outer").entered();
        let _inner = debug_span!("inner").entered();
        trace!("for the witness only");
        error!("for both");
    });
    assert_eq!(*witness.0.lock().unwrap(), ["outer", "inner", "TRACE", "ERROR"]);
    assert_eq!(messages(&capture), ["for both"]);
}

#[test]
fn lines_at_a_high_level_still_say_where_they_were() {
    let capture = captured_by(
        |builder| builder.level("error"),
        || {
            let _request = info_span!("request", order_id = 7).entered();
            let _detail = debug_span!("detail", step = 1).entered();
            info!("hidden");
            error!("seen");
        },
    );
    let line = capture.line();
    assert_eq!(line["order_id"], 7);
    assert_eq!(line["function"], "request");
    assert!(!line.has("step"), "spans below info follow the level");
}

#[test]
fn a_target_that_is_off_gives_no_context_either() {
    let capture = captured_by(
        |builder| builder.level("info,noisy=off"),
        || {
            let _noisy = info_span!(target: "noisy", "noise", secret_plan = 1).entered();
            info!("seen");
            error!(target: "noisy", "hidden");
        },
    );
    let line = capture.line();
    assert_eq!(line["message"], "seen");
    assert!(!line.has("secret_plan") && !line.has("function"));
}

#[test]
fn off_is_off() {
    let capture = captured_by(|builder| builder.level("off"), || error!("hidden"));
    assert_eq!(capture.text(), "");
}

#[test]
fn a_level_that_is_none_is_an_error_that_names_it() {
    let error = StructuredLogger::builder().level("loud").build().unwrap_err();
    assert!(error.is_level() && !error.is_format() && !error.is_already_set());
    assert!(error.to_string().contains("\"loud\""), "{error}");
}

#[test]
fn the_layer_goes_with_filters_of_other_layers() {
    let (one, two) = (Capture::default(), Capture::default());
    let loud = builder(&one).build().unwrap();
    let quiet = builder(&two).level("warn").build().unwrap();
    let boxed: Box<dyn Layer<_> + Send + Sync> = Box::new(quiet.layer());
    let subscriber = tracing_subscriber::registry()
        .with(loud.layer())
        .with(boxed)
        .with(tracing_subscriber::filter::LevelFilter::DEBUG);
    tracing::subscriber::with_default(subscriber, || {
        let _detail = debug_span!("detail", step = 1).entered();
        trace!("hidden by the global filter");
        debug!("for one");
        warn!("for both");
    });
    assert_eq!(messages(&one), ["for one", "for both"]);
    assert_eq!(one.lines()[1]["step"], 1);
    assert_eq!(messages(&two), ["for both"]);
    assert!(!two.line().has("step"));
}
