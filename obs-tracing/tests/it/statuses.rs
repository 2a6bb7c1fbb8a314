//! How a call ends is how its segment ends.

use std::error::Error;
use std::fmt;
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context, Poll, Waker};

use obs_tracing::{TracingHelper, trace_function, traced};
use tracing_subscriber::prelude::*;

use crate::support::{Daemon, LIMIT, builder, flushed, record, record_async};

#[derive(Debug)]
enum PaymentError {
    Declined { cause: std::num::ParseIntError },
}

impl fmt::Display for PaymentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the card was declined")
    }
}

impl Error for PaymentError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let Self::Declined { cause } = self;
        Some(cause)
    }
}

impl From<std::num::ParseIntError> for PaymentError {
    fn from(cause: std::num::ParseIntError) -> Self {
        Self::Declined { cause }
    }
}

#[traced]
fn plain(a: u32) -> u32 {
    a + 1
}

#[traced]
fn fails(text: &str) -> Result<u32, PaymentError> {
    Ok(text.parse::<u32>()?)
}

#[traced(err)]
fn fails_and_says_why(text: &str) -> Result<u32, PaymentError> {
    let n = text.parse()?;
    return Ok(n);
}

#[traced(err)]
async fn fails_later(text: &str) -> Result<u32, PaymentError> {
    tokio::task::yield_now().await;
    Ok(text.parse()?)
}

#[traced(err)]
fn erased(shared: bool) -> Result<(), Box<dyn Error + Send + Sync>> {
    if shared { Err(Box::new(fails("x").unwrap_err())) } else { Err("only a text".into()) }
}

#[traced]
fn erased_locally() -> Result<(), Box<dyn Error>> {
    "x".parse::<u32>()?;
    Ok(())
}

#[traced(err)]
fn text_error() -> Result<(), String> {
    Err("no good".to_owned())
}

struct Opaque;

#[traced(err)]
fn opaque_error() -> Result<(), Opaque> {
    Err(Opaque)
}

#[test]
fn a_call_that_returns_is_a_success() {
    let documents = record(|| assert_eq!(plain(1), 2));
    let document = documents.named("plain");
    assert_eq!(document.status(), "success");
    assert!(document.annotation("error_type").is_null());
    assert!(!document.is_fault());
    assert!(document.0.get("cause").is_none());
}

#[test]
fn an_error_leaves_its_type_and_its_message_only_where_asked() {
    let documents = record(|| {
        assert!(fails("x").is_err());
        assert!(fails_and_says_why("x").is_err());
        assert_eq!(fails_and_says_why("17").unwrap(), 17);
    });
    let [silent, telling, fine] = &documents.0[..] else { panic!("{documents:?}") };
    for document in [silent, telling] {
        assert_eq!(document.status(), "error");
        assert_eq!(document.annotation("error_type"), "PaymentError");
        assert!(document.is_fault());
    }
    assert!(silent.exceptions().is_empty());
    assert_eq!(
        telling.exceptions(),
        [
            ("PaymentError", "the card was declined"),
            ("ParseIntError", "invalid digit found in string")
        ]
    );
    assert_eq!(
        telling.0["cause"]["exceptions"][0]["cause"],
        telling.0["cause"]["exceptions"][1]["id"]
    );
    assert_eq!(fine.status(), "success");
}

#[test]
fn an_async_error_is_told_as_well() {
    let documents = record_async(async {
        assert!(fails_later("x").await.is_err());
    });
    let document = documents.named("fails_later");
    assert_eq!(document.status(), "error");
    assert_eq!(document.annotation("error_type"), "PaymentError");
    assert_eq!(document.exceptions()[0], ("PaymentError", "the card was declined"));
}

#[test]
fn an_erased_error_is_named_as_well_as_it_can_be() {
    let documents = record(|| {
        assert!(erased(true).is_err());
        assert!(erased(false).is_err());
        assert!(erased_locally().is_err());
        assert!(text_error().is_err());
        assert!(opaque_error().is_err());
    });
    let told: Vec<_> = documents
        .0
        .iter()
        .filter(|document| document.name() != "fails")
        .map(|document| {
            assert_eq!(document.status(), "error");
            let error_type = document.annotation("error_type").as_str().unwrap();
            (error_type, document.exceptions().first().map(|first| first.1))
        })
        .collect();
    assert_eq!(
        told,
        [
            ("Declined", Some("the card was declined")),
            ("unknown", Some("only a text")),
            ("ParseIntError", None),
            ("String", Some("no good")),
            ("Opaque", None),
        ]
    );
}

#[traced]
async fn waits() {
    pending::<()>().await;
}

#[test]
fn scenario_33_a_future_that_is_dropped_is_cancelled() {
    let documents = record(|| {
        let mut future = Box::pin(waits());
        assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        drop(future);
    });
    let document = documents.named("waits");
    assert_eq!(document.status(), "cancelled");
    assert!(!document.is_fault());
}

#[test]
fn scenario_33_a_future_that_is_dropped_by_a_panic_elsewhere_is_cancelled() {
    let documents = record(|| {
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let mut future = Box::pin(waits());
            assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            panics();
        }));
        assert!(outcome.is_err());
    });
    assert_eq!(documents.named("waits").status(), "cancelled");
    assert_eq!(documents.named("panics").status(), "panicked");
}

