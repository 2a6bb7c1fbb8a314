//! A real HTTP server that speaks PutMetricData, holds its callers to the service's limits, and fails
//! on demand.
//!
//! It runs on a thread and a runtime of its own, listens on a loopback port that the system picks,
//! and stops when it is dropped; then it fails the test where a limit was broken.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Read as _};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::cbor;

const PATH: &str = "POST /service/GraniteServiceVersion20100801/operation/PutMetricData HTTP/1.1";

/// What the server does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Accept,
    /// As `Accept`, and the connection is closed behind the answer, without a word about it.
    AcceptAndClose,
    /// As `Accept`, and the connection is reset before the answer.
    AcceptAndReset,
    /// The request is refused.
    Refuse(u16, &'static str),
    /// The connection is reset.
    Reset,
    /// There is no answer while the connection is open.
    Hang,
    /// Not even HTTP.
    Garbage,
}

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// Counted from 1.
    pub(crate) number: usize,
    /// The connection that it came over, counted from 1.
    pub(crate) connection: usize,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) namespace: String,
    pub(crate) data: Vec<Datum>,
    /// The body's bytes before compression.
    pub(crate) bytes: usize,
}

/// A metric of a request.
#[derive(Clone, Debug)]
pub(crate) struct Datum {
    pub(crate) name: String,
    pub(crate) dimensions: BTreeMap<String, String>,
    pub(crate) millis: f64,
    pub(crate) unit: String,
    pub(crate) resolution: Option<u64>,
    /// Each value with its count.
    pub(crate) values: Vec<(f64, f64)>,
    /// Said as `Value`, not as `Values` and `Counts`.
    pub(crate) single: bool,
}

impl Datum {
    pub(crate) fn sum(&self) -> f64 {
        self.values.iter().map(|(value, count)| value * count).sum()
    }

    fn read(raw: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let list = |name: &str| -> Vec<Value> {
            raw.get(name).map_or_else(Vec::new, |list| list.as_array().unwrap().clone())
        };
        let numbers =
            |name: &str| -> Vec<f64> { list(name).iter().map(|n| n.as_f64().unwrap()).collect() };
        let (values, counts) = (numbers("Values"), numbers("Counts"));
        assert_eq!(values.len(), counts.len());
        assert!(raw.get("StatisticValues").is_none());
        let single = raw.get("Value").map(|value| value.as_f64().unwrap());
        let dimensions = list("Dimensions");
        let pairs = dimensions.iter().map(|pair| (text(&pair["Name"]), text(&pair["Value"])));
        Self {
            name: text(&raw["MetricName"]),
            dimensions: pairs.collect(),
            millis: raw["Timestamp"].as_f64().unwrap() * 1000.0,
            unit: text(&raw["Unit"]),
            resolution: raw.get("StorageResolution").map(|n| n.as_u64().unwrap()),
            values: match single {
                Some(value) => vec![(value, 1.0)],
                None => values.into_iter().zip(counts).collect(),
            },
            single: single.is_some(),
        }
    }

    /// Which limit of the service it breaks, if any.
    fn violation(&self) -> Option<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64() * 1000.0;
        let hour = 3_600_000.0;
        let in_window = (-14.0 * 24.0 * hour..=2.0 * hour).contains(&(self.millis - now));
        let values = &self.values;
        let in_range = |n: f64| n.is_finite() && n.abs() <= 2f64.powi(360);
        let distinct = values.windows(2).all(|pair| pair[0].0 < pair[1].0);
        let ok = (1..=255).contains(&self.name.len())
            && self.dimensions.len() <= 30
            && self.dimensions.iter().all(|(name, value)| {
                (1..=255).contains(&name.len()) && (1..=1024).contains(&value.len())
            })
            && in_window
            && (1..=150).contains(&values.len())
            && distinct
            && values.iter().all(|(value, count)| in_range(*value) && *count >= 1.0)
            && matches!(self.resolution, None | Some(1 | 60));
        (!ok).then(|| format!("{self:?}"))
    }
}

