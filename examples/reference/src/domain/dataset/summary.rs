//! The documents that a file leaves behind: its summary, its rejected records, its failure.
//!
//! They hold nothing but what follows from the file and the settings, no time and no request id:
//! a retried invocation writes the same bytes again.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

use super::aggregate::{Aggregates, Range};
use super::cell::{Cell, Kind};
use super::format::Format;
use super::records::{Content, Dataset, Reason, Record};
use super::unusable::Unusable;
use super::validation::{Quality, Rejected, RejectedContent, Validation};

/// The object that was read, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Source {
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// The entity tag: results that carry another one describe another upload.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// The length in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

/// What is written for a processed file.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Summary {
    /// The pipeline's name.
    pub pipeline: String,
    /// What was read.
    pub source: Source,
    /// The format it turned out to have.
    pub format: Format,
    /// The schema by which it was judged; null where the columns' types were inferred.
    pub schema: Option<&'static str>,
    /// Records by outcome.
    pub records: RecordCounts,
    /// Cells by verdict, and the score.
    pub quality: QualityReport,
    /// The revenue, where the file has the column that holds it.
    pub revenue: Option<RevenueReport>,
    /// One entry per column.
    pub columns: Vec<ColumnReport>,
    /// Where the rejected records are; null when there are none.
    pub rejected_object: Option<String>,
}

/// Records by outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct RecordCounts {
    /// All of them.
    pub total: u64,
    /// Those that were processed.
    pub processed: u64,
    /// Those that were refused.
    pub rejected: u64,
}

/// The score and the counts behind it.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct QualityReport {
    /// Good cells in percent; null for a file without records.
    pub score: Option<f64>,
    /// The counts.
    #[serde(flatten)]
    pub counts: Quality,
}

/// The revenue in a summary.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct RevenueReport {
    /// The column that was added up.
    pub field: String,
    /// Its sum over the processed records; null where it is beyond a 64-bit float.
    pub sum: Option<f64>,
    /// How many records contributed.
    pub records: u64,
}

/// One column in a summary.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct ColumnReport {
    /// The column's name.
    pub name: String,
    /// The type by which its cells were judged.
    pub kind: Kind,
    /// Its cells by verdict.
    #[serde(flatten)]
    pub counts: Quality,
    /// What its good cells span, for numbers and dates.
    #[serde(flatten)]
    pub range: Option<RangeReport>,
}

/// The range of a column in a summary.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(untagged)]
pub enum RangeReport {
    /// A column of numbers.
    Numbers {
        /// The least.
        min: f64,
        /// The greatest.
        max: f64,
        /// The mean; null where the sum is beyond a 64-bit float.
        mean: Option<f64>,
        /// The sum, likewise.
        sum: Option<f64>,
    },
    /// A column of dates, as `YYYY-MM-DD`.
    Dates {
        /// The first.
        earliest: String,
        /// The last.
        latest: String,
    },
}

impl Summary {
    /// The summary of a judged and added-up file.
    #[must_use]
    pub fn new(
        pipeline: &str,
        source: Source,
        dataset: &Dataset<'_>,
        validation: &Validation<'_, '_>,
        aggregates: &Aggregates<'_>,
    ) -> Self {
        let rejected = validation.rejected.len() as u64;
        let rejected_object =
            (rejected > 0).then(|| crate::domain::result_keys::rejected(&source.key));
        Self {
            pipeline: pipeline.to_owned(),
            source,
            format: dataset.format,
            schema: validation.schema,
            records: RecordCounts {
                total: dataset.total() as u64,
                processed: validation.accepted.len() as u64,
                rejected,
            },
            quality: QualityReport { score: validation.score(), counts: validation.quality() },
            revenue: aggregates.revenue.as_ref().map(|revenue| RevenueReport {
                field: revenue.field.clone(),
                sum: finite(revenue.sum),
                records: revenue.records,
            }),
            columns: validation
                .columns
                .iter()
                .zip(&aggregates.columns)
                .map(|(column, figures)| ColumnReport {
                    name: column.name.clone().into_owned(),
                    kind: column.kind,
                    counts: column.quality,
                    range: figures.range.map(range_report),
                })
                .collect(),
            rejected_object,
        }
    }

