//! Where documents go.

use std::fmt;
use std::io::Write;

use obs_core::lane::{Delivery, Lane, LaneBuilder, Lines, Lost, Sink as LaneSink};
use obs_core::stdout::{StdoutSink, WriterSink};
use obs_core::{env, json};

/// Where documents go, one line each.
///
/// Documents are queued and delivered by a thread of the sink's own, so that recording never waits
/// for the destination; with [`Sink::synchronous`] they are written on the caller's thread.
#[must_use = "a sink does nothing until a collector is built with it"]
pub struct Sink {
    target: Target,
    synchronous: Option<bool>,
    capacity: Option<usize>,
}

enum Target {
    Stdout,
    /// Starts the lane: the writer's type is known only here.
    Writer(Box<dyn FnOnce(LaneBuilder<Lines>) -> Lane<Lines> + Send>),
    Null,
}

impl Sink {
    /// Standard output, which Lambda and the log drivers of containers send to CloudWatch Logs.
    ///
    /// Queued, except in Lambda, where it is synchronous unless [`Sink::queued`] is asked for: the
    /// process is frozen at any time after a response.
    pub fn stdout() -> Self {
        Self::of(Target::Stdout)
    }

    /// Any writer: one `write` a line, `flush` after each batch.
    pub fn writer(writer: impl Write + Send + 'static) -> Self {
        Self::of(Target::Writer(Box::new(|lane| {
            lane.start(WriterSink::new(writer).on_lost(report_lost))
        })))
    }

    /// Nowhere: documents are made and thrown away.
    pub fn null() -> Self {
        Self::of(Target::Null)
    }

    /// Writes each document on the caller's thread, before the recording call returns.
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

    fn of(target: Target) -> Self {
        Self { target, synchronous: None, capacity: None }
    }

    pub(crate) fn start(self) -> Lane<Lines> {
        let (name, synchronous) = match self.target {
            Target::Stdout => ("emf-stdout", env::is_lambda()),
            Target::Writer(_) => ("emf-writer", false),
            // There is nothing to wait for.
            Target::Null => ("emf-null", true),
        };
        let mut lane = Lane::builder(name);
        if let Some(bytes) = self.capacity {
            lane = lane.capacity_bytes(bytes);
        }
        if self.synchronous.unwrap_or(synchronous) {
            lane = lane.synchronous();
        }
        match self.target {
            Target::Stdout => lane.start(StdoutSink::new().on_lost(report_lost)),
            Target::Writer(start) => start(lane),
            Target::Null => lane.start(NullSink),
        }
    }
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = match self.target {
            Target::Stdout => "stdout",
            Target::Writer(_) => "writer",
            Target::Null => "null",
        };
        f.debug_struct("Sink")
            .field("target", &target)
            .field("synchronous", &self.synchronous)
            .field("capacity", &self.capacity)
            .finish()
    }
}

struct NullSink;

impl LaneSink<Lines> for NullSink {
    fn deliver(&mut self, batch: &mut Lines, delivery: &Delivery<'_>) {
        use obs_core::lane::Batch as _;
        delivery.delivered(batch.len());
    }
}

/// Says in the stream how many documents found no room.
fn report_lost(lost: &Lost, lines: &mut Lines) {
    let mut line = Vec::new();
    let mut object = json::Object::begin(&mut line);
    object.str("level", "WARN").str("message", "metric documents were dropped");
    object.u64("documents_dropped", lost.total());
    for (reason, n) in lost.by_reason() {
        object.u64(reason.as_str(), n);
    }
    object.end();
    lines.push(&line);
}
