//! The road to X-Ray's API through the daemon, which signs: HTTP/1.1 without TLS.
//!
//! Two small requests a minute to a process next door need no client with pools, TLS and a runtime:
//! one connection a call, blocking, on the poller's own thread. So central sampling adds nothing to
//! the tree of dependencies.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::xray::DaemonAddress;

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a whole call may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest body that is read, in bytes: several hundred rules, where X-Ray allows 25.
pub(crate) const MAX_BODY: usize = 1024 * 1024;
/// The longest line of a head, and the most lines.
const MAX_LINE: u64 = 8 * 1024;
const MAX_LINES: usize = 200;
/// Characters of a refusal that are told.
const SAID: usize = 200;

/// Sends a body to a path of X-Ray's API and brings the answer's body.
pub(crate) trait Road: Send {
    /// # Errors
    ///
    /// What went wrong, in words for people.
    fn call(&mut self, path: &'static str, body: &[u8]) -> Result<Vec<u8>, String>;
}

#[cfg(test)]
impl Road for Box<dyn Road> {
    fn call(&mut self, path: &'static str, body: &[u8]) -> Result<Vec<u8>, String> {
        (**self).call(path, body)
    }
}

/// The daemon's proxy.
#[derive(Debug)]
pub(crate) struct Proxy {
    address: DaemonAddress,
    timeout: Duration,
}

impl Proxy {
    pub(crate) fn new(address: DaemonAddress) -> Self {
        Self { address, timeout: CALL_TIMEOUT }
    }

    #[cfg(test)]
    pub(crate) fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    fn exchange(&self, path: &str, body: &[u8]) -> io::Result<Answer> {
        let deadline = Instant::now() + self.timeout;
        let address = self.address.resolve()?;
        let stream = TcpStream::connect_timeout(&address, CONNECT_TIMEOUT.min(self.timeout))?;
        stream.set_nodelay(true)?;
        let mut stream = Limited { stream, deadline };
        let mut request = format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\naccept: application/json\r\nconnection: close\r\n\r\n",
            self.address,
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(body);
        stream.write_all(&request)?;
        read_answer(&mut BufReader::new(stream))
    }
}

impl Road for Proxy {
    fn call(&mut self, path: &'static str, body: &[u8]) -> Result<Vec<u8>, String> {
        match self.exchange(path, body) {
            Ok(Answer { status: 200..=299, body }) => Ok(body),
            Ok(Answer { status, body }) => Err(format!("status {status} {}", said(&body))),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Err("no answer in time".to_owned())
            }
            Err(error) => Err(error.to_string()),
        }
    }
}

/// What of a text is told to people: one line, and not too long.
pub(crate) fn said(body: &[u8]) -> String {
    String::from_utf8_lossy(body)
        .chars()
        .map(|c| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') { ' ' } else { c })
        .take(SAID)
        .collect()
}

/// A connection on which everything together may take until `deadline`.
struct Limited {
    stream: TcpStream,
    deadline: Instant,
}

impl Limited {
    fn left(&self) -> io::Result<Duration> {
        match self.deadline.checked_duration_since(Instant::now()) {
            Some(left) if !left.is_zero() => Ok(left),
            _ => Err(ErrorKind::TimedOut.into()),
        }
    }
}

impl Read for Limited {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(self.left()?))?;
        self.stream.read(buffer)
    }
}

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(self.left()?))?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// A status and a body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

/// Reads one answer of HTTP/1.1, with a length, in chunks, or up to the connection's end.
///
/// # Errors
///
/// The connection broke, or what came is not HTTP, or too long.
pub(crate) fn read_answer(from: &mut impl BufRead) -> io::Result<Answer> {
    loop {
        let head = Head::read(from)?;
        match head.status {
            // The real answer is still to come.
            100..=199 => {}
            204 | 304 => return Ok(Answer { status: head.status, body: Vec::new() }),
            status => return Ok(Answer { status, body: head.read_body(from)? }),
        }
    }
}

struct Head {
    status: u16,
    length: Option<usize>,
    is_chunked: bool,
}

impl Head {
    fn read(from: &mut impl BufRead) -> io::Result<Self> {
        let first = line(from)?;
        let mut parts = first.split(' ');
        let status = match (parts.next(), parts.next().map(|code| (code.len(), code.parse()))) {
            (Some(version), Some((3, Ok(status @ 100..=999))))
                if version.starts_with("HTTP/1.") =>
            {
                status
            }
            _ => return Err(invalid("the answer is not HTTP/1")),
        };
        let mut head = Self { status, length: None, is_chunked: false };
        for _ in 0..MAX_LINES {
            let line = line(from)?;
            if line.is_empty() {
                return Ok(head);
            }
            let Some((name, value)) = line.split_once(':') else {
                return Err(invalid("a header without a colon"));
            };
            let value = value.trim();
            if name.eq_ignore_ascii_case("content-length") {
                let length = value.bytes().all(|byte| byte.is_ascii_digit()).then_some(value);
                let length = length.and_then(|length| length.parse().ok());
                let Some(length) = length.filter(|n| head.length.is_none_or(|m| m == *n)) else {
                    return Err(invalid("no valid content-length"));
                };
                head.length = Some(length);
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                if !value.eq_ignore_ascii_case("chunked") {
                    return Err(invalid("a transfer-encoding that is not known"));
                }
                head.is_chunked = true;
            }
        }
        Err(invalid("too many headers"))
    }

