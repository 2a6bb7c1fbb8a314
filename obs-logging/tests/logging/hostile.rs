//! Values that panic, log, never end or try to break the line; writers that fail.

use std::cell::Cell;
use std::fmt::{self, Debug, Display};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use obs_core::health::{self, Event};
use tracing::{info, info_span};

use crate::capture::{self, Capture, builder, captured, captured_by};

const MARKER: &str = "[panicked while formatting]";

struct Panics;

impl Debug for Panics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("half of it, ")?;
        panic!("in Debug")
    }
}

impl Display for Panics {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("in Display")
    }
}

#[test]
fn scenario_19_a_value_that_panics_leaves_a_marker_and_its_siblings() {
    let before = health::counted(Event::FieldPanicked);
    let lines = captured(|| {
        let span = info_span!("work", broken = ?Panics, fine = 1);
        let _span = span.enter();
        span.record("broken", tracing::field::display(Panics));
        info!(a = 1, b = ?Panics, c = %Panics, d = 2, "the text is fine");
        info!(a = 1, "the text is {Panics}");
    })
    .lines();
    assert_eq!(lines[0]["b"], MARKER);
    assert_eq!(lines[0]["c"], MARKER);
    assert_eq!(lines[0]["broken"], MARKER);
    assert_eq!([&lines[0]["a"], &lines[0]["d"], &lines[0]["fine"]], [1, 2, 1]);
    assert_eq!(lines[1]["message"], MARKER);
    assert_eq!(lines[1]["a"], 1);
    assert!(health::counted(Event::FieldPanicked) >= before + 5);
}

#[test]
fn scenario_19_also_while_the_thread_is_unwinding() {
    struct LogsOnDrop;
    impl Drop for LogsOnDrop {
        fn drop(&mut self) {
            info!(value = ?Panics, "cleaning up");
        }
    }
    let capture = captured(|| {
        let unwound = std::panic::catch_unwind(|| {
            let _logs = LogsOnDrop;
            std::panic::resume_unwind(Box::new("the work fails"));
        });
        assert!(unwound.is_err());
    });
    assert_eq!(capture.line()["value"], MARKER);
}

struct Logs(u32);

impl Debug for Logs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        info!(depth = self.0, "from inside of Debug");
        let span = info_span!("inside", made = "in Debug");
        span.record("made", "again");
        write!(f, "logs {}", self.0)
    }
}

/// With a scoped subscriber `tracing` itself hides nested events from it; `process.rs` has the same
/// with a global one, where they arrive.
#[test]
fn scenario_20_a_value_that_logs_does_not_disturb_its_line() {
    let lines = captured(|| {
        let _span = info_span!("work", value = ?Logs(1)).entered();
        info!(value = ?Logs(2), n = 1, "outer");
    })
    .lines();
    let outer = lines.last().unwrap();
    assert_eq!(outer["message"], "outer");
    assert_eq!(outer["value"], "logs 2");
    assert_eq!(outer["n"], 1);
}

#[test]
fn scenario_20_a_drop_that_logs_while_a_line_is_written_and_while_a_thread_ends() {
    struct Farewell;
    impl Drop for Farewell {
        fn drop(&mut self) {
            info!("dropped");
        }
    }
    impl Debug for Farewell {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let _another = Farewell;
            f.write_str("a value")
        }
    }
    thread_local! {
        static LAST: Cell<Option<Farewell>> = const { Cell::new(None) };
    }
    let capture = Capture::default();
    let logger = builder(&capture).build().unwrap();
    let subscriber = tracing::Dispatch::new(capture::subscriber(&logger));
    let thread = std::thread::spawn(move || {
        let _default = tracing::dispatcher::set_default(&subscriber);
        // Made before the logger's own thread-locals, so dropped after them where that is the order.
        LAST.set(Some(Farewell));
        info!(value = ?Farewell, "logged");
    });
    thread.join().unwrap();
    assert_eq!(capture.lines()[0]["value"], "a value");
}

