//! A subscriber that has nothing but the logger writes what a layer among others writes.

use tracing::field::Empty;
use tracing::{Dispatch, debug, debug_span, error, info, info_span, trace, warn};

use crate::capture::{Capture, builder, subscriber};

fn story(change: impl Fn()) {
    for _ in 0..2 {
        let outer = info_span!("outer", n = 1, late = Empty);
        let _outer = outer.enter();
        error!("e");
        warn!(target: "other", "w");
        info!(n = 2, "i");
        {
            let _charge = debug_span!("charge", amount = 3).entered();
            outer.record("late", 4);
            debug!("d");
            trace!("t");
            info!(target: "other::deep", "i");
        }
        trace!(target: "other", "t");
        change();
    }
}

/// What is written by a layer, and by a subscriber that has no other.
fn lines(level: &str, then: &str) -> [String; 2] {
    [false, true].map(|alone| {
        let capture = Capture::default();
        let logger = builder(&capture).level(level).build().unwrap();
        let dispatch = match alone {
            true => Dispatch::new(logger.subscriber()),
            false => Dispatch::new(subscriber(&logger)),
        };
        tracing::dispatcher::with_default(&dispatch, || {
            story(|| logger.set_level(then).unwrap());
        });
        capture.text()
    })
}

#[test]
fn the_lines_are_those_of_a_layer_at_any_level() {
    let levels = [
        "off",
        "error",
        "info",
        "trace",
        "warn,other=trace",
        "info,other=off",
        "off,other::deep=info",
        "error,[charge]=trace",
        "info,[outer{n=1}]=debug",
    ];
    for level in levels {
        for then in levels {
            let [layer, alone] = lines(level, then);
            assert_eq!(alone, layer, "{level} then {then}");
        }
    }
    assert_eq!(lines("off", "off")[1], "");
    assert_eq!(lines("trace", "trace")[1].lines().count(), 14);
}

#[test]
fn a_callsite_below_the_level_is_switched_off() {
    let logger = builder(&Capture::default()).level("info,other=debug").build().unwrap();
    tracing::subscriber::with_default(logger.subscriber(), || {
        assert!(!tracing::enabled!(tracing::Level::DEBUG));
        assert!(tracing::enabled!(target: "other", tracing::Level::DEBUG));
        assert!(debug_span!("hidden").is_disabled());
    });
}
