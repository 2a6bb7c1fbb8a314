//! Custom alerts to Amazon EventBridge: batched, retried, never blocking.
