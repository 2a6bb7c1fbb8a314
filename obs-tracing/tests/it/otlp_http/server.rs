//! A real HTTP server that takes OTLP traces, and fails on demand. It listens on a loopback port that
//! the system picks, a thread for each connection, and stops when it is dropped.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceResponse,
};
use prost::Message as _;

use crate::support::LIMIT;
use crate::support::otlp::{self, of_protobuf};

/// What the server does with a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    Accept,
    /// It takes all spans but this many.
    Partial(i64),
    /// The status, and what stands in `Retry-After`.
    Refuse(u16, Option<&'static str>),
    /// As `Accept`, and the connection is closed behind the answer, without a word about it.
    AcceptAndClose,
    /// The connection is closed without an answer.
    Close,
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
    /// What it says, within the limits of X-Ray's endpoint.
    pub(crate) fn decode(&self) -> otlp::Request {
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
        assert!(body.len() <= 5_000_000, "{} bytes", body.len());
        let request = of_protobuf(&body);
        assert!(request.spans.len() <= 10_000, "{} spans", request.spans.len());
        for span in &request.spans {
            assert!(span.encoded_len() <= 200_000, "a span of {} bytes", span.encoded_len());
        }
        request
    }

    pub(crate) fn spans(&self) -> usize {
        self.decode().spans.len()
    }
}

type Script = Box<dyn Fn(&Request) -> Answer + Send + Sync>;

struct State {
    script: Script,
    requests: Mutex<Vec<Request>>,
    streams: Mutex<Vec<TcpStream>>,
    is_over: AtomicBool,
}

/// The server.
pub(crate) struct Collector {
    state: Arc<State>,
    address: SocketAddr,
}

impl Collector {
    /// A server that answers as `script` says.
    pub(crate) fn start(script: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            script: Box::new(script),
            requests: Mutex::default(),
            streams: Mutex::default(),
            is_over: AtomicBool::new(false),
        });
        let served = Arc::clone(&state);
        thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                if served.is_over.load(Ordering::SeqCst) {
                    break;
                }
                let Ok(stream) = stream else { continue };
                served.streams.lock().unwrap().push(stream.try_clone().unwrap());
                let state = Arc::clone(&served);
                // A client that goes away in the middle is one of the things under test.
                thread::spawn(move || converse(&stream, number + 1, &state));
            }
        });
        Self { state, address }
    }

    pub(crate) fn accepting() -> Self {
        Self::start(|_| Answer::Accept)
    }

    /// The first request is answered so, every other one is taken.
    pub(crate) fn first(answer: Answer) -> Self {
        Self::start(move |request| if request.number == 1 { answer } else { Answer::Accept })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.state.requests.lock().unwrap().clone()
    }

    /// The only request.
    pub(crate) fn request(&self) -> Request {
        let mut requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests.remove(0)
    }

    pub(crate) fn connections(&self) -> Vec<usize> {
        self.requests().iter().map(|request| request.connection).collect()
    }

    /// Waits for this many requests.
    pub(crate) fn wait_for(&self, requests: usize) {
        let began = Instant::now();
        while self.requests().len() < requests {
            assert!(began.elapsed() < LIMIT, "no {requests} requests");
            thread::sleep(std::time::Duration::from_millis(5));
        }
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.state.is_over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        for stream in self.state.streams.lock().unwrap().iter() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// Serves one connection until one side ends it.
fn converse(stream: &TcpStream, connection: usize, state: &State) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    loop {
        let request = read(&mut reader, connection)?;
        let request = {
            let mut requests = state.requests.lock().unwrap();
            let request = Request { number: requests.len() + 1, ..request };
            requests.push(request.clone());
            request
        };
        match (state.script)(&request) {
            Answer::Accept => write(stream, 200, None, &[])?,
            Answer::AcceptAndClose => {
                write(stream, 200, None, &[])?;
                break;
            }
            Answer::Partial(rejected_spans) => {
                let error_message = "injected".to_owned();
                let partial = ExportTracePartialSuccess { rejected_spans, error_message };
                let body = ExportTraceServiceResponse { partial_success: Some(partial) };
                write(stream, 200, None, &body.encode_to_vec())?;
            }
            Answer::Refuse(status, after) => write(stream, status, after, b"injected")?,
            Answer::Close => break,
            Answer::Hang => {
                // Until the client closes the connection.
                let _ = reader.read_to_end(&mut Vec::new());
                break;
            }
            Answer::Garbage => {
                let mut stream = stream;
                stream.write_all(b"\x00\xff this is not HTTP\r\n\r\n").ok()?;
                break;
            }
        }
    }
    stream.shutdown(Shutdown::Both).ok()
}

fn read(reader: &mut BufReader<TcpStream>, connection: usize) -> Option<Request> {
    let mut line = String::new();
    if reader.read_line(&mut line).ok()? == 0 {
        return None;
    }
    let first = line.trim_end().to_owned();
    let mut headers = HashMap::new();
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let mut body = vec![0; headers["content-length"].parse().unwrap()];
    reader.read_exact(&mut body).ok()?;
    Some(Request { number: 0, connection, line: first, headers, body, arrived: Instant::now() })
}

fn write(mut stream: &TcpStream, status: u16, after: Option<&str>, body: &[u8]) -> Option<()> {
    let after = after.map(|it| format!("Retry-After: {it}\r\n")).unwrap_or_default();
    let head = format!(
        "HTTP/1.1 {status} Injected\r\nContent-Type: application/x-protobuf\r\n{after}\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat()).ok()
}
