//! What must hold for any input to the EMF validator; it fails by panicking.
//!
//! The fuzz target and `tests/validator_fuzz.rs` both call [`check`], each with `tree.rs` beside it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use obs_metrics::emf::{self, Document, Metric, Rule, Violations};
use obs_metrics::limits::EVENT_BYTES;

use super::tree::Tree;

/// The time now for every input, so that an input means the same next year.
pub(crate) const NOW_MILLIS: u64 = 1_700_000_000_000;

/// More than a slow machine takes for any input of a fuzzer without optimization, and far less than
/// the square of a large one.
const MOST: Duration = Duration::from_secs(10);
const MOST_PER_BYTE: Duration = Duration::from_micros(20);

/// Checks one input, and says what the validator said of it.
pub(crate) fn check(input: &[u8]) -> Result<Document, Violations> {
    let line = String::from_utf8_lossy(input);
    let now = UNIX_EPOCH + Duration::from_millis(NOW_MILLIS);

    let started = Instant::now();
    let result = emf::validate_at(&line, now);
    let is_emf = emf::is_emf(&line);
    let most = MOST + MOST_PER_BYTE * u32::try_from(line.len()).unwrap_or(u32::MAX);
    assert!(started.elapsed() < most, "{:?} for {} bytes", started.elapsed(), line.len());

    assert_eq!(result, emf::validate_at(&line, now), "the same of the same line");
    match &result {
        Ok(document) => accepted(&line, document, is_emf, now),
        Err(violations) => refused(&line, violations),
    }
    result
}

fn accepted(line: &str, document: &Document, is_emf: bool, now: SystemTime) {
    assert!(is_emf, "accepted, but is_emf does not know it");
    let value: serde_json::Value = serde_json::from_str(line).expect("accepted, but no JSON");
    let written = value.to_string();
    // `1e15` is written as `1000000000000000.0`: what is nearly too large may become so.
    if written.len() <= EVENT_BYTES {
        let again = emf::validate_at(&written, now);
        let again = again.unwrap_or_else(|v| panic!("not accepted when it is written again: {v}"));
        assert_eq!(&again, document, "the same metrics when it is written again");
    }
    // A line break at its end is not part of it.
    for end in ["\n", "\r\n"] {
        if !line.ends_with(['\r', '\n']) {
            let again = emf::validate_at(&format!("{line}{end}"), now);
            assert_eq!(again.as_ref(), Ok(document), "with {end:?}");
        }
    }
    document.metrics().take(1_000).for_each(extracted);
}

/// What CloudWatch would take from an accepted document is within its limits.
fn extracted(metric: Metric<'_>) {
    let printable = |text: &str| text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    assert!((1..=255).contains(&metric.namespace().len()));
    assert!((1..=255).contains(&metric.name().encode_utf16().count()));
    assert!(metric.dimensions().len() <= 30);
    for (name, value) in metric.dimensions() {
        assert!((1..=250).contains(&name.len()) && printable(name), "{name:?}");
        assert!((1..=1024).contains(&value.len()) && printable(value), "{value:?}");
    }
    assert!((1..=100).contains(&metric.values().len()));
    for (value, count) in metric.values() {
        assert!(value.abs() <= 2_f64.powi(360) && *count > 0.0, "{value} {count}");
    }
    assert!(metric.min() <= metric.max() && metric.count() > 0.0);
}

fn refused(line: &str, violations: &Violations) {
    assert!(violations.iter().next().is_some(), "refused without a violation");
    let report = violations.to_string();
    assert_eq!(
        report.lines().count(),
        violations.iter().count() + usize::from(violations.omitted() > 0),
        "{report}"
    );
    let tree: Option<Tree> = serde_json::from_str(line).ok();
    for violation in violations.iter().take(10_000) {
        let pointer = violation.pointer();
        assert!(pointer.is_empty() || pointer.starts_with('/'), "{violation}");
        let escaped = pointer
            .match_indices('~')
            .all(|(at, _)| matches!(pointer.as_bytes().get(at + 1), Some(b'0' | b'1')));
        assert!(escaped, "{violation}");
        match &tree {
            Some(tree) => {
                // What is missing has a parent.
                let parent = pointer.rsplit_once('/').map_or("", |(parent, _)| parent);
                let found = !tree.at(pointer).is_empty() || !tree.at(parent).is_empty();
                assert!(found, "names nothing: {violation}");
            }
            // serde_json does not read all JSON.
            None => assert!(
                violations.iter().any(|v| {
                    matches!(
                        v.rule(),
                        Rule::Json
                            | Rule::Depth
                            | Rule::Number
                            | Rule::RootObject
                            | Rule::EventSize
                    )
                }),
                "no JSON, but: {violation}"
            ),
        }
    }
}
