//! Lines of the logger's own: what was lost, what was suppressed, that the level was changed.

use std::sync::Arc;

use obs_core::clock::{Clock, millis_since_epoch};
use obs_core::json::{self, Object};
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
    pub(crate) fn line(
        &self,
        level: Level,
        message: &str,
        write: impl FnOnce(&mut Object<'_>),
    ) -> Vec<u8> {
        let mut line = Vec::new();
        Second::default().write(&mut line, millis_since_epoch(self.clock.now()));
        line.extend_from_slice(br#","level":"#);
        json::string(&mut line, level_name(level));
        line.extend_from_slice(br#","message":"#);
        json::string(&mut line, message);
        line.extend_from_slice(br#","logger":"obs_logging""#);
        line.extend_from_slice(&self.tail);
        let mut members = Object::resume(&mut line, false);
        write(&mut members);
        members.end();
        if self.format == Format::Text {
            let mut readable = Vec::new();
            text::render(&line, &mut readable, self.colors);
            return readable;
        }
        line
    }
}
