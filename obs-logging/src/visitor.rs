//! Encodes the values that `tracing` hands out, by the plan of their callsite.

use std::borrow::Cow;
use std::error::Error;
use std::fmt::{Debug, Write as _};

use obs_core::guard::{self, PANICKED};
use obs_core::json::{self, Array, EscapedWriter};
use obs_core::redact::REDACTED;
use tracing_core::field::{Field, Visit};

use crate::callsite::{Callsite, Plan, Role};
use crate::failure::{self, Failure};
use crate::fields::{Fields, Key};

/// What a record of the `log` crate says of its origin, as JSON values; empty where it does not.
#[derive(Debug, Default)]
pub(crate) struct LogRecord {
    pub(crate) target: Vec<u8>,
    pub(crate) module: Vec<u8>,
    pub(crate) line: Vec<u8>,
}

impl LogRecord {
    fn clear(&mut self) {
        self.target.clear();
        self.module.clear();
        self.line.clear();
    }
}

/// Visits one event's or span's values.
#[derive(Debug)]
pub(crate) struct Visitor<'a> {
    callsite: &'a Callsite,
    fields: &'a mut Fields,
    /// Where the message goes: the line, which has come just that far.
    line: &'a mut Vec<u8>,
    /// The line's length before the message.
    message_at: usize,
    log_record: &'a mut LogRecord,
    /// Keys were added that the callsite does not know: they may repeat others.
    derived: bool,
}

impl<'a> Visitor<'a> {
    /// `fields` is emptied.
    pub(crate) fn new(
        callsite: &'a Callsite,
        fields: &'a mut Fields,
        line: &'a mut Vec<u8>,
        log_record: &'a mut LogRecord,
    ) -> Self {
        fields.clear();
        if callsite.is_log_record {
            log_record.clear();
        }
        let message_at = line.len();
        Self { callsite, fields, line, message_at, log_record, derived: false }
    }

    /// Afterwards the line has a message, and each field's name occurs once.
    pub(crate) fn finish(self) {
        if self.line.len() == self.message_at {
            self.line.extend_from_slice(br#""""#);
        }
        if self.derived || self.callsite.repeats {
            self.fields.dedupe();
        }
    }

    fn plan(&self, field: &Field) -> Option<&'a Plan> {
        self.callsite.fields.get(field.index())
    }

    /// A value that `write` writes as JSON without quotes.
    fn scalar(&mut self, field: &Field, write: impl FnOnce(&mut Vec<u8>)) {
        let Some(plan) = self.plan(field) else { return };
        match plan.role {
            Role::Plain | Role::Message if plan.redacted => self.redact(plan),
            Role::Plain => self.fields.push(&plan.key, write),
            // A message is always a string.
            Role::Message => self.message(|line| {
                line.push(b'"');
                write(line);
                line.push(b'"');
            }),
            Role::LogLine => write(&mut self.log_record.line),
            Role::LogTarget | Role::LogModule | Role::Unused => {}
        }
    }

    /// A value that `write` writes as a JSON string.
    fn string(&mut self, field: &Field, write: impl FnOnce(&mut Vec<u8>)) {
        let Some(plan) = self.plan(field) else { return };
        match plan.role {
            Role::Plain | Role::Message if plan.redacted => self.redact(plan),
            Role::Plain => self.fields.push(&plan.key, self.callsite.redacting(write)),
            Role::Message => self.message(self.callsite.redacting(write)),
            Role::LogTarget => write(&mut self.log_record.target),
            Role::LogModule => write(&mut self.log_record.module),
            Role::LogLine | Role::Unused => {}
        }
    }

    fn redact(&mut self, plan: &Plan) {
        let write = |out: &mut Vec<u8>| json::string(out, REDACTED);
        match plan.role {
            Role::Message => self.message(write),
            _ => self.fields.push(&plan.key, write),
        }
    }

    fn message(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        // `info!(message = "a", "b")` has two.
        self.line.truncate(self.message_at);
        write(self.line);
    }

    fn failure(&mut self, plan: &Plan, failure: &Failure) {
        let redactor = &self.callsite.redactor;
        self.failure_parts(plan, failure, |text| redactor.redact(text));
    }

