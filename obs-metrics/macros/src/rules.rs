//! What CloudWatch and the line take, checked when a program is compiled.
//!
//! obs-metrics depends on this crate, so this crate cannot ask it: these rules stand twice. Its test
//! `derive_rules` compiles this file and proves that both say the same.

/// Metrics of one event: definitions in one document.
pub(crate) const METRICS: usize = 100;
/// Dimensions of one event: keys of one dimension set.
pub(crate) const DIMENSIONS: usize = 30;
/// Characters of a metric's or a property's name.
pub(crate) const MEMBER_NAME_CHARS: usize = 255;
/// Characters of a dimension's name.
pub(crate) const DIMENSION_NAME_CHARS: usize = 250;

/// The keys that the line has for itself.
pub(crate) const LINE_KEYS: &[&str] = &[
    "_aws",
    "timestamp",
    "level",
    "message",
    "correlation_id",
    "function_request_id",
    "cold_start",
    "trace_id",
    "span_id",
    "xray_trace_id",
    "metrics_refused",
];

/// The variants of `obs_metrics::Unit`, and each as CloudWatch writes it.
pub(crate) const UNITS: &[(&str, &str)] = &[
    ("Seconds", "Seconds"),
    ("Microseconds", "Microseconds"),
    ("Milliseconds", "Milliseconds"),
    ("Bytes", "Bytes"),
    ("Kilobytes", "Kilobytes"),
    ("Megabytes", "Megabytes"),
    ("Gigabytes", "Gigabytes"),
    ("Terabytes", "Terabytes"),
    ("Bits", "Bits"),
    ("Kilobits", "Kilobits"),
    ("Megabits", "Megabits"),
    ("Gigabits", "Gigabits"),
    ("Terabits", "Terabits"),
    ("Percent", "Percent"),
    ("Count", "Count"),
    ("BytesPerSecond", "Bytes/Second"),
    ("KilobytesPerSecond", "Kilobytes/Second"),
    ("MegabytesPerSecond", "Megabytes/Second"),
    ("GigabytesPerSecond", "Gigabytes/Second"),
    ("TerabytesPerSecond", "Terabytes/Second"),
    ("BitsPerSecond", "Bits/Second"),
    ("KilobitsPerSecond", "Kilobits/Second"),
    ("MegabitsPerSecond", "Megabits/Second"),
    ("GigabitsPerSecond", "Gigabits/Second"),
    ("TerabitsPerSecond", "Terabits/Second"),
    ("CountPerSecond", "Count/Second"),
    ("None", "None"),
];

/// Why the name of a metric or of a property is not taken.
pub(crate) fn member_name_fault(name: &str) -> Option<String> {
    let breaks_line = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    name_fault(name, MEMBER_NAME_CHARS).or_else(|| {
        name.contains(breaks_line).then(|| "has control characters or line separators".to_owned())
    })
}

/// Why the name of a dimension is not taken.
pub(crate) fn dimension_name_fault(name: &str) -> Option<String> {
    name_fault(name, DIMENSION_NAME_CHARS).or_else(|| {
        if !name.chars().all(|c| matches!(c, ' '..='~')) {
            Some("has characters that are not printable ASCII".to_owned())
        } else {
            name.starts_with(':').then(|| "begins with a colon".to_owned())
        }
    })
}

fn name_fault(name: &str, limit: usize) -> Option<String> {
    // As the service counts.
    let chars = name.encode_utf16().count();
    if name.trim().is_empty() {
        Some("has no character that is not a space".to_owned())
    } else if chars > limit {
        Some(format!("has {chars} characters; the limit is {limit}"))
    } else {
        LINE_KEYS.contains(&name).then(|| "is one of the keys that the line has itself".to_owned())
    }
}