    fn read_body(&self, from: &mut impl BufRead) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        if self.is_chunked {
            while read_chunk(from, &mut body)? {}
        } else if let Some(length) = self.length {
            read_exactly(from, length, &mut body)?;
        } else {
            from.take(MAX_BODY as u64 + 1).read_to_end(&mut body)?;
            if body.len() > MAX_BODY {
                return Err(too_long());
            }
        }
        Ok(body)
    }
}

/// Reads a chunk; false if it was the last.
fn read_chunk(from: &mut impl BufRead, body: &mut Vec<u8>) -> io::Result<bool> {
    let size = line(from)?;
    let digits = size.split(';').next().unwrap_or_default().trim();
    let is_hex = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let size = usize::from_str_radix(digits, 16).ok().filter(|_| is_hex);
    match size {
        None => Err(invalid("no valid length of a chunk")),
        // What follows the last one (trailers) says nothing more.
        Some(0) => Ok(false),
        Some(size) => {
            read_exactly(from, size, body)?;
            match line(from)?.is_empty() {
                true => Ok(true),
                false => Err(invalid("a chunk is longer than it says")),
            }
        }
    }
}

fn read_exactly(from: &mut impl BufRead, length: usize, body: &mut Vec<u8>) -> io::Result<()> {
    if length > MAX_BODY - body.len() {
        return Err(too_long());
    }
    // Grows with what arrives, not with what is announced.
    let read = from.take(length as u64).read_to_end(body)?;
    if read < length { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
}

/// A line without its end.
fn line(from: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    from.take(MAX_LINE).read_until(b'\n', &mut line)?;
    if line.pop() != Some(b'\n') {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    String::from_utf8(line).map_err(|_| invalid("a line that is no text"))
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

fn too_long() -> io::Error {
    invalid("the answer is longer than 1 MiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(answer: &[u8], expected: Result<(u16, &str), &str>) {
        let found = read_answer(&mut BufReader::new(answer));
        let shown = String::from_utf8_lossy(answer).chars().take(200).collect::<String>();
        match (found, expected) {
            (Ok(found), Ok((status, body))) => {
                assert_eq!((found.status, &*found.body), (status, body.as_bytes()), "{shown}");
            }
            (Err(error), Err(expected)) => {
                assert!(error.to_string().contains(expected), "{shown}: {error}");
            }
            (found, expected) => panic!("{shown}: {found:?}, not {expected:?}"),
        }
    }

    #[test]
    fn answers_are_read_in_each_of_their_forms() {
        check(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", Ok((200, "{}")));
        check(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}more", Ok((200, "{}")));
        check(b"HTTP/1.0 200\ncontent-length:2\n\n{}", Ok((200, "{}")));
        check(b"HTTP/1.1 200 OK\r\n\r\nuntil the end", Ok((200, "until the end")));
        check(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1;x=y\r\nd\r\n0\r\n\r\n",
            Ok((200, "abcd")),
        );
        check(
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n",
            Ok((403, "")),
        );
        check(b"HTTP/1.1 204 No Content\r\n\r\n", Ok((204, "")));
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        check(b"", Err("unexpected end"));
        check(b"HTTP/1.1 200 OK\r\n", Err("unexpected end"));
        check(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}", Err("unexpected end"));
        check(b"SSH-2.0-OpenSSH\r\n\r\n", Err("not HTTP/1"));
        check(b"HTTP/2 200 OK\r\n\r\n", Err("not HTTP/1"));
        check(b"HTTP/1.1 2000 OK\r\n\r\n", Err("not HTTP/1"));
        check(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", Err("content-length"));
        check(b"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\na", Err("content-length"));
        check(
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            Err("content-length"),
        );
        check(b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n", Err("1 MiB"));
        check(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", Err("transfer-encoding"));
        check(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", Err("chunk"));
        check(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", Err("chunk"));
        check(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n", Err("1 MiB"));
        check(b"HTTP/1.1 200 OK\r\n\xff: 1\r\n\r\n", Err("no text"));
        check(b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", Err("colon"));
        let endless = [b"HTTP/1.1 200 OK\r\n".to_vec(), b"a: b\r\n".repeat(300)].concat();
        check(&endless, Err("too many headers"));
        let long = [b"HTTP/1.1 200 OK\r\na: ".to_vec(), vec![b'x'; 9_000]].concat();
        check(&long, Err("unexpected end"));
        let large = [b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![b'x'; MAX_BODY + 1]].concat();
        check(&large, Err("1 MiB"));
    }

    #[test]
    fn scenario_28_a_refusal_is_told_on_one_line() {
        assert_eq!(
            said(b"{\"message\":\r\n\x1b[31mno\xff\"}"),
            "{\"message\":   [31mno\u{fffd}\"}"
        );
        assert_eq!(said(&[b'a'; 9_000]).len(), SAID);
    }
}
