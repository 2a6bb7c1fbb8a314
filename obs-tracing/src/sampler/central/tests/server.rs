//! X-Ray's API as the daemon's proxy shows it, on 127.0.0.1: strict about what it gets.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::{Value, json};

/// What goes wrong with one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sampler::central) enum Fault {
    Status(u16),
    /// 200, and a body that is not JSON.
    Garbage,
    /// 200, and JSON that is no answer.
    OtherJson,
    /// Not even HTTP.
    NotHttp,
    /// The connection ends before an answer.
    Closed,
    /// It ends within the body.
    Cut,
    /// No answer for longer than the client waits.
    Silent,
    /// A byte now and then, and never the end.
    Dribble,
}

/// What one rule reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sampler::central) struct Report {
    pub(in crate::sampler::central) rule: String,
    pub(in crate::sampler::central) requests: u64,
    pub(in crate::sampler::central) sampled: u64,
    pub(in crate::sampler::central) borrowed: u64,
}

#[derive(Default)]
struct State {
    rules: Vec<Value>,
    modified: f64,
    page: usize,
    targets: Vec<Value>,
    unprocessed: Vec<Value>,
    faults: VecDeque<Fault>,
    /// The paths that were called.
    calls: Vec<String>,
    reports: Vec<Report>,
    client: Option<String>,
    /// What the credential of each request's signature must end with.
    signed: Option<&'static str>,
    /// How many calls reported.
    batches: Vec<usize>,
    violations: Vec<String>,
    stopped: bool,
    served: usize,
}

pub(in crate::sampler::central) struct Api {
    address: String,
    state: Arc<Mutex<State>>,
    thread: Option<JoinHandle<()>>,
}

impl Api {
    pub(in crate::sampler::central) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state = Arc::new(Mutex::new(State { page: 100, ..State::default() }));
        let kept = Arc::clone(&state);
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if kept.lock().unwrap().stopped {
                    return;
                }
                serve(stream.unwrap(), &kept);
            }
        });
        Self { address, state, thread: Some(thread) }
    }

    pub(in crate::sampler::central) fn address(&self) -> &str {
        &self.address
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The rules from now on; `LastRuleModification` becomes a second later.
    pub(in crate::sampler::central) fn set_rules(&self, rules: impl IntoIterator<Item = Value>) {
        let mut state = self.state();
        state.modified = if state.modified == 0.0 { 1.6e9 } else { state.modified + 1.0 };
        let modified = state.modified;
        state.rules = rules
            .into_iter()
            .map(|rule| json!({"SamplingRule": rule, "CreatedAt": 1.5e9, "ModifiedAt": modified}))
            .collect();
    }

    /// Records as they are, and so many on a page.
    pub(in crate::sampler::central) fn set_records(&self, records: Vec<Value>, page: usize) {
        let mut state = self.state();
        (state.rules, state.page) = (records, page);
    }

    /// What the next reports are answered with.
    pub(in crate::sampler::central) fn set_targets(
        &self,
        targets: impl IntoIterator<Item = Value>,
    ) {
        self.state().targets = targets.into_iter().collect();
    }

    pub(in crate::sampler::central) fn set_unprocessed(
        &self,
        unprocessed: impl IntoIterator<Item = Value>,
    ) {
        self.state().unprocessed = unprocessed.into_iter().collect();
    }

    /// What goes wrong with the next calls, one each.
    pub(in crate::sampler::central) fn fail(&self, faults: impl IntoIterator<Item = Fault>) {
        self.state().faults.extend(faults);
    }

    /// Each request is to be signed for this scope.
    #[cfg(feature = "sampling-aws")]
    pub(in crate::sampler::central) fn expect_signature(&self, scope: &'static str) {
        self.state().signed = Some(scope);
    }

    /// Nothing goes wrong any more.
    pub(in crate::sampler::central) fn heal(&self) {
        self.state().faults.clear();
    }

    pub(in crate::sampler::central) fn take_calls(&self) -> Vec<String> {
        std::mem::take(&mut self.state().calls)
    }

    pub(in crate::sampler::central) fn take_reports(&self) -> Vec<Report> {
        std::mem::take(&mut self.state().reports)
    }

    pub(in crate::sampler::central) fn take_batches(&self) -> Vec<usize> {
        std::mem::take(&mut self.state().batches)
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.state().stopped = true;
        // Wakes it.
        let _ = TcpStream::connect(&self.address);
        let served = self.thread.take().map(JoinHandle::join);
        if !thread::panicking() {
            served.unwrap().unwrap();
            let state = self.state();
            assert!(state.violations.is_empty(), "{:#?}", state.violations);
        }
    }
}

