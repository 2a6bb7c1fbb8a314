//! One broken thing at a time, each with the pointer and the rule that it must be reported with.

use std::time::{Duration, Instant, UNIX_EPOCH};

use super::*;

const NOW: u64 = 1_700_000_000_000;

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(NOW)
}

/// Validates `line` and compares where and what is reported.
fn check(line: &str, expected: &[(&str, Rule)]) {
    let found: Vec<(String, Rule)> = match validate_at(line, now()) {
        Ok(_) => Vec::new(),
        Err(violations) => {
            violations.into_iter().map(|v| (v.pointer().to_owned(), v.rule())).collect()
        }
    };
    let found: Vec<_> = found.iter().map(|(pointer, rule)| (pointer.as_str(), *rule)).collect();
    assert_eq!(found, expected, "{line}");
}

/// A document of one directive: its `Dimensions`, its `Metrics`, and the root's other members.
fn document(dimensions: &str, metrics: &str, members: &str) -> String {
    format!(
        r#"{{"_aws":{{"Timestamp":{NOW},"CloudWatchMetrics":[{{"Namespace":"App","Dimensions":{dimensions},"Metrics":{metrics}}}]}}{members}}}"#
    )
}

const DIRECTIVE: &str = "/_aws/CloudWatchMetrics/0";

fn at(suffix: &str) -> String {
    format!("{DIRECTIVE}{suffix}")
}

