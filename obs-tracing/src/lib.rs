#![doc = include_str!("../README.md")]

pub mod baggage;
mod classify;
mod current;
mod error;
mod extension;
mod failure;
mod layer;
#[cfg(feature = "otel")]
pub mod otel;
mod otlp;
pub mod propagation;
mod record;
mod resource;
mod road;
mod sampler;
mod traced;
mod tracer;
mod tracing_helper;
mod udp;
mod value;
mod xray;

pub use classify::{Classify, ErrorClass};
pub use current::{annotate, current_trace_id, metadata};
pub use error::Error;
pub use extension::{Traced, TracedExt, TryTraced};
pub use obs_core::Redactor;
pub use obs_core::lane::{FlushReport, LastFailure};
pub use obs_tracing_macros::traced;
#[cfg(feature = "otlp")]
pub use otlp::http::Otlp;
pub use sampler::{CentralSampling, Sampler, SamplingStatus};
pub use tracer::{XRay, XRayBuilder, XRayTracer};
pub use tracing_helper::TracingHelper;
pub use value::Value;

/// What the macros expand to. Not part of the interface: it changes without notice.
#[doc(hidden)]
pub mod __private {
    pub use tracing;

    pub use crate::record::Field;
    pub use crate::traced::*;
    pub use crate::{
        __end as end, __frame as frame, __parent as parent, __returned as returned,
        __value as value,
    };
}

/// For `fuzz/` only: feature `__fuzz`.
#[cfg(feature = "__fuzz")]
#[doc(hidden)]
pub mod __fuzz {
    /// Panics where the property does not hold.
    pub fn sampling_rules(input: &[u8]) {
        crate::sampler::central::property::sampling_rules(input);
    }
}