type Script = Box<dyn Fn(&Request) -> Answer + Send + Sync>;

struct State {
    script: Mutex<Arc<Script>>,
    requests: Mutex<Vec<Request>>,
    arrived: Mutex<Vec<Datum>>,
    violations: Mutex<Vec<String>>,
    connections: Mutex<usize>,
}

/// The server.
pub(crate) struct Service {
    state: Arc<State>,
    address: SocketAddr,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Service {
    /// A server that answers as `script` says.
    pub(crate) fn start(script: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let state = Arc::new(State {
            script: Mutex::new(Arc::new(Box::new(script))),
            requests: Mutex::default(),
            arrived: Mutex::default(),
            violations: Mutex::default(),
            connections: Mutex::default(),
        });
        let (stop, stopped) = watch::channel(false);
        let (send, receive) = std::sync::mpsc::channel();
        let served = Arc::clone(&state);
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                send.send(listener.local_addr().unwrap()).unwrap();
                serve(listener, served, stopped).await;
            });
        });
        let address = receive.recv().unwrap();
        Self { state, address, stop, thread: Some(thread) }
    }

    /// A server that takes everything.
    pub(crate) fn accepting() -> Self {
        Self::start(|_| Answer::Accept)
    }

    /// Answers as `script` says from now on.
    pub(crate) fn then(&self, script: impl Fn(&Request) -> Answer + Send + Sync + 'static) {
        *self.state.script.lock().unwrap() = Arc::new(Box::new(script));
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What an application's `SdkConfig` would be, with this server for an endpoint.
    pub(crate) fn config(&self) -> SdkConfig {
        config(&self.url())
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.state.requests.lock().unwrap().clone()
    }

    /// What was taken, in the order of arrival, duplicates included.
    pub(crate) fn arrived(&self) -> Vec<Datum> {
        self.state.arrived.lock().unwrap().clone()
    }

    /// The names of what was taken, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.arrived().into_iter().map(|datum| datum.name).collect();
        names.sort();
        names
    }

    pub(crate) fn connections(&self) -> usize {
        *self.state.connections.lock().unwrap()
    }

    /// Waits until `done` says so, for twenty seconds at most.
    #[track_caller]
    pub(crate) fn wait_until(&self, what: &str, done: impl Fn(&Self) -> bool) {
        let start = Instant::now();
        while !done(self) {
            assert!(start.elapsed() < Duration::from_secs(20), "{what}: not within twenty seconds");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
        let ended = self.thread.take().map(JoinHandle::join);
        if !std::thread::panicking() {
            let violations = self.state.violations.lock().unwrap();
            assert!(violations.is_empty(), "{violations:?}");
            assert!(matches!(ended, Some(Ok(()))));
        }
    }
}

/// A configuration with this endpoint, and credentials that open nothing.
pub(crate) fn config(url: &str) -> SdkConfig {
    let credentials = Credentials::new("AKIDEXAMPLE", "not-a-secret", None, None, "test");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url(url)
        .build()
}

async fn serve(listener: TcpListener, state: Arc<State>, mut stopped: watch::Receiver<bool>) {
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(_) => continue,
            },
            _ = stopped.changed() => return,
        };
        let number = {
            let mut connections = state.connections.lock().unwrap();
            *connections += 1;
            *connections
        };
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            // A client that goes away in the middle is one of the things under test.
            let conversation = converse(stream, number, &state);
            if let Err(error) = conversation.await
                && error.kind() == io::ErrorKind::InvalidData
            {
                state.violations.lock().unwrap().push(error.to_string());
            }
        });
    }
}

