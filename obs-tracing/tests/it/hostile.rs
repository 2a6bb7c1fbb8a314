//! Values of the application that panic while they are formatted.

use std::error::Error;
use std::fmt;

use obs_core::guard::PANICKED;
use obs_tracing::{annotate, metadata, traced};
use serde::{Serialize, Serializer};
use tracing::field;

use crate::support::record;

/// Panics whatever is asked of it.
pub(crate) struct Hostile;

impl fmt::Debug for Hostile {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("in a Debug")
    }
}

impl fmt::Display for Hostile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("begun, ")?;
        panic!("in a Display")
    }
}

impl Error for Hostile {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        panic!("in a source")
    }
}

/// Panics when it is serialized, after it has begun.
struct HostileJson;

impl Serialize for HostileJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeSeq;
        serializer.serialize_seq(None)?.serialize_element(&1)?;
        panic!("in a Serialize")
    }
}

#[derive(Debug)]
struct Receipt(Hostile);

/// Only `Debug`, so that this is what is asked.
#[derive(Debug)]
struct OnlyDebug(Hostile);

#[traced(
    annotate(shown = Hostile, debugged = OnlyDebug(Hostile), order = 7),
    metadata(json = HostileJson, shown = Hostile),
    ret
)]
fn charge() -> Receipt {
    metadata("debug", "payload", &HostileJson);
    annotate("reached", true);
    Receipt(Hostile)
}

#[traced(err)]
fn refuse() -> Result<(), Hostile> {
    Err(Hostile)
}

#[traced(err)]
fn refuse_boxed() -> Result<(), Box<dyn Error>> {
    Err(Box::new(Hostile))
}

#[test]
fn scenario_19_a_value_that_panics_is_a_marker_and_the_traced_function_goes_on() {
    let documents = record(|| {
        let Receipt(_) = charge();
    });
    let charge = documents.named("charge");
    assert_eq!(charge.status(), "success");
    assert_eq!(charge.annotation("shown"), PANICKED);
    assert_eq!(charge.annotation("debugged"), PANICKED);
    assert_eq!(charge.annotation("order"), 7);
    assert_eq!(charge.annotation("reached"), true);
    assert_eq!(charge.metadata("json"), PANICKED);
    assert_eq!(charge.metadata("shown"), PANICKED);
    assert_eq!(charge.metadata("return_value"), PANICKED);
    assert_eq!(charge.0["metadata"]["debug"]["payload"], PANICKED);
}

#[test]
fn scenario_19_an_error_that_panics_is_still_the_functions_error() {
    let documents = record(|| {
        assert!(refuse().is_err());
        assert!(refuse_boxed().is_err());
    });
    for (name, error_type) in [("refuse", "Hostile"), ("refuse_boxed", "unknown")] {
        let document = documents.named(name);
        assert_eq!(document.status(), "error");
        assert_eq!(document.annotation("error_type"), error_type);
        assert_eq!(document.exceptions(), [(error_type, PANICKED)]);
    }
}

#[test]
fn scenario_19_fields_of_spans_and_events_that_panic_are_markers() {
    let documents = record(|| {
        let span = tracing::info_span!("new", now = ?Hostile, n = 1, later = field::Empty);
        span.record("later", field::display(Hostile));
        let _entered = span.enter();
        tracing::error!(error = %Hostile, "logged");
        tracing::error!(error = &Hostile as &(dyn Error + 'static), "logged");
    });
    let new = documents.named("new");
    assert_eq!(new.metadata("now"), PANICKED);
    assert_eq!(new.metadata("later"), PANICKED);
    assert_eq!(new.metadata("n"), 1);
    assert_eq!(new.status(), "error");
    assert_eq!(new.exceptions(), [("unknown", PANICKED)]);
}
