//! `sample_debug`: the debug lines of some traces.

use obs_core::RequestContext;
use obs_core::ids::{SpanId, SpanIds, TraceId, TraceParent};
use obs_logging::StructuredLogger;
use tracing::{debug, error, info, info_span, trace};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use crate::capture::{Capture, builder, captured_by};
use crate::held::{messages, request};

#[test]
fn debug_lines_of_a_trace_are_all_there_or_none() {
    let of = |low: u64| {
        let trace_id = TraceId::from_u128(1 << 96 | u128::from(low)).unwrap();
        RequestContext::builder()
            .request_id(format!("{low:x}"))
            .trace(TraceParent { trace_id, parent_id: None, sampled: None })
            .build()
    };
    let lines = captured_by(
        |builder| builder.level("trace").sample_debug(0.25),
        || {
            for low in [0, u64::MAX / 4 - 4096, u64::MAX / 4 + 4096, u64::MAX] {
                let _request = of(low).enter();
                debug!("debug");
                trace!("trace");
                info!("info");
            }
        },
    )
    .lines();
    let all = ["debug", "trace", "info"];
    assert_eq!(messages(&lines), [&all[..], &all, &["info"], &["info"]].concat());
}

/// A tracer's layer, as far as logs know of it.
struct Ids(SpanIds);

impl<S: tracing::Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Ids {
    fn on_new_span(
        &self,
        _: &tracing::span::Attributes<'_>,
        id: &tracing::Id,
        context: Context<'_, S>,
    ) {
        context.span(id).unwrap().extensions_mut().insert(self.0);
    }
}

#[test]
fn the_nearest_spans_trace_decides_before_the_requests() {
    let ids = |low: u128| SpanIds {
        trace_id: TraceId::from_u128(1 << 96 | low).unwrap(),
        span_id: SpanId::generate(),
        sampled: true,
    };
    for (low, expected) in [(1, 1), (u128::from(u64::MAX), 0)] {
        let capture = Capture::default();
        let logger = builder(&capture).sample_debug(0.5).build().unwrap();
        let subscriber = tracing_subscriber::registry().with(Ids(ids(low))).with(logger.layer());
        tracing::subscriber::with_default(subscriber, || {
            // By itself it would decide otherwise.
            let trace = TraceParent {
                trace_id: TraceId::from_u128(1 << 96 | (u128::from(u64::MAX) - low)).unwrap(),
                parent_id: None,
                sampled: None,
            };
            let _request = RequestContext::builder().trace(trace).build().enter();
            let _span = info_span!("work").entered();
            debug!("sampled?");
        });
        assert_eq!(capture.lines().len(), expected, "{low:x}");
    }
}

#[test]
fn what_sampling_leaves_out_is_held() {
    let lines = captured_by(
        |builder| builder.level("debug").sample_debug(0.0).buffer_until_error(64 * 1024),
        || {
            debug!("outside any request");
            let _request = request("r-1").enter();
            debug!("left out");
            info!("written");
            error!("failed");
        },
    )
    .lines();
    assert_eq!(messages(&lines), ["written", "left out", "failed"]);
}

#[test]
fn a_share_that_is_none_is_refused() {
    for rate in [-0.1, 1.5, f64::NAN] {
        let error = StructuredLogger::builder().sample_debug(rate).build().unwrap_err();
        assert!(error.is_sample_rate(), "{error}");
    }
}