/// Serves one connection until one side ends it.
async fn converse(stream: TcpStream, connection: usize, state: &State) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some((line, headers, body)) = read_request(&mut stream).await? {
        // What cannot be read is a violation too.
        let read = std::panic::catch_unwind(|| read(connection, &line, headers, &body));
        let Ok(mut request) = read else {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a request that is unreadable"));
        };
        {
            let mut requests = state.requests.lock().unwrap();
            request.number = requests.len() + 1;
            requests.push(request.clone());
        }
        let violations = violations(&request);
        let script = Arc::clone(&state.script.lock().unwrap());
        let answer = if violations.is_empty() {
            script(&request)
        } else {
            state.violations.lock().unwrap().extend(violations);
            Answer::Refuse(400, "InvalidParameterValue")
        };
        if !reply(stream.get_mut(), &request, answer, state).await? {
            break;
        }
    }
    Ok(())
}

async fn read_request(
    stream: &mut BufReader<TcpStream>,
) -> io::Result<Option<(String, HashMap<String, String>, Vec<u8>)>> {
    let mut first = String::new();
    if stream.read_line(&mut first).await? == 0 {
        return Ok(None);
    }
    let mut headers = HashMap::new();
    let mut line = String::new();
    loop {
        line.clear();
        stream.read_line(&mut line).await?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await?;
    Ok(Some((first.trim_end().to_owned(), headers, body)))
}

fn read(connection: usize, line: &str, headers: HashMap<String, String>, body: &[u8]) -> Request {
    assert_eq!(line, PATH);
    assert_eq!(headers["smithy-protocol"], "rpc-v2-cbor");
    assert!(headers["authorization"].starts_with("AWS4-HMAC-SHA256 Credential="));
    let body = match headers.get("content-encoding").map(String::as_str) {
        Some("gzip") => {
            let mut plain = Vec::new();
            flate2::read::GzDecoder::new(body).read_to_end(&mut plain).unwrap();
            plain
        }
        Some(other) => panic!("{other}"),
        None => body.to_vec(),
    };
    let raw = cbor::read(&body);
    let data = raw["MetricData"].as_array().unwrap().iter().map(Datum::read).collect();
    let namespace = raw["Namespace"].as_str().unwrap().to_owned();
    Request { number: 0, connection, headers, namespace, data, bytes: body.len() }
}

fn violations(request: &Request) -> Vec<String> {
    let mut violations: Vec<String> = request.data.iter().filter_map(Datum::violation).collect();
    if request.data.is_empty() || request.data.len() > 1_000 || request.bytes > 1_000_000 {
        violations.push(format!("{} metrics, {} bytes", request.data.len(), request.bytes));
    }
    violations
}

/// Answers, and says whether the connection stays open.
async fn reply(
    stream: &mut TcpStream,
    request: &Request,
    answer: Answer,
    state: &State,
) -> io::Result<bool> {
    let accept = || state.arrived.lock().unwrap().extend(request.data.iter().cloned());
    match answer {
        Answer::Accept => {
            accept();
            write(stream, 200, &cbor::write(&[])).await
        }
        Answer::AcceptAndClose => {
            accept();
            write(stream, 200, &cbor::write(&[])).await?;
            Ok(false)
        }
        Answer::AcceptAndReset => {
            accept();
            reset(stream)
        }
        Answer::Refuse(status, code) => {
            write(stream, status, &cbor::write(&[("__type", code), ("message", "injected")])).await
        }
        Answer::Reset => reset(stream),
        Answer::Hang => {
            // Until the client closes the connection.
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).await?;
            Ok(false)
        }
        Answer::Garbage => {
            stream.write_all(b"\x00\xff this is not HTTP\r\n\r\n").await?;
            Ok(false)
        }
    }
}

async fn write(stream: &mut TcpStream, status: u16, body: &[u8]) -> io::Result<bool> {
    let head = format!(
        "HTTP/1.1 {status} Injected\r\nContent-Type: application/cbor\r\n\
         smithy-protocol: rpc-v2-cbor\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    // One write: a second small one would wait for the first one's acknowledgement.
    stream.write_all(&[head.as_bytes(), body].concat()).await?;
    stream.flush().await?;
    Ok(true)
}

/// Closes the connection so that the client reads an error and not an end.
fn reset(stream: &TcpStream) -> io::Result<bool> {
    stream.set_zero_linger()?;
    Ok(false)
}