    /// The document as it is stored.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        document(self)
    }
}

/// The rejected records, one JSON object a line: `index`, `reasons`, `record`.
///
/// A record that is JSON stands there as it stood in the file; a delimited one as an object of its
/// fields, or as an array where their number is wrong; a line that could not be read as a string.
#[must_use]
pub fn rejected_lines(dataset: &Dataset<'_>, rejected: &[Rejected<'_, '_>]) -> Vec<u8> {
    #[derive(serde::Serialize)]
    struct Line<'l> {
        index: usize,
        reasons: &'l [Reason],
        record: RecordReport<'l>,
    }

    let mut lines = Vec::new();
    for Rejected { index, reasons, content } in rejected {
        let record = RecordReport { dataset, content };
        let line = Line { index: *index, reasons, record };
        let before = lines.len();
        match serde_json::to_writer(&mut lines, &line) {
            Ok(()) => lines.push(b'\n'),
            // Not reached with the types above; half a line would spoil the next.
            Err(_) => lines.truncate(before),
        }
    }
    lines
}

/// What is written for a file that could not be used.
#[must_use]
pub fn failure(pipeline: &str, source: &Source, error: &Unusable) -> Vec<u8> {
    document(&serde_json::json!({
        "pipeline": pipeline,
        "source": source,
        "error": { "code": error.code(), "message": error.message() },
    }))
}

fn document(value: &impl serde::Serialize) -> Vec<u8> {
    // Maps with string keys and finite numbers always serialize.
    let mut bytes = serde_json::to_vec_pretty(value).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

fn range_report(range: Range) -> RangeReport {
    match range {
        Range::Numbers { min, max, sum, .. } => {
            RangeReport::Numbers { min, max, mean: range.mean().and_then(finite), sum: finite(sum) }
        }
        Range::Dates { earliest, latest } => {
            RangeReport::Dates { earliest: earliest.to_string(), latest: latest.to_string() }
        }
    }
}

fn finite(number: f64) -> Option<f64> {
    number.is_finite().then_some(number)
}

struct RecordReport<'l> {
    dataset: &'l Dataset<'l>,
    content: &'l RejectedContent<'l, 'l>,
}

impl Serialize for RecordReport<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.content {
            RejectedContent::Unread(Content::Text(text)) => serializer.serialize_str(text),
            RejectedContent::Unread(Content::Fields(fields)) => fields.serialize(serializer),
            RejectedContent::Unread(Content::Json(json))
            | RejectedContent::Read(Record { json: Some(json), .. }) => {
                // One record is one line: JSON's own line breaks are only white space.
                match serde_json::from_str::<&RawValue>(json) {
                    Ok(raw) if !json.contains(['\n', '\r']) => raw.serialize(serializer),
                    _ => one_line(json).serialize(serializer),
                }
            }
            RejectedContent::Read(record) => fields_of(self.dataset, record, serializer),
        }
    }
}

fn one_line(json: &str) -> Option<Box<RawValue>> {
    // A line break in a JSON text is outside of every string: within, it must be escaped.
    RawValue::from_string(json.replace(['\n', '\r'], " ")).ok()
}

fn fields_of<S: Serializer>(
    dataset: &Dataset<'_>,
    record: &Record<'_>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(record.cells.len()))?;
    for (position, cell) in &record.cells {
        let name = dataset.columns.get(usize::from(*position)).map_or("", AsRef::as_ref);
        match cell {
            Cell::Text(text) | Cell::Untyped(text) => map.serialize_entry(name, text)?,
            Cell::Number(number) => map.serialize_entry(name, number)?,
            Cell::Boolean(value) => map.serialize_entry(name, value)?,
            Cell::Null | Cell::List | Cell::Object => map.serialize_entry(name, &())?,
        }
    }
    map.end()
}

#[cfg(test)]
mod tests;
