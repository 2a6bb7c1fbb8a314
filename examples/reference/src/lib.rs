//! The reference deployment: the pipeline and the alert processor, instrumented with Obs.
