//! The limits of the embedded metric format and of the metrics behind it, each with its source.
//!
//! Nothing leaves the process that breaks one of them.

use std::time::Duration;

/// Metric definitions in one document. The specification allows 100 in each directive; we keep it
/// for the whole document, which every agent and consumer takes.
pub const METRICS_PER_DOCUMENT: usize = 100;
/// Values of one metric in one document: `Values` and `Counts` have at most this many each.
pub const VALUES_PER_METRIC: usize = 100;
/// Values of one metric in one `MetricDatum` of `PutMetricData`, each with its count.
pub const VALUES_PER_DATUM: usize = 150;
/// Keys of one dimension set (EMF specification; `MetricDatum` has the same limit).
pub const DIMENSIONS_PER_SET: usize = 30;
/// Characters of a metric's name. The EMF schema says 1,024; the metrics API behind it takes 255.
pub const METRIC_NAME_CHARS: usize = 255;
/// Characters of a namespace. The EMF schema says 1,024; the metrics API behind it takes 255.
pub const NAMESPACE_CHARS: usize = 255;
/// Characters of a dimension's name. The metrics API takes 255; the EMF schema says 250.
pub const DIMENSION_NAME_CHARS: usize = 250;
/// Characters of a dimension's value (`Dimension` of the metrics API).
pub const DIMENSION_VALUE_CHARS: usize = 1024;
/// The largest magnitude of a value, 2^360 (`MetricDatum` of the metrics API).
pub const MAX_VALUE: f64 = f64::from_bits((1023 + 360) << 52);
/// How old a timestamp may be (`MetricDatum` of the metrics API).
pub const MAX_AGE: Duration = Duration::from_secs(14 * 24 * 3600);
/// How far ahead a timestamp may be (`MetricDatum` of the metrics API).
pub const MAX_AHEAD: Duration = Duration::from_secs(2 * 3600);
/// Characters of the name of a log group or a log stream (`CreateLogGroup`, `CreateLogStream`).
pub const LOG_NAME_CHARS: usize = 512;
/// Bytes of one datagram, and so of one document over UDP: 65,535 less the headers of IPv4 and UDP.
pub const DATAGRAM_BYTES: usize = 65_507;
/// Bytes of one log event, and so of one document (`PutLogEvents`).
pub const EVENT_BYTES: usize = 1024 * 1024;
/// Bytes of one document unless the builder says otherwise: what agents cut at that still have the
/// limit of before.
pub const DEFAULT_DOCUMENT_BYTES: usize = 256 * 1024;
/// The least that the document size can be set to: room for one metric of the longest name with 30
/// dimensions of the longest names and values.
pub const MIN_DOCUMENT_BYTES: usize = 128 * 1024;

/// Whether CloudWatch takes `value`: finite and within ±2^360.
pub(crate) fn takes_value(value: f64) -> bool {
    value.abs() <= MAX_VALUE
}

/// Whether CloudWatch takes a metric of the time `millis` at the time `now_millis`.
pub(crate) fn takes_timestamp(millis: u64, now_millis: u64) -> bool {
    Duration::from_millis(now_millis.saturating_sub(millis)) <= MAX_AGE
        && Duration::from_millis(millis.saturating_sub(now_millis)) <= MAX_AHEAD
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenario_23_values_within_2_to_the_360_are_taken() {
        assert_eq!(MAX_VALUE, 2f64.powi(360));
        for value in [0.0, -0.0, 1e-300, MAX_VALUE, -MAX_VALUE] {
            assert!(takes_value(value), "{value}");
        }
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, MAX_VALUE * 1.001, f64::MIN] {
            assert!(!takes_value(value), "{value}");
        }
    }

    #[test]
    fn scenario_25_timestamps_within_the_window_are_taken() {
        const HOUR: u64 = 3_600_000;
        const NOW: u64 = 1_700_000_000_000;
        for (millis, expected) in [
            (NOW, true),
            (NOW - 14 * 24 * HOUR, true),
            (NOW - 14 * 24 * HOUR - 1, false),
            (NOW - 15 * 24 * HOUR, false),
            (NOW + 2 * HOUR, true),
            (NOW + 2 * HOUR + 1, false),
            (NOW + 3 * HOUR, false),
            (0, false),
            (u64::MAX, false),
        ] {
            assert_eq!(takes_timestamp(millis, NOW), expected, "{millis}");
        }
    }
}
