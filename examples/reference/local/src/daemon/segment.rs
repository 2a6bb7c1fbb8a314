//! A segment document that has passed the checks.

use serde_json::{Map, Value};

/// An independent document: a segment, or a subsegment sent on its own.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Segment {
    /// `1-` 8 hex `-` 24 hex.
    pub trace_id: String,
    /// The segment that this one hangs under; a subsegment always has one.
    pub parent_id: Option<String>,
    /// Whether the document says `"type": "subsegment"`.
    pub is_subsegment: bool,
    /// What it has in common with an embedded one.
    pub own: Subsegment,
}

/// What segments and embedded subsegments share.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Subsegment {
    /// 16 hex.
    pub id: String,
    /// 1–200 characters.
    pub name: String,
    /// Seconds since 1970.
    pub start: f64,
    /// Seconds since 1970; none while it is in progress.
    pub end: Option<f64>,
    /// The fault of a server.
    pub fault: bool,
    /// The error of a client.
    pub error: bool,
    /// Refused for too many requests.
    pub throttle: bool,
    /// Indexed values.
    pub annotations: Map<String, Value>,
    /// Namespaces with values that are not indexed.
    pub metadata: Map<String, Value>,
    /// Those embedded in the document.
    pub subsegments: Vec<Self>,
}

impl Subsegment {
    /// Seconds from start to end; none while it is in progress.
    #[must_use]
    pub fn seconds(&self) -> Option<f64> {
        self.end.map(|end| end - self.start)
    }
}
