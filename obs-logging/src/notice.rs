//! Lines of the logger's own: what was lost, what was suppressed, that the level was changed.

use std::sync::Arc;

use obs_core::clock::Clock;
use obs_core::json::{self, Object};
use obs_core::lane::Lost;
use tracing_core::Level;

use crate::callsite::level_name;
use crate::format::Format;
use crate::text;
use crate::timestamp::Second;

/// Makes such lines, in the logger's format.
#[derive(Debug)]
pub(crate) struct Notices {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) format: Format,
    pub(crate) colors: bool,
    /// `,"service":"…","environment":"…"`
    pub(crate) tail: Box<[u8]>,
}

impl Notices {
    /// Such a line as JSON, whatever the format.
    pub(crate) fn json(
        &self,
        level: Level,
        message: &str,
        write: impl FnOnce(&mut Object<'_>),
    ) -> Vec<u8> {
        let mut line = Vec::new();
        Second::default().write(&mut line, self.clock.now());
        line.extend_from_slice(br#","level":"#);
        json::string(&mut line, level_name(level));
        line.extend_from_slice(br#","message":"#);
        json::string(&mut line, message);
        line.extend_from_slice(br#","logger":"obs_logging""#);
        line.extend_from_slice(&self.tail);
        let mut members = Object::resume(&mut line, false);
        write(&mut members);
        members.end();
        line
    }

    /// A line of [`Notices::json`] in the logger's format.
    pub(crate) fn formatted(&self, line: Vec<u8>) -> Vec<u8> {
        match self.format {
            Format::Json => line,
            Format::Text => {
                let mut readable = Vec::new();
                text::render(&line, &mut readable, self.colors);
                readable
            }
        }
    }

    /// Says what was lost on a lane.
    pub(crate) fn lost(&self, lost: &Lost) -> Vec<u8> {
        self.formatted(self.json(Level::WARN, "log lines were lost", |members| {
            members.u64("lost", lost.total());
            let mut reasons = members.object("reasons");
            for (reason, n) in lost.by_reason() {
                reasons.u64(reason.as_str(), n);
            }
            reasons.end();
        }))
    }
}
