//! The verdict on every cell, the records that are refused, and the score.

use std::borrow::Cow;

use serde::Serialize;

use super::cell::{Cell, Kind};
use super::records::{Content, Dataset, Reason, Record};
use super::schema::{ColumnRule, Schema};

/// What a cell is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Good,
    Missing,
    Mistyped,
    OutOfRange,
}

/// A judged file.
#[derive(Debug)]
pub struct Validation<'d, 'a> {
    /// The schema by which the file was judged, where one was recognised.
    pub schema: Option<&'static str>,
    /// Every column that the records owe, first those of the file in its order.
    pub columns: Vec<Column<'a>>,
    /// The records to process.
    pub accepted: Vec<&'d Record<'a>>,
    /// The records that are refused, in the order of the file.
    pub rejected: Vec<Rejected<'d, 'a>>,
}

/// A column, and what its cells are worth.
#[derive(Clone, Debug)]
pub struct Column<'a> {
    /// The column's name.
    pub name: Cow<'a, str>,
    /// The type that its values should have.
    pub kind: Kind,
    /// What the cells of all records are worth.
    pub quality: Quality,
    rule: Option<&'static ColumnRule>,
}

/// A refused record: everything that is needed to mend it and send it again.
#[derive(Debug)]
pub struct Rejected<'d, 'a> {
    /// The record's position in the file, counted from 0.
    pub index: usize,
    /// Why it was refused.
    pub reasons: Vec<Reason>,
    /// What stood in the file.
    pub content: RejectedContent<'d, 'a>,
}

/// What stood in the file in the place of a refused record.
#[derive(Debug)]
pub enum RejectedContent<'d, 'a> {
    /// Something that could not be read as a record.
    Unread(&'d Content<'a>),
    /// A record that was read and then refused.
    Read(&'d Record<'a>),
}

/// Counts of cells by verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Quality {
    /// All cells.
    pub cells: u64,
    /// Cells of the right type and within bounds.
    pub good: u64,
    /// Cells without a value.
    pub missing: u64,
    /// Cells with a value of another type.
    pub mistyped: u64,
    /// Cells of the right type with a value that cannot be.
    pub out_of_range: u64,
}

impl Quality {
    /// The good cells in percent, from 0 to 100; nothing where there are no cells.
    #[must_use]
    pub fn score(&self) -> Option<f64> {
        (self.cells > 0).then(|| 100.0 * self.good as f64 / self.cells as f64)
    }

    fn count(&mut self, verdict: Verdict, cells: u64) {
        self.cells += cells;
        match verdict {
            Verdict::Good => self.good += cells,
            Verdict::Missing => self.missing += cells,
            Verdict::Mistyped => self.mistyped += cells,
            Verdict::OutOfRange => self.out_of_range += cells,
        }
    }

    fn add(&mut self, other: &Self) {
        self.cells += other.cells;
        self.good += other.good;
        self.missing += other.missing;
        self.mistyped += other.mistyped;
        self.out_of_range += other.out_of_range;
    }
}

impl Validation<'_, '_> {
    /// The cells of all columns.
    #[must_use]
    pub fn quality(&self) -> Quality {
        self.columns.iter().fold(Quality::default(), |mut sum, column| {
            sum.add(&column.quality);
            sum
        })
    }

    /// The quality score in percent; nothing for a file without records.
    ///
    /// Records of which not even a column can be made out are worth nothing, rather than not
    /// counted: their file scores 0.
    #[must_use]
    pub fn score(&self) -> Option<f64> {
        let nothing_readable = (!self.rejected.is_empty()).then_some(0.0);
        self.quality().score().or(nothing_readable)
    }
}

impl Column<'_> {
    /// Whether the cell is one that can be relied on.
    #[must_use]
    pub fn is_good(&self, cell: &Cell<'_>) -> bool {
        self.judge(cell) == Verdict::Good
    }

    fn judge(&self, cell: &Cell<'_>) -> Verdict {
        if cell.is_missing() || self.rule.is_some_and(|rule| rule.is_placeholder(cell)) {
            Verdict::Missing
        } else if !cell.fits(self.kind) {
            Verdict::Mistyped
        } else if self.rule.is_some_and(|rule| !rule.allows(cell)) {
            Verdict::OutOfRange
        } else {
            Verdict::Good
        }
    }
}