fn serve(mut stream: TcpStream, state: &Mutex<State>) {
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let signed = state.lock().unwrap().signed;
    let request = match read_request(&stream, signed) {
        Ok(request) => request,
        Err(violation) => {
            state.lock().unwrap().violations.push(violation);
            return;
        }
    };
    let (fault, answer, is_chunked) = {
        let mut state = state.lock().unwrap();
        state.calls.push(request.path.clone());
        state.served += 1;
        let fault = state.faults.pop_front();
        // A call that fails changes nothing.
        let answer = if fault.is_none() { state.answer(&request) } else { Value::Null };
        (fault, answer.to_string(), state.served.is_multiple_of(2))
    };
    let _ = match fault {
        None => stream.write_all(&http(200, answer.as_bytes(), is_chunked)),
        Some(Fault::Status(status)) => {
            stream.write_all(&http(status, b"{\"message\":\"so it is\"}", is_chunked))
        }
        Some(Fault::Garbage) => stream.write_all(&http(200, b"<html>\xff", is_chunked)),
        Some(Fault::OtherJson) => stream.write_all(&http(200, b"{\"a\":[1]}", is_chunked)),
        Some(Fault::NotHttp) => stream.write_all(b"220 mail ready\r\n"),
        Some(Fault::Closed) => Ok(()),
        Some(Fault::Cut) => stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{"),
        Some(Fault::Silent) => {
            // Until the client has given up.
            let _ = stream.read(&mut [0]);
            Ok(())
        }
        Some(Fault::Dribble) => dribble(&mut stream),
    };
}

fn dribble(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")?;
    for _ in 0..200 {
        stream.write_all(b" ")?;
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

fn http(status: u16, body: &[u8], is_chunked: bool) -> Vec<u8> {
    let mut answer = format!("HTTP/1.1 {status} Whatever\r\ncontent-type: application/json\r\n");
    if !is_chunked {
        answer.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
        return [answer.as_bytes(), body].concat();
    }
    answer.push_str("Transfer-Encoding: chunked\r\n\r\n");
    let mut bytes = answer.into_bytes();
    for part in body.chunks(100) {
        bytes.extend(format!("{:X}\r\n", part.len()).bytes().chain(part.iter().copied()));
        bytes.extend(b"\r\n");
    }
    bytes.extend(b"0\r\n\r\n");
    bytes
}

struct Request {
    path: String,
    body: Value,
}

fn read_request(stream: &TcpStream, signed: Option<&str>) -> Result<Request, String> {
    let mut reader = BufReader::new(stream);
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).map_err(|error| error.to_string())?;
        line.strip_suffix("\r\n").map(str::to_owned).ok_or(format!("a line ends so: {line:?}"))
    };
    let first = line()?;
    let path = first
        .strip_prefix("POST ")
        .and_then(|rest| rest.strip_suffix(" HTTP/1.1"))
        .ok_or(format!("a request begins so: {first:?}"))?
        .to_owned();
    let mut headers = Vec::new();
    loop {
        let line = line()?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(": ").ok_or(format!("a header: {line:?}"))?;
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let header = |name: &str| {
        let mut found = headers.iter().filter(|(key, _)| key == name);
        match (found.next(), found.next()) {
            (Some((_, value)), None) => Ok(value.clone()),
            _ => Err(format!("{name} in {headers:?}")),
        }
    };
    if header("content-type")? != "application/json" || header("host")?.is_empty() {
        return Err(format!("headers: {headers:?}"));
    }
    if let Some(scope) = signed {
        let authorization = header("authorization")?;
        let is_ours = authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
            && authorization.split(", ").next().is_some_and(|first| first.ends_with(scope));
        if !is_ours || header("x-amz-date")?.is_empty() {
            return Err(format!("signed so: {authorization:?}"));
        }
    }
    let length: usize = header("content-length")?.parse().map_err(|_| "a length".to_owned())?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).map_err(|error| error.to_string())?;
    stream.set_nonblocking(true).unwrap();
    let more = reader.read(&mut [0]);
    stream.set_nonblocking(false).unwrap();
    if !more.is_err_and(|error| error.kind() == ErrorKind::WouldBlock) {
        return Err("something follows the body".to_owned());
    }
    let body = serde_json::from_slice(&body).map_err(|error| format!("the body: {error}"))?;
    Ok(Request { path, body })
}

impl State {
    fn answer(&mut self, request: &Request) -> Value {
        let Value::Object(members) = &request.body else {
            self.violations.push(format!("a body: {}", request.body));
            return Value::Null;
        };
        match request.path.as_str() {
            "/GetSamplingRules" => {
                let token = members.get("NextToken").map(|token| token.as_str().unwrap());
                if members.len() != usize::from(token.is_some()) {
                    self.violations.push(format!("unknown members: {members:?}"));
                }
                self.page(token)
            }
            "/SamplingTargets" => {
                let documents = members.get("SamplingStatisticsDocuments");
                let documents = documents.and_then(Value::as_array).filter(|_| members.len() == 1);
                match documents {
                    Some(documents) if (1..=25).contains(&documents.len()) => {
                        self.batches.push(documents.len());
                        for document in documents.clone() {
                            if let Err(violation) = self.report(&document) {
                                self.violations.push(format!("{violation}: {document}"));
                            }
                        }
                    }
                    _ => self.violations.push(format!("a report: {members:?}")),
                }
                json!({
                    "SamplingTargetDocuments": self.targets,
                    "LastRuleModification": self.modified,
                    "UnprocessedStatistics": self.unprocessed,
                })
            }
            path => {
                self.violations.push(format!("no such path: {path}"));
                Value::Null
            }
        }
    }

    fn page(&mut self, token: Option<&str>) -> Value {
        let begin = match token.map(|token| token.strip_prefix("from-").map(str::parse)) {
            None => 0,
            Some(Some(Ok(begin))) if begin < self.rules.len() && begin % self.page == 0 => begin,
            Some(_) => {
                self.violations.push(format!("a token that was never given: {token:?}"));
                return Value::Null;
            }
        };
        let end = (begin + self.page).min(self.rules.len());
        let next = (end < self.rules.len()).then(|| format!("from-{end}"));
        json!({"SamplingRuleRecords": self.rules[begin..end], "NextToken": next})
    }

    fn report(&mut self, document: &Value) -> Result<(), &'static str> {
        let number = |key: &str| document[key].as_u64().filter(|n| *n <= i32::MAX as u64);
        let (Some(requests), Some(sampled), Some(borrowed)) =
            (number("RequestCount"), number("SampledCount"), number("BorrowCount"))
        else {
            return Err("a count");
        };
        let (Some(rule), Some(client)) =
            (document["RuleName"].as_str(), document["ClientID"].as_str())
        else {
            return Err("a name");
        };
        if document.as_object().map(serde_json::Map::len) != Some(6) {
            return Err("unknown members");
        }
        if client.len() != 24 || !client.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err("the client's id is not 24 hexadecimal digits");
        }
        if self.client.get_or_insert_with(|| client.to_owned()) != client {
            return Err("another client's id");
        }
        if !document["Timestamp"].as_f64().is_some_and(|seconds| (1.5e9..5e9).contains(&seconds)) {
            return Err("no seconds since the epoch");
        }
        if requests == 0 || sampled > requests || borrowed > sampled {
            return Err("counts that cannot be");
        }
        self.reports.push(Report { rule: rule.to_owned(), requests, sampled, borrowed });
        Ok(())
    }
}