#[test]
fn scenario_28_whatever_a_text_holds_it_stays_one_line_of_json() {
    let hostile = "a\r\nb\u{1b}[31mc\u{85}d\u{2028}e\u{2029}f\u{0}g\u{7f}h\"i\\j\u{9b}k";
    let capture = captured(|| {
        let _span = info_span!("w\u{2028}ork", "ke\ny\u{85}" = hostile).entered();
        info!(debug = ?hostile, display = %hostile, text = hostile, "{hostile}");
    });
    let text = capture.text();
    assert_eq!(text.matches('\n').count(), 1);
    assert!(text.ends_with('\n'));
    let line = capture.line();
    for key in ["message", "text", "display", "ke\ny\u{85}"] {
        assert_eq!(line[key], hostile, "{key:?}");
    }
    assert_eq!(line["function"], "w\u{2028}ork");
    let unsafe_char =
        |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{2028}' | '\u{2029}');
    assert!(!text.contains(unsafe_char), "{text:?}");
}

#[test]
fn scenario_28_text_lines_are_one_line_as_well() {
    let capture = captured_by(
        |builder| builder.format(obs_logging::Format::Text),
        || info!(note = "c\r\nforged\u{2028}", "a\nb\u{1b}[31m"),
    );
    assert_eq!(capture.text().matches('\n').count(), 1);
    assert!(!capture.text().contains(['\r', '\u{1b}', '\u{2028}']), "{:?}", capture.text());
}

#[test]
fn scenario_18_a_10_mb_field_is_cut_and_the_line_stays_valid() {
    let before = health::counted(Event::Trimmed);
    let huge = "€".repeat(10 << 20 >> 1);
    let capture = captured(|| {
        let _span = info_span!("work", order_id = "o-1").entered();
        info!(huge, small = "stays", debug = ?Some(&huge), "cut");
    });
    let text = capture.text();
    assert!(text.len() <= obs_logging::DEFAULT_MAX_LINE_BYTES, "{}", text.len());
    let line = capture.line();
    assert_eq!(line["small"], "stays");
    assert_eq!(line["order_id"], "o-1");
    let (kept, mark) = line["huge"].as_str().unwrap().split_once('…').unwrap();
    assert!(kept.chars().all(|c| c == '€') && kept.len() > 100_000, "{}", kept.len());
    assert_eq!(mark, format!("[truncated {} bytes]", huge.len() - kept.len()));
    assert!(health::counted(Event::Trimmed) > before);
}

#[test]
fn scenario_18_a_10_mb_field_of_a_span_is_not_carried_from_span_to_span() {
    let huge = "€".repeat(10 << 20 >> 1);
    let captured = captured_by(
        |builder| builder.max_line_bytes(8 * 1024),
        || {
            let outer = info_span!("outer", huge, late = tracing::field::Empty).entered();
            outer.record("late", &*huge);
            let _inner = info_span!("inner", small = "stays").entered();
            let started = std::time::Instant::now();
            for _ in 0..100 {
                info!("cut");
            }
            // A copy of all of it for each line would take many times as long.
            assert!(started.elapsed() < std::time::Duration::from_secs(5));
        },
    );
    for line in captured.lines() {
        assert_eq!(line["small"], "stays");
        for key in ["huge", "late"] {
            let (kept, mark) = line[key].as_str().unwrap().split_once('…').unwrap();
            assert!(kept.chars().all(|c| c == '€') && kept.len() > 3_000, "{}", kept.len());
            assert_eq!(mark, format!("[truncated {} bytes]", huge.len() - kept.len()));
        }
    }
}

#[test]
fn scenario_18_the_limit_can_be_set() {
    let capture = captured_by(
        |builder| builder.max_line_bytes(8 * 1024),
        || info!(a = "x".repeat(9000), "{}", "y".repeat(9000)),
    );
    assert!(capture.text().len() <= 8 * 1024);
    assert!(capture.line()["message"].as_str().unwrap().ends_with(" bytes]"));
}

/// A writer that fails, and logs itself while it does so.
struct Failing;

static FAILED: AtomicUsize = AtomicUsize::new(0);

