//! Where documents go.

mod agent;
mod destination;
#[cfg(feature = "file")]
mod file;
mod output;

use std::fmt;
use std::io::Write;

use obs_core::lane::{
    Batch as _, Delivery, Lane, LaneBuilder, Lines, Lost, Records, Sink as LaneSink,
};
use obs_core::stdout::{StdoutSink, WriterSink};
use obs_core::{Identity, env, json};

use crate::Error;
use crate::datum::Datum;
use crate::dimensions::DimensionSet;
use destination::Destination;
#[cfg(feature = "file")]
pub use file::Rotation;
pub(crate) use output::{Flushes, Outputs};

/// Where documents go, one line each.
///
/// Documents are queued and delivered by a thread of the sink's own, so that recording never waits
/// for the destination; with [`Sink::synchronous`] they are written on the caller's thread.
#[must_use = "a sink does nothing until a collector is built with it"]
pub struct Sink {
    target: Target,
    synchronous: Option<bool>,
    capacity: Option<usize>,
    destination: Destination,
    /// The most bytes that a line may have, without its line feed.
    largest_line: usize,
}

/// What a sink is told of its collector when it begins.
#[derive(Debug)]
#[cfg_attr(
    not(all(feature = "cloudwatch", feature = "otlp")),
    expect(dead_code, reason = "some fields are for sinks that are features")
)]
pub(crate) struct Start<'a> {
    pub(crate) namespace: &'a str,
    /// The collector's own dimensions.
    pub(crate) dimensions: &'a DimensionSet,
    pub(crate) identity: &'a Identity,
    /// Members of `_aws` that say which log group and stream documents are for, encoded.
    pub(crate) aws: &'a [u8],
}

