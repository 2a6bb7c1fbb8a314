//! The sink against a real server on a loopback port.

mod contents;
mod delivery;
mod feedback;
mod server;
mod signature;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use obs_core::Identity;
use obs_core::clock::{Clock, ManualClock};
use obs_core::lane::{FlushReport, Reason};

use super::Otlp;
use crate::datum::{Datum, Kind, SeriesKey};
use crate::dimensions::DimensionSet;
use crate::sink::{Outputs, Sink, Start};
use crate::unit::{Resolution, Unit};

/// The time of what is recorded here.
const NOW: u64 = 1_700_000_000_000;

/// More than anything here takes.
const LONG: Duration = Duration::from_secs(20);

/// A clock that the test moves while the sink has it.
#[derive(Clone, Debug)]
struct SharedClock(Arc<ManualClock>);

impl SharedClock {
    fn at_now() -> Self {
        Self(Arc::new(ManualClock::at_millis(NOW)))
    }
}

impl Clock for SharedClock {
    fn now(&self) -> SystemTime {
        self.0.now()
    }
}

/// The sink by itself, started at [`NOW`] as a collector starts it.
fn start(otlp: Otlp) -> Outputs {
    start_with(otlp, &SharedClock::at_now())
}

fn start_with(otlp: Otlp, clock: &SharedClock) -> Outputs {
    let identity = Identity::new("orders", "test");
    let sink: Sink = otlp.clock(clock.clone()).into();
    sink.start(&Start {
        namespace: "App",
        dimensions: &DimensionSet::default(),
        identity: &identity,
        aws: &[],
    })
    .unwrap()
}

fn datum(name: &str, kind: Kind, unit: Unit, values: &[(f64, u64)]) -> Datum {
    let pairs = vec![("Pipeline".to_owned(), "sales".to_owned())];
    let key = SeriesKey {
        name: name.to_owned(),
        unit,
        resolution: Resolution::Standard,
        kind,
        dimensions: Arc::new(DimensionSet::of(pairs)),
    };
    Datum { key: Arc::new(key), timestamp_millis: NOW, values: values.to_vec().into() }
}

fn count(value: f64) -> Datum {
    datum("Processed", Kind::Counter, Unit::Count, &[(value, 1)])
}

fn push(outputs: &Outputs, data: &[Datum]) {
    data.iter().for_each(|datum| outputs.push_datum(datum));
}

fn flush(outputs: &Outputs, limit: Duration) -> FlushReport {
    outputs.begin_flush(limit).wait()
}

/// Delivered and failed, by reason; everything is accounted for.
#[track_caller]
fn check(report: &FlushReport, delivered: u64, failed: &[(Reason, u64)]) {
    let [lane] = report.lanes() else { panic!("{report:?}") };
    assert_eq!((lane.delivered, lane.reasons.as_slice()), (delivered, failed), "{report:?}");
    assert_eq!(report.pending(), 0, "{report:?}");
}
