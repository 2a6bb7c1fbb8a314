//! The JSON log layer for tracing: flat lines, request context, no duplicate keys.
