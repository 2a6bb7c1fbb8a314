//! The file sink with real files: rotation, and what cannot be opened.

#![cfg(feature = "file")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::time::Duration;

use obs_metrics::{Error, MetricsCollector, Rotation, Sink, Unit, emf};

const LONG: Duration = Duration::from_secs(20);

fn build(sink: Sink) -> Result<MetricsCollector, Error> {
    MetricsCollector::builder().namespace("App").service("orders").sink(sink).enabled(true).build()
}

/// The values in the file, each line of which is a valid document.
fn values(path: &Path) -> Vec<f64> {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.ends_with('\n'));
    text.lines()
        .flat_map(|line| {
            let document = emf::validate(line).unwrap_or_else(|v| panic!("{v}\n{line}"));
            document.metrics().map(|metric| metric.sum()).collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn documents_are_appended_line_by_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metrics.log");
    for round in 0..2 {
        for sink in [Sink::file(&path), Sink::file(&path).synchronous()] {
            let metrics = build(sink).unwrap();
            metrics.event().put("A", f64::from(round), Unit::Count);
            let report = metrics.flush(LONG);
            assert!(report.is_complete() && report.delivered() == 1, "{report}");
        }
    }
    assert_eq!(values(&path), [0.0, 0.0, 1.0, 1.0]);
}

#[test]
fn a_full_file_is_put_aside_and_no_document_is_cut_or_lost() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metrics.log");
    let metrics = build(Sink::rotating_file(&path, Rotation::at_bytes(2_000).keep(50))).unwrap();
    for n in 0..100 {
        metrics.event().put("A", f64::from(n), Unit::Count);
        if n % 7 == 0 {
            assert!(metrics.flush(LONG).is_complete());
        }
    }
    assert!(metrics.shutdown(LONG).is_complete());
    let mut found = Vec::new();
    let mut paths: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().path()).collect();
    // The oldest first: the highest number.
    paths.sort_by_key(|path| {
        let number = path.extension().and_then(|e| e.to_str()).and_then(|e| e.parse::<i32>().ok());
        -number.unwrap_or(0)
    });
    assert!(paths.len() > 5, "{paths:?}");
    for path in paths {
        assert!(fs::metadata(&path).unwrap().len() <= 2_000);
        found.extend(values(&path));
    }
    assert_eq!(found, (0..100).map(f64::from).collect::<Vec<_>>());
}

#[test]
fn what_cannot_be_opened_is_an_error_of_the_collector() {
    let folder = tempfile::tempdir().unwrap();
    let error = build(Sink::file(folder.path().join("none/metrics.log"))).unwrap_err();
    assert!(
        error.is_sink() && error.to_string().contains("metrics.log cannot be opened"),
        "{error}"
    );
    assert!(std::error::Error::source(&error).is_some());
    // A folder is no file.
    assert!(build(Sink::file(folder.path())).unwrap_err().is_sink());
    for rotation in [Rotation::at_bytes(0), Rotation::each_day().keep(0)] {
        let error = build(Sink::rotating_file(folder.path().join("a"), rotation)).unwrap_err();
        assert!(error.is_sink() && error.to_string().contains("at least 1"), "{error}");
    }
    assert!(!folder.path().join("a").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn scenario_21_a_full_disk_is_counted_and_nothing_panics() {
    let metrics = build(Sink::file("/dev/full")).unwrap();
    for _ in 0..3 {
        metrics.event().put("A", 1.0, Unit::Count);
    }
    let report = metrics.flush(LONG);
    assert_eq!((report.delivered(), report.failed()), (0, 3), "{report}");
}
