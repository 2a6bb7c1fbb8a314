//! The HTTP client: made on the lane's own runtime, at the first request.

use std::fmt;
use std::io;
use std::time::{Duration, SystemTime};

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::RETRY_AFTER;
use hyper::{Method, Uri};
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::endpoint::Endpoint;
use super::headers::Headers;
use super::sender::Body;
use crate::lane::error_chain;

/// A connection that is not there after this time will not be there soon.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a connection is kept that nothing goes over: longer than a usual interval of flushes.
const IDLE_TIMEOUT: Duration = Duration::from_secs(75);
/// What is read of an answer, if nothing else is said.
const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// Characters of an answer that are told to people.
const SAID: usize = 300;

/// Sends requests to one host over a kept connection.
///
/// hyper and rustls are those that the AWS SDK's own client is made of. Certificates are the
/// system's, and read only where they are needed. There is no limit of time here: drop the future.
pub struct Client {
    inner: Inner,
    max_answer_bytes: usize,
}

enum Inner {
    Plain(legacy::Client<HttpConnector, Full<Bytes>>),
    Tls(legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>),
}

impl Client {
    /// A client for this address. That must be on the lane's runtime: connections are served by the
    /// runtime on which they are made, and stop when it does.
    ///
    /// # Errors
    ///
    /// The system's certificates could not be read.
    pub fn to(endpoint: &Endpoint) -> io::Result<Self> {
        let mut http = HttpConnector::new();
        http.set_connect_timeout(Some(CONNECT_TIMEOUT));
        http.set_nodelay(true);
        let mut builder = legacy::Client::builder(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            // Requests follow one another.
            .pool_max_idle_per_host(1);
        let inner = if endpoint.is_https() {
            http.enforce_http(false);
            Inner::Tls(builder.build(tls(http)?))
        } else {
            Inner::Plain(builder.build(http))
        };
        Ok(Self { inner, max_answer_bytes: MAX_ANSWER_BYTES })
    }

    /// The most bytes that are read of an answer's body. Default 64 KiB; larger ones read as empty.
    #[must_use = "a client is changed by value"]
    pub fn max_answer_bytes(mut self, bytes: usize) -> Self {
        self.max_answer_bytes = bytes;
        self
    }

    /// Sends one request and reads the answer.
    ///
    /// # Errors
    ///
    /// There was no connection, it broke, or what came was not HTTP. A status that refuses is an
    /// answer and no error.
    pub async fn send(&self, request: Request) -> Result<Answer, SendError> {
        let answered = match &self.inner {
            Inner::Plain(client) => client.request(request.inner).await,
            Inner::Tls(client) => client.request(request.inner).await,
        };
        let response = answered.map_err(|error| SendError(error_chain(&error)))?;
        let status = response.status().as_u16();
        let retry_after = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned);
        // The status decides: what is not readable behind it says nothing more.
        let body = Limited::new(response.into_body(), self.max_answer_bytes).collect().await;
        let body = body.map(|body| body.to_bytes()).unwrap_or_default();
        Ok(Answer { status, retry_after, body })
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("max_answer_bytes", &self.max_answer_bytes)
            .finish_non_exhaustive()
    }
}

fn tls(http: HttpConnector) -> io::Result<HttpsConnector<HttpConnector>> {
    // Named, because an application may have a second provider, and then there is no default.
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_native_roots()?
        .with_no_client_auth();
    Ok(HttpsConnectorBuilder::new()
        .with_tls_config(config)
        .https_only()
        .enable_http1()
        .wrap_connector(http))
}

/// One request.
pub struct Request {
    pub(super) inner: hyper::Request<Full<Bytes>>,
    /// The body again, for who signs it.
    #[cfg_attr(not(feature = "sigv4"), expect(dead_code, reason = "only signatures read it"))]
    pub(super) body: Body,
}

