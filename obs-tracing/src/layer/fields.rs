//! The fields of spans and events that are not ours, as metadata.

use std::error::Error;
use std::fmt;

use tracing_core::Event;
use tracing_core::field::{Field as Key, Visit};
use tracing_core::span::Record;

use crate::failure::Failure;
use crate::record::{Field, SpanRecord};
use crate::value::{Value, bounded};

/// Adds each field to the record as metadata, under its own name.
pub(super) struct FieldCollector<'a>(pub(super) &'a mut SpanRecord);

impl FieldCollector<'_> {
    fn keep(&mut self, key: &Key, value: Value) {
        self.0.add_foreign(Field::metadata(key.name(), value));
    }
}

/// The fields of `values`, for a span whose record is locked while it is changed.
pub(super) fn collect(values: &Record<'_>) -> Vec<Field> {
    let mut fields = Fields(Vec::new());
    values.record(&mut fields);
    fields.0
}

struct Fields(Vec<Field>);

impl Fields {
    fn keep(&mut self, key: &Key, value: Value) {
        self.0.push(Field::metadata(key.name(), value));
    }
}

macro_rules! visit_values {
    ($($collector:ty),+) => {$(
        impl Visit for $collector {
            fn record_f64(&mut self, key: &Key, value: f64) {
                self.keep(key, value.into());
            }

            fn record_i64(&mut self, key: &Key, value: i64) {
                self.keep(key, value.into());
            }

            fn record_u64(&mut self, key: &Key, value: u64) {
                self.keep(key, value.into());
            }

            fn record_i128(&mut self, key: &Key, value: i128) {
                self.keep(key, value.into());
            }

            fn record_u128(&mut self, key: &Key, value: u128) {
                self.keep(key, value.into());
            }

            fn record_bool(&mut self, key: &Key, value: bool) {
                self.keep(key, value.into());
            }

            fn record_str(&mut self, key: &Key, value: &str) {
                self.keep(key, value.into());
            }

            fn record_error(&mut self, key: &Key, value: &(dyn Error + 'static)) {
                self.keep(key, Value::text(&value));
            }

            fn record_debug(&mut self, key: &Key, value: &dyn fmt::Debug) {
                self.keep(key, Value::text(&format_args!("{value:?}")));
            }
        }
    )+};
}

visit_values!(FieldCollector<'_>, Fields);

/// The field `error` of an event.
pub(super) struct ErrorField(Option<Failure>);

impl ErrorField {
    pub(super) fn of(event: &Event<'_>) -> Option<Failure> {
        let mut field = Self(None);
        event.record(&mut field);
        field.0
    }
}

impl Visit for ErrorField {
    fn record_error(&mut self, key: &Key, value: &(dyn Error + 'static)) {
        if key.name() == "error" {
            self.0 = Some(Failure::of_dyn(value, true));
        }
    }

    fn record_str(&mut self, key: &Key, value: &str) {
        if key.name() == "error" {
            self.0 = Some(Failure::of_message(bounded(&value)));
        }
    }

    fn record_debug(&mut self, key: &Key, value: &dyn fmt::Debug) {
        if key.name() == "error" {
            self.0 = Some(Failure::of_message(bounded(&format_args!("{value:?}"))));
        }
    }
}
