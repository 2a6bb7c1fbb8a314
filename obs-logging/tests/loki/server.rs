//! A real HTTP server that fails on demand. It knows nothing of what it is sent.
//!
//! It runs on a thread and a runtime of its own, listens on a loopback port that the system picks,
//! and stops when it is dropped.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What the server does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// 204, without a body.
    Accept,
    /// The status, and what stands in `Retry-After`. The body is `injected`.
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

type Script = Box<dyn Fn(&Request) -> Answer + Send + Sync>;

struct State {
    script: Script,
    requests: Mutex<Vec<Request>>,
    connections: Mutex<usize>,
}

/// The server.
pub(crate) struct Server {
    state: Arc<State>,
    address: SocketAddr,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
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

    /// The first request is answered so, every other one is taken.
    pub(crate) fn first(answer: Answer) -> Self {
        Self::start(move |request| match request.number {
            1 => answer.clone(),
            _ => Answer::Accept,
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.state.requests.lock().unwrap().clone()
    }

    /// The connections that the requests came over.
    pub(crate) fn connections(&self) -> Vec<usize> {
        self.requests().iter().map(|request| request.connection).collect()
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

impl Drop for Server {
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
        Answer::Accept => {
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await?;
            Ok(true)
        }
        Answer::AcceptAndClose => {
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await?;
            Ok(false)
        }
        Answer::Refuse(status, after) => {
            let after = after.map(|it| format!("Retry-After: {it}\r\n")).unwrap_or_default();
            let answer =
                format!("HTTP/1.1 {status} Injected\r\n{after}Content-Length: 8\r\n\r\ninjected");
            stream.write_all(answer.as_bytes()).await?;
            Ok(true)
        }
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
