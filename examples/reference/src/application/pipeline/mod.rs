//! The pipeline: an S3 notification names data files, and each becomes a summary.
//!
//! ```text
//! event ─► file ─► read ─► parse ─► validate ─► aggregate ─► store ─► metrics, log line, alert
//! ```
//!
//! A file that cannot be processed does not keep the others of its event from being processed; then
//! the invocation fails, so that Lambda tries the event again and at last puts it into the
//! dead-letter queue. Processing a file again writes the same objects again.

mod failure;
mod report;
mod settings;
mod stages;

use obs::prelude::*;
use serde::Serialize;
use serde_json::Value;

pub use failure::{FileFailure, PipelineError};
pub use settings::PipelineSettings;

use super::ports::{Clock, ObjectStore};
use crate::domain::dataset::{self, Source};
use crate::domain::object_event::{self, Notice, ObjectRef};
use crate::domain::result_keys;
use report::{Finished, Reporter};
use stages::Examined;

/// The pipeline function.
#[derive(Debug)]
pub struct Pipeline<S, C> {
    store: S,
    clock: C,
    settings: PipelineSettings,
}

/// What an invocation did, as its response.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Processed {
    /// The files that were processed.
    pub files: Vec<ProcessedFile>,
    /// How many records of the event were none of the pipeline's business.
    pub skipped: u64,
}

/// What became of one file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProcessedFile {
    /// The file.
    pub key: String,
    /// Records that were processed.
    pub processed: u64,
    /// Records that were refused.
    pub rejected: u64,
    /// Good cells in percent; nothing for a file without records.
    pub quality_score: Option<f64>,
}

impl<S: ObjectStore, C: Clock> Pipeline<S, C> {
    /// The function, on what it needs from outside.
    pub fn new(store: S, clock: C, settings: PipelineSettings) -> Self {
        Self { store, clock, settings }
    }

    /// Handles one event.
    ///
    /// # Errors
    ///
    /// When the event is malformed, or any of its files could not be processed; the others were.
    pub async fn handle(&self, event: &Value) -> Result<Processed, PipelineError> {
        let reporter = Reporter::new(&self.settings);
        let notices = object_event::read(event).map_err(|error| {
            let failure = FileFailure::of_event(error);
            reporter.malformed(&failure);
            PipelineError::new(1, vec![failure])
        })?;
        let total = notices.len();
        let mut processed = Processed::default();
        let mut failures = Vec::new();
        for notice in notices {
            match notice {
                Ok(Notice::Process(object)) => match self.file(&object, &reporter).await {
                    Ok(file) => processed.files.push(file),
                    Err(failure) => failures.push(failure),
                },
                Ok(Notice::Skip { key, reason }) => {
                    info!(key, reason, "Object skipped");
                    processed.skipped += 1;
                }
                Err(error) => {
                    let failure = FileFailure::of_event(error);
                    reporter.malformed(&failure);
                    failures.push(failure);
                }
            }
        }
        if failures.is_empty() { Ok(processed) } else { Err(PipelineError::new(total, failures)) }
    }

    async fn file(
        &self,
        object: &ObjectRef,
        reporter: &Reporter<'_>,
    ) -> Result<ProcessedFile, FileFailure> {
        let started = self.clock.monotonic();
        reporter.started(object);
        let outcome = self.process(object).await;
        let elapsed = self.clock.monotonic().saturating_sub(started);
        match outcome {
            Ok(examined) => {
                let summary = &examined.summary;
                reporter.finished(&Finished { object, summary, elapsed });
                Ok(ProcessedFile {
                    key: object.key.clone(),
                    processed: summary.records.processed,
                    rejected: summary.records.rejected,
                    quality_score: summary.quality.score,
                })
            }
            Err(failure) => {
                self.leave_note(object, &failure).await;
                reporter.failed(object, &failure, elapsed);
                Err(failure)
            }
        }
    }

    #[traced(name = "process_file", err, annotate(object_key = object.key.as_str()))]
    async fn process(&self, object: &ObjectRef) -> Result<Examined, FileFailure> {
        let file = stages::read(&self.store, object, self.settings.max_object_bytes).await?;
        let source = Source {
            bucket: object.bucket.clone(),
            key: object.key.clone(),
            etag: file.etag,
            bytes: Some(file.bytes.len() as u64),
        };
        let examined = stages::examine(&file.bytes, source, &self.settings)?;
        stages::store(&self.store, object, &examined).await?;
        Ok(examined)
    }

    /// Writes down why a file is unusable, beside the results of those that were not.
    async fn leave_note(&self, object: &ObjectRef, failure: &FileFailure) {
        let Some((source, error)) = failure.unusable() else { return };
        let note = dataset::summary::failure(&self.settings.pipeline, source, error);
        let key = result_keys::failed(&object.key);
        if let Err(error) = self.store.write(&object.bucket, &key, stages::JSON, note).await {
            // The file's own failure is what counts and is reported next.
            warn!(key, error = %error, "The reason for a failed file could not be stored");
        }
    }
}

#[cfg(test)]
mod tests;
