use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::ids::{SpanId, TraceId};

/// What is active is the process's: tests that look at it take turns.
static TURN: Mutex<()> = Mutex::new(());

fn named(id: &str) -> RequestContext {
    RequestContext::builder().request_id(id).build()
}

fn current_id() -> Option<String> {
    RequestContext::current().and_then(|context| context.request_id().map(str::to_owned))
}

#[test]
fn guards_nest_and_restore_what_was_before() {
    let _turn = lock(&TURN);
    assert_eq!(current_id(), None);
    let outer = named("outer").enter();
    {
        let _inner = named("inner").enter();
        assert_eq!(current_id().as_deref(), Some("inner"));
    }
    assert_eq!(current_id().as_deref(), Some("outer"));
    drop(outer);
    assert_eq!(current_id(), None);
}

#[test]
fn scenario_31_guards_that_are_dropped_in_another_order_leave_nothing_behind() {
    let _turn = lock(&TURN);
    let (first, second) = (named("first").enter(), named("second").enter());
    drop(first);
    assert_eq!(current_id().as_deref(), Some("second"));
    let third = named("third").enter();
    drop(second);
    assert_eq!(current_id().as_deref(), Some("third"));
    drop(third);
    assert_eq!(current_id(), None);
}

#[test]
fn a_thread_without_a_context_sees_the_one_active_request_and_no_other() {
    let _turn = lock(&TURN);
    let on_a_thread = || std::thread::spawn(current_id).join().unwrap();
    assert_eq!(on_a_thread(), None);
    let first = named("first").activate();
    assert_eq!(on_a_thread().as_deref(), Some("first"));
    let second = named("second").activate();
    assert_eq!(on_a_thread(), None, "with two active, none is better than the wrong one");
    drop(first);
    assert_eq!(on_a_thread().as_deref(), Some("second"));
    drop(second);
    assert_eq!(on_a_thread(), None);
}

#[test]
fn scenario_31_a_request_carries_nothing_of_the_one_before() {
    let _turn = lock(&TURN);
    let first = named("first");
    first.append("order_id", 17);
    first.extension_or_insert_with(|| 42_u32);
    drop(first.activate());
    let second = named("second");
    let _active = second.activate();
    let seen = RequestContext::current().unwrap();
    assert_eq!(seen.request_id(), Some("second"));
    assert_eq!(seen.extension::<u32>(), None);
    seen.appended(|key, _| panic!("{key} is of the request before"));
}

#[test]
fn log_fields_are_those_that_there_are() {
    let trace_id = TraceId::from_xray("1-5759e988-bd862e3fe1be46a994272793").unwrap();
    let trace = TraceParent { trace_id, parent_id: SpanId::from_u64(1), sampled: Some(true) };
    let context = RequestContext::builder()
        .request_id("r\"1")
        .correlation_id("c")
        .cold_start(false)
        .trace(trace)
        .build();
    let mut line = Vec::new();
    let mut object = Object::begin(&mut line);
    context.write_log_fields(&mut object);
    object.end();
    assert_eq!(
        String::from_utf8(line).unwrap(),
        r#"{"correlation_id":"c","function_request_id":"r\"1","cold_start":false}"#
    );
    assert_eq!(context.xray_trace_id(), Some("1-5759e988-bd862e3fe1be46a994272793"));

    let mut line = Vec::new();
    let mut object = Object::begin(&mut line);
    RequestContext::builder().build().write_log_fields(&mut object);
    object.end();
    assert_eq!(line, b"{}");
}

#[test]
fn appended_fields_keep_their_order_and_are_replaced_by_name() {
    let context = named("r");
    context.append("a", 1);
    context.append("b", "two\n");
    context.append("a", 3);
    let mut seen = Vec::new();
    context.appended(|key, value| {
        seen.push((key.to_owned(), String::from_utf8(value.to_vec()).unwrap()));
    });
    assert_eq!(seen, [("a".into(), "\"3\"".into()), ("b".into(), "\"two\\n\"".into())]);
}