type StartLines =
    Box<dyn FnOnce(LaneBuilder<Lines>, &Start<'_>) -> Result<Lane<Lines>, Error> + Send>;
type StartSeries = Box<
    dyn FnOnce(LaneBuilder<Records<Datum>>, &Start<'_>) -> Result<Lane<Records<Datum>>, Error>
        + Send,
>;

enum Target {
    /// Takes lines. Starts the lane: the sink's type is known only here.
    Lines { name: &'static str, synchronous: bool, start: StartLines },
    /// Takes aggregated series.
    Series { name: &'static str, start: StartSeries },
    /// Each of several.
    Tee(Vec<Sink>),
}

impl Sink {
    /// Standard output, which Lambda and the log drivers of containers send to CloudWatch Logs.
    ///
    /// Queued, except in Lambda, where it is synchronous unless [`Sink::queued`] is asked for: the
    /// process is frozen at any time after a response.
    pub fn stdout() -> Self {
        Self::lines("emf-stdout", env::is_lambda(), |lane, _| {
            Ok(lane.start(StdoutSink::new().on_lost(report_lost)))
        })
    }

    /// Any writer: one `write` a line, `flush` after each batch.
    pub fn writer(writer: impl Write + Send + 'static) -> Self {
        Self::lines("emf-writer", false, |lane, _| {
            Ok(lane.start(WriterSink::new(writer).on_lost(report_lost)))
        })
    }

    /// Nowhere: documents are made and thrown away.
    pub fn null() -> Self {
        // There is nothing to wait for.
        Self::lines("emf-null", true, |lane, _| Ok(lane.start(NullSink)))
    }

    /// Each of `sinks`: everything goes to all of them, and none waits for another.
    ///
    /// Of none it is an error of [`build`](crate::MetricsCollectorBuilder::build): [`Error::is_sink`].
    pub fn tee(sinks: impl IntoIterator<Item = Sink>) -> Self {
        Self::of(Target::Tee(sinks.into_iter().collect()))
    }

    /// Writes each document on the caller's thread, before the recording call returns.
    ///
    /// Of sinks that call a service's API, and of a tee, which leaves it to its parts, it changes nothing.
    pub fn synchronous(mut self) -> Self {
        self.synchronous = Some(true);
        self
    }

    /// Delivers from a thread of the sink's own, in Lambda too: flush before the response.
    pub fn queued(mut self) -> Self {
        self.synchronous = Some(false);
        self
    }

    /// The most bytes that wait for delivery. Default 4 MiB. What finds no room is dropped, counted,
    /// and reported in the stream as soon as it moves again.
    pub fn capacity_bytes(mut self, bytes: usize) -> Self {
        self.capacity = Some(bytes);
        self
    }

    /// A sink that takes lines; `synchronous` unless it is said otherwise.
    pub(crate) fn lines(
        name: &'static str,
        synchronous: bool,
        start: impl FnOnce(LaneBuilder<Lines>, &Start<'_>) -> Result<Lane<Lines>, Error>
        + Send
        + 'static,
    ) -> Self {
        Self::of(Target::Lines { name, synchronous, start: Box::new(start) })
    }

    /// A sink that takes aggregated series.
    #[cfg_attr(
        not(any(test, feature = "cloudwatch", feature = "otlp")),
        expect(dead_code, reason = "sinks that send series are features")
    )]
    pub(crate) fn series(
        name: &'static str,
        start: impl FnOnce(
            LaneBuilder<Records<Datum>>,
            &Start<'_>,
        ) -> Result<Lane<Records<Datum>>, Error>
        + Send
        + 'static,
    ) -> Self {
        Self::of(Target::Series { name, start: Box::new(start) })
    }

    fn of(target: Target) -> Self {
        Self {
            target,
            synchronous: None,
            capacity: None,
            destination: Destination::default(),
            largest_line: usize::MAX,
        }
    }

    /// # Errors
    ///
    /// What the sink needs cannot be had.
    pub(crate) fn start(self, with: &Start<'_>) -> Result<Outputs, Error> {
        let mut outputs = Outputs::default();
        match self.target {
            Target::Lines { name, synchronous, start } => {
                let mut lane = with_capacity(Lane::builder(name), self.capacity);
                if self.synchronous.unwrap_or(synchronous) {
                    lane = lane.synchronous();
                }
                outputs.lines.push(start(lane, with)?);
            }
            Target::Series { name, start } => {
                let lane = with_capacity(Lane::builder(name), self.capacity);
                outputs.series.push(start(lane, with)?);
            }
            Target::Tee(sinks) if sinks.is_empty() => {
                return Err(Error::sink("a tee without sinks loses everything"));
            }
            Target::Tee(sinks) => {
                for sink in sinks {
                    outputs.add(sink.start(with)?);
                }
            }
        }
        Ok(outputs)
    }
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Sink");
        match &self.target {
            Target::Lines { name, .. } | Target::Series { name, .. } => debug.field("target", name),
            Target::Tee(sinks) => debug.field("target", sinks),
        };
        if self.destination != Destination::default() {
            debug.field("destination", &self.destination);
        }
        debug.field("synchronous", &self.synchronous).field("capacity", &self.capacity).finish()
    }
}

fn with_capacity<B: obs_core::lane::Batch>(
    lane: LaneBuilder<B>,
    bytes: Option<usize>,
) -> LaneBuilder<B> {
    match bytes {
        Some(bytes) => lane.capacity_bytes(bytes),
        None => lane,
    }
}

struct NullSink;

impl LaneSink<Lines> for NullSink {
    fn deliver(&mut self, batch: &mut Lines, delivery: &Delivery<'_>) {
        delivery.delivered(batch.len());
    }
}

/// Says in the stream how many documents found no room.
pub(crate) fn report_lost(lost: &Lost, lines: &mut Lines) {
    write_lost(lost, lines, |_| {});
}

/// As [`report_lost`], with members in front.
fn write_lost(lost: &Lost, lines: &mut Lines, front: impl FnOnce(&mut json::Object<'_>)) {
    let mut line = Vec::new();
    let mut object = json::Object::begin(&mut line);
    front(&mut object);
    object.str("level", "WARN").str("message", "metric documents were dropped");
    object.u64("documents_dropped", lost.total());
    for (reason, n) in lost.by_reason() {
        object.u64(reason.as_str(), n);
    }
    object.end();
    lines.push(&line);
}
