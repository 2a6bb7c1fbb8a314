//! The level while the program runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use obs_logging::{Format, StructuredLogger};
use tracing::{debug, error, info, info_span, trace, warn};
use tracing_subscriber::layer::SubscriberExt;

use crate::capture::{Capture, Line, builder, subscriber};
use crate::process::{in_child, is_child};

#[test]
fn it_holds_for_layers_that_were_made_before_and_after() {
    let capture = Capture::default();
    let logger = builder(&capture).level("info").build().unwrap();
    let (one, two) = (subscriber(&logger), subscriber(&logger));
    let log = |name: &str| {
        debug!("debug in {name}");
        info!("info in {name}");
    };
    let one = tracing::Dispatch::new(one);
    tracing::dispatcher::with_default(&one, || log("one"));
    logger.set_level("debug").unwrap();
    tracing::dispatcher::with_default(&one, || log("one, later"));
    tracing::subscriber::with_default(two, || log("two"));
    logger.set_level("warn").unwrap();
    tracing::dispatcher::with_default(&one, || log("one, at last"));
    tracing::subscriber::with_default(subscriber(&logger), || {
        log("three");
        warn!("warn in three");
    });
    assert_eq!(
        capture.messages(),
        [
            "info in one",
            "debug in one, later",
            "info in one, later",
            "debug in two",
            "info in two",
            "warn in three"
        ]
    );
}

#[test]
fn a_wrong_level_is_an_error_and_leaves_the_old_one() {
    let capture = Capture::default();
    let logger = builder(&capture).level("info").build().unwrap();
    tracing::subscriber::with_default(subscriber(&logger), || {
        for wrong in ["loud", "", "orders=loud", "[charge=info"] {
            let error = logger.set_level(wrong).unwrap_err();
            assert!(error.is_level());
            let text = error.to_string();
            assert!(text.contains(&format!("{wrong:?} (given to set_level)")), "{text}");
        }
        debug!("hidden");
        info!("seen");
    });
    assert_eq!(logger.level(), "info");
    assert_eq!(capture.messages(), ["seen"]);
}

#[test]
fn a_clone_sets_it_for_all_and_another_logger_keeps_its_own() {
    let (one, two) = (Capture::default(), Capture::default());
    let loud = builder(&one).level("info").build().unwrap();
    let quiet = builder(&two).level("warn").build().unwrap();
    let both = tracing_subscriber::registry().with(loud.layer()).with(quiet.layer());
    tracing::subscriber::with_default(both, || {
        loud.clone().set_level("debug,noisy=off").unwrap();
        assert_eq!((loud.level(), quiet.level()), ("debug,noisy=off".into(), "warn".into()));
        debug!("for one");
        info!(target: "noisy", "for nobody");
        error!(target: "noisy", "for two");
        quiet.set_level("error,noisy=info").unwrap();
        warn!("for one");
        info!(target: "noisy", "for two");
    });
    assert_eq!(one.messages(), ["for one", "for one"]);
    assert_eq!(two.messages(), ["for two", "for two"]);
}

#[test]
fn directives_can_begin_and_cease_to_name_spans() {
    let capture = Capture::default();
    let logger = builder(&capture).level("info").build().unwrap();
    tracing::subscriber::with_default(subscriber(&logger), || {
        let before = info_span!("charge", n = 1);
        let entered = before.enter();
        logger.set_level("info,[charge]=trace").unwrap();
        trace!("in a span from before, which counts as not named");
        drop(entered);
        {
            let _charge = info_span!("charge", n = 2).entered();
            trace!("in a named span");
            logger.set_level("info").unwrap();
            trace!("hidden again");
            info!("still in its span");
        }
        trace!("hidden, after the span was left");
        logger.set_level("warn,[charge]=debug").unwrap();
        let _charge = info_span!("charge", n = 3).entered();
        debug!("again in a named span");
        trace!("below its level");
    });
    let lines = capture.lines();
    let found: Vec<_> =
        lines.iter().map(|line| (line["message"].as_str().unwrap(), &line["n"])).collect();
    assert_eq!(
        found,
        [
            ("in a named span", &2.into()),
            ("still in its span", &2.into()),
            ("again in a named span", &3.into())
        ]
    );
}

/// In a process of its own: subscribers that other tests make meanwhile are told of callsites without
/// a lock, as long as `tracing` takes itself to have one subscriber only.
#[test]
fn threads_log_while_it_is_set_a_thousand_times() {
    in_child("set_level::child_that_sets_it_a_thousand_times", |child| {
        // The lines are captured there; that they were checked is said here.
        assert_eq!(child.lines()[0]["checked"], true);
    });
}

