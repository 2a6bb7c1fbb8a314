//! Names, levels and targets.

use std::sync::{Arc, Mutex};

use obs_tracing::traced;
use tracing::{Level, Metadata, Subscriber, span};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use crate::support::record;

#[traced]
fn default_name() {}

#[traced(name = "my name")]
fn custom_name() {}

#[traced(name = "load Vec<T>")]
fn a_name_that_x_ray_refuses() {}

mod inner {
    #[obs_tracing::traced]
    pub(super) fn default_name() {}
}

#[traced(level = "trace")]
fn trace() {}

#[traced(level = "Debug")]
fn debug() {}

#[traced(level = "INFO")]
fn info() {}

#[traced(level = "WARn")]
fn warn() {}

#[traced(level = "eRrOr")]
fn error() {}

/// What other layers see of a span.
#[derive(Clone, Debug, Default)]
struct Spans(Arc<Mutex<Vec<&'static Metadata<'static>>>>);

impl<S: Subscriber> Layer<S> for Spans {
    fn on_new_span(&self, attributes: &span::Attributes<'_>, _: &span::Id, _: Context<'_, S>) {
        self.0.lock().unwrap().push(attributes.metadata());
    }
}

impl Spans {
    fn of(work: impl FnOnce()) -> Vec<&'static Metadata<'static>> {
        let spans = Self::default();
        let subscriber = tracing_subscriber::registry().with(spans.clone());
        tracing::subscriber::with_default(subscriber, work);
        spans.0.lock().unwrap().clone()
    }
}

#[test]
fn a_segment_is_named_for_its_function_or_as_it_says() {
    let documents = record(|| {
        default_name();
        custom_name();
        a_name_that_x_ray_refuses();
    });
    assert_eq!(documents.names(), ["default_name", "my name", "load Vec_T_"]);
}

#[test]
fn a_span_has_its_functions_name_and_module() {
    let seen = Spans::of(|| {
        default_name();
        inner::default_name();
        custom_name();
    });
    let told: Vec<_> = seen.iter().map(|span| (span.name(), span.target())).collect();
    assert_eq!(
        told,
        [
            ("default_name", module_path!()),
            ("default_name", concat!(module_path!(), "::inner")),
            ("my name", module_path!()),
        ]
    );
    // The line of the attribute or the function: of this file, at any rate.
    assert!(seen.iter().all(|span| span.file().is_some_and(|file| file.ends_with("names.rs"))));
}

#[test]
fn levels_are_read_in_any_case() {
    let levels: Vec<_> = Spans::of(|| {
        trace();
        debug();
        info();
        warn();
        error();
        default_name();
    })
    .iter()
    .map(|span| *span.level())
    .collect();
    assert_eq!(
        levels,
        [Level::TRACE, Level::DEBUG, Level::INFO, Level::WARN, Level::ERROR, Level::INFO]
    );
}