#[test]
fn appended_fields_keep_their_types_and_can_be_taken_away() {
    let context = named("r");
    let seen = || {
        let mut seen = String::new();
        context.appended(|key, value| {
            seen += key;
            seen += std::str::from_utf8(value).unwrap();
        });
        seen
    };
    context.append_json("a", |out| json::uint(out, 4711));
    context.append_json("b", |out| json::boolean(out, true));
    context.append_json("b", |_| ());
    assert_eq!(seen(), "a4711btrue");
    assert!(context.remove_appended("a"));
    assert!(!context.remove_appended("a"));
    assert_eq!(seen(), "btrue");
    context.append_json("c", |out| {
        // What writes a value may use the context.
        context.append("b", "inner");
        json::int(out, -1);
    });
    assert_eq!(seen(), "b\"inner\"c-1");
}

#[test]
fn extensions_are_found_by_type_and_made_once() {
    let context = named("r");
    let made = AtomicUsize::new(0);
    let make = || {
        made.fetch_add(1, Ordering::Relaxed);
        String::from("kept")
    };
    assert_eq!(context.extension::<String>(), None);
    assert_eq!(*context.extension_or_insert_with(make), "kept");
    assert_eq!(*context.clone().extension_or_insert_with(make), "kept");
    assert_eq!(made.into_inner(), 1);
    assert_eq!(
        context.insert_extension(String::from("new")).as_deref().map(String::as_str),
        Some("kept")
    );
    assert_eq!(context.extension::<String>().as_deref().map(String::as_str), Some("new"));
}

#[test]
fn scenario_33_a_future_that_is_dropped_early_is_dropped_in_its_context() {
    struct Seen(Arc<Mutex<Option<String>>>);
    impl Drop for Seen {
        fn drop(&mut self) {
            *lock(&self.0) = current_id();
        }
    }
    let seen = Arc::new(Mutex::new(None));
    let guard = Seen(Arc::clone(&seen));
    let future = async move {
        let _guard = guard;
        std::future::pending::<()>().await;
    };
    let mut future = Box::pin(future.in_context(named("dropped")));
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(future.as_mut().poll(&mut cx).is_pending());
    drop(future);
    assert_eq!(lock(&seen).as_deref(), Some("dropped"));
}

#[cfg(feature = "tokio")]
#[test]
fn scenario_32_sixty_four_requests_at_once_see_only_their_own_ids() {
    let _turn = lock(&TURN);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let requests = (0..64).map(|n| {
            let context = named(&format!("request-{n}"));
            let active = context.activate();
            let work = async move {
                let own = format!("request-{n}");
                for round in 0..20 {
                    assert_eq!(current_id().as_deref(), Some(&*own));
                    let child = spawn(async move {
                        tokio::task::yield_now().await;
                        current_id()
                    });
                    assert_eq!(child.await.unwrap().as_deref(), Some(&*own));
                    tokio::time::sleep(std::time::Duration::from_micros(round)).await;
                }
                let blocking = RequestContext::current().unwrap().wrap(current_id);
                assert_eq!(
                    tokio::task::spawn_blocking(blocking).await.unwrap().as_deref(),
                    Some(&*own)
                );
                drop(active);
            };
            tokio::spawn(work.in_context(context))
        });
        for request in requests.collect::<Vec<_>>() {
            request.await.unwrap();
        }
    });
}

#[test]
fn what_reads_the_current_context_may_enter_and_leave_contexts() {
    let _turn = lock(&TURN);
    let outer = named("outer");
    let held = RefCell::new(Some(outer.enter()));
    let (inner, seen) = RequestContext::with_current(|context| {
        let inner = named("inner").enter();
        assert_eq!(current_id().as_deref(), Some("inner"));
        // The one that is being read is left, and stays as it is while it is read.
        held.take();
        assert_eq!(current_id().as_deref(), Some("inner"));
        (inner, context.and_then(RequestContext::request_id).map(str::to_owned))
    });
    assert_eq!(seen.as_deref(), Some("outer"));
    assert_eq!(current_id().as_deref(), Some("inner"), "entered within, left without");
    drop(inner);
    assert_eq!(current_id(), None);
    assert_eq!(Arc::strong_count(&outer.0), 1, "nothing keeps it");
}

