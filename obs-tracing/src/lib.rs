//! #[traced] functions and X-Ray traces on tracing spans.