    fn failure_parts(
        &mut self,
        plan: &Plan,
        failure: &Failure,
        redact: impl Fn(&str) -> Cow<'_, str>,
    ) {
        self.derived = true;
        let name = match plan.name {
            "err" => "error",
            name => name.strip_prefix("r#").unwrap_or(name),
        };
        let key = |part: &str| Key::new(&format!("{name}_{part}"));
        // It may be a word of the error's own text: see `error_type::of_dyn`.
        self.fields.push(&key("type"), |out| json::string(out, &redact(&failure.type_name)));
        self.fields.push(&key("message"), |out| {
            json::string(out, &redact(&failure.message));
        });
        self.fields.push(&key("chain"), |out| {
            let mut chain = Array::begin(out);
            for cause in &failure.chain {
                chain.str(&redact(cause));
            }
            chain.end();
        });
        if !self.callsite.is_event {
            // They would be in each of the span's lines, also in one that tells of another error.
            return;
        }
        if let Some(location) = &failure.location {
            self.fields.push(&key("location"), |out| json::string(out, &redact(location)));
        }
        if let Some(traceback) = &failure.traceback {
            // `error_traceback` would be a name that nobody looks for.
            let key = if name == "error" { Key::new("traceback") } else { key("traceback") };
            self.fields.push(&key, |out| json::string(out, &redact(traceback)));
        }
    }

    /// Takes the parts of a report in the place of its text, where the last field is one.
    fn split_report(&mut self, plan: &Plan) {
        if let Some(failure) = Failure::of_report_text(self.fields.last_value()) {
            self.fields.pop();
            // The text was searched as a whole.
            self.failure_parts(plan, &failure, |text| text.into());
        }
    }
}

impl Visit for Visitor<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.scalar(field, |out| json::float(out, value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.scalar(field, |out| json::int(out, value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.scalar(field, |out| json::uint(out, value));
    }

    // Beyond 64 bits most readers of JSON lose digits: a string keeps them.
    fn record_i128(&mut self, field: &Field, value: i128) {
        match i64::try_from(value) {
            Ok(small) => self.record_i64(field, small),
            Err(_) => self.string(field, |out| json::display(out, value)),
        }
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        match u64::try_from(value) {
            Ok(small) => self.record_u64(field, small),
            Err(_) => self.string(field, |out| json::display(out, value)),
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.scalar(field, |out| json::boolean(out, value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.string(field, |out| json::string(out, value));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        match self.plan(field) {
            Some(plan) if plan.role == Role::Plain && !plan.redacted => {
                self.failure(plan, &Failure::of_unknown(value));
            }
            _ => self.string(field, |out| debug(out, &tracing_core::field::display(value))),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // A message is a text, whatever it is made of.
        if self.plan(field).is_some_and(|plan| plan.role == Role::Message) {
            return self.string(field, |out| debug(out, value));
        }
        let mut aside = None;
        self.string(field, |out| aside = failure::asking(|| debug(out, value)));
        let Some(plan) = self.plan(field).filter(|plan| plan.role == Role::Plain) else { return };
        let Some(failure) = aside else {
            if matches!(plan.name, "error" | "err") && !plan.redacted {
                self.split_report(plan);
            }
            return;
        };
        let mut alone = Vec::new();
        json::string(&mut alone, &self.callsite.redactor.redact(&failure.message));
        // Something that contains an error is not an error.
        if self.fields.last_value() == alone {
            self.fields.pop();
            self.failure(plan, &failure);
        }
    }
}

/// Writes a value's `Debug` form as a JSON string; a marker where it panics.
pub(crate) fn debug(out: &mut Vec<u8>, value: &dyn Debug) {
    let start = out.len();
    let written = guard::caught(|| {
        out.push(b'"');
        // The writer never fails; an error of the value's own ends its text here.
        let _ = write!(EscapedWriter::new(out), "{value:?}");
        out.push(b'"');
    });
    if written.is_none() {
        out.truncate(start);
        json::string(out, PANICKED);
    }
}
