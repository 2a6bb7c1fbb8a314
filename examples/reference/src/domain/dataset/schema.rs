//! What is known about the columns of a data set before it is read.

use std::borrow::Cow;

use crate::domain::calendar::Date;

use super::cell::{Cell, Kind};

/// What a known data set must look like.
#[derive(Debug)]
pub struct Schema {
    /// The data set's name.
    pub name: &'static str,
    /// Its columns; each is expected in every record.
    pub columns: &'static [ColumnRule],
}

/// What is known about one column.
#[derive(Debug)]
pub struct ColumnRule {
    /// The column's name, exactly.
    pub name: &'static str,
    /// The type of its values.
    pub kind: Kind,
    /// Whether a record without it is refused, because nothing tells what the record is about.
    pub identity: bool,
    /// What a value of the right type must satisfy to be believed.
    pub bounds: Bounds,
    /// Values that stand for a missing one.
    pub placeholders: &'static [&'static str],
}

/// The values that are plausible in a column.
#[derive(Clone, Copy, Debug)]
pub enum Bounds {
    /// Any value of the type.
    Any,
    /// Numbers from the first to the second, both included.
    Numbers(f64, f64),
    /// Dates from the first to the second, both included.
    Dates(Date, Date),
}

impl Schema {
    /// The known schema of which a file has at least half of the columns.
    ///
    /// The content decides, not the pipeline or the file's name: any other file is judged by the
    /// types that its own columns mostly have.
    #[must_use]
    pub fn recognise(columns: &[Cow<'_, str>]) -> Option<&'static Self> {
        KNOWN.iter().copied().find(|schema| {
            let present = columns.iter().filter(|column| schema.rule(column).is_some()).count();
            present * 2 >= schema.columns.len()
        })
    }

    /// The rule of a column, if the schema has the column.
    #[must_use]
    pub fn rule(&self, column: &str) -> Option<&'static ColumnRule> {
        self.columns.iter().find(|rule| rule.name == column)
    }
}

impl ColumnRule {
    const fn new(name: &'static str, kind: Kind, bounds: Bounds) -> Self {
        Self { name, kind, identity: false, bounds, placeholders: &[] }
    }

    /// Whether the value only stands for a missing one.
    #[must_use]
    pub fn is_placeholder(&self, cell: &Cell<'_>) -> bool {
        cell.as_text().is_some_and(|text| self.placeholders.contains(&text.trim()))
    }

    /// Whether a value of the column's type is within its bounds.
    #[must_use]
    pub fn allows(&self, cell: &Cell<'_>) -> bool {
        match self.bounds {
            Bounds::Any => true,
            Bounds::Numbers(least, most) => {
                cell.as_number().is_some_and(|number| (least..=most).contains(&number))
            }
            Bounds::Dates(first, last) => {
                cell.as_date().is_some_and(|date| (first..=last).contains(&date))
            }
        }
    }
}

static KNOWN: [&Schema; 1] = [&MOVIES];

const AMOUNT: Bounds = Bounds::Numbers(0.0, f64::MAX);
const ANY: Bounds = Bounds::Any;

/// `movies.json` of the npm package `vega-datasets`: 3,201 films, gathered in 2010 and 2011.
///
/// The data set is known to be dirty, and two of its faults can only be seen by someone who knows
/// it. Its two-digit years were expanded into the wrong century, so that King Kong of 1933 is
/// released in 2033; and a release date that is not known is `Dec 31 1969`, the Unix epoch in an
/// American time zone.
pub static MOVIES: Schema = Schema {
    name: "movies",
    columns: &[
        ColumnRule { identity: true, ..ColumnRule::new("Title", Kind::Text, ANY) },
        ColumnRule::new("US Gross", Kind::Number, AMOUNT),
        ColumnRule::new("Worldwide Gross", Kind::Number, AMOUNT),
        ColumnRule::new("US DVD Sales", Kind::Number, AMOUNT),
        ColumnRule::new("Production Budget", Kind::Number, AMOUNT),
        ColumnRule {
            placeholders: &["Dec 31 1969"],
            ..ColumnRule::new("Release Date", Kind::Date, FILM_HISTORY)
        },
        ColumnRule::new("MPAA Rating", Kind::Text, ANY),
        ColumnRule::new("Running Time min", Kind::Number, Bounds::Numbers(1.0, 1_000.0)),
        ColumnRule::new("Distributor", Kind::Text, ANY),
        ColumnRule::new("Source", Kind::Text, ANY),
        ColumnRule::new("Major Genre", Kind::Text, ANY),
        ColumnRule::new("Creative Type", Kind::Text, ANY),
        ColumnRule::new("Director", Kind::Text, ANY),
        ColumnRule::new("Rotten Tomatoes Rating", Kind::Number, Bounds::Numbers(0.0, 100.0)),
        ColumnRule::new("IMDB Rating", Kind::Number, Bounds::Numbers(0.0, 10.0)),
        ColumnRule::new("IMDB Votes", Kind::Number, AMOUNT),
    ],
};

/// From the first films to the end of the year after the data was gathered.
const FILM_HISTORY: Bounds = match (Date::new(1888, 1, 1), Date::new(2012, 12, 31)) {
    (Some(first), Some(last)) => Bounds::Dates(first, last),
    _ => Bounds::Any,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_recognised_by_half_of_the_columns() {
        let names: Vec<&str> = MOVIES.columns.iter().map(|rule| rule.name).collect();
        let known = |columns: &[&str]| {
            let columns: Vec<Cow<'_, str>> = columns.iter().map(|&name| name.into()).collect();
            Schema::recognise(&columns).map(|schema| schema.name)
        };
        assert_eq!(known(&names), Some("movies"));
        assert_eq!(known(&names[..8]), Some("movies"));
        assert_eq!(known(&names[..7]), None);
        assert_eq!(known(&["Title", "Author", "Year"]), None);
        assert_eq!(known(&[]), None);
    }

    #[test]
    fn release_dates_are_believed_within_the_history_of_film() {
        let rule = MOVIES.rule("Release Date").unwrap();
        for (text, placeholder, allowed) in [
            ("Jun 12 1998", false, true),
            ("Apr 07 2033", false, false),
            ("Dec 31 1969", true, true),
            ("Dec 31 2012", false, true),
            ("Jan 01 2013", false, false),
        ] {
            let cell = Cell::Text(text.into());
            assert_eq!(
                (rule.is_placeholder(&cell), rule.allows(&cell)),
                (placeholder, allowed),
                "{text}"
            );
        }
    }

    #[test]
    fn amounts_and_ratings_have_bounds() {
        for (column, value, allowed) in [
            ("Worldwide Gross", 0.0, true),
            ("Worldwide Gross", -1.0, false),
            ("IMDB Rating", 10.0, true),
            ("IMDB Rating", 61.0, false),
            ("Rotten Tomatoes Rating", 61.0, true),
            ("Running Time min", 0.0, false),
        ] {
            let rule = MOVIES.rule(column).unwrap();
            assert_eq!(rule.allows(&Cell::Number(value)), allowed, "{column} {value}");
        }
    }
}
