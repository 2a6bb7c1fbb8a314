//! The stages that a file goes through, each a subsegment of the trace.

use obs::prelude::*;

use super::failure::FileFailure;
use super::settings::PipelineSettings;
use crate::application::ports::{ObjectStore, ReadError, StoredObject};
use crate::domain::dataset::summary::rejected_lines;
use crate::domain::dataset::{self, Aggregates, Dataset, Source, Summary, Unusable, Validation};
use crate::domain::object_event::ObjectRef;
use crate::domain::result_keys;

pub(super) const JSON: &str = "application/json";
const JSON_LINES: &str = "application/x-ndjson";

/// What a file turned out to be: everything that is left of it in memory.
#[derive(Debug)]
pub(super) struct Examined {
    pub(super) summary: Summary,
    rejected: Vec<u8>,
}

#[traced(err)]
pub(super) async fn read<S: ObjectStore>(
    store: &S,
    object: &ObjectRef,
    limit: u64,
) -> Result<StoredObject, FileFailure> {
    let source = |bytes| Source {
        bucket: object.bucket.clone(),
        key: object.key.clone(),
        etag: None,
        bytes,
    };
    store.read(object, limit).await.map_err(|error| match error {
        ReadError::Missing => {
            let missing = Unusable::new("missing_object", "the file does not exist any more");
            FileFailure::unusable_file(source(None), missing)
        }
        ReadError::TooLarge { bytes } => {
            FileFailure::unusable_file(source(Some(bytes)), Unusable::too_large(bytes, limit))
        }
        ReadError::Unavailable(error) => FileFailure::unavailable(&object.key, error),
    })
}

/// From the file's bytes to the documents that it leaves behind; the dataset is gone afterwards.
pub(super) fn examine(
    file: &[u8],
    source: Source,
    settings: &PipelineSettings,
) -> Result<Examined, FileFailure> {
    let dataset = match parse(file, &source.key) {
        Ok(dataset) => dataset,
        Err(error) => return Err(FileFailure::unusable_file(source, error)),
    };
    let validation = validate(&dataset);
    let aggregates = aggregate(&validation, settings.revenue_field.as_deref());
    let summary = Summary::new(&settings.pipeline, source, &dataset, &validation, &aggregates);
    let rejected = rejected_lines(&dataset, &validation.rejected);
    Ok(Examined { summary, rejected })
}

#[traced(err, metadata(bytes = file.len()))]
fn parse<'a>(file: &'a [u8], key: &str) -> Result<Dataset<'a>, Unusable> {
    dataset::parse(file, key)
}

#[traced(metadata(records = dataset.total()))]
fn validate<'d, 'a>(dataset: &'d Dataset<'a>) -> Validation<'d, 'a> {
    dataset::validate(dataset)
}

#[traced]
fn aggregate<'a>(validation: &Validation<'_, 'a>, revenue_field: Option<&str>) -> Aggregates<'a> {
    dataset::aggregate(validation, revenue_field)
}

/// Writes the results, the summary last: where it stands, everything that it names does too.
#[traced(err)]
pub(super) async fn store<S: ObjectStore>(
    store: &S,
    object: &ObjectRef,
    examined: &Examined,
) -> Result<(), FileFailure> {
    let unavailable = |error| FileFailure::unavailable(&object.key, error);
    let bucket = &object.bucket;
    if let Some(key) = &examined.summary.rejected_object {
        let lines = examined.rejected.clone();
        store.write(bucket, key, JSON_LINES, lines).await.map_err(unavailable)?;
    }
    let key = result_keys::summary(&object.key);
    let summary = examined.summary.to_json();
    store.write(bucket, &key, JSON, summary).await.map_err(unavailable)
}
