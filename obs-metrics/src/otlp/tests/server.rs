//! A real HTTP server that takes OTLP metrics, and fails on demand.
//!
//! It runs on a thread and a runtime of its own, listens on a loopback port that the system picks,
//! and stops when it is dropped.

use std::collections::HashMap;
use std::io::{self, Read as _};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::metrics::v1::{Metric, ResourceMetrics, metric};
use prost::Message as _;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::otlp::{MAX_LABELS, MAX_POINTS, MAX_REQUEST_BYTES};

/// What the server does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Accept,
    /// It takes all points but this many.
    Partial(i64),
    /// The status, and what stands in `Retry-After`.
    Refuse(u16, Option<&'static str>),
    /// As `Accept`, and the connection is closed behind the answer, without a word about it.
    AcceptAndClose,
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
    /// Method, path and version.
    pub(crate) line: String,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
    pub(crate) arrived: Instant,
}

impl Request {
    /// What it says, within the limits of CloudWatch's endpoint.
    #[track_caller]
    pub(crate) fn decode(&self) -> ExportMetricsServiceRequest {
        assert_eq!(self.headers["content-type"], "application/x-protobuf");
        let body = match self.headers.get("content-encoding").map(String::as_str) {
            Some("gzip") => {
                let mut plain = Vec::new();
                GzDecoder::new(self.body.as_slice()).read_to_end(&mut plain).unwrap();
                plain
            }
            None => self.body.clone(),
            Some(other) => panic!("compressed with {other}"),
        };
        assert!(body.len() <= MAX_REQUEST_BYTES, "{} bytes", body.len());
        let request = ExportMetricsServiceRequest::decode(body.as_slice()).unwrap();
        let [from] = request.resource_metrics.as_slice() else { panic!("{request:?}") };
        let resource = from.resource.as_ref().unwrap().attributes.len();
        let mut points = 0;
        for labels in metrics(from).flat_map(labels) {
            points += 1;
            // Name, unit, kind, scope: what CloudWatch adds.
            assert!(resource + labels + 20 <= MAX_LABELS, "{resource} and {labels} labels");
        }
        assert!((1..=MAX_POINTS).contains(&points), "{points} points");
        request
    }

    /// The metrics in it, by their names.
    #[track_caller]
    pub(crate) fn metrics(&self) -> HashMap<String, Metric> {
        let request = self.decode();
        metrics(&request.resource_metrics[0])
            .map(|metric| (metric.name.clone(), metric.clone()))
            .collect()
    }

    #[track_caller]
    pub(crate) fn points(&self) -> usize {
        metrics(&self.decode().resource_metrics[0]).map(|metric| labels(metric).len()).sum()
    }
}

fn metrics(from: &ResourceMetrics) -> impl Iterator<Item = &Metric> {
    from.scope_metrics.iter().flat_map(|scope| &scope.metrics)
}

/// How many attributes each point has.
fn labels(metric: &Metric) -> Vec<usize> {
    match metric.data.as_ref().unwrap() {
        metric::Data::Sum(sum) => sum.data_points.iter().map(|it| it.attributes.len()).collect(),
        metric::Data::Gauge(gauge) => {
            gauge.data_points.iter().map(|it| it.attributes.len()).collect()
        }
        metric::Data::ExponentialHistogram(histogram) => {
            histogram.data_points.iter().map(|it| it.attributes.len()).collect()
        }
        other => panic!("{other:?}"),
    }
}

type Script = Box<dyn Fn(&Request) -> Answer + Send + Sync>;

struct State {
    script: Script,
    requests: Mutex<Vec<Request>>,
    connections: Mutex<usize>,
}

/// The server.
pub(crate) struct Collector {
    state: Arc<State>,
    address: SocketAddr,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Collector {
    /// A server that answers as `script` says.
    pub(crate) fn start(script: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let state = Arc::new(State {
            script: Box::new(script),
            requests: Mutex::default(),
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

    pub(crate) fn accepting() -> Self {
        Self::start(|_| Answer::Accept)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.state.requests.lock().unwrap().clone()
    }

    /// The only request.
    #[track_caller]
    pub(crate) fn request(&self) -> Request {
        let requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests[0].clone()
    }

    /// Waits for this many requests, ten seconds at most.
    #[track_caller]
    pub(crate) fn wait_for(&self, requests: usize) {
        let start = Instant::now();
        while self.requests().len() < requests {
            assert!(start.elapsed() < Duration::from_secs(10), "no {requests} requests");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
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
            let _ = converse(stream, number, &state).await;
        });
    }
}

/// Serves one connection until one side ends it.
async fn converse(stream: TcpStream, connection: usize, state: &State) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream, connection).await? {
        let request = {
            let mut requests = state.requests.lock().unwrap();
            let request = Request { number: requests.len() + 1, ..request };
            requests.push(request.clone());
            request
        };
        if !reply(stream.get_mut(), (state.script)(&request)).await? {
            break;
        }
    }
    Ok(())
}

async fn read(stream: &mut BufReader<TcpStream>, connection: usize) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    let first = line.trim_end().to_owned();
    let mut headers = HashMap::new();
    loop {
        line.clear();
        stream.read_line(&mut line).await?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let mut body = vec![0; headers["content-length"].parse().unwrap()];
    stream.read_exact(&mut body).await?;
    let arrived = Instant::now();
    Ok(Some(Request { number: 0, connection, line: first, headers, body, arrived }))
}

/// Answers, and says whether the connection stays open.
async fn reply(stream: &mut TcpStream, answer: Answer) -> io::Result<bool> {
    match answer {
        Answer::Accept => write(stream, 200, None, &[]).await,
        Answer::AcceptAndClose => {
            write(stream, 200, None, &[]).await?;
            Ok(false)
        }
        Answer::Partial(rejected) => {
            let error_message = "injected".to_owned();
            let partial =
                ExportMetricsPartialSuccess { rejected_data_points: rejected, error_message };
            let body = ExportMetricsServiceResponse { partial_success: Some(partial) };
            write(stream, 200, None, &body.encode_to_vec()).await
        }
        Answer::Refuse(status, after) => write(stream, status, after, b"injected").await,
        Answer::Reset => {
            // So that the client reads an error and not an end.
            stream.set_zero_linger()?;
            Ok(false)
        }
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

async fn write(
    stream: &mut TcpStream,
    status: u16,
    retry_after: Option<&str>,
    body: &[u8],
) -> io::Result<bool> {
    let retry_after = retry_after.map(|it| format!("Retry-After: {it}\r\n")).unwrap_or_default();
    let head = format!(
        "HTTP/1.1 {status} Injected\r\nContent-Type: application/x-protobuf\r\n{retry_after}\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat()).await?;
    Ok(true)
}
