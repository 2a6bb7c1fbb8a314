use super::*;
use crate::domain::dataset::parse;

const EXCERPT: &[u8] = include_bytes!("../movies-excerpt.json");

fn with_validation<T>(file: &[u8], read: impl FnOnce(&Validation<'_, '_>) -> T) -> T {
    let dataset = parse(file, "incoming/file").unwrap();
    let validation = validate(&dataset);
    read(&validation)
}

/// Name, kind, and good, missing, mistyped and out-of-range cells of each column.
fn columns(file: &str) -> Vec<(String, Kind, [u64; 4])> {
    with_validation(file.as_bytes(), |validation| {
        let counts = |q: &Quality| [q.good, q.missing, q.mistyped, q.out_of_range];
        validation
            .columns
            .iter()
            .map(|column| (column.name.to_string(), column.kind, counts(&column.quality)))
            .collect()
    })
}

fn score(file: &str) -> Option<f64> {
    with_validation(file.as_bytes(), |validation| validation.score())
}

#[test]
fn without_a_schema_a_column_has_the_type_that_most_values_have() {
    for (file, kind, counts) in [
        (r#"[{"a": 1}, {"a": 2}, {"a": "3"}]"#, Kind::Number, [2, 0, 1, 0]),
        (r#"[{"a": "x"}, {"a": "y"}, {"a": 3}, {"a": null}]"#, Kind::Text, [2, 1, 1, 0]),
        (r#"[{"a": "x"}, {"a": 3}]"#, Kind::Text, [1, 0, 1, 0]),
        (r#"[{"a": true}, {"a": "yes"}, {"a": false}]"#, Kind::Boolean, [2, 0, 1, 0]),
        (r#"[{"a": [1]}, {"a": [2]}, {"a": {}}]"#, Kind::List, [2, 0, 1, 0]),
        (r#"[{"a": null}, {"b": 1}]"#, Kind::Unknown, [0, 2, 0, 0]),
        (r#"[{"a": "2012-01-31"}, {"a": "2012-02-01"}, {"a": "soon"}]"#, Kind::Date, [2, 0, 1, 0]),
        (r#"[{"a": "2012-01-31"}, {"a": "Se7en"}]"#, Kind::Text, [2, 0, 0, 0]),
        (r#"[{"a": " "}, {"a": "x"}]"#, Kind::Text, [1, 1, 0, 0]),
        ("a,b\n1,x\n2,x\nn/a,x\n,x\n", Kind::Number, [2, 1, 1, 0]),
        ("a,b\nAlien,x\n1776,x\nJaws,x\n", Kind::Text, [3, 0, 0, 0]),
        ("a,b\nNaN,x\n1,x\n2,x\n", Kind::Number, [2, 0, 1, 0]),
    ] {
        let first = columns(file).into_iter().find(|column| column.0 == "a").unwrap();
        assert_eq!((first.1, first.2), (kind, counts), "{file}");
    }
}

#[test]
fn the_score_is_good_cells_of_all_cells() {
    for (file, expected) in [
        (r#"[{"a": 1, "b": 2}, {"a": 1, "b": 2}]"#, Some(100.0)),
        (r#"[{"a": 1, "b": 2}, {"a": 1}]"#, Some(75.0)),
        (r#"[{"a": 1, "b": 2}, "junk"]"#, Some(50.0)),
        (r#"[{"a": 1, "b": 2}, {"c": 3}]"#, Some(50.0)),
        // Nothing readable is worth nothing, no record at all has no worth.
        ("[1, 2]", Some(0.0)),
        ("[{}]", Some(0.0)),
        (r#"[{"a": null}]"#, Some(0.0)),
        ("[]", None),
        ("", None),
    ] {
        assert_eq!(score(file), expected, "{file}");
    }
    let header_only = parse(b"a,b\n", "incoming/a.csv").unwrap();
    assert_eq!(validate(&header_only).score(), None);
}

#[test]
fn films_are_judged_by_what_is_known_of_them() {
    with_validation(EXCERPT, |validation| {
        assert_eq!(validation.schema, Some("movies"));
        let quality = |name: &str| {
            let column = validation.columns.iter().find(|column| column.name == name).unwrap();
            let q = column.quality;
            (column.kind, [q.good, q.missing, q.mistyped, q.out_of_range])
        };
        // One film has no title, and one is named by a number.
        assert_eq!(quality("Title"), (Kind::Text, [5, 1, 1, 0]));
        // One was not released on the last day before the epoch, and one not in 2033.
        assert_eq!(quality("Release Date"), (Kind::Date, [5, 1, 0, 1]));
        assert_eq!(quality("Worldwide Gross"), (Kind::Number, [7, 0, 0, 0]));
        assert_eq!(validation.accepted.len(), 6);
        assert_eq!(validation.rejected.len(), 1);
        assert_eq!(validation.rejected[0].reasons, ["`Title` is missing"]);
        let total = validation.quality();
        assert_eq!(total.cells, 7 * 16);
        assert_eq!(total.good + total.missing + total.mistyped + total.out_of_range, total.cells);
    });
}

#[test]
fn a_column_of_the_schema_that_a_file_lacks_is_missing_in_every_record() {
    let film = r#"{"Title": "One", "US Gross": 1, "Worldwide Gross": 1, "Production Budget": 1,
        "Release Date": "Jun 12 1998", "Distributor": "x", "IMDB Votes": 2, "IMDB Rating": 7.5}"#;
    let columns = columns(&format!("[{film}, {film}]"));
    assert_eq!(columns.len(), 16);
    assert_eq!(columns[15].2, [0, 2, 0, 0]);
    assert_eq!(score(&format!("[{film}, {film}]")), Some(50.0));
}

#[test]
fn refused_records_say_why_and_come_in_the_order_of_the_file() {
    let file = br#"[{"a": null}, 5, {"a": 1}, {"a": "  "}, {}]"#;
    let seen: Vec<(usize, String)> = with_validation(file, |validation| {
        validation.rejected.iter().map(|r| (r.index, r.reasons.join("; "))).collect()
    });
    assert_eq!(
        seen,
        [
            (0, "the record has no values".to_owned()),
            (1, "the record is a number, not an object".to_owned()),
            (3, "the record has no values".to_owned()),
            (4, "the record has no fields".to_owned()),
        ]
    );
}
