//! What the Obs crates share: service identity, request context, JSON writer, delivery queue, redaction, health.