impl Request {
    /// A POST of `body`.
    pub fn post(endpoint: &Endpoint, headers: &Headers, body: &Body) -> Self {
        Self::new(Method::POST, endpoint.uri(), headers, body)
    }

    /// A GET.
    pub fn get(endpoint: &Endpoint, headers: &Headers) -> Self {
        Self::new(Method::GET, endpoint.uri(), headers, &Body::default())
    }

    fn new(method: Method, uri: &Uri, headers: &Headers, body: &Body) -> Self {
        let mut inner = hyper::Request::new(Full::new(body.bytes()));
        *inner.method_mut() = method;
        *inner.uri_mut() = uri.clone();
        *inner.headers_mut() = headers.map().clone();
        Self { inner, body: body.clone() }
    }
}

impl fmt::Debug for Request {
    /// Neither address nor headers, which may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("method", self.inner.method()).finish_non_exhaustive()
    }
}

/// Why there was no answer, in words for people. Names no path.
#[derive(Clone, Debug)]
pub struct SendError(String);

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SendError {}

/// What a server answered.
#[derive(Clone, Debug)]
pub struct Answer {
    status: u16,
    retry_after: Option<String>,
    body: Bytes,
}

impl Answer {
    /// An answer, for tests of what judges them.
    pub fn new(status: u16, retry_after: Option<&str>, body: impl Into<Vec<u8>>) -> Self {
        Self { status, retry_after: retry_after.map(str::to_owned), body: body.into().into() }
    }

    /// The status: 200, say.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The body; empty where it was too large or broke off.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// `Retry-After`, which is seconds or a date; `None` where it is neither or not there.
    pub fn retry_after(&self, now: SystemTime) -> Option<Duration> {
        let text = self.retry_after.as_deref()?.trim();
        if let Ok(seconds) = text.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let at = httpdate::parse_http_date(text).ok()?;
        Some(at.duration_since(now).unwrap_or_default())
    }

    /// What the body says to people, on one line and cut to 300 characters; `None` where it is no text.
    pub fn said(&self) -> Option<String> {
        let text = std::str::from_utf8(&self.body).ok()?;
        if text.chars().any(|c| c.is_control() && !c.is_whitespace()) {
            return None;
        }
        let mut said = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some((end, _)) = said.char_indices().nth(SAID) {
            said.truncate(end);
            said.push('…');
        }
        Some(said)
    }

    /// Status and [`said`](Self::said), where the status is not 2xx: what to tell people of it.
    pub fn failure(&self) -> Option<String> {
        let is_success = (200..300).contains(&self.status);
        let said = self.said().unwrap_or_default();
        (!is_success).then(|| format!("{} {said}", self.status).trim_end().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_says_when_in_seconds_or_by_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_445_412_480);
        for (text, expected) in [
            ("7", Some(7)),
            (" 0 ", Some(0)),
            ("Wed, 21 Oct 2015 07:28:30 GMT", Some(30)),
            ("Wed, 21 Oct 2015 07:27:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
        ] {
            let answer = Answer::new(503, Some(text), "");
            assert_eq!(answer.retry_after(now), expected.map(Duration::from_secs), "{text}");
        }
        assert_eq!(Answer::new(503, None, "").retry_after(now), None);
    }

    #[test]
    fn a_refusal_is_told_on_one_line() {
        for (status, body, expected) in [
            (400, b"{\"message\":\n \"no\"}".to_vec(), Some("400 {\"message\": \"no\"}")),
            (400, Vec::new(), Some("400")),
            (400, vec![0xff; 8], Some("400")),
            (400, b"\x1b[31mred".to_vec(), Some("400")),
            (204, b"fine".to_vec(), None),
        ] {
            let answer = Answer::new(status, None, body);
            assert_eq!(answer.failure().as_deref(), expected);
        }
        let page = Answer::new(502, None, "ä".repeat(10_000)).failure().unwrap();
        assert_eq!(page.chars().count(), "502 ".len() + SAID + 1);
    }
}
