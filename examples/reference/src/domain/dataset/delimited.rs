//! CSV and its relatives: a line of column names, then a line a record.

use std::borrow::Cow;
use std::collections::HashSet;

use csv::{ByteRecord, ReaderBuilder};

use super::cell::Cell;
use super::format::{Extension, Format};
use super::records::{Collector, Content, Dataset, MAX_COLUMNS, too_many_columns};
use super::unusable::Unusable;

const DELIMITERS: [u8; 4] = [b',', b'\t', b';', b'|'];

/// How many records are looked at to tell a table from prose.
const SAMPLE: usize = 20;

/// Reads a delimited file; nothing when the content is not a table.
///
/// Any text is a CSV file of one column, so a file that is not named as one has to look like a
/// table: two columns at least, a record at least, and the first records as long as the header.
pub(super) fn parse(bytes: &[u8], extension: Extension) -> Option<Result<Dataset<'_>, Unusable>> {
    let delimiter = delimiter(bytes);
    if extension != Extension::Delimited && !looks_like_table(bytes, delimiter) {
        return None;
    }
    Some(read(bytes, delimiter))
}

fn read(bytes: &[u8], delimiter: u8) -> Result<Dataset<'_>, Unusable> {
    let mut reader = reader(bytes, delimiter);
    let mut line = ByteRecord::new();
    let mut collector = Collector::new();
    if !next(&mut reader, &mut line)? {
        return Ok(collector.finish(Format::Delimited));
    }
    let names = column_names(&line)?;
    let mut columns = Vec::with_capacity(names.len());
    for name in names {
        columns.push(collector.column(Cow::Owned(name)).ok_or_else(too_many_columns)?);
    }
    while next(&mut reader, &mut line)? {
        record(&line, &columns, &mut collector)?;
    }
    Ok(collector.finish(Format::Delimited))
}

fn record(
    line: &ByteRecord,
    columns: &[u16],
    collector: &mut Collector<'_>,
) -> Result<(), Unusable> {
    let fields = || line.iter().take(MAX_COLUMNS).map(lossy).collect();
    if line.len() != columns.len() {
        let reason = format!("{} fields, the header has {}", line.len(), columns.len());
        return collector.refuse(reason, Content::Fields(fields()));
    }
    let mut cells = Vec::with_capacity(columns.len());
    for (column, field) in columns.iter().zip(line) {
        let Ok(text) = std::str::from_utf8(field) else {
            let reason = "a field is not valid UTF-8";
            return collector.refuse(reason, Content::Fields(fields()));
        };
        // What is missing costs no cell: it is missing either way.
        if !text.trim().is_empty() {
            cells.push((*column, Cell::Untyped(text.to_owned().into())));
        }
    }
    collector.accept(cells, None)
}

fn lossy(field: &[u8]) -> String {
    String::from_utf8_lossy(field).into_owned()
}

fn column_names(header: &ByteRecord) -> Result<Vec<String>, Unusable> {
    if header.len() > MAX_COLUMNS {
        return Err(too_many_columns());
    }
    let mut seen = HashSet::new();
    let mut names = Vec::with_capacity(header.len());
    for (position, name) in header.iter().enumerate() {
        let name = std::str::from_utf8(name)
            .map_err(|_| Unusable::new("not_utf8", "the line of column names is not UTF-8"))?
            .trim();
        // Tables exported with row numbers have no name over them.
        let name =
            if name.is_empty() { format!("column {}", position + 1) } else { name.to_owned() };
        if !seen.insert(name.clone()) {
            return Err(Unusable::new(
                "duplicate_column",
                format!("two columns are named `{name}`: rename one of them"),
            ));
        }
        names.push(name);
    }
    Ok(names)
}

/// The delimiter that occurs most often in the first line; a comma when none does.
fn delimiter(bytes: &[u8]) -> u8 {
    let line = bytes.trim_ascii_start().split(|byte| matches!(byte, b'\n' | b'\r')).next();
    let count = |delimiter: u8| {
        let mut quoted = false;
        line.unwrap_or_default()
            .iter()
            .filter(|byte| {
                quoted ^= **byte == b'"';
                !quoted && **byte == delimiter
            })
            .count()
    };
    let mut best = (b',', 0);
    for delimiter in DELIMITERS {
        let occurrences = count(delimiter);
        if occurrences > best.1 {
            best = (delimiter, occurrences);
        }
    }
    best.0
}

fn looks_like_table(bytes: &[u8], delimiter: u8) -> bool {
    let mut reader = reader(bytes, delimiter);
    let mut line = ByteRecord::new();
    if !matches!(next(&mut reader, &mut line), Ok(true)) || column_names(&line).is_err() {
        return false;
    }
    let columns = line.len();
    let mut records = 0;
    while records < SAMPLE && matches!(next(&mut reader, &mut line), Ok(true)) {
        if line.len() != columns {
            return false;
        }
        records += 1;
    }
    columns >= 2 && records >= 1
}

fn reader(bytes: &[u8], delimiter: u8) -> csv::Reader<&[u8]> {
    ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).from_reader(bytes)
}

fn next(reader: &mut csv::Reader<&[u8]>, line: &mut ByteRecord) -> Result<bool, Unusable> {
    reader
        .read_byte_record(line)
        .map_err(|error| Unusable::new("not_csv", format!("not a valid CSV file: {error}")))
}