/// A line for each rule that breaks it and no other.
#[test]
fn each_rule_has_its_pointer() {
    let dimensions = |sets: &str| document(sets, "[]", r#","S":"x""#);
    let metrics = |metrics: &str| document("[[]]", metrics, ",\"A\":1");
    let target = |value: &str| document("[[]]", r#"[{"Name":"A"}]"#, &format!(",\"A\":{value}"));
    let member = |value: &str| document("[[]]", "[]", &format!(",\"A\":{value}"));
    let aws = |aws: &str| format!(r#"{{"_aws":{aws}}}"#);
    let names: Vec<_> = (0..31).map(|n| format!("\"D{n}\"")).collect();
    let members: String = names.iter().map(|name| format!(",{name}:\"x\"")).collect();
    let table: Vec<(String, Rule, String)> = vec![
        (member(&format!("\"{}\"", "x".repeat(EVENT_BYTES))), Rule::EventSize, String::new()),
        (member("\n1"), Rule::OneLine, String::new()),
        (member("NaN"), Rule::Json, String::new()),
        (member(&"[".repeat(10_000)), Rule::Depth, String::new()),
        (member(r#"{"x":[0,-1e309]}"#), Rule::Number, "/A/x/1".into()),
        ("[]".into(), Rule::RootObject, String::new()),
        (member(r#"{"x":1,"x":1}"#), Rule::UniqueMembers, "/A/x".into()),
        (aws("7"), Rule::Metadata, "/_aws".into()),
        (aws(r#"{"CloudWatchMetrics":[]}"#), Rule::Timestamp, "/_aws/Timestamp".into()),
        (
            aws(r#"{"Timestamp":1,"CloudWatchMetrics":[]}"#),
            Rule::TimestampWindow,
            "/_aws/Timestamp".into(),
        ),
        (
            aws(&format!(r#"{{"Timestamp":{NOW},"LogGroupName":"","CloudWatchMetrics":[]}}"#)),
            Rule::LogGroup,
            "/_aws/LogGroupName".into(),
        ),
        (
            aws(&format!(r#"{{"Timestamp":{NOW},"LogStreamName":"a:b","CloudWatchMetrics":[]}}"#)),
            Rule::LogStream,
            "/_aws/LogStreamName".into(),
        ),
        (
            aws(&format!(r#"{{"Timestamp":{NOW}}}"#)),
            Rule::Directives,
            "/_aws/CloudWatchMetrics".into(),
        ),
        (dimensions("[[]]").replace("App", "a,b"), Rule::Namespace, at("/Namespace")),
        (dimensions("[]"), Rule::DimensionSets, at("/Dimensions")),
        (
            document(&format!("[[{}]]", names.join(",")), "[]", &members),
            Rule::DimensionCount,
            at("/Dimensions/0"),
        ),
        (dimensions(r#"[["S","S"]]"#), Rule::UniqueDimensions, at("/Dimensions/0/1")),
        (dimensions(r#"[["S"],[],["S"]]"#), Rule::UniqueSets, at("/Dimensions/2")),
        (dimensions("[[7]]"), Rule::DimensionName, at("/Dimensions/0/0")),
        (document(r#"[["A"]]"#, "[]", ",\"A\":7"), Rule::DimensionValue, "/A".into()),
        (dimensions(r#"[["S"],["x"]]"#), Rule::Target, at("/Dimensions/1/0")),
        (metrics("{}"), Rule::Definitions, at("/Metrics")),
        (
            document(
                "[[]]",
                &format!(
                    "[{}]",
                    (0..101).map(|n| format!(r#"{{"Name":"M{n}"}}"#)).collect::<Vec<_>>().join(",")
                ),
                &(0..101).map(|n| format!(",\"M{n}\":1")).collect::<String>(),
            ),
            Rule::DefinitionCount,
            at("/Metrics"),
        ),
        (metrics(r#"[{"Name":null}]"#), Rule::MetricName, at("/Metrics/0/Name")),
        (metrics(r#"[{"Name":"A","Unit":"count"}]"#), Rule::Unit, at("/Metrics/0/Unit")),
        (
            metrics(r#"[{"Name":"A","StorageResolution":60.0}]"#),
            Rule::StorageResolution,
            at("/Metrics/0/StorageResolution"),
        ),
        (metrics(r#"[{"Name":"A"},{"Name":"A"}]"#), Rule::UniqueDefinition, at("/Metrics/1/Name")),
        (target("[[1]]"), Rule::Value, "/A/0".into()),
        (target("[]"), Rule::ValueCount, "/A".into()),
        (target(r#"{"Values":[1,3e108]}"#), Rule::ValueRange, "/A/Values/1".into()),
        (target(r#"{"Values":[1],"Counts":[-1]}"#), Rule::Counts, "/A/Counts/0".into()),
    ];
    for (line, rule, pointer) in &table {
        check(line, &[(pointer, *rule)]);
    }
    let rules: Vec<Rule> = table.iter().map(|(_, rule, _)| *rule).collect();
    assert_eq!(rules, Rule::ALL, "every rule, in the order of its declaration");
    for rule in Rule::ALL {
        assert!(!rule.source().is_empty() && !rule.as_str().contains([' ', '_']), "{rule:?}");
    }
}

#[test]
fn a_valid_document_says_what_is_extracted() {
    let line = document(
        r#"[["Service"],["Service","Pipeline"]]"#,
        r#"[{"Name":"A","Unit":"Seconds","StorageResolution":1},{"Name":"B"},{"Name":"C","Unit":"Count"}]"#,
        r#","Service":"orders","Pipeline":"sales","A":[1,2,2.5],"B":-7,"C":{"Values":[1.5,3],"Counts":[2,4]},"other":{"x":[null]}"#,
    );
    let document = validate_at(&format!("{line}\r\n"), now()).unwrap();
    assert_eq!(document.timestamp(), now());
    assert_eq!(document.timestamp_millis(), NOW);
    let metrics: Vec<_> = document
        .metrics()
        .map(|metric| {
            assert_eq!(metric.namespace(), "App");
            assert_eq!(metric.dimension("Service"), Some("orders"));
            (
                metric.name(),
                metric.unit(),
                metric.resolution(),
                metric.dimensions().len(),
                metric.values().to_vec(),
            )
        })
        .collect();
    use Resolution::{High, Standard};
    let a = vec![(1.0, 1.0), (2.0, 1.0), (2.5, 1.0)];
    let c = vec![(1.5, 2.0), (3.0, 4.0)];
    assert_eq!(
        metrics,
        [
            ("A", Unit::Seconds, High, 1, a.clone()),
            ("A", Unit::Seconds, High, 2, a),
            ("B", Unit::None, Standard, 1, vec![(-7.0, 1.0)]),
            ("B", Unit::None, Standard, 2, vec![(-7.0, 1.0)]),
            ("C", Unit::Count, Standard, 1, c.clone()),
            ("C", Unit::Count, Standard, 2, c),
        ]
    );
    let last = document.metrics().last().unwrap();
    assert_eq!((last.count(), last.sum(), last.min(), last.max()), (6.0, 15.0, 1.5, 3.0));
    assert_eq!(last.dimension("Pipeline"), Some("sales"));
    assert_eq!(last.dimension("Region"), None);
}

#[test]
fn what_is_no_document_is_said_so() {
    check("", &[("", Rule::Json)]);
    check("START RequestId: 8f5c", &[("", Rule::Json)]);
    check(r#"{"_aws":{"Timestamp":1"#, &[("", Rule::Json)]);
    check(r#"{} {}"#, &[("", Rule::Json)]);
    check(&"[".repeat(100_000), &[("", Rule::Depth)]);
    check(&r#"{"a":"#.repeat(100_000), &[("", Rule::Depth)]);
    // 127 levels with the root are read.
    let nested = |levels: usize| {
        document("[[]]", "[]", &format!(r#","p":{}{}"#, "[".repeat(levels), "]".repeat(levels)))
    };
    check(&nested(126), &[]);
    check(&nested(127), &[("", Rule::Depth)]);
    check("[]", &[("", Rule::RootObject)]);
    check("7", &[("", Rule::RootObject)]);
    check("{}", &[("/_aws", Rule::Metadata)]);
    check(r#"{"_aws":[]}"#, &[("/_aws", Rule::Metadata)]);
    check(
        r#"{"_aws":{}}"#,
        &[("/_aws/Timestamp", Rule::Timestamp), ("/_aws/CloudWatchMetrics", Rule::Directives)],
    );
    // Nothing is extracted, but the schema asks for an array and not for directives in it.
    check(&format!(r#"{{"_aws":{{"Timestamp":{NOW},"CloudWatchMetrics":[]}}}}"#), &[]);
    check(
        &format!(r#"{{"_aws":{{"Timestamp":{NOW},"CloudWatchMetrics":[7,{{}}]}}}}"#),
        &[
            ("/_aws/CloudWatchMetrics/0", Rule::Directives),
            ("/_aws/CloudWatchMetrics/1/Namespace", Rule::Namespace),
            ("/_aws/CloudWatchMetrics/1/Dimensions", Rule::DimensionSets),
            ("/_aws/CloudWatchMetrics/1/Metrics", Rule::Definitions),
        ],
    );
}

#[test]
fn scenario_28_a_raw_line_break_is_reported() {
    let line = document("[[]]", "[]", "").replace(",\"Dim", ",\n\"Dim");
    check(&line, &[("", Rule::OneLine)]);
}

#[test]
fn scenario_25_the_timestamp_is_in_the_window() {
    const HOUR: u64 = 3_600_000;
    let with = |timestamp: &str| {
        format!(r#"{{"_aws":{{"Timestamp":{timestamp},"CloudWatchMetrics":[]}}}}"#)
    };
    check(&with(&(NOW - 14 * 24 * HOUR).to_string()), &[]);
    check(&with(&(NOW + 2 * HOUR).to_string()), &[]);
    for outside in [NOW - 15 * 24 * HOUR, NOW + 3 * HOUR, 0, u64::MAX, NOW / 1000] {
        check(&with(&outside.to_string()), &[("/_aws/Timestamp", Rule::TimestampWindow)]);
    }
    check(&with("-5"), &[("/_aws/Timestamp", Rule::TimestampWindow)]);
    for wrong in [
        "1.7e12",
        "1700000000000.0",
        "18446744073709551616",
        "1700000000000.5",
        "\"1700000000000\"",
        "null",
        "{}",
    ] {
        check(&with(wrong), &[("/_aws/Timestamp", Rule::Timestamp)]);
    }
}

#[test]
fn a_log_group_and_a_stream_are_checked_where_they_are_named() {
    let check = |members: &str, expected: &[(&str, Rule)]| {
        let line = format!(r#"{{"_aws":{{"Timestamp":{NOW},{members}"CloudWatchMetrics":[]}}}}"#);
        check(&line, expected);
    };
    check("", &[]);
    check(r#""LogGroupName":"/aws/app_1","LogStreamName":"2026/task [1]","#, &[]);
    check(r#""LogGroupName":"","#, &[("/_aws/LogGroupName", Rule::LogGroup)]);
    check(r#""LogGroupName":"a b","#, &[("/_aws/LogGroupName", Rule::LogGroup)]);
    check(r#""LogGroupName":7,"#, &[("/_aws/LogGroupName", Rule::LogGroup)]);
    check(r#""LogStreamName":"a:b","#, &[("/_aws/LogStreamName", Rule::LogStream)]);
    check(r#""LogStreamName":null,"#, &[("/_aws/LogStreamName", Rule::LogStream)]);
}

#[test]
fn dimension_sets_are_checked() {
    let pointer = |suffix: &str| at(&format!("/Dimensions{suffix}"));
    let check = |dimensions: &str, members: &str, expected: &[(String, Rule)]| {
        let expected: Vec<_> = expected.iter().map(|(p, rule)| (p.as_str(), *rule)).collect();
        check(&document(dimensions, "[]", members), &expected);
    };
    check("[[]]", "", &[]);
    check(r#"[["A"]]"#, r#","A":"x""#, &[]);
    check("[]", "", &[(pointer(""), Rule::DimensionSets)]);
    check("7", "", &[(pointer(""), Rule::DimensionSets)]);
    check(r#"["A"]"#, r#","A":"x""#, &[(pointer("/0"), Rule::DimensionSets)]);
    check(r#"[[7]]"#, "", &[(pointer("/0/0"), Rule::DimensionName)]);
    check(r#"[["A"]]"#, "", &[(pointer("/0/0"), Rule::Target)]);
    check(r#"[["A","A"]]"#, r#","A":"x""#, &[(pointer("/0/1"), Rule::UniqueDimensions)]);
    let both = r#","A":"x","B":"x""#;
    check(r#"[["A","B"],["A"],["B"],[]]"#, both, &[]);
    check(r#"[["A","B"],["B","A"]]"#, both, &[(pointer("/1"), Rule::UniqueSets)]);
    check(
        "[[],[],[]]",
        "",
        &[(pointer("/1"), Rule::UniqueSets), (pointer("/2"), Rule::UniqueSets)],
    );
    // Nested targets are not found: they belong at the root.
    check(r#"[["A"]]"#, r#","n":{"A":"x"}"#, &[(pointer("/0/0"), Rule::Target)]);
    for name in [":A", "größe", "a\\tb", " "] {
        let member = format!(r#","{name}":"x""#);
        check(&format!(r#"[["{name}"]]"#), &member, &[(pointer("/0/0"), Rule::DimensionName)]);
    }
    let long = "n".repeat(251);
    let member = format!(r#","{long}":"x""#);
    check(&format!(r#"[["{long}"]]"#), &member, &[(pointer("/0/0"), Rule::DimensionName)]);
    for value in [
        "7",
        "null",
        "[]",
        "\"\"",
        "\"  \"",
        "\"größe\"",
        "\"a\\nb\"",
        &format!("\"{}\"", "v".repeat(1025)),
    ] {
        let member = format!(r#","a/b~c":{value}"#);
        check(r#"[["a/b~c"]]"#, &member, &[("/a~1b~0c".to_owned(), Rule::DimensionValue)]);
    }
}

#[test]
fn scenario_24_one_more_than_the_limit_is_reported() {
    let keys = |n: usize| {
        let names: Vec<_> = (0..n).map(|n| format!("\"D{n}\"")).collect();
        let members: String = names.iter().map(|name| format!(",{name}:\"x\"")).collect();
        (format!("[[{}]]", names.join(",")), members)
    };
    let (set, members) = keys(30);
    check(&document(&set, "[]", &members), &[]);
    let (set, members) = keys(31);
    check(&document(&set, "[]", &members), &[(&at("/Dimensions/0"), Rule::DimensionCount)]);

    let definitions = |n: usize| {
        let names: Vec<_> = (0..n).map(|n| format!("M{n}")).collect();
        let members: String = names.iter().map(|name| format!(",\"{name}\":1")).collect();
        let all: Vec<_> = names.iter().map(|name| format!(r#"{{"Name":"{name}"}}"#)).collect();
        document("[[]]", &format!("[{}]", all.join(",")), &members)
    };
    check(&definitions(100), &[]);
    check(&definitions(101), &[(&at("/Metrics"), Rule::DefinitionCount)]);

    let values = |n: usize| vec!["1"; n].join(",");
    let metric = |value: String| document("[[]]", r#"[{"Name":"A"}]"#, &format!(",\"A\":{value}"));
    check(&metric(format!("[{}]", values(100))), &[]);
    check(&metric(format!("[{}]", values(101))), &[("/A", Rule::ValueCount)]);
    check(
        &metric(format!(r#"{{"Values":[{0}],"Counts":[{0}]}}"#, values(101))),
        &[("/A/Values", Rule::ValueCount), ("/A/Counts", Rule::ValueCount)],
    );
    check(
        &metric(format!(r#"{{"Values":[1],"Counts":[{}]}}"#, values(101))),
        &[("/A/Counts", Rule::Counts), ("/A/Counts", Rule::ValueCount)],
    );
}

#[test]
fn definitions_are_checked() {
    let pointer = |suffix: &str| at(&format!("/Metrics{suffix}"));
    let check = |metrics: &str, members: &str, expected: &[(String, Rule)]| {
        let expected: Vec<_> = expected.iter().map(|(p, rule)| (p.as_str(), *rule)).collect();
        check(&document("[[]]", metrics, members), &expected);
    };
    check("7", "", &[(pointer(""), Rule::Definitions)]);
    check("[7]", "", &[(pointer("/0"), Rule::Definitions)]);
    check("[{}]", "", &[(pointer("/0/Name"), Rule::MetricName)]);
    check(r#"[{"Name":7}]"#, "", &[(pointer("/0/Name"), Rule::MetricName)]);
    check(r#"[{"Name":"A"}]"#, "", &[(pointer("/0/Name"), Rule::Target)]);
    check(r#"[{"Name":"größe"}]"#, r#","größe":1"#, &[]);
    for name in [" ", "a\\nb", "a\\u2028b", &"n".repeat(256)] {
        let member = format!(r#","{name}":1"#);
        check(
            &format!(r#"[{{"Name":"{name}"}}]"#),
            &member,
            &[(pointer("/0/Name"), Rule::MetricName)],
        );
    }
    for unit in ["\"Second\"", "\"\"", "7", "null"] {
        let metrics = format!(r#"[{{"Name":"A","Unit":{unit}}}]"#);
        check(&metrics, ",\"A\":1", &[(pointer("/0/Unit"), Rule::Unit)]);
    }
    for resolution in ["0", "30", "1.5", "\"60\"", "-1"] {
        let metrics = format!(r#"[{{"Name":"A","StorageResolution":{resolution}}}]"#);
        let expected = (pointer("/0/StorageResolution"), Rule::StorageResolution);
        check(&metrics, ",\"A\":1", &[expected]);
    }
    check(
        r#"[{"Name":"A"},{"Name":"A"}]"#,
        ",\"A\":1",
        &[(pointer("/1/Name"), Rule::UniqueDefinition)],
    );
}

#[test]
fn one_name_has_one_unit_and_one_resolution_in_a_document() {
    let two = |first: &str, second: &str| {
        format!(
            r#"{{"_aws":{{"Timestamp":{NOW},"CloudWatchMetrics":[{{"Namespace":"App","Dimensions":[[]],"Metrics":[{{"Name":"A"{first}}}]}},{{"Namespace":"App","Dimensions":[["S"]],"Metrics":[{{"Name":"A"{second}}}]}}]}},"A":1,"S":"x"}}"#
        )
    };
    check(&two("", ""), &[]);
    let expected = [("/_aws/CloudWatchMetrics/1/Metrics/0/Name", Rule::UniqueDefinition)];
    check(&two("", r#","Unit":"Count""#), &expected);
    check(&two(r#","StorageResolution":1"#, ""), &expected);
}

#[test]
fn scenario_23_values_are_numbers_within_the_range() {
    let metric = |value: &str| document("[[]]", r#"[{"Name":"A"}]"#, &format!(",\"A\":{value}"));
    for value in
        ["0", "-7", "1.5e-300", "18446744073709551615", "2.3e108", "[1]", r#"{"Values":[1]}"#]
    {
        check(&metric(value), &[]);
    }
    for value in ["null", "\"1\"", "true"] {
        check(&metric(value), &[("/A", Rule::Value)]);
    }
    check(&metric("2.4e108"), &[("/A", Rule::ValueRange)]);
    check(&metric("[1,-2.4e108,\"2\"]"), &[("/A/1", Rule::ValueRange), ("/A/2", Rule::Value)]);
    // 2^360 itself, and the next double.
    check(&metric("-2.348542582773833227889480596789337e108"), &[]);
    check(&metric("2.3485425827738336e108"), &[("/A", Rule::ValueRange)]);
    // What no double holds is JSON, and the rest is checked too.
    check(
        &metric(r#"[1e400,"x"]"#),
        &[("/A/0", Rule::Number), ("/A/0", Rule::ValueRange), ("/A/1", Rule::Value)],
    );
    check(
        &metric(&format!("-{}.5", "9".repeat(400))),
        &[("/A", Rule::Number), ("/A", Rule::ValueRange)],
    );
    check(&metric(r#""1e400\\",",\"1e400\"":"1e400""#), &[("/A", Rule::Value)]);
    check(&metric(r#"1,"p":1e400,"q\":1e400":"\uFDd0","r":"\ufdd1""#), &[("/p", Rule::Number)]);
    for text in ["1e400e", "+1e400", "01e400x", "1e400,1e400:1"] {
        check(&metric(text), &[("", Rule::Json)]);
    }
    check(&metric("[]"), &[("/A", Rule::ValueCount)]);
    check(&metric("{}"), &[("/A/Values", Rule::Value)]);
    check(&metric(r#"{"Values":[1,2],"Counts":[1]}"#), &[("/A/Counts", Rule::Counts)]);
    check(&metric(r#"{"Values":[1],"Counts":7}"#), &[("/A/Counts", Rule::Counts)]);
    check(
        &metric(r#"{"Values":[1,2,3],"Counts":[1,0,"x"]}"#),
        &[("/A/Counts/1", Rule::Counts), ("/A/Counts/2", Rule::Counts)],
    );
}

#[test]
fn members_that_occur_twice_are_reported() {
    check(
        &document("[[]]", r#"[{"Name":"A"}]"#, r#","A":1,"A":"x","p":{"q":[{"r":1,"r":2}]}"#),
        &[("/A", Rule::UniqueMembers), ("/p/q/0/r", Rule::UniqueMembers)],
    );
}

#[test]
fn a_document_is_a_log_event() {
    let line = document("[[]]", "[]", &format!(r#","p":"{}""#, "x".repeat(EVENT_BYTES)));
    check(&line, &[("", Rule::EventSize)]);
    let line = document("[]", "[]", &format!(r#","p":"{}""#, "x".repeat(EVENT_BYTES)));
    check(&line, &[("", Rule::EventSize), (&at("/Dimensions"), Rule::DimensionSets)]);
    let line = document("[]", "[]", &format!(r#","p":"{}""#, "x".repeat(PARSED_BYTES)));
    check(&line, &[("", Rule::EventSize)]);
}

#[test]
fn no_document_takes_more_time_than_its_size() {
    const KEY: usize = 1_000_000;
    let long = "k".repeat(KEY);
    let mut shapes: Vec<(&str, String)> = vec![
        ("keys that are one", format!("{{{}\"a\":1}}", "\"a\":1,".repeat(1_000_000))),
        (
            "keys that differ",
            format!(
                "{{{}\"a\":1}}",
                (0..200_000).map(|n| format!("\"{n}\":1,")).collect::<String>()
            ),
        ),
        ("objects below a long key", format!(r#"{{"{long}":[{}0]}}"#, "{},".repeat(1_000_000))),
        (
            "twice below a long key",
            format!(r#"{{"{long}":[{}0]}}"#, r#"{"a":1,"a":1},"#.repeat(200_000)),
        ),
        (
            "one long value for many sets",
            document(
                &format!("[{}[]]", "[\"A\"],".repeat(100_000)),
                "[]",
                &format!(r#","A":"{}""#, " ".repeat(KEY)),
            ),
        ),
        (
            "values of a long name",
            document(
                "[[]]",
                &format!(r#"[{{"Name":"{long}"}}]"#),
                &format!(r#","{long}":[{}0]"#, "null,".repeat(400_000)),
            ),
        ),
        (
            "definitions of one name",
            document(
                "[[]]",
                &format!("[{}{{}}]", r#"{"Name":"A"},"#.repeat(100_000)),
                &format!(",\"A\":[{}0]", "0,".repeat(100_000)),
            ),
        ),
        ("numbers that no double holds", format!(r#"{{"A":[{}0]}}"#, "1e400,".repeat(100_000))),
        ("nesting", "[{\"a\":".repeat(1_000_000)),
        ("escapes", document("[[]]", "[]", &format!(r#","A":"{}""#, "\\\\".repeat(5_000_000)))),
        ("names that are quotes", format!("{{{}", "\"".repeat(10_000_000))),
    ];
    shapes.push(("a string without end", format!("{{\"{}", "x".repeat(10_000_000))));
    for (shape, line) in &shapes {
        let started = Instant::now();
        let violations = validate_at(line, now()).unwrap_err();
        let listed: usize = violations.iter().map(|v| v.pointer().len() + v.message().len()).sum();
        assert!(listed < 66 << 20, "{shape}: {listed} bytes");
        crate::emf::is_emf(line);
        // At most some seconds on a busy machine; the square of the size takes minutes at least.
        assert!(started.elapsed() < Duration::from_secs(60), "{shape}: {:?}", started.elapsed());
    }
}

#[test]
fn violations_read_well() {
    let line = document(r#"[["Pipeline"]]"#, r#"[{"Name":"A","Unit":"Second"}]"#, ",\"A\":\"x\"");
    let violations = validate_at(&line, now()).unwrap_err();
    insta::assert_snapshot!(violations, @r#"
    /_aws/CloudWatchMetrics/0/Dimensions/0/0: the document has no member "Pipeline" [target; EMF specification]
    /_aws/CloudWatchMetrics/0/Metrics/0/Unit: "Second" is not a unit of CloudWatch; write it as CloudWatch does, for example Seconds, Bytes/Second or None [unit; CloudWatch API, MetricDatum]
    /A: is a string; a number, an array of numbers, or Values and Counts is asked for [value; EMF specification]
    "#);
    assert_eq!((&violations).into_iter().count(), violations.iter().count());
    // One violation is one line, and no key gets at the terminal.
    let line = document("[[]]", "[]", r#","a\n\u001b[31m\u2028é":{"x":1,"x":1}"#);
    let violations = validate_at(&line, now()).unwrap_err();
    assert_eq!(violations.iter().next().unwrap().pointer(), "/a\n\u{1b}[31m\u{2028}é/x");
    insta::assert_snapshot!(violations, @r"/a\n\u{1b}[31m\u{2028}é/x: occurs twice in its object [unique-members; RFC 8259]");
}

proptest::proptest! {
    #[test]
    fn no_damage_to_a_document_makes_it_panic(
        at in 0..400_usize,
        length in 0..40_usize,
        put in r#"(\{|\}|\[|\]|"|\\|:|,|null|-1e400|1e308|[0-9a-zé_]){0,12}"#,
    ) {
        let line = document(
            r#"[["Service"],[]]"#,
            r#"[{"Name":"A","Unit":"Seconds","StorageResolution":1},{"Name":"B"}]"#,
            r#","Service":"orders","A":[1,2,2.5],"B":{"Values":[1.5,3],"Counts":[2,4]}"#,
        );
        let start = at.min(line.len());
        let end = (start + length).min(line.len());
        let damaged = format!("{}{put}{}", &line[..start], &line[end..]);
        // Whatever it says, it says it of the same document each time.
        proptest::prop_assert_eq!(validate_at(&damaged, now()), validate_at(&damaged, now()));
    }
}
