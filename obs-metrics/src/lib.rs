//! CloudWatch metrics in the embedded metric format: valid always, cheap to record.
