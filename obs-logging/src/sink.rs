//! Where lines go: the process's shared stdout, or any `MakeWriter`.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

use obs_core::lane::{Batch, Delivery, Lines, Lost, Reason, Sink};
use obs_core::stdout;
use tracing_subscriber::fmt::MakeWriter;

use crate::notice::Notices;

/// Takes lines off the lane.
pub(crate) struct LineSink {
    output: Output,
    notices: Arc<Notices>,
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
    pub(crate) fn new(output: Output, notices: Arc<Notices>) -> Self {
        Self { output, notices }
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
        batch.push(&self.notices.lost(lost));
    }
}
