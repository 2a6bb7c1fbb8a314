//! How a [`RequestContext`] is made.

use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use super::slots::Slots;
use super::{Function, Inner, RequestContext};
use crate::ids::TraceParent;
use crate::json;

/// Collects what a request is known by; see [`RequestContext::builder`].
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until `build`"]
pub struct RequestContextBuilder {
    request_id: Option<String>,
    correlation_id: Option<String>,
    cold_start: Option<bool>,
    trace: Option<TraceParent>,
    xray_trace_id: Option<String>,
    function: Option<Function>,
    deadline: Option<SystemTime>,
}

impl RequestContextBuilder {
    /// The request's id, `function_request_id` in log lines.
    pub fn request_id(mut self, id: impl Into<String>) -> Self {
        self.request_id = Some(id.into());
        self
    }

    /// The id that links this request to others.
    pub fn correlation_id(mut self, id: impl Into<String>) -> Self {
        self.correlation_id = Some(id.into());
        self
    }

    /// Whether this is the environment's first invocation.
    pub fn cold_start(mut self, cold: bool) -> Self {
        self.cold_start = Some(cold);
        self
    }

    /// What the incoming trace header said. Sets the X-Ray trace id too, unless one was given.
    pub fn trace(mut self, parent: TraceParent) -> Self {
        self.trace = Some(parent);
        self
    }

    /// The trace's id in X-Ray's form, `1-…-…`.
    pub fn xray_trace_id(mut self, id: impl Into<String>) -> Self {
        self.xray_trace_id = Some(id.into());
        self
    }

    /// The function that serves the request.
    pub fn function(mut self, function: Function) -> Self {
        self.function = Some(function);
        self
    }

    /// When the request is cut off.
    pub fn deadline(mut self, deadline: SystemTime) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// The context.
    pub fn build(self) -> RequestContext {
        let xray_trace_id = self
            .xray_trace_id
            .or_else(|| self.trace.map(|parent| parent.trace_id.xray().to_string()));
        let members = log_members(
            self.correlation_id.as_deref(),
            self.request_id.as_deref(),
            self.cold_start,
        );
        RequestContext(Arc::new(Inner {
            request_id: self.request_id,
            correlation_id: self.correlation_id,
            cold_start: self.cold_start,
            trace: self.trace,
            xray_trace_id,
            function: self.function,
            deadline: self.deadline,
            members,
            appended: Mutex::default(),
            extensions: Mutex::default(),
            slots: Slots::default(),
        }))
    }
}

fn log_members(
    correlation_id: Option<&str>,
    request_id: Option<&str>,
    cold_start: Option<bool>,
) -> Vec<u8> {
    let mut buf = Vec::new();
    let mut object = json::Object::begin(&mut buf);
    if let Some(id) = correlation_id {
        object.str("correlation_id", id);
    }
    if let Some(id) = request_id {
        object.str("function_request_id", id);
    }
    if let Some(cold) = cold_start {
        object.bool("cold_start", cold);
    }
    // Without the brace: these are members of the log line's object.
    buf.split_off(1)
}