impl io::Write for Failing {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        FAILED.fetch_add(1, Ordering::Relaxed);
        info!("the writer logs");
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

#[test]
fn scenario_21_a_writer_that_fails_is_counted_and_harms_nobody() {
    for queued in [true, false] {
        let failed = FAILED.load(Ordering::Relaxed);
        let logger = builder(&Capture::default()).writer(|| Failing);
        let logger = if queued { logger.queued() } else { logger }.build().unwrap();
        tracing::subscriber::with_default(capture::subscriber(&logger), || {
            info!("one");
            info!("two");
        });
        let report = logger.flush(Duration::from_secs(10));
        assert_eq!((report.failed(), report.delivered()), (2, 0), "{report}");
        // The two, and lines that would have told of them.
        assert!(FAILED.load(Ordering::Relaxed) - failed >= 2);
    }
}

#[test]
fn scenario_14_a_writer_that_panics_is_counted_and_the_next_line_arrives() {
    static FIRST: AtomicUsize = AtomicUsize::new(0);
    let capture = Capture::default();
    let good = capture.clone();
    let logger = builder(&capture)
        .writer(move || {
            assert!(FIRST.fetch_add(1, Ordering::Relaxed) > 0, "the first writer panics");
            good.clone()
        })
        .build()
        .unwrap();
    tracing::subscriber::with_default(capture::subscriber(&logger), || {
        info!("lost");
        info!("arrives");
    });
    let report = logger.flush(Duration::from_secs(1));
    assert_eq!((report.failed(), report.delivered()), (1, 1), "{report}");
    let lines = capture.lines();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_eq!(lines[0]["message"], "arrives");
    assert_eq!(lines[1]["message"], "log lines were lost");
    assert_eq!(lines[1]["reasons"]["sink_panicked"], 1);
}

#[test]
fn scenario_22_a_map_whose_keys_are_no_strings_is_a_text_of_valid_json() {
    use std::collections::BTreeMap;
    let map = BTreeMap::from([((1, Some("a\"b")), 0.5), ((2, None), f64::NAN)]);
    let expected = format!("{map:?}");
    let capture = captured(|| {
        let request = obs_core::RequestContext::builder().build();
        let _request = request.enter();
        obs_logging::append("appended", tracing::field::debug(&map));
        let _span = info_span!("work", of_span = ?map).entered();
        info!(?map, "{map:?}");
    });
    let line = capture.line();
    for key in ["appended", "of_span", "map", "message"] {
        assert_eq!(line[key], expected, "{key}");
    }
}

#[test]
fn scenario_30_names_of_any_form_and_length_stand_in_the_line_as_they_are() {
    // What a macro takes must be a literal: 300 characters.
    macro_rules! long {
        () => {
            "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\
             0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\
             0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
        };
    }
    let capture = captured(|| {
        let request = obs_core::RequestContext::builder().build();
        let _request = request.enter();
        obs_logging::append("of request/Vec<T>", 1);
        let _span = info_span!("Vec<T>::a / b", "of span/Vec<T>" = 2).entered();
        let _inner = info_span!(long!(), "" = 3).entered();
        info!(target: "a::Vec<T> /", { "of event/Vec<T>" = 4, r#type = 5, r#level = 6 }, "x");
    });
    let line = capture.line();
    assert_eq!(line["function"], long!());
    assert_eq!(long!().len(), 300);
    assert_eq!(line["logger"], "a::Vec<T> /");
    let names =
        ["of request/Vec<T>", "of span/Vec<T>", "", "of event/Vec<T>", "type", "fields.level"];
    for (name, value) in names.into_iter().zip(1..) {
        assert_eq!(line[name], value, "{name:?}");
    }
    // Names that are known only when the program runs.
    let long = "é".repeat(300);
    let line = captured(|| {
        let request = obs_core::RequestContext::builder().build();
        let _request = request.enter();
        obs_logging::append(&long, true);
        info!("x");
    })
    .line();
    assert_eq!(line[long.as_str()], true);
}
