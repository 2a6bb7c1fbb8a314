//! Many invocations in one process.
//!
//! In a process of their own: a thread without a context sees the one request that is active, so tests
//! beside these would record into their requests.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::time::Duration;

use obs_core::RequestContext;
use obs_core::context::InContextExt;
use obs_metrics::test::TestSink;
use obs_metrics::{MetricsCollector, Unit};

const LONG: Duration = Duration::from_secs(10);

fn request(id: &str) -> RequestContext {
    RequestContext::builder().request_id(id).build()
}

fn collector(test: &TestSink) -> MetricsCollector {
    MetricsCollector::builder().service("orders").sink(test.sink()).enabled(true).build().unwrap()
}

fn lines(test: &TestSink) -> Vec<String> {
    test.lines().iter().map(ToString::to_string).collect()
}

#[test]
fn scenario_31_a_warm_invocation_carries_nothing_of_the_one_before_it() {
    let test = TestSink::new();
    let metrics = collector(&test);
    for id in ["first", "second"] {
        let context = request(id);
        let _active = context.activate();
        let _entered = context.enter();
        metrics.put_metric("A", 1.0, Unit::Count, &[("Only", id)]);
        metrics.event().put("B", 1.0, Unit::Count).property("only", id);
        // Of the same keys as the first: a document of its own.
        metrics.event().put("B", 2.0, Unit::Count).property("only", id);
        metrics.finish_invocation(&context);
        assert!(metrics.flush(LONG).is_complete());
    }
    let lines = lines(&test);
    assert_eq!(lines.len(), 4);
    assert_eq!(test.documents().unwrap().len(), 4);
    for (lines, own, other) in [(&lines[..2], "first", "second"), (&lines[2..], "second", "first")]
    {
        assert!(lines.iter().all(|line| line.contains(own) && !line.contains(other)), "{lines:?}");
    }
}

#[test]
fn scenario_32_sixty_four_invocations_at_once_keep_to_themselves() {
    let test = TestSink::new();
    let metrics = collector(&test);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).build().unwrap();
    runtime.block_on(async {
        let all: Vec<_> = (0..64)
            .map(|n| {
                let (metrics, context) = (metrics.clone(), request(&format!("request-{n}")));
                let handler = {
                    let context = context.clone();
                    async move {
                        let active = context.activate();
                        for _ in 0..10 {
                            metrics.put_metric("Own", f64::from(n), Unit::Count, &[]);
                            tokio::task::yield_now().await;
                            metrics.put_metric("Shared", 1.0, Unit::Count, &[]);
                            // Another one's flush takes nothing of this one's.
                            drop(metrics.flush_async(LONG).await);
                        }
                        metrics.put_metric("Own", f64::from(n), Unit::Count, &[]);
                        metrics.finish_invocation(&context);
                        drop(active);
                    }
                };
                tokio::spawn(handler.in_context(context))
            })
            .collect();
        for one in all {
            one.await.unwrap();
        }
    });
    let mut seen = BTreeSet::new();
    let (mut own, mut shared) = (0.0, 0.0);
    for line in lines(&test) {
        let document = obs_metrics::emf::validate(&line).unwrap();
        let id = line.split("request-").nth(1).unwrap().split('"').next().unwrap();
        let n: f64 = id.parse().unwrap();
        seen.insert(id.to_owned());
        for metric in document.metrics() {
            match metric.name() {
                "Own" => {
                    assert!(metric.values().iter().all(|(value, _)| *value == n), "{line}");
                    own += metric.count();
                }
                _ => shared += metric.count(),
            }
        }
    }
    assert_eq!((seen.len(), own, shared), (64, 704.0, 640.0));
}