#[test]
fn the_last_handle_of_a_context_may_go_while_it_is_read_and_run_any_code() {
    struct Enters(Arc<Mutex<Vec<Option<String>>>>);
    impl Drop for Enters {
        fn drop(&mut self) {
            let _entered = named("while dropped").enter();
            lock(&self.0).push(current_id());
        }
    }
    let _turn = lock(&TURN);
    let seen = Arc::new(Mutex::new(Vec::new()));
    for is_slot in [false, true] {
        let context = named("read");
        if is_slot {
            context.slot(|| Enters(Arc::clone(&seen)));
        } else {
            context.insert_extension(Enters(Arc::clone(&seen)));
        }
        let entered = Cell::new(Some(context.enter()));
        drop(context);
        RequestContext::with_current(|context| {
            drop(entered.take());
            assert_eq!(context.unwrap().request_id(), Some("read"));
        });
        assert_eq!(current_id(), None);
    }
    assert_eq!(*lock(&seen), [Some("while dropped".to_owned()), Some("while dropped".to_owned())]);
}

#[test]
fn scenario_31_a_thread_that_saw_the_active_request_does_not_keep_it() {
    let _turn = lock(&TURN);
    let first = named("first");
    let active = first.activate();
    for _ in 0..3 {
        assert_eq!(current_id().as_deref(), Some("first"));
    }
    drop(active);
    assert_eq!(current_id(), None);
    assert_eq!(Arc::strong_count(&first.0), 1, "nothing keeps it");
    let _second = named("second").activate();
    for _ in 0..3 {
        assert_eq!(current_id().as_deref(), Some("second"));
    }
    let _third = named("third").activate();
    assert_eq!(current_id(), None);
}

#[test]
fn slots_are_found_by_type_and_made_once() {
    let context = named("r");
    assert_eq!(context.slot_if_made::<String>(), None);
    assert_eq!(context.slot(|| 1_u8), &1);
    assert_eq!(context.slot(|| String::from("kept")), "kept");
    assert_eq!(context.clone().slot(|| String::from("late")), "kept");
    assert_eq!(context.slot(|| 2_u16), &2);
    assert_eq!(context.slot_if_made::<u8>(), Some(&1));
    assert_eq!(context.slot_if_made::<u16>(), Some(&2));
    assert_eq!(context.slot_if_made::<u32>(), None);
    assert_eq!(context.extension::<String>(), None, "extensions are another matter");
}

#[test]
fn what_makes_a_slot_may_use_the_context_also_for_the_same_slot() {
    let context = named("r");
    let value = context.slot(|| {
        assert_eq!(context.slot(|| 7_u8), &7);
        context.slot(|| String::from("first"));
        String::from("second")
    });
    assert_eq!(value, "first");
    assert_eq!(context.slot_if_made::<u8>(), Some(&7));
}

#[test]
fn threads_that_make_a_slot_at_once_get_the_same() {
    for _ in 0..100 {
        let context = named("r");
        let barrier = std::sync::Barrier::new(4);
        let made: Vec<_> = std::thread::scope(|scope| {
            let threads = [0_usize, 1, 2, 3].map(|thread| {
                let (context, barrier) = (&context, &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    // Two types at once: one of them finds its place taken by the other.
                    if thread % 2 == 0 {
                        context.slot(|| thread);
                    }
                    let text = context.slot(|| thread.to_string());
                    (std::ptr::from_ref(text).addr(), *context.slot(|| thread))
                })
            });
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(made.iter().all(|seen| *seen == made[0]), "{made:?}");
    }
}
