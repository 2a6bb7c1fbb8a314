use super::*;
use crate::domain::dataset::records::{Content, MAX_COLUMNS, MAX_RECORDS};

/// What a file is read as: the format, the records that were read, the reasons of the others.
fn read(bytes: &[u8], key: &str) -> Result<(Format, usize, Vec<String>), String> {
    parse(bytes, key)
        .map(|dataset| {
            let reasons = dataset.refused.iter().map(|r| format!("{}: {}", r.index, r.reason));
            (dataset.format, dataset.records.len(), reasons.collect())
        })
        .map_err(|error| error.to_string())
}

fn check(bytes: impl AsRef<[u8]>, key: &str, format: Format, records: usize, refused: &[&str]) {
    let bytes = bytes.as_ref();
    let expected = refused.iter().map(|&reason| reason.to_owned()).collect();
    assert_eq!(
        read(bytes, key),
        Ok((format, records, expected)),
        "{key}: {}",
        String::from_utf8_lossy(&bytes[..bytes.len().min(200)])
    );
}

fn check_unusable(bytes: impl AsRef<[u8]>, key: &str, expected: &str) {
    let error = read(bytes.as_ref(), key).expect_err(expected);
    assert!(error.contains(expected), "{key}: {error:?} does not say {expected:?}");
}

