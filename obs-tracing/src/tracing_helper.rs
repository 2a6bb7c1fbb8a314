//! Segments whose names are not known when the program is written.

use std::borrow::Cow;

use tracing::{Span, field};

use crate::failure::Failure;
use crate::layer::with_span;
use crate::record::Field;
use crate::traced::Frame;
use crate::value::Value;

/// Makes segments by function calls, where [`traced`](macro@crate::traced) and
/// [`trace_function!`](crate::trace_function) do not fit: their names may be made at run time.
///
/// In log lines the span's own name stands, `trace_function` or `custom_segment`; the segment has
/// the name that is given.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct TracingHelper;

impl TracingHelper {
    /// Runs `work` in a segment of this name. Its status is `success`, or `panicked`, whatever `work`
    /// returns; see [`TracingHelper::try_trace_function`].
    ///
    /// ```
    /// use obs_tracing::TracingHelper;
    ///
    /// let table = "orders";
    /// let n = TracingHelper::trace_function(format!("load {table}"), || 17);
    /// assert_eq!(n, 17);
    /// ```
    pub fn trace_function<R>(name: impl Into<Cow<'static, str>>, work: impl FnOnce() -> R) -> R {
        let span = tracing::info_span!("trace_function", obs.traced = field::Empty);
        rename(&span, name);
        let mut frame = Frame::new(span);
        let result = frame.call(work);
        frame.end_well();
        result
    }

    /// As [`TracingHelper::trace_function`], of work that may fail: with an `Err` the status is
    /// `error`, and `error_type` the type's name. To have the message too, or whose doing the error
    /// is, use [`trace_function!`](crate::trace_function) or [`#[traced]`](macro@crate::traced).
    ///
    /// ```
    /// use obs_tracing::TracingHelper;
    ///
    /// let n = TracingHelper::try_trace_function("read limit", || "17".parse::<u32>());
    /// assert_eq!(n, Ok(17));
    /// ```
    ///
    /// # Errors
    ///
    /// Those of `work`.
    pub fn try_trace_function<T, E>(
        name: impl Into<Cow<'static, str>>,
        work: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let span = tracing::info_span!("trace_function", obs.traced = field::Empty);
        rename(&span, name);
        let mut frame = Frame::new(span);
        let result = frame.call(work);
        frame.end(result.is_err(), Failure::of_type::<E>);
        result
    }

    /// Adds a segment of this name that ends at once, with `metadata` in the default namespace: a
    /// mark in the trace.
    ///
    /// ```
    /// use obs_tracing::TracingHelper;
    ///
    /// TracingHelper::add_custom_segment("data_validation", [("record_count", 250.into())]);
    /// ```
    pub fn add_custom_segment<K>(
        name: impl Into<Cow<'static, str>>,
        metadata: impl IntoIterator<Item = (K, Value)>,
    ) where
        K: Into<Cow<'static, str>>,
    {
        let span = tracing::info_span!("custom_segment", obs.traced = field::Empty);
        rename(&span, name);
        if with_span(&span, |_| ()).is_some() {
            // Collected before the span is locked: the iterator is the user's.
            let fields: Vec<Field> =
                metadata.into_iter().map(|(key, value)| Field::metadata(key, value)).collect();
            with_span(&span, |record| fields.into_iter().for_each(|field| record.add(field)));
        }
    }
}

fn rename(span: &Span, name: impl Into<Cow<'static, str>>) {
    if with_span(span, |_| ()).is_some() {
        let name = name.into();
        with_span(span, |record| record.name = name);
    }
}