#[test]
#[ignore = "run in a process of its own"]
fn child_that_sets_it_a_thousand_times() {
    const EACH: u64 = 2_000;
    if !is_child() {
        return;
    }
    let capture = Capture::default();
    let logger = builder(&capture).level("info").init().unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let setters: Vec<_> = (0..2)
        .map(|_| {
            let (logger, done) = (logger.clone(), Arc::clone(&done));
            std::thread::spawn(move || {
                let levels =
                    ["debug", "warn,logging=error", "error,[work]=trace", "info,noisy=off"];
                let mut set = 0;
                // A thousand times at least, and as long as somebody logs.
                while set < 1_000 || !done.load(Ordering::Relaxed) {
                    logger.set_level(levels[set % levels.len()]).unwrap();
                    set += 1;
                }
            })
        })
        .collect();
    let threads: Vec<_> = (0..3_u64)
        .map(|thread| {
            std::thread::spawn(move || {
                for n in 0..EACH {
                    let _work = info_span!("work", thread).entered();
                    debug!(n, "sometimes");
                    error!(n, "always");
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    done.store(true, Ordering::Relaxed);
    for setter in setters {
        setter.join().unwrap();
    }
    let lines = capture.lines();
    for thread in 0..3 {
        let seen: Vec<_> = lines
            .iter()
            .filter(|line| line["message"] == "always" && line["thread"] == thread)
            .map(|line| line["n"].as_u64().unwrap())
            .collect();
        assert_eq!(
            seen,
            (0..EACH).collect::<Vec<_>>(),
            "an error is a line at each of these levels"
        );
    }
    // What was set last, holds.
    logger.set_level("warn").unwrap();
    info!("hidden");
    warn!("seen");
    assert_eq!(capture.lines().last().unwrap()["message"], "seen");
    assert_eq!(capture.lines().len(), lines.len() + 1);
    println!(r#"{{"checked":true}}"#);
}

#[test]
fn callsites_that_were_switched_off_wake_and_the_log_crate_follows() {
    in_child("set_level::child_that_sets_the_level", |child| {
        let lines = child.lines();
        let messages: Vec<_> = lines.iter().map(Line::message).collect();
        assert_eq!(messages, ["tracing 2", "log 2", "named", "tracing 5", "log 5"]);
    });
}

#[test]
#[ignore = "run in a process of its own"]
fn child_that_sets_the_level() {
    if !is_child() {
        return;
    }
    let logger = StructuredLogger::builder().level("info").format(Format::Json).init().unwrap();
    // One callsite each, which `tracing` asks about once.
    let log = |n: u32| {
        debug!("tracing {n}");
        log::debug!("log {n}");
    };
    let set = |level: &str| logger.set_level(level).unwrap();
    assert_eq!(log::max_level(), log::LevelFilter::Info);
    log(1);
    set("debug");
    assert_eq!(log::max_level(), log::LevelFilter::Debug);
    log(2);
    set("off");
    assert_eq!(log::max_level(), log::LevelFilter::Off);
    log(3);
    set("info,old::client=trace");
    assert_eq!(log::max_level(), log::LevelFilter::Trace);
    log(4);
    log::trace!(target: "old::client", "named");
    assert!(logger.set_level("loud").is_err());
    set("debug");
    log(5);
    set("warn");
    log(6);
    assert!(logger.flush(Duration::from_secs(10)).is_complete());
}

#[test]
fn it_can_be_set_where_the_subscriber_is_not_heard() {
    in_child("set_level::child_with_a_subscriber_of_one_thread", |child| {
        let lines = child.lines();
        let messages: Vec<_> = lines.iter().map(Line::message).collect();
        assert_eq!(
            messages,
            ["info 1", "debug 2", "info 2", "info 3", "sets it", "debug 4", "info 4", "info 5"]
        );
    });
}

#[test]
#[ignore = "run in a process of its own"]
fn child_with_a_subscriber_of_one_thread() {
    struct SetsIt(StructuredLogger);
    impl std::fmt::Debug for SetsIt {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            self.0.set_level("debug").unwrap();
            f.write_str("set")
        }
    }
    if !is_child() {
        return;
    }
    // The only subscriber, and not the process's default: `tracing` has the fewest ways to find it.
    let logger = StructuredLogger::builder().level("info").format(Format::Json).build().unwrap();
    let only = tracing::Dispatch::new(subscriber(&logger));
    let log = |n: u32| {
        debug!("debug {n}");
        info!("info {n}");
    };
    tracing::dispatcher::with_default(&only, || {
        log(1);
        let elsewhere = |level: &'static str| {
            let logger = logger.clone();
            std::thread::spawn(move || logger.set_level(level).unwrap()).join().unwrap();
        };
        elsewhere("debug");
        log(2);
        elsewhere("info");
        log(3);
        info!(value = ?SetsIt(logger.clone()), "sets it");
        log(4);
    });
    // Outside of it, on its own thread.
    logger.set_level("info").unwrap();
    tracing::dispatcher::with_default(&only, || log(5));
    assert!(logger.flush(Duration::from_secs(10)).is_complete());
}