#[test]
fn scenario_33_what_is_cancelled_is_cancelled_on_every_level() {
    #[traced]
    async fn outer() {
        trace_function!("inner", async { waits().await }).await;
    }
    let documents = record_async(async {
        let limited = tokio::time::timeout(std::time::Duration::from_millis(5), outer());
        assert!(limited.await.is_err());
    });
    assert_eq!(documents.names(), ["waits", "inner", "outer"]);
    assert!(documents.0.iter().all(|document| document.status() == "cancelled"));
    assert_eq!(documents.named("waits").parent_id(), Some(documents.named("inner").id()));
    assert_eq!(documents.named("inner").parent_id(), Some(documents.named("outer").id()));
}

#[test]
fn a_future_that_is_never_polled_leaves_nothing() {
    let documents = record(|| drop(waits()));
    assert!(documents.0.is_empty());
}

#[traced]
fn panics() {
    panic!("a message with a secret");
}

#[traced]
async fn panics_later() {
    tokio::task::yield_now().await;
    panics();
}

#[test]
fn scenario_34_a_panic_is_recorded_and_goes_on() {
    let documents = record(|| {
        let payload = catch_unwind(panics).unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&"a message with a secret"));
    });
    let document = documents.named("panics");
    assert_eq!(document.status(), "panicked");
    assert!(document.is_fault());
    assert!(!document.0.to_string().contains("secret"));
}

#[test]
fn scenario_34_a_panic_in_a_future_is_recorded_and_goes_on() {
    let documents = record(|| {
        let mut future = Box::pin(panics_later());
        let mut poll = || future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!(poll(), Poll::Pending);
        assert!(catch_unwind(AssertUnwindSafe(poll)).is_err());
    });
    assert_eq!(documents.names(), ["panics", "panics_later"]);
    assert!(documents.0.iter().all(|document| document.status() == "panicked"));
}

#[test]
fn a_panic_that_is_caught_within_leaves_the_outer_call_a_success() {
    #[traced]
    fn outer() {
        assert!(catch_unwind(panics).is_err());
    }
    let documents = record(outer);
    assert_eq!(documents.named("outer").status(), "success");
    assert_eq!(documents.named("panics").status(), "panicked");
}

#[test]
fn what_runs_while_a_thread_unwinds_is_told_by_its_own_end() {
    struct Cleanup;
    impl Drop for Cleanup {
        fn drop(&mut self) {
            plain(1);
        }
    }
    let documents = record(|| {
        let outcome = catch_unwind(|| {
            let _cleanup = Cleanup;
            panics();
        });
        assert!(outcome.is_err());
    });
    assert_eq!(documents.named("plain").status(), "success");
}

#[test]
fn an_expression_is_told_by_its_value() {
    let documents = record_async(async {
        let sum: u64 = trace_function!("sum", [1_u64, 2].iter().sum());
        assert_eq!(sum, 3);
        let parsed: Result<u32, PaymentError> = trace_function!("question", {
            let n = "x".parse::<u32>()?;
            Ok(n)
        });
        assert!(parsed.is_err());
        let erased: Result<(), Box<dyn Error>> = trace_function!("boxed", Err("no".into()));
        assert!(erased.is_err());
        let list: Vec<_> =
            trace_function!("collect", { [1, 2].into_iter().map(|n| n + 1).collect() });
        assert_eq!(list, [2, 3]);
        trace_function!("unit", {});
        let failed = trace_function!("future", async move { fails("y") }).await;
        assert!(failed.is_err());
        assert_eq!(TracingHelper::trace_function(format!("load {}", "orders"), || 17), 17);
    });
    let told: Vec<_> = documents
        .0
        .iter()
        .filter(|document| document.name() != "fails")
        .map(|document| (document.name(), document.status()))
        .collect();
    assert_eq!(
        told,
        [
            ("sum", "success"),
            ("question", "error"),
            ("boxed", "error"),
            ("collect", "success"),
            ("unit", "success"),
            ("future", "error"),
            ("load orders", "success"),
        ]
    );
    assert_eq!(documents.named("question").annotation("error_type"), "PaymentError");
}

#[test]
fn a_future_is_traced_while_it_is_polled_and_not_when_it_is_made() {
    let documents = record_async(async {
        let future = trace_function!("load", async { plain(1) });
        trace_function!("before", { plain(2) });
        assert_eq!(future.await, 2);
    });
    assert_eq!(documents.names(), ["plain", "before", "plain", "load"]);
    let load = documents.named("load");
    assert!(load.parent_id().is_none());
    assert_eq!(documents.0[2].parent_id(), Some(load.id()));
    let times = |document: &crate::support::Document| {
        (document.0["start_time"].as_f64().unwrap(), document.0["end_time"].as_f64().unwrap())
    };
    assert!(times(load).0 >= times(documents.named("before")).1);
}

#[test]
fn a_call_ends_when_it_returns_however_long_its_span_lives() {
    #[traced]
    fn starts_a_job() -> tracing::Span {
        tracing::Span::current()
    }
    let daemon = Daemon::start();
    let tracer = builder().daemon_at(daemon.address()).build().unwrap();
    let subscriber = tracing_subscriber::registry().with(tracer.layer());
    tracing::subscriber::with_default(subscriber, || {
        let span = starts_a_job();
        // The span is still open, its segment is not.
        let ended = flushed(&daemon, &tracer);
        assert_eq!(ended.names(), ["starts_a_job"]);
        span.in_scope(|| {
            obs_tracing::annotate("too", "late");
            plain(1);
        });
    });
    assert!(tracer.flush(LIMIT).is_complete());
    let documents = daemon.documents(2);
    assert_eq!(documents.named("plain").parent_id(), Some(documents.named("starts_a_job").id()));
}

#[test]
fn an_instrumented_parent_of_a_traced_call_ends_with_its_span() {
    #[tracing::instrument]
    fn outer() {
        plain(1);
    }
    assert_eq!(record(outer).names(), ["plain", "outer"]);
}
