//! The rules that `#[derive(MetricEvent)]` checks stand twice, because a procedural macro cannot
//! depend on this crate: here, both are held against each other.

use proptest::prelude::*;

use crate::names::{LINE_KEYS, dimension_name_fault, is_line_key, metric_name_fault};
use crate::{Unit, limits};

#[path = "../macros/src/rules.rs"]
mod rules;

fn check(name: &str) {
    let metric = metric_name_fault(name).is_none() && !is_line_key(name);
    assert_eq!(rules::member_name_fault(name).is_none(), metric, "metric {name:?}");
    let dimension = dimension_name_fault(name).is_none() && !is_line_key(name);
    assert_eq!(rules::dimension_name_fault(name).is_none(), dimension, "dimension {name:?}");
}

#[test]
fn limits_and_units_are_the_same() {
    assert_eq!(rules::METRICS, limits::METRICS_PER_DOCUMENT);
    assert_eq!(rules::DIMENSIONS, limits::DIMENSIONS_PER_SET);
    assert_eq!(rules::MEMBER_NAME_CHARS, limits::METRIC_NAME_CHARS);
    assert_eq!(rules::DIMENSION_NAME_CHARS, limits::DIMENSION_NAME_CHARS);
    assert_eq!(rules::LINE_KEYS, LINE_KEYS);
    let units: Vec<_> = Unit::ALL.iter().map(|unit| (format!("{unit:?}"), unit.as_str())).collect();
    let known = rules::UNITS.iter().map(|(variant, text)| ((*variant).to_owned(), *text));
    assert_eq!(known.collect::<Vec<_>>(), units);
}

#[test]
fn scenario_30_names_at_the_edges_are_judged_the_same() {
    for limit in [limits::DIMENSION_NAME_CHARS, limits::METRIC_NAME_CHARS] {
        for chars in [limit - 1, limit, limit + 1] {
            check(&"x".repeat(chars));
            check(&"ö".repeat(chars));
            check(&"\u{1f680}".repeat(chars / 2));
        }
    }
    for text in ["", " ", "\u{a0}", ":a", "a:", "a b", "a\tb", "a\u{7f}", "a\u{85}", "a\u{2028}b"] {
        check(text);
    }
    LINE_KEYS.iter().for_each(|key| check(key));
}

proptest! {
    #[test]
    fn names_are_judged_the_same(any in ".*", ascii in "[ -~]{0,260}", odd in "[\\PC\\pC]{0,4}") {
        check(&any);
        check(&ascii);
        check(&odd);
    }
}
