//! Figures over the records that are processed.

use std::borrow::Cow;

use crate::domain::calendar::Date;

use super::cell::{Cell, Kind};
use super::validation::Validation;

/// What the good cells of the accepted records add up to.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregates<'a> {
    /// One entry per column, in the order of the validation's columns.
    pub columns: Vec<Figures<'a>>,
    /// The revenue, where the file has the column that holds it.
    pub revenue: Option<Revenue>,
}

/// The figures of one column.
#[derive(Clone, Debug, PartialEq)]
pub struct Figures<'a> {
    /// The column's name.
    pub name: Cow<'a, str>,
    /// For columns of numbers and of dates with at least one good cell.
    pub range: Option<Range>,
}

/// What a column's good cells span.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Range {
    /// A column of numbers.
    Numbers {
        /// How many there are.
        count: u64,
        /// The least.
        min: f64,
        /// The greatest.
        max: f64,
        /// The sum; an infinity where it is beyond a 64-bit float.
        sum: f64,
    },
    /// A column of dates.
    Dates {
        /// The first.
        earliest: Date,
        /// The last.
        latest: Date,
    },
}

/// The sum of the revenue column.
#[derive(Clone, Debug, PartialEq)]
pub struct Revenue {
    /// The column.
    pub field: String,
    /// The sum of its good cells; 0 when there are none.
    pub sum: f64,
    /// How many records contributed.
    pub records: u64,
}

impl Range {
    /// The mean of a column of numbers.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        match self {
            Self::Numbers { count, sum, .. } if *count > 0 => Some(sum / *count as f64),
            _ => None,
        }
    }

    fn start(kind: Kind, cell: &Cell<'_>) -> Option<Self> {
        match kind {
            Kind::Number => cell.as_number().map(|number| Self::Numbers {
                count: 1,
                min: number,
                max: number,
                sum: number,
            }),
            Kind::Date => cell.as_date().map(|date| Self::Dates { earliest: date, latest: date }),
            _ => None,
        }
    }

    fn extend(&mut self, cell: &Cell<'_>) {
        match self {
            Self::Numbers { count, min, max, sum } => {
                if let Some(number) = cell.as_number() {
                    *count += 1;
                    *min = min.min(number);
                    *max = max.max(number);
                    *sum += number;
                }
            }
            Self::Dates { earliest, latest } => {
                if let Some(date) = cell.as_date() {
                    *earliest = date.min(*earliest);
                    *latest = date.max(*latest);
                }
            }
        }
    }
}

/// Adds up the accepted records; refused records and cells that are not good stay out of it.
///
/// The revenue is the sum of `revenue_field`. It is nothing without a field, and where the file has
/// records but no such column of numbers, because then 0 would be a claim; a file without records
/// earned 0.
#[must_use]
pub fn aggregate<'a>(
    validation: &Validation<'_, 'a>,
    revenue_field: Option<&str>,
) -> Aggregates<'a> {
    let mut ranges: Vec<Option<Range>> = vec![None; validation.columns.len()];
    for (position, cell) in validation.accepted.iter().flat_map(|record| &record.cells) {
        let position = usize::from(*position);
        let (Some(column), Some(range)) =
            (validation.columns.get(position), ranges.get_mut(position))
        else {
            continue;
        };
        if !matches!(column.kind, Kind::Number | Kind::Date) || !column.is_good(cell) {
            continue;
        }
        match range {
            Some(range) => range.extend(cell),
            None => *range = Range::start(column.kind, cell),
        }
    }
    let columns: Vec<Figures<'a>> = validation
        .columns
        .iter()
        .zip(ranges)
        .map(|(column, range)| Figures { name: column.name.clone(), range })
        .collect();
    let revenue = revenue_field.and_then(|field| revenue(validation, &columns, field));
    Aggregates { columns, revenue }
}

fn revenue(
    validation: &Validation<'_, '_>,
    figures: &[Figures<'_>],
    field: &str,
) -> Option<Revenue> {
    let nothing = |sum| Revenue { field: field.to_owned(), sum, records: 0 };
    if validation.accepted.is_empty() && validation.rejected.is_empty() {
        return Some(nothing(0.0));
    }
    let position = validation.columns.iter().position(|column| column.name == field)?;
    match (figures[position].range, validation.columns[position].kind) {
        (Some(Range::Numbers { count, sum, .. }), _) => {
            Some(Revenue { records: count, ..nothing(sum) })
        }
        (_, Kind::Number) => Some(nothing(0.0)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::dataset::{parse, validate};

    fn with_aggregates<T>(file: &str, read: impl FnOnce(Aggregates<'_>) -> T) -> T {
        let dataset = parse(file.as_bytes(), "incoming/file").unwrap();
        let validation = validate(&dataset);
        read(aggregate(&validation, Some("amount")))
    }

    fn revenue_of(file: &str) -> Option<(f64, u64)> {
        with_aggregates(file, |a| a.revenue.map(|revenue| (revenue.sum, revenue.records)))
    }

    #[test]
    fn revenue_is_the_sum_of_what_is_good() {
        for (file, expected) in [
            (r#"[{"amount": 10}, {"amount": 2.5}]"#, Some((12.5, 2))),
            (
                r#"[{"amount": 10}, {"amount": null}, {"amount": 1}, {"amount": "7"}]"#,
                Some((11.0, 2)),
            ),
            (r#"[{"amount": 10}, 4]"#, Some((10.0, 1))),
            (r#"[{"price": 10}]"#, None),
            (r#"[{"amount": "a"}, {"amount": "b"}]"#, None),
            ("id,amount\n1,10\n2,\n3,5\n", Some((15.0, 2))),
            ("[]", Some((0.0, 0))),
            ("", Some((0.0, 0))),
        ] {
            assert_eq!(revenue_of(file), expected, "{file}");
        }
    }

    #[test]
    fn numbers_and_dates_have_a_range() {
        let file = r#"[
            {"n": 3, "d": "2012-01-31", "t": "x"},
            {"n": -1, "d": "2011-05-01", "t": "y"},
            {"n": "no", "d": "soon", "t": "z"},
            {"n": 4.5, "d": null, "t": null}
        ]"#;
        with_aggregates(file, |aggregates| {
            let [n, d, t] = &aggregates.columns[..] else { panic!("{aggregates:?}") };
            let numbers = n.range.unwrap();
            assert_eq!(numbers, Range::Numbers { count: 3, min: -1.0, max: 4.5, sum: 6.5 });
            assert_eq!(numbers.mean(), Some(6.5 / 3.0));
            let dates = (Date::new(2011, 5, 1).unwrap(), Date::new(2012, 1, 31).unwrap());
            assert_eq!(d.range, Some(Range::Dates { earliest: dates.0, latest: dates.1 }));
            assert_eq!(t.range, None);
        });
    }

    #[test]
    fn refused_records_do_not_count() {
        // The second film has no title, so its gross is not the pipeline's.
        let film = |title: &str, gross: u32| {
            format!(
                r#"{{"Title": {title}, "US Gross": 1, "amount": {gross}, "Director": "d",
                    "Source": "s", "MPAA Rating": "R", "Distributor": "x", "IMDB Votes": 2,
                    "IMDB Rating": 7.5}}"#
            )
        };
        let file = format!("[{}, {}]", film("\"One\"", 100), film("null", 1_000));
        assert_eq!(revenue_of(&file), Some((100.0, 1)));
    }
}
