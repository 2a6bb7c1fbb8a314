//! The HTTP client: made on the lane's own runtime, at the first request.

use std::io;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::RETRY_AFTER;
use hyper::{Request, Uri};
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::sink::chain;

/// A connection that is not there after this time will not be there soon.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a connection is kept that nothing goes over: longer than a usual interval of flushes.
const IDLE_TIMEOUT: Duration = Duration::from_secs(75);
/// What is read of an answer.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// Speaks HTTP/1.1, over TLS where the address says so: CloudWatch's endpoint takes nothing newer.
///
/// hyper and rustls are those that the AWS SDK's own client is made of. Certificates are the
/// system's, and read only where they are needed.
#[derive(Debug)]
pub(crate) enum Client {
    Plain(legacy::Client<HttpConnector, Full<Bytes>>),
    Tls(legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>),
}

/// What a server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<String>,
    pub(crate) body: Bytes,
}

impl Client {
    /// A client for this address. That must be on the lane's runtime: connections are served by the
    /// runtime on which they are made, and stop when it does.
    pub(crate) fn to(uri: &Uri) -> io::Result<Self> {
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
        if uri.scheme_str() != Some("https") {
            return Ok(Self::Plain(builder.build(http)));
        }
        http.enforce_http(false);
        // Named, because an application may have a second provider, and then there is no default.
        let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_native_roots()?
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_only()
            .enable_http1()
            .wrap_connector(http);
        Ok(Self::Tls(builder.build(connector)))
    }

    /// Sends one request. An error is the connection's, and none of the server.
    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Result<Answer, String> {
        let answered = match self {
            Self::Plain(client) => client.request(request).await,
            Self::Tls(client) => client.request(request).await,
        };
        let response = answered.map_err(|error| chain(&error))?;
        let status = response.status().as_u16();
        let retry_after = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned);
        // The status decides: what is not readable behind it says nothing more.
        let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect().await;
        let body = body.map(|body| body.to_bytes()).unwrap_or_default();
        Ok(Answer { status, retry_after, body })
    }
}
