//! A deployed stack on a running backend: send something in, wait for what comes out.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_s3::primitives::ByteStream;
use serde_json::{Value, json};

use crate::assembly::{Assembly, Omission};
use crate::backend::Backend;
use crate::clients::Clients;
use crate::daemon::{Daemon, Datagram, Segment};
use crate::error::{Error, Result};
use crate::logs::{self, Function, Invocation};
use crate::metrics::{self, AlarmState, ExtractedMetric, StoredMetric};
use crate::queues::{DeadLetter, Queues, TopicMessage};
use crate::settings::Settings;
use crate::stack::{self, Outputs};

/// How long anything is waited for. A cold start and its work take about a second; the rest is for a
/// machine whose cores are busy with something else.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(100);

/// Is told when a step begins and ends, to show progress.
pub trait StepObserver {
    /// A step begins.
    fn begin(&mut self, step: &str);
    /// The step that was begun last has ended well; `detail` says what came of it.
    fn end(&mut self, detail: &str);
}

/// Shows nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl StepObserver for Silent {
    fn begin(&mut self, _step: &str) {}
    fn end(&mut self, _detail: &str) {}
}

/// What a data file led to.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Outcome {
    /// The object's key.
    pub key: String,
    /// The pipeline's invocations that mention the key, oldest first: one, and more where it failed
    /// and was retried.
    pub invocations: Vec<Invocation>,
    /// The objects that were written for it, by key.
    pub results: BTreeMap<String, Vec<u8>>,
}

impl Outcome {
    /// A written object as JSON; null if it is not there or is none.
    #[must_use]
    pub fn json(&self, key: &str) -> Value {
        self.results
            .get(key)
            .and_then(|bytes| serde_json::from_slice(bytes).ok())
            .unwrap_or(Value::Null)
    }

    /// The summary of a file that was processed; null of one that was not.
    #[must_use]
    pub fn summary(&self) -> Value {
        self.json(&format!("processed/{}.summary.json", self.name()))
    }

    /// The key without the folder that all input is in.
    #[must_use]
    pub fn name(&self) -> &str {
        self.key.strip_prefix("incoming/").unwrap_or(&self.key)
    }

    /// The first line with this message in any of the invocations.
    #[must_use]
    pub fn message(&self, message: &str) -> Option<&logs::Line> {
        self.invocations.iter().find_map(|invocation| invocation.message(message))
    }
}

/// A deployed stack. Dropping it stops the backend and every process that it started.
pub struct Deployment {
    // In this order they are dropped: the receivers first, the backend they talk to last.
    queues: Queues,
    clients: Clients,
    outputs: Outputs,
    assembly: Assembly,
    backend: Backend,
    daemon: Daemon,
}

impl Deployment {
    /// Starts the daemon's listener and the backend, deploys the stack and subscribes to its topics.
    ///
    /// # Errors
    ///
    /// When a path of `settings` is not there, the backend does not start, or a resource of the stack
    /// cannot be made; the message names it.
    pub async fn start(settings: &Settings, steps: &mut dyn StepObserver) -> Result<Self> {
        settings.check()?;
        let assembly = Assembly::read(&settings.assembly)?;

        steps.begin("start the backend");
        let daemon = Daemon::start()
            .map_err(|error| Error::backend("no UDP socket on 127.0.0.1").because(error))?;
        let backend = Backend::start(settings, daemon.address()).await?;
        let gateway = backend.gateway();
        steps.end(&format!("{}, X-Ray on udp {}", gateway.url(), daemon.address().port()));

        let clients = Clients::new(gateway);
        steps.begin("upload the functions");
        let (count, bytes) = stack::upload_assets(&clients, &assembly).await?;
        steps.end(&format!("{count} zips, {:.1} MB", mega(bytes)));

        steps.begin("create the stack");
        let (outputs, resources) = stack::create(&clients, &assembly).await?;
        steps.end(&format!("{}, {resources} resources", assembly.stack_name));

        let queues = Queues::listen(&clients, &outputs).await?;
        Ok(Self { queues, clients, outputs, assembly, backend, daemon })
    }

    /// An output of the stack.
    ///
    /// # Errors
    ///
    /// When the stack has none of this name.
    pub fn output(&self, name: &str) -> Result<&str> {
        self.outputs.get(name)
    }

    /// What the local deployment leaves out, as the infrastructure says.
    #[must_use]
    pub fn omissions(&self) -> &[Omission] {
        &self.assembly.omissions
    }

