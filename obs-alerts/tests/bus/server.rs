//! A real HTTP server that speaks PutEvents, and fails on demand.
//!
//! It runs on a thread and a runtime of its own, listens on a loopback port that the system picks,
//! and stops when it is dropped.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_eventbridge::config::{Credentials, SharedCredentialsProvider};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What the server does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// Every entry is on the bus.
    Accept,
    /// As `Accept`, and the connection is closed behind the answer, without a word about it.
    AcceptAndClose,
    /// The entries at these indices are refused with this code, the others are on the bus.
    FailEntries(Vec<usize>, &'static str),
    /// The whole request is refused.
    Refuse(u16, &'static str),
    /// Every entry is on the bus, and the connection is reset before the answer.
    AcceptAndReset,
    /// The connection is reset.
    Reset,
    /// There is no answer while the connection is open.
    Hang,
    /// 200, with this body.
    Body(&'static str),
    /// Not even HTTP.
    Garbage,
    /// Every entry is on the bus, after this time.
    After(Duration),
}

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// Counted from 1.
    pub(crate) number: usize,
    /// The connection that it came over, counted from 1.
    pub(crate) connection: usize,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) arrived: Instant,
}

/// An entry of a request.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) raw: Value,
    /// What `Detail` holds.
    pub(crate) detail: Value,
}

impl Entry {
    pub(crate) fn id(&self) -> &str {
        self.detail["id"].as_str().unwrap()
    }

    pub(crate) fn message(&self) -> &str {
        self.detail["message"].as_str().unwrap()
    }

    /// As the service counts it.
    pub(crate) fn size(&self) -> usize {
        14 + ["Source", "DetailType", "Detail"]
            .iter()
            .map(|name| self.raw[name].as_str().unwrap().len())
            .sum::<usize>()
    }
}

type Script = Box<dyn Fn(&Request) -> Answer + Send + Sync>;

struct State {
    script: Mutex<Arc<Script>>,
    requests: Mutex<Vec<Request>>,
    arrived: Mutex<Vec<Entry>>,
    connections: Mutex<usize>,
}

/// The server.
pub(crate) struct EventBus {
    state: Arc<State>,
    address: SocketAddr,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl EventBus {
    /// A server that answers as `script` says.
    pub(crate) fn start(script: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let state = Arc::new(State {
            script: Mutex::new(Arc::new(Box::new(script))),
            requests: Mutex::default(),
            arrived: Mutex::default(),
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

    /// What is on the bus, in the order of arrival, duplicates included.
    pub(crate) fn arrived(&self) -> Vec<Entry> {
        self.state.arrived.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        *self.state.connections.lock().unwrap()
    }

    pub(crate) fn messages(&self) -> Vec<String> {
        self.arrived().iter().map(|entry| entry.message().to_owned()).collect()
    }

    /// Waits until `done` says so, for ten seconds at most.
    #[track_caller]
    pub(crate) fn wait_until(&self, what: &str, done: impl Fn(&Self) -> bool) {
        let start = Instant::now();
        while !done(self) {
            assert!(start.elapsed() < Duration::from_secs(10), "{what}: not within ten seconds");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for EventBus {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
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
            let _ = converse(stream, number, &state).await;
        });
    }
}

/// Serves one connection until one side ends it.
async fn converse(stream: TcpStream, connection: usize, state: &State) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some((headers, body)) = read_request(&mut stream).await? {
        let request = record(state, connection, headers, &body);
        let script = Arc::clone(&state.script.lock().unwrap());
        let answer = script(&request);
        let keep = reply(stream.get_mut(), &request, answer, state).await?;
        if !keep {
            break;
        }
    }
    Ok(())
}

async fn read_request(
    stream: &mut BufReader<TcpStream>,
) -> io::Result<Option<(HashMap<String, String>, Vec<u8>)>> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    assert_eq!(line.trim_end(), "POST / HTTP/1.1");
    let mut headers = HashMap::new();
    loop {
        line.clear();
        stream.read_line(&mut line).await?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let mut body = vec![0; headers["content-length"].parse().unwrap()];
    stream.read_exact(&mut body).await?;
    Ok(Some((headers, body)))
}

fn record(
    state: &State,
    connection: usize,
    headers: HashMap<String, String>,
    body: &[u8],
) -> Request {
    assert_eq!(headers["x-amz-target"], "AWSEvents.PutEvents");
    assert_eq!(headers["content-type"], "application/x-amz-json-1.1");
    assert!(headers["authorization"].starts_with("AWS4-HMAC-SHA256 Credential="));
    let body: Value = serde_json::from_slice(body).unwrap();
    let entries = body["Entries"].as_array().unwrap();
    let entries = entries
        .iter()
        .map(|raw| {
            let detail = serde_json::from_str(raw["Detail"].as_str().unwrap()).unwrap();
            Entry { raw: raw.clone(), detail }
        })
        .collect();
    let mut requests = state.requests.lock().unwrap();
    let number = requests.len() + 1;
    let request = Request { number, connection, headers, entries, arrived: Instant::now() };
    requests.push(request.clone());
    request
}

/// Answers, and says whether the connection stays open.
async fn reply(
    stream: &mut TcpStream,
    request: &Request,
    answer: Answer,
    state: &State,
) -> io::Result<bool> {
    let accept = |failed: &[usize], code: &str| {
        let mut arrived = state.arrived.lock().unwrap();
        let results: Vec<Value> = (request.entries.iter().enumerate())
            .map(|(index, entry)| {
                if failed.contains(&index) {
                    return json!({"ErrorCode": code, "ErrorMessage": "injected"});
                }
                arrived.push(entry.clone());
                json!({"EventId": format!("{}-{index}", request.number)})
            })
            .collect();
        json!({"FailedEntryCount": failed.len(), "Entries": results}).to_string()
    };
    match answer {
        Answer::Accept => write(stream, 200, &accept(&[], "")).await,
        Answer::AcceptAndClose => {
            write(stream, 200, &accept(&[], "")).await?;
            Ok(false)
        }
        Answer::FailEntries(failed, code) => write(stream, 200, &accept(&failed, code)).await,
        Answer::Refuse(status, code) => {
            write(stream, status, &json!({"__type": code, "message": "injected"}).to_string()).await
        }
        Answer::AcceptAndReset => {
            accept(&[], "");
            reset(stream)
        }
        Answer::Reset => reset(stream),
        Answer::Hang => {
            // Until the client closes the connection.
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).await?;
            Ok(false)
        }
        Answer::Body(body) => write(stream, 200, body).await,
        Answer::Garbage => {
            stream.write_all(b"\x00\xff this is not HTTP\r\n\r\n").await?;
            Ok(false)
        }
        Answer::After(time) => {
            tokio::time::sleep(time).await;
            write(stream, 200, &accept(&[], "")).await
        }
    }
}

async fn write(stream: &mut TcpStream, status: u16, body: &str) -> io::Result<bool> {
    let head = format!(
        "HTTP/1.1 {status} Injected\r\nContent-Type: application/x-amz-json-1.1\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.flush().await?;
    Ok(true)
}

/// Closes the connection so that the client reads an error and not an end.
fn reset(stream: &TcpStream) -> io::Result<bool> {
    stream.set_zero_linger()?;
    Ok(false)
}
