//! Runs a piece of the application with telemetry of its own, and reads back what it recorded:
//! EMF documents from a writer, alerts from a socket that answers as EventBridge does.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use aws_sdk_s3::config::{Credentials, Region, SharedCredentialsProvider};
use obs::metrics::Sink;
use obs::prelude::*;
use serde_json::{Value, json};

use super::ports::Clock;

/// What was recorded while a future ran.
#[derive(Debug, Default)]
pub(super) struct Observed {
    /// The values of each metric, and the dimensions that it was recorded with.
    pub(super) metrics: BTreeMap<String, Metric>,
    /// The events that arrived on the bus, as EventBridge hands them to a function.
    pub(super) alerts: Vec<Value>,
}

#[derive(Debug, Default, PartialEq)]
pub(super) struct Metric {
    pub(super) values: Vec<f64>,
    pub(super) unit: String,
    pub(super) dimensions: BTreeMap<String, String>,
}

impl Observed {
    /// The values of a metric; none if it was not recorded.
    pub(super) fn values(&self, name: &str) -> &[f64] {
        self.metrics.get(name).map_or(&[], |metric| &metric.values)
    }
}

/// Runs a future in a request context that has its own metrics and alerts.
pub(super) async fn observe<T>(service: &str, running: impl Future<Output = T>) -> (T, Observed) {
    let lines = Lines::default();
    let metrics = MetricsCollector::builder()
        .namespace("Application/DataPipeline")
        .service(service)
        .dimension("Environment", "dev")
        .sink(Sink::writer(lines.clone()).synchronous())
        .build()
        .unwrap();
    let bus = Bus::listen();
    let config = aws_config::SdkConfig::builder()
        .endpoint_url(&bus.endpoint)
        .region(Region::new("eu-west-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
            "test", "test", None, None, "test",
        )))
        .build();
    let alerts = AlertPublisher::builder()
        .source("myapp.alerts")
        .bus("obs-reference-dev")
        .service(service)
        .environment("dev")
        .config(&config)
        .build()
        .unwrap();

    let context = RequestContext::builder().request_id("r-1").build();
    context.insert_extension(metrics.clone());
    context.insert_extension(alerts.clone());
    let result = running.in_context(context.clone()).await;
    metrics.finish_invocation(&context);
    let report = alerts.flush(Duration::from_secs(20));
    assert!(report.is_complete(), "{report}");
    (result, Observed { metrics: lines.metrics(), alerts: bus.events() })
}

/// What the collector writes.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn metrics(&self) -> BTreeMap<String, Metric> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let mut metrics: BTreeMap<String, Metric> = BTreeMap::new();
        for line in text.lines() {
            let document: Value = serde_json::from_str(line).unwrap();
            for directive in document["_aws"]["CloudWatchMetrics"].as_array().unwrap() {
                assert_eq!(directive["Namespace"], "Application/DataPipeline");
                read_directive(&document, directive, &mut metrics);
            }
        }
        metrics
    }
}

fn read_directive(document: &Value, directive: &Value, metrics: &mut BTreeMap<String, Metric>) {
    let sets = directive["Dimensions"].as_array().unwrap();
    assert_eq!(sets.len(), 1, "one set of dimensions: {directive}");
    let names = sets[0].as_array().unwrap().iter().map(|name| name.as_str().unwrap());
    let dimensions: BTreeMap<String, String> =
        names.map(|name| (name.to_owned(), document[name].as_str().unwrap().to_owned())).collect();
    for definition in directive["Metrics"].as_array().unwrap() {
        let name = definition["Name"].as_str().unwrap();
        let metric = metrics.entry(name.to_owned()).or_default();
        metric.unit = definition["Unit"].as_str().unwrap_or("None").to_owned();
        metric.dimensions.clone_from(&dimensions);
        match &document[name] {
            Value::Object(histogram) => {
                let values = histogram["Values"].as_array().unwrap();
                let counts = histogram["Counts"].as_array().unwrap();
                for (value, count) in values.iter().zip(counts) {
                    let count = usize::try_from(count.as_u64().unwrap()).unwrap();
                    metric.values.extend(vec![value.as_f64().unwrap(); count]);
                }
            }
            Value::Array(values) => {
                metric.values.extend(values.iter().map(|value| value.as_f64().unwrap()));
            }
            value => metric.values.push(value.as_f64().unwrap()),
        }
    }
}

/// Takes what PutEvents sends; its thread ends with the test's process at the latest.
struct Bus {
    endpoint: String,
    entries: Arc<Mutex<Vec<Value>>>,
}

impl Bus {
    fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let entries = Arc::new(Mutex::new(Vec::new()));
        let taken = Arc::clone(&entries);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, taken) = (stream.unwrap(), Arc::clone(&taken));
                thread::spawn(move || answer(stream, &taken));
            }
        });
        Self { endpoint, entries }
    }

    /// The entries as the events that they become.
    fn events(&self) -> Vec<Value> {
        let entries = self.entries.lock().unwrap();
        let event = |entry: &Value| {
            assert_eq!(entry["EventBusName"], "obs-reference-dev");
            let detail: Value = serde_json::from_str(entry["Detail"].as_str().unwrap()).unwrap();
            json!({
                "version": "0",
                "id": "delivery-1",
                "source": entry["Source"],
                "detail-type": entry["DetailType"],
                "region": "eu-west-1",
                "detail": detail,
            })
        };
        entries.iter().map(event).collect()
    }
}

/// Answers requests on one connection until the other side closes it.
fn answer(stream: TcpStream, entries: &Mutex<Vec<Value>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    while let Some(body) = request_body(&mut reader) {
        let request: Value = serde_json::from_slice(&body).unwrap();
        let sent = request["Entries"].as_array().unwrap();
        let results: Vec<Value> = sent.iter().map(|_| json!({ "EventId": "e" })).collect();
        entries.lock().unwrap().extend(sent.iter().cloned());
        let body = json!({ "FailedEntryCount": 0, "Entries": results }).to_string();
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.1\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all((head + &body).as_bytes()).unwrap();
    }
}

fn request_body(reader: &mut BufReader<TcpStream>) -> Option<Vec<u8>> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(body)
}

/// A clock on which every look takes a quarter of a second.
#[derive(Debug, Default)]
pub(super) struct SteppingClock(AtomicI64);

impl SteppingClock {
    const STEP_MILLIS: i64 = 250;

    fn step(&self) -> i64 {
        self.0.fetch_add(Self::STEP_MILLIS, Ordering::SeqCst)
    }
}

impl Clock for SteppingClock {
    fn monotonic(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.step()).unwrap())
    }

    fn unix_millis(&self) -> i64 {
        // 2026-01-31T12:00:00Z
        1_769_860_800_000 + self.step()
    }
}