    /// Where the backend listens.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.backend.gateway().url()
    }

    /// What the backend wrote about itself.
    #[must_use]
    pub fn backend_log(&self) -> &Path {
        self.backend.log()
    }

    /// The name of a function.
    ///
    /// # Errors
    ///
    /// When the stack has no output for it.
    pub fn function_name(&self, function: Function) -> Result<&str> {
        self.outputs.get(function.name_output())
    }

    /// What a variable of a function is set to; none if it is not set, or made by the stack.
    ///
    /// # Errors
    ///
    /// When the stack has no output for the function.
    pub fn variable(&self, function: Function, name: &str) -> Result<Option<String>> {
        Ok(self.assembly.variable(self.function_name(function)?, name))
    }

    /// The log group of a function.
    ///
    /// # Errors
    ///
    /// When the stack has no output for it.
    pub fn log_group(&self, function: Function) -> Result<&str> {
        self.outputs.get(function.log_group_output())
    }

    /// Puts a data file where the pipeline is notified of it; its key.
    ///
    /// # Errors
    ///
    /// When the backend refuses it.
    pub async fn put_input(&self, name: &str, bytes: Vec<u8>) -> Result<String> {
        let key = format!("incoming/{name}");
        self.clients
            .s3
            .put_object()
            .bucket(self.outputs.get("BucketName")?)
            .key(&key)
            .body(ByteStream::from(bytes))
            .send()
            .await
            .map_err(|error| Error::service(format!("put {key}"), error))?;
        Ok(key)
    }

    /// Starts the pipeline with an event that says that `key` was created, whether it was or not.
    ///
    /// # Errors
    ///
    /// When the backend refuses it.
    pub async fn notify_of(&self, key: &str) -> Result<()> {
        let event = object_created(self.outputs.get("BucketName")?, key);
        self.backend
            .gateway()
            .invoke_asynchronously(
                self.function_name(Function::Pipeline)?,
                event.to_string().as_bytes(),
            )
            .await
    }

    /// Waits until the pipeline has ended an invocation for `key`, and gives what it wrote.
    ///
    /// # Errors
    ///
    /// When none has ended after a minute.
    pub async fn wait_for_outcome(&self, key: &str) -> Result<Outcome> {
        let what = format!("an invocation of the pipeline for {key}");
        let invocations = self
            .wait(&what, async || {
                let all = self.invocations(Function::Pipeline).await?;
                let own: Vec<_> = all.into_iter().filter(|one| one.mentions(key)).collect();
                Ok((!own.is_empty()).then_some(own))
            })
            .await?;
        let name = key.strip_prefix("incoming/").unwrap_or(key);
        Ok(Outcome { key: key.to_owned(), invocations, results: self.results_of(name).await? })
    }

    /// Waits for a message on any of the alert topics that contains `text`.
    ///
    /// # Errors
    ///
    /// When none has arrived after a minute.
    pub async fn wait_for_alert(&self, text: &str) -> Result<TopicMessage> {
        let found = async || Ok(self.alerts().into_iter().find(|alert| alert.mentions(text)));
        self.wait(&format!("an alert about {text}"), found).await
    }

    /// Waits for a message in the function's dead-letter queue that contains `text`.
    ///
    /// # Errors
    ///
    /// When none has arrived after a minute.
    pub async fn wait_for_dead_letter(&self, function: Function, text: &str) -> Result<DeadLetter> {
        let found = async || {
            let mut letters = self.queues.letters().into_iter();
            Ok(letters.find(|letter| letter.function == function && letter.mentions(text)))
        };
        self.wait(&format!("a dead letter about {text}"), found).await
    }

    /// Waits until at least `count` invocations of `function` that contain `text` have ended.
    ///
    /// # Errors
    ///
    /// When they have not after a minute.
    pub async fn wait_for_invocations(
        &self,
        function: Function,
        text: &str,
        count: usize,
    ) -> Result<Vec<Invocation>> {
        let what = format!("{count} invocations that mention {text}");
        self.wait(&what, async || {
            let all = self.invocations(function).await?;
            let own: Vec<_> = all.into_iter().filter(|one| one.mentions(text)).collect();
            Ok((own.len() >= count).then_some(own))
        })
        .await
    }

    /// Every ended invocation of `function`, oldest first.
    ///
    /// # Errors
    ///
    /// When the log group cannot be read.
    pub async fn invocations(&self, function: Function) -> Result<Vec<Invocation>> {
        logs::invocations(&self.clients, &self.outputs, function).await
    }

    /// What has arrived on the alert topics.
    #[must_use]
    pub fn alerts(&self) -> Vec<TopicMessage> {
        self.queues.messages()
    }

    /// What has arrived in the dead-letter queues.
    #[must_use]
    pub fn dead_letters(&self) -> Vec<DeadLetter> {
        self.queues.letters()
    }

    /// What has arrived at the daemon's socket.
    #[must_use]
    pub fn datagrams(&self) -> Vec<Datagram> {
        self.daemon.received()
    }

    /// The valid segments that have arrived at the daemon's socket with this trace id.
    #[must_use]
    pub fn segments(&self, trace_id: &str) -> Vec<Segment> {
        let valid = self.datagrams().into_iter().filter_map(|datagram| datagram.segment.ok());
        valid.filter(|segment| segment.trace_id == trace_id).collect()
    }

    /// An object of the bucket; none if it is not there.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub async fn object(&self, key: &str) -> Result<Option<Vec<u8>>> {
        let bucket = self.outputs.get("BucketName")?;
        let object = match self.clients.s3.get_object().bucket(bucket).key(key).send().await {
            Ok(object) => object,
            Err(SdkError::ServiceError(refusal))
                if matches!(refusal.err(), GetObjectError::NoSuchKey(_)) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(Error::service(format!("read {key}"), error)),
        };
        let bytes = object.body.collect().await;
        let bytes = bytes.map_err(|error| Error::service(format!("read {key}"), error))?;
        Ok(Some(bytes.to_vec()))
    }

    /// Puts the metrics with `PutMetricData`, which on AWS the log group's extraction does.
    ///
    /// # Errors
    ///
    /// When the backend refuses them.
    pub async fn put_metrics(&self, metrics: &[ExtractedMetric]) -> Result<()> {
        metrics::put(&self.clients, metrics).await
    }

    /// Reads back the series that a metric belongs to, by its exact dimensions.
    ///
    /// # Errors
    ///
    /// When the backend refuses the request.
    pub async fn stored_metric(&self, metric: &ExtractedMetric) -> Result<Option<StoredMetric>> {
        metrics::read(&self.clients, metric).await
    }

    /// What the backend says about the alarm on processing errors.
    ///
    /// # Errors
    ///
    /// When there is no such alarm.
    pub async fn alarm(&self) -> Result<AlarmState> {
        metrics::alarm(&self.clients, &self.outputs).await
    }

    /// Stops the backend with everything that it started, and waits until it has ended.
    ///
    /// # Errors
    ///
    /// When it had to be killed.
    pub fn stop(self) -> Result<()> {
        let Self { queues, mut backend, .. } = self;
        drop(queues);
        backend.stop()
    }

    /// The objects that the pipeline wrote for the file `name`.
    async fn results_of(&self, name: &str) -> Result<BTreeMap<String, Vec<u8>>> {
        let keys = [
            format!("processed/{name}.summary.json"),
            format!("rejected/{name}.jsonl"),
            format!("failed/{name}.error.json"),
        ];
        let mut results = BTreeMap::new();
        for key in keys {
            if let Some(bytes) = self.object(&key).await? {
                results.insert(key, bytes);
            }
        }
        Ok(results)
    }

    async fn wait<T, F>(&self, what: &str, mut look: impl FnMut() -> F) -> Result<T>
    where
        F: Future<Output = Result<Option<T>>>,
    {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look().await? {
                return Ok(found);
            }
            if Instant::now() >= deadline {
                return Err(Error::timeout(format!(
                    "{what} did not come in {} s; the backend's log is {}",
                    PATIENCE.as_secs(),
                    PathBuf::from(self.backend_log()).display()
                )));
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

impl fmt::Debug for Deployment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deployment").field("endpoint", &self.endpoint()).finish_non_exhaustive()
    }
}

/// The event that S3 sends when an object was created; its keys are percent-encoded there.
fn object_created(bucket: &str, key: &str) -> Value {
    let encoded: String = key
        .bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect();
    json!({"Records": [{
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": crate::backend::REGION,
        "eventTime": "2026-01-01T00:00:00.000Z",
        "eventName": "ObjectCreated:Put",
        "userIdentity": {"principalId": "local"},
        "requestParameters": {"sourceIPAddress": "127.0.0.1"},
        "responseElements": {},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "local",
            "bucket": {
                "name": bucket,
                "ownerIdentity": {"principalId": "local"},
                "arn": format!("arn:aws:s3:::{bucket}"),
            },
            "object": {"key": encoded, "size": 1, "eTag": "0", "sequencer": "0"},
        },
    }]})
}

#[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
fn mega(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::object_created;

    #[test]
    fn keys_in_events_are_encoded_as_s3_does() {
        let event = object_created("b", "incoming/a file+ü.json");
        let key = &event["Records"][0]["s3"]["object"]["key"];
        assert_eq!(key, "incoming/a%20file%2B%C3%BC.json");
    }
}
