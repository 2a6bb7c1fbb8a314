//! Beside other layers: nothing is hidden from them, nothing of ours shows in their lines.

use std::fmt;
use std::sync::{Arc, Mutex};

use obs_core::lane::{Delivery, Lane, Records, Sink};
use obs_tracing::{TracingHelper, trace_function, traced};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber, debug, info, info_span};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::Context;
use tracing_subscriber::prelude::*;
use tracing_subscriber::registry::LookupSpan;

use crate::support::{Daemon, LIMIT, builder, flushed};

/// What a log layer would write: each event with the names of its spans, and every field with a
/// value.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn add(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }

    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0 += &format!(" {}={value:?}", field.name());
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> tracing_subscriber::Layer<S> for Log {
    fn on_new_span(&self, attributes: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        let mut fields = Fields(String::new());
        attributes.record(&mut fields);
        self.add(format!("new {}{}", attributes.metadata().name(), fields.0));
    }

    fn on_record(&self, _: &Id, values: &Record<'_>, _: Context<'_, S>) {
        let mut fields = Fields(String::new());
        values.record(&mut fields);
        self.add(format!("record{}", fields.0));
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields(String::new());
        event.record(&mut fields);
        let spans: Vec<_> = context
            .event_scope(event)
            .into_iter()
            .flat_map(|scope| scope.from_root().map(|span| span.name()))
            .collect();
        self.add(format!("event in {}:{}", spans.join(">"), fields.0));
    }
}

#[traced(annotate(order = 17), metadata(items = 2), err, ret)]
fn charge(fail: bool) -> Result<u32, std::fmt::Error> {
    info!("charging");
    if fail { Err(std::fmt::Error) } else { Ok(1) }
}

#[test]
fn our_own_fields_show_in_no_log_line() {
    let daemon = Daemon::start();
    let tracer = builder().daemon_at(daemon.address()).build().unwrap();
    let log = Log::default();
    let subscriber = tracing_subscriber::registry()
        .with(log.clone().with_filter(LevelFilter::INFO))
        .with(tracer.layer());
    tracing::subscriber::with_default(subscriber, || {
        assert!(charge(true).is_err());
        trace_function!("outer", { charge(false) }).unwrap();
        TracingHelper::add_custom_segment("mark", [("n", 1.into())]);
    });
    assert_eq!(
        log.lines(),
        [
            "new charge",
            "event in charge: message=charging",
            "new outer",
            "new charge",
            "event in outer>charge: message=charging",
            "new custom_segment",
        ]
    );
    assert_eq!(flushed(&daemon, &tracer).names(), ["charge", "charge", "outer", "mark"]);
}

#[test]
fn neither_filter_hides_anything_from_the_other() {
    for tracer_first in [true, false] {
        let daemon = Daemon::start();
        let tracer = builder().daemon_at(daemon.address()).build().unwrap();
        let log = Log::default();
        let work = || {
            trace_function!("quiet", {
                info!("not logged");
                tracing::warn!("logged");
                debug!("not logged either");
            });
        };
        if tracer_first {
            let subscriber = tracing_subscriber::registry()
                .with(tracer.layer())
                .with(log.clone().with_filter(LevelFilter::WARN));
            tracing::subscriber::with_default(subscriber, work);
        } else {
            let subscriber = tracing_subscriber::registry()
                .with(log.clone().with_filter(LevelFilter::WARN))
                .with(tracer.layer());
            tracing::subscriber::with_default(subscriber, work);
        }
        // The log's filter leaves the span out, and its line stands outside of any span.
        assert_eq!(log.lines(), ["event in : message=logged"]);
        assert_eq!(flushed(&daemon, &tracer).names(), ["quiet"]);
    }
}

#[test]
fn what_the_sdk_does_itself_is_logged_and_not_traced() {
    let daemon = Daemon::start();
    let tracer = builder().daemon_at(daemon.address()).build().unwrap();
    let log = Log::default();
    let subscriber = tracing_subscriber::registry().with(log.clone()).with(tracer.layer());
    tracing::subscriber::with_default(subscriber, || {
        info_span!(target: "lambda_runtime::layers::trace", "Lambda runtime invoke").in_scope(|| {
            trace_function!("handler", {
                info_span!(target: "aws_sdk_s3::operation::put_object", "S3.PutObject").in_scope(|| {
                    info_span!(target: "aws_smithy_runtime::client", "orchestrator").in_scope(|| {
                        obs_tracing::annotate("on", "the handler");
                        trace_function!("callback", ());
                        tracing::error!(target: "hyper::client", error = "reset", "failed");
                    });
                });
            });
        });
    });
    let documents = flushed(&daemon, &tracer);
    assert_eq!(documents.names(), ["callback", "handler"]);
    let handler = documents.named("handler");
    // The runtime's own span is no parent: the handler's is the first.
    assert!(!handler.is_subsegment());
    assert_eq!(documents.named("callback").parent_id(), Some(handler.id()));
    assert_eq!(handler.annotation("on"), "the handler");
    assert!(handler.exceptions().is_empty());
    assert_eq!(log.lines().iter().filter(|line| line.starts_with("new ")).count(), 5);
}

#[test]
fn a_second_tracer_below_one_subscriber_does_no_harm() {
    let (first, second) = (Daemon::start(), Daemon::start());
    let tracers =
        [&first, &second].map(|daemon| builder().daemon_at(daemon.address()).build().unwrap());
    let subscriber =
        tracing_subscriber::registry().with(tracers[0].layer()).with(tracers[1].layer());
    tracing::subscriber::with_default(subscriber, || {
        trace_function!("outer", { trace_function!("inner", ()) });
    });
    assert_eq!(flushed(&first, &tracers[0]).names(), ["inner", "outer"]);
    assert!(flushed(&second, &tracers[1]).0.is_empty());
}

#[test]
fn scenario_39_what_a_sink_does_is_not_traced() {
    struct TracesItself(tracing::Dispatch);
    impl Sink<Records<u32>> for TracesItself {
        fn deliver(&mut self, batch: &mut Records<u32>, delivery: &Delivery<'_>) {
            tracing::dispatcher::with_default(&self.0, || {
                trace_function!("delivering", { trace_function!("deeper", ()) });
                assert_eq!(obs_tracing::current_trace_id(), None);
            });
            delivery.delivered(batch.drain().len());
        }
    }
    let daemon = Daemon::start();
    let tracer = builder().daemon_at(daemon.address()).build().unwrap();
    let dispatch = tracing::Dispatch::new(tracing_subscriber::registry().with(tracer.layer()));
    let lane = Lane::builder("traces-itself").start(TracesItself(dispatch));
    lane.push(1, |batch: &mut Records<u32>| batch.push(1));
    assert!(lane.flush(LIMIT).is_complete());
    assert_eq!(tracer.stats().recorded, 0);
}