#[test]
fn json_is_an_array_or_an_object_with_one_array_or_one_record() {
    for key in ["in/a.json", "in/a", "in/a.csv", "in/a.txt"] {
        check(r#"[{"a": 1}, {"a": 2}]"#, key, Format::Json, 2, &[]);
        check(r#" {"data": [{"a": 1}, {"a": 2}], "n": 2} "#, key, Format::Json, 2, &[]);
        check("\u{feff}[{\"a\": 1}]", key, Format::Json, 1, &[]);
        check(r#"{"a": 1, "b": {"c": [1]}}"#, key, Format::Json, 1, &[]);
        check("[]", key, Format::Json, 0, &[]);
        check(r#"{"data": []}"#, key, Format::Json, 0, &[]);
    }
    check_unusable(r#"{"nodes": [], "links": [1]}"#, "in/a.json", "several arrays (nodes, links)");
}

#[test]
fn json_lines_are_known_by_content_or_by_name() {
    check("{\"a\": 1}\n{\"a\": 2}\r\n\n", "in/a.json", Format::JsonLines, 2, &[]);
    check("{\"a\": 1}\n{\"a\": 2}", "in/a", Format::JsonLines, 2, &[]);
    // One line is one record there, not a wrapper around an array.
    check("{\"a\": [1, 2]}\n", "in/a.jsonl", Format::JsonLines, 1, &[]);
    check("{\"a\": 1}", "in/a.NDJSON", Format::JsonLines, 1, &[]);
    // Without the name, one line is a document.
    check("{\"a\": 1}", "in/a.json", Format::Json, 1, &[]);
}

#[test]
fn one_bad_record_does_not_lose_the_others() {
    check(
        r#"[{"a": 1}, 7, "x", null, true, [1], {}, {"a": 1e999}, {"a": 2}]"#,
        "in/a.json",
        Format::Json,
        2,
        &[
            "1: the record is a number, not an object",
            "2: the record is a string, not an object",
            "3: the record is null, not an object",
            "4: the record is a boolean, not an object",
            "5: the record is an array, not an object",
            "6: the record has no fields",
            "7: the record cannot be read: number out of range at line 1 column 11",
        ],
    );
    check(
        b"{\"a\": 1}\n{\"a\": \n{\"a\": \"\xff\"}\n{\"a\": NaN}\n{\"a\": 2}\n",
        "in/a.jsonl",
        Format::JsonLines,
        2,
        &[
            "1: the line is not JSON: EOF while parsing a value at line 1 column 5",
            "2: the line is not valid UTF-8",
            "3: the line is not JSON: expected value at line 1 column 7; JSON has no NaN and no \
             infinities, write null",
        ],
    );
    check(
        b"a,b\n1,2\n3\n4,\xff\n5,6,7\n8,9\n",
        "in/a.csv",
        Format::Delimited,
        2,
        &[
            "1: 1 fields, the header has 2",
            "2: a field is not valid UTF-8",
            "3: 3 fields, the header has 2",
        ],
    );
}

#[test]
fn delimited_files_are_known_by_content_or_by_name() {
    for (key, file) in [
        ("in/a.csv", "a,b\n1,2\n3,4\n"),
        ("in/a.json", "a,b\n1,2\n3,4\n"),
        ("in/a", "a;b\r\n1;2,5\r\n3;4\r\n"),
        ("in/a.tsv", "a\tb\n1\t2\n3\t4"),
        ("in/a.txt", "a|b\n1|2\n3|4"),
        ("in/a.csv", "\"a, b\",c\n\"1\n2\",3\n\"x \"\"y\"\"\",4"),
        ("in/a.csv", "a\n1\n2\n"),
        ("in/a.csv", "\u{feff}a,b\n1,2\n3,4\n"),
    ] {
        check(file, key, Format::Delimited, 2, &[]);
    }
    check("a,b\n", "in/a.csv", Format::Delimited, 0, &[]);
    check_unusable("a,b,a\n1,2,3\n", "in/a.csv", "two columns are named `a`");
}

#[test]
fn a_field_of_a_delimited_file_keeps_its_text() {
    let dataset = parse(b",name\n1,\" Am\xc3\xa9lie \"\n2,\n", "in/a.csv").unwrap();
    assert_eq!(dataset.columns, ["column 1", "name"]);
    let names: Vec<_> =
        dataset.records.iter().map(|r| r.cells.get(1).map(|(_, cell)| cell.clone())).collect();
    assert_eq!(names, [Some(crate::domain::dataset::cell::Cell::Untyped(" Amélie ".into())), None]);
}

// Scenario 46.
#[test]
fn what_is_no_data_is_a_clear_error() {
    for (bytes, expected) in [
        (&b"this is not JSON"[..], "neither JSON, JSON Lines nor CSV; it starts with `this is not"),
        (b"Hello, world.\nThis is not, by any means, JSON.\n", "neither JSON, JSON Lines nor CSV"),
        (b"<html><body>Not found</body></html>", "it starts with `<html>"),
        (b"[{\"a\": 1}, {\"a\":", "the JSON text ends too early: EOF while parsing"),
        (b"[{\"a\": 1}, {\"a\": NaN}]", "JSON has no NaN"),
        (b"[{\"a\": 1}, {\"a\": -Infinity}]", "JSON has no NaN and no infinities"),
        (b"[{\"a\": 1}] trailing", "trailing characters at line 1 column 12"),
        (b"{\n  \"a\": 1,\n", "the JSON text ends too early"),
        (b"[{\"a\":\n\"\xff\xfe\"}]", "not valid UTF-8: line 2, offset 8"),
        (b"\"text\"", "a single JSON value, not records: `\"text\"`"),
        (b"42", "a single JSON value"),
        (b"null", "a single JSON value"),
        (b"NaN", "neither JSON, JSON Lines nor CSV"),
        (b"\x1f\x8b\x08\x00", "gzip-compressed: decompress it"),
        (b"PAR1....", "Parquet"),
        (b"\xff\xfea\x00", "UTF-16: save it as UTF-8"),
        (b"\x7fELF\x02\x01\x01\x00\x00", "binary: there is a NUL byte at offset 7"),
    ] {
        check_unusable(bytes, "in/a.json", expected);
    }
    check_unusable("no\nlines\nof JSON", "in/a.jsonl", "none of its lines is JSON");
    check_unusable(b"\x80,b\n1,2\n", "in/a.csv", "the line of column names is not UTF-8");
}

#[test]
fn an_empty_file_has_no_records() {
    for file in ["", " \r\n\t ", "\u{feff}", "\u{feff}\n"] {
        for key in ["in/a.json", "in/a.jsonl", "in/a.csv", "in/a"] {
            check(file, key, Format::Empty, 0, &[]);
        }
    }
}

// Scenario 46: deep nesting.
#[test]
fn deep_nesting_costs_no_stack() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    check(format!("[{{\"a\": {deep}}}, {{\"a\": 1}}]"), "in/a.json", Format::Json, 2, &[]);
    check(&deep, "in/a.json", Format::Json, 0, &["0: the record is an array, not an object"]);
    check_unusable("[".repeat(100_000), "in/a.json", "ends too early");
    check_unusable("{\"a\":".repeat(100_000), "in/a.json", "ends too early");
}

#[test]
fn a_name_that_occurs_twice_in_a_record_has_its_last_value() {
    let file = br#"[{"a": 1, "b": 2, "a": 3}, {"b": 1, "a": 2, "b": 3}]"#;
    let dataset = parse(file, "in/a.json").unwrap();
    let cells: Vec<Vec<(u16, f64)>> = dataset
        .records
        .iter()
        .map(|r| r.cells.iter().map(|(at, cell)| (*at, cell.as_number().unwrap())).collect())
        .collect();
    assert_eq!(cells, [vec![(0, 3.0), (1, 2.0)], vec![(1, 3.0), (0, 2.0)]]);
}

#[test]
fn records_and_columns_are_bounded() {
    let zeros = format!("[0{}]", ",0".repeat(MAX_RECORDS));
    check_unusable(&zeros, "in/a.json", "more than 1000000 records");
    let lines = "{}\n".repeat(MAX_RECORDS + 1);
    check_unusable(lines, "in/a.jsonl", "more than 1000000 records");
    let names: Vec<String> = (0..=MAX_COLUMNS).map(|n| format!("\"k{n}\":0")).collect();
    check_unusable(format!("[{{{}}}]", names.join(",")), "in/a.json", "more than 1000 columns");
    check_unusable(format!("{}\n", ",".repeat(MAX_COLUMNS)), "in/a.csv", "more than 1000 columns");
}

#[test]
fn a_long_broken_line_is_cut() {
    let line = format!("{{\"a\": {}\n{{}}\n", "é".repeat(5_000));
    let dataset = parse(line.as_bytes(), "in/a.jsonl").unwrap();
    let Content::Text(text) = &dataset.refused[0].content else { panic!("not text") };
    assert!(text.len() < 4_200 && text.ends_with("… (10006 bytes)"), "{}", text.len());
}

proptest::proptest! {
    // Scenario 46: any bytes give a dataset or a clear error.
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        any_bytes(&bytes)?;
    }

    #[test]
    fn no_almost_data_panics(
        text in "[\\[\\]{}\",:;\\\\\n\r\t |a-c0-9.eE+-]{0,120}",
    ) {
        any_bytes(text.as_bytes())?;
    }

    #[test]
    fn no_cut_of_a_good_file_panics(cut in 0_usize..3_000, flip in 0_usize..3_000, to in 0_u8..=255) {
        let mut bytes = include_bytes!("../movies-excerpt.json").to_vec();
        bytes.truncate(cut.min(bytes.len()));
        if let Some(byte) = bytes.get_mut(flip) {
            *byte = to;
        }
        any_bytes(&bytes)?;
    }
}

fn any_bytes(bytes: &[u8]) -> Result<(), proptest::test_runner::TestCaseError> {
    use crate::domain::dataset::{Source, Summary, aggregate, validate};
    for key in ["a.json", "a.jsonl", "a.csv", "a"] {
        match parse(bytes, key) {
            Ok(dataset) => {
                let validation = validate(&dataset);
                let total = validation.accepted.len() + validation.rejected.len();
                proptest::prop_assert_eq!(total, dataset.total());
                let score = validation.score();
                proptest::prop_assert_eq!(score.is_none(), total == 0);
                proptest::prop_assert!(score.is_none_or(|score| (0.0..=100.0).contains(&score)));
                let cells = validation.quality().cells;
                proptest::prop_assert_eq!(cells, (total * validation.columns.len()) as u64);
                let aggregates = aggregate(&validation, Some("a"));
                let summary =
                    Summary::new("p", Source::default(), &dataset, &validation, &aggregates);
                let json: serde_json::Value = serde_json::from_slice(&summary.to_json()).unwrap();
                proptest::prop_assert_eq!(&json["records"]["total"], total);
                let lines =
                    crate::domain::dataset::summary::rejected_lines(&dataset, &validation.rejected);
                let lines = String::from_utf8(lines).unwrap();
                proptest::prop_assert_eq!(lines.lines().count(), validation.rejected.len());
                for line in lines.lines() {
                    let valid = serde_json::from_str::<serde::de::IgnoredAny>(line).is_ok();
                    proptest::prop_assert!(valid, "{}", line);
                }
            }
            Err(error) => proptest::prop_assert!(error.message().len() > 10, "{}", error),
        }
    }
    Ok(())
}