/// Judges every cell of a file; the module [`dataset`](super) describes the model.
#[must_use]
pub fn validate<'d, 'a>(dataset: &'d Dataset<'a>) -> Validation<'d, 'a> {
    let schema = Schema::recognise(&dataset.columns);
    let mut columns = columns(dataset, schema);
    let identity: Vec<usize> = (0..columns.len())
        .filter(|position| columns[*position].rule.is_some_and(|rule| rule.identity))
        .collect();
    let mut accepted = Vec::new();
    let mut rejected: Vec<Rejected<'_, '_>> = dataset
        .refused
        .iter()
        .map(|refusal| Rejected {
            index: refusal.index,
            reasons: vec![refusal.reason.clone()],
            content: RejectedContent::Unread(&refusal.content),
        })
        .collect();
    for record in &dataset.records {
        let reasons = judge_record(record, &mut columns, &identity);
        if reasons.is_empty() {
            accepted.push(record);
        } else {
            let content = RejectedContent::Read(record);
            rejected.push(Rejected { index: record.index, reasons, content });
        }
    }
    // What a record does not mention, and what could not be read at all, is missing.
    let total = dataset.total() as u64;
    for column in &mut columns {
        column.quality.count(Verdict::Missing, total - column.quality.cells);
    }
    rejected.sort_by_key(|rejected| rejected.index);
    Validation { schema: schema.map(|schema| schema.name), columns, accepted, rejected }
}

/// Counts the cells of a record and says why it is refused, if it is.
fn judge_record(
    record: &Record<'_>,
    columns: &mut [Column<'_>],
    identity: &[usize],
) -> Vec<Reason> {
    let mut valued = Vec::with_capacity(record.cells.len());
    for (position, cell) in &record.cells {
        let position = usize::from(*position);
        let Some(column) = columns.get_mut(position) else { continue };
        let verdict = column.judge(cell);
        column.quality.count(verdict, 1);
        if verdict != Verdict::Missing {
            valued.push(position);
        }
    }
    if valued.is_empty() {
        return vec!["the record has no values".into()];
    }
    identity
        .iter()
        .filter(|position| !valued.contains(position))
        .map(|position| format!("`{}` is missing", columns[*position].name).into())
        .collect()
}

/// The columns of the file, then those of the schema that the file lacks.
fn columns<'a>(dataset: &Dataset<'a>, schema: Option<&'static Schema>) -> Vec<Column<'a>> {
    let kinds = dominant_kinds(dataset);
    let mut columns: Vec<Column<'a>> = dataset
        .columns
        .iter()
        .zip(kinds)
        .map(|(name, inferred)| {
            let rule = schema.and_then(|schema| schema.rule(name));
            let kind = rule.map_or(inferred, |rule| rule.kind);
            Column { name: name.clone(), kind, quality: Quality::default(), rule }
        })
        .collect();
    let absent = schema
        .map_or(&[][..], |schema| schema.columns)
        .iter()
        .filter(|rule| dataset.columns.iter().all(|name| *name != rule.name));
    columns.extend(absent.map(|rule| Column {
        name: Cow::Borrowed(rule.name),
        kind: rule.kind,
        quality: Quality::default(),
        rule: Some(rule),
    }));
    columns
}

/// How many values of a column have which type.
#[derive(Clone, Copy, Default)]
struct Census {
    numbers: u64,
    booleans: u64,
    dates: u64,
    other_texts: u64,
    lists: u64,
    objects: u64,
}

impl Census {
    fn count(&mut self, kind: Kind) {
        match kind {
            Kind::Number => self.numbers += 1,
            Kind::Boolean => self.booleans += 1,
            Kind::Date => self.dates += 1,
            Kind::Text => self.other_texts += 1,
            Kind::List => self.lists += 1,
            Kind::Object => self.objects += 1,
            Kind::Unknown => {}
        }
    }

    /// The type that most values have. Dates are text, too: a column of text is one of dates when
    /// more than half of it is.
    fn dominant(&self) -> Kind {
        let text = if self.dates > self.other_texts { Kind::Date } else { Kind::Text };
        let texts = self.dates + self.other_texts;
        // On a tie the first of these wins; text comes first because it makes the least claims.
        let counts = [
            (text, texts),
            (Kind::Number, self.numbers),
            (Kind::Boolean, self.booleans),
            (Kind::Object, self.objects),
            (Kind::List, self.lists),
        ];
        let mut best = (Kind::Unknown, 0);
        for candidate in counts {
            if candidate.1 > best.1 {
                best = candidate;
            }
        }
        best.0
    }
}

fn dominant_kinds(dataset: &Dataset<'_>) -> Vec<Kind> {
    let mut census = vec![Census::default(); dataset.columns.len()];
    for (position, cell) in dataset.records.iter().flat_map(|record| &record.cells) {
        if let Some(census) = census.get_mut(usize::from(*position))
            && !cell.is_missing()
        {
            census.count(cell.kind());
        }
    }
    census.iter().map(Census::dominant).collect()
}

#[cfg(test)]
mod tests;
