//! The `#[traced]` attribute of obs-tracing.
