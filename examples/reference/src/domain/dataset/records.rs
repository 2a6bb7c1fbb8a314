//! The table that a file is parsed into: columns, records, and the records that were refused.

use std::borrow::Cow;
use std::collections::HashMap;

use super::cell::Cell;
use super::format::Format;
use super::unusable::Unusable;

/// The most records that one file may hold: with [`MAX_COLUMNS`] it bounds the memory that a file
/// can cost, however small its records are.
pub const MAX_RECORDS: usize = 1_000_000;

/// The most columns that one file may have. A file with more is most likely one whose keys are
/// data, and would make a summary that nobody can read.
pub const MAX_COLUMNS: usize = 1_000;

/// A parsed file.
#[derive(Debug)]
pub struct Dataset<'a> {
    /// What the file turned out to be.
    pub format: Format,
    /// The names of the columns, in the order in which they first occur.
    pub columns: Vec<Cow<'a, str>>,
    /// The records that could be read.
    pub records: Vec<Record<'a>>,
    /// The records that could not.
    pub refused: Vec<Refusal<'a>>,
}

impl Dataset<'_> {
    /// All records, the refused ones included.
    #[must_use]
    pub const fn total(&self) -> usize {
        self.records.len() + self.refused.len()
    }
}

/// One record: the cells that it has, by the position of their column.
#[derive(Clone, Debug)]
pub struct Record<'a> {
    /// The record's position in the file, counted from 0.
    pub index: usize,
    /// Column and value; a column occurs at most once.
    pub cells: Vec<(u16, Cell<'a>)>,
    /// The record as it stands in the file, where that is a JSON text.
    pub json: Option<&'a str>,
}

/// Why a record is refused. Most reasons are the same for many records, and cost no memory then.
pub type Reason = Cow<'static, str>;

/// A record that could not be read as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal<'a> {
    /// The record's position in the file, counted from 0.
    pub index: usize,
    /// Why it was refused.
    pub reason: Reason,
    /// The record as it stands in the file.
    pub content: Content<'a>,
}

/// What stands in a file in the place of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content<'a> {
    /// A valid JSON text.
    Json(&'a str),
    /// Text that is no JSON, with what is not UTF-8 replaced.
    Text(Cow<'a, str>),
    /// The fields of a delimited line.
    Fields(Vec<String>),
}

/// Collects records and gives each column name a position.
#[derive(Debug)]
pub(super) struct Collector<'a> {
    columns: Vec<Cow<'a, str>>,
    positions: HashMap<Cow<'a, str>, u16>,
    records: Vec<Record<'a>>,
    refused: Vec<Refusal<'a>>,
}

impl<'a> Collector<'a> {
    pub(super) fn new() -> Self {
        Self {
            columns: Vec::new(),
            positions: HashMap::new(),
            records: Vec::new(),
            refused: Vec::new(),
        }
    }

    /// The position that the next record gets.
    pub(super) const fn next_index(&self) -> usize {
        self.records.len() + self.refused.len()
    }

    /// The position of a column, which is added if it is new; nothing when there are too many.
    pub(super) fn column(&mut self, name: Cow<'a, str>) -> Option<u16> {
        if let Some(position) = self.positions.get(&name) {
            return Some(*position);
        }
        if self.columns.len() >= MAX_COLUMNS {
            return None;
        }
        let position = u16::try_from(self.columns.len()).ok()?;
        self.columns.push(name.clone());
        self.positions.insert(name, position);
        Some(position)
    }

    pub(super) fn accept(
        &mut self,
        cells: Vec<(u16, Cell<'a>)>,
        json: Option<&'a str>,
    ) -> Result<(), Unusable> {
        let index = self.room_for_one()?;
        self.records.push(Record { index, cells, json });
        Ok(())
    }

    pub(super) fn refuse(
        &mut self,
        reason: impl Into<Reason>,
        content: Content<'a>,
    ) -> Result<(), Unusable> {
        let index = self.room_for_one()?;
        self.refused.push(Refusal { index, reason: reason.into(), content });
        Ok(())
    }

    pub(super) fn finish(self, format: Format) -> Dataset<'a> {
        Dataset { format, columns: self.columns, records: self.records, refused: self.refused }
    }

    fn room_for_one(&self) -> Result<usize, Unusable> {
        let index = self.next_index();
        if index < MAX_RECORDS { Ok(index) } else { Err(too_many_records()) }
    }
}

pub(super) fn too_many_records() -> Unusable {
    Unusable::new(
        "too_many_records",
        format!("the file has more than {MAX_RECORDS} records: split it"),
    )
}

pub(super) fn too_many_columns() -> Unusable {
    Unusable::new(
        "too_many_columns",
        format!("the file has more than {MAX_COLUMNS} columns; are its keys data?"),
    )
}
