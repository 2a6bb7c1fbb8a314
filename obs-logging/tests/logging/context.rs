//! The request's own data, isolated per task.

use obs_core::context::{InContextExt, RequestContext};
use tracing::{Instrument, info, info_span};

use crate::capture::{Capture, builder, captured, subscriber};

#[test]
fn scenario_31_a_request_carries_nothing_of_the_one_before() {
    let lines = captured(|| {
        for n in 0..2 {
            let request =
                RequestContext::builder().request_id(format!("r-{n}")).cold_start(n == 0).build();
            let _request = request.enter();
            if n == 0 {
                request.append("order_id", "o-1");
            }
            info!("in a request");
        }
        info!("in none");
    })
    .lines();
    assert_eq!(lines[0]["function_request_id"], "r-0");
    assert_eq!(lines[0]["cold_start"], true);
    assert_eq!(lines[0]["order_id"], "o-1");
    assert_eq!(lines[1]["function_request_id"], "r-1");
    assert_eq!(lines[1]["cold_start"], false);
    assert!(!lines[1].has("order_id"));
    assert!(!lines[2].has("function_request_id"));
}

#[test]
fn scenario_29_what_is_appended_gives_way_to_spans_and_events() {
    let request = RequestContext::builder().build();
    request.append("a", "request's");
    request.append("b", "request's");
    request.append("c", "request's");
    request.append("c", "request's, replaced");
    let line = captured(|| {
        let _request = request.enter();
        let _span = info_span!("work", a = "span's").entered();
        info!(b = "event's", "x");
    })
    .line();
    assert_eq!(line["a"], "span's");
    assert_eq!(line["b"], "event's");
    assert_eq!(line["c"], "request's, replaced");
}

#[test]
fn scenario_32_sixty_four_requests_at_once_each_log_their_own_ids() {
    const REQUESTS: usize = 64;
    const LINES: usize = 8;
    let capture = Capture::default();
    let logger = builder(&capture).queued().build().unwrap();
    let dispatch = tracing::Dispatch::new(subscriber(&logger));
    let on_thread = dispatch.clone();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_time()
        .on_thread_start(move || {
            // For the life of the thread, which ends with the runtime.
            std::mem::forget(tracing::dispatcher::set_default(&on_thread));
        })
        .build()
        .unwrap();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..REQUESTS)
            .map(|n| {
                let request = RequestContext::builder().request_id(format!("r-{n}")).build();
                request.append("appended", n);
                let work = async move {
                    for step in 0..LINES {
                        info!(n, step, "working");
                        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
                    }
                };
                let span = tracing::dispatcher::with_default(&dispatch, || {
                    info_span!("request", in_span = n)
                });
                tokio::spawn(work.instrument(span).in_context(request))
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    drop(runtime);
    assert!(logger.flush(std::time::Duration::from_secs(10)).is_complete());
    let lines = capture.lines();
    assert_eq!(lines.len(), REQUESTS * LINES);
    for line in lines {
        let n = line["n"].as_u64().unwrap();
        assert_eq!(line["function_request_id"], format!("r-{n}"));
        assert_eq!(line["appended"], n.to_string());
        assert_eq!(line["in_span"], n);
    }
}

#[test]
fn a_thread_without_a_request_sees_the_only_active_one() {
    // In a process of its own: other tests' requests would be active too.
    crate::process::in_child("context::child_with_one_active_request", |child| {
        let lines = child.lines();
        assert_eq!(lines[0]["function_request_id"], "r-1");
        assert!(!lines[1].has("function_request_id"));
    });
}

#[test]
#[ignore = "run in a process of its own"]
fn child_with_one_active_request() {
    if !crate::process::is_child() {
        return;
    }
    let capture = captured(|| {
        let request = RequestContext::builder().request_id("r-1").build();
        let active = request.activate();
        info!("one");
        let second = RequestContext::builder().request_id("r-2").build();
        let _also = second.activate();
        info!("two, so neither");
        drop(active);
    });
    print!("{}", capture.text());
}
