//! Where lines go: the process's shared stdout, or any `MakeWriter`.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

use obs_core::clock::{Clock, millis_since_epoch};
use obs_core::json::Object;
use obs_core::lane::{Batch, Delivery, Lines, Lost, Reason, Sink};
use obs_core::stdout;
use tracing_subscriber::fmt::MakeWriter;

use crate::format::Format;
use crate::text;
use crate::timestamp::Second;

/// Takes lines off the lane.
pub(crate) struct LineSink {
    output: Output,
    notice: LossNotice,
}

pub(crate) enum Output {
    Stdout,
    /// Called with each line, which ends with a line feed, and whether it is the last for now.
    Writer(WriteLine),
}

type WriteLine = Box<dyn FnMut(&[u8], bool) -> io::Result<()> + Send>;

impl Output {
    /// One writer per line, as `tracing_subscriber::fmt` does it; the last one of a batch is
    /// flushed, so that a buffering writer has passed on what a flush reports as delivered.
    pub(crate) fn writer<M>(make: M) -> Self
    where
        M: for<'w> MakeWriter<'w> + Send + 'static,
    {
        Self::Writer(Box::new(move |line, is_last| {
            let mut writer = make.make_writer();
            writer.write_all(line)?;
            if is_last { writer.flush() } else { Ok(()) }
        }))
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stdout => "Stdout",
            Self::Writer(_) => "Writer",
        })
    }
}

impl LineSink {
    pub(crate) fn new(output: Output, notice: LossNotice) -> Self {
        Self { output, notice }
    }
}

impl Sink<Lines> for LineSink {
    fn deliver(&mut self, batch: &mut Lines, delivery: &Delivery<'_>) {
        let last = batch.len();
        // Written, but perhaps only into a writer's buffer.
        let mut written = 0;
        for (number, line) in (1..).zip(batch.iter()) {
            let result = match &mut self.output {
                Output::Stdout => stdout::write_line(line),
                Output::Writer(write) => write(line, number == last),
            };
            match result {
                Ok(()) => written += 1,
                // What the last line's flush does not pass on are the lines before as well.
                Err(_) if number == last => {
                    delivery.failed(written + 1, Reason::SinkFailed);
                    written = 0;
                }
                Err(_) => delivery.failed(1, Reason::SinkFailed),
            }
        }
        delivery.delivered(written);
    }

    fn report_lost(&mut self, lost: &Lost, batch: &mut Lines) {
        batch.push(&self.notice.line(lost));
    }
}

/// Makes the line that says in the stream itself what was dropped.
pub(crate) struct LossNotice {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) format: Format,
    /// `,"service":"…","environment":"…"`
    pub(crate) tail: Box<[u8]>,
}

impl LossNotice {
    fn line(&self, lost: &Lost) -> Vec<u8> {
        let mut line = Vec::new();
        Second::default().write(&mut line, millis_since_epoch(self.clock.now()));
        line.extend_from_slice(
            br#","level":"WARN","message":"log lines were lost","logger":"obs_logging""#,
        );
        line.extend_from_slice(&self.tail);
        let mut members = Object::resume(&mut line, false);
        members.u64("lost", lost.total());
        let mut reasons = members.object("reasons");
        for (reason, n) in lost.by_reason() {
            reasons.u64(reason.as_str(), n);
        }
        reasons.end();
        members.end();
        if self.format == Format::Text {
            let mut readable = Vec::new();
            text::render(&line, &mut readable);
            return readable;
        }
        line
    }
}
