//! Metrics, logs, traces and alerts for applications on AWS: one dependency, one line for a Lambda, one line for a service.
